//! Those who mean harm, each over and over until it is over.

mod hostile;
mod line;
mod weapons;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use self::hostile::Hostile;
pub use self::line::handshake;
use crate::within;

/// What somebody does who means harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// Frames and texts that are none.
    Garbage,
    /// Updates that end whoever decodes them, and snapshots that unfold to much more than they are.
    Bombs,
    /// Updates of maps in one another without end.
    DeepNests,
    /// As many sound updates as go out.
    Floods,
    /// Presence, as much as goes out, some of it none.
    PresenceFloods,
    /// Frames that do not go on, such as are too long, and batches of which only the first piece comes.
    HalfFrames,
    /// Requests whose heads do not go on.
    HalfHeads,
    /// Much work, and no reading of what comes back.
    NeverReads,
}

impl Harm {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Garbage,
        Self::Bombs,
        Self::DeepNests,
        Self::Floods,
        Self::PresenceFloods,
        Self::HalfFrames,
        Self::HalfHeads,
        Self::NeverReads,
    ];
}

/// How often harm was tried.
#[derive(Debug, Default)]
struct Tally {
    inputs: [AtomicU64; Harm::ALL.len()],
    /// Connections that were made, by the same kinds.
    connections: [AtomicU64; Harm::ALL.len()],
    bell: watch::Sender<()>,
}

impl Tally {
    fn input(&self, harm: Harm) {
        self.inputs[harm as usize].fetch_add(1, Ordering::Relaxed);
        self.bell.send_replace(());
    }

    fn connection(&self, harm: Harm) {
        self.connections[harm as usize].fetch_add(1, Ordering::Relaxed);
    }
}

/// Some who do harm, over and over; they end when it is dropped.
///
/// Whoever is sent away comes back at once; whoever is not let in tries again soon.
pub struct Siege {
    tally: Arc<Tally>,
    _tasks: Vec<AbortOnDropHandle<()>>,
}

impl Siege {
    /// Has each of these harms done to a server by somebody of their own, with this token, in these rooms and in one that they
    /// share.
    #[must_use]
    pub fn begin(
        address: SocketAddr,
        rooms: &[impl AsRef<str>],
        harms: impl IntoIterator<Item = (Harm, String)>,
    ) -> Self {
        let tally = Arc::new(Tally::default());
        let one = |(harm, token)| {
            let hostile = Hostile {
                address,
                token,
                rooms: rooms.iter().map(|room| room.as_ref().to_owned()).collect(),
                harm,
                tally: Arc::clone(&tally),
            };
            AbortOnDropHandle::new(tokio::spawn(hostile.run()))
        };
        let tasks = harms.into_iter().map(one).collect();
        Self { tally, _tasks: tasks }
    }

    /// How many inputs of that kind were sent so far.
    #[must_use]
    pub fn inputs(&self, harm: Harm) -> u64 {
        self.tally.inputs[harm as usize].load(Ordering::Relaxed)
    }

    /// How many connections were made for that kind so far.
    #[must_use]
    pub fn connections(&self, harm: Harm) -> u64 {
        self.tally.connections[harm as usize].load(Ordering::Relaxed)
    }

    /// All inputs that were sent so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        Harm::ALL.into_iter().map(|harm| self.inputs(harm)).sum()
    }

    /// Waits until so many inputs of that kind were sent.
    pub async fn until(&self, harm: Harm, inputs: u64) {
        let mut bell = self.tally.bell.subscribe();
        let sent = bell.wait_for(|()| self.inputs(harm) >= inputs);
        within(&format!("{inputs} inputs of {harm:?}"), sent).await.expect("the siege goes on");
    }
}
