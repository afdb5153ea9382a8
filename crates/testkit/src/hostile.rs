//! Those who mean harm.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use loro::{ExportMode, LoroDoc, LoroMap};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinHandle,
};

use crate::{Peer, PeerOptions, row::set, sample::deadly_update};

/// Where those who flood do so.
const OWN: &str = "Note/flood";

/// What somebody does who means harm.
#[derive(Debug, Clone, Copy)]
pub enum Harm {
    /// Frames that are none.
    Garbage,
    /// Updates that end whoever decodes them.
    DeadlyUpdates,
    /// Updates of maps in one another without end.
    DeepNests,
    /// As many sound updates as go out.
    Floods,
    /// Presence that is none, as much as goes out.
    PresenceFloods,
    /// Frames that do not go on, and such as are too long.
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
        Self::DeadlyUpdates,
        Self::DeepNests,
        Self::Floods,
        Self::PresenceFloods,
        Self::HalfFrames,
        Self::HalfHeads,
        Self::NeverReads,
    ];
}

/// Some who do harm, over and over; they end when it is dropped.
pub struct Siege {
    over: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    tasks: Vec<JoinHandle<()>>,
}

impl Siege {
    /// Has `harms` done to a server, each by a connection of its own with this token, in these rooms and in one of their own.
    #[must_use]
    pub fn begin(
        address: SocketAddr,
        token: &str,
        rooms: &'static [&'static str],
        harms: impl IntoIterator<Item = Harm>,
    ) -> Self {
        let (over, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let one = |harm| {
            let (over, done) = (Arc::clone(&over), Arc::clone(&done));
            let hostile = Hostile { address, token: token.to_owned(), rooms, over, done };
            tokio::spawn(hostile.run(harm))
        };
        let tasks = harms.into_iter().map(one).collect();
        Self { over, done, tasks }
    }

    /// How often harm was tried so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }
}

impl Drop for Siege {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Whoever does harm, until it is over.
struct Hostile {
    address: SocketAddr,
    token: String,
    rooms: &'static [&'static str],
    over: Arc<AtomicBool>,
    /// How often it was done.
    done: Arc<AtomicU64>,
}

impl Hostile {
    async fn run(self, harm: Harm) {
        while !self.over.load(Ordering::Relaxed) {
            match harm {
                Harm::HalfFrames => self.half_frame().await,
                Harm::HalfHeads => self.half_head().await,
                Harm::Garbage
                | Harm::DeadlyUpdates
                | Harm::DeepNests
                | Harm::Floods
                | Harm::PresenceFloods
                | Harm::NeverReads => self.connected(harm).await,
            }
            self.done.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn connected(&self, harm: Harm) {
        let options = PeerOptions { receive_buffer: Some(16 * 1024) };
        // Being kept out is as good as being sent away.
        let Ok(peer) = Peer::try_connect(self.address, Some(&self.token), options).await else { return };
        match harm {
            Harm::Garbage => {
                for seed in 0..24_u64 {
                    let noise: Vec<u8> =
                        (0..300_u64).map(|at| (seed * 6_151 + at * 99_991).to_le_bytes()[1]).collect();
                    peer.send(noise.into()).await;
                }
                peer.ended().await;
            }
            Harm::DeadlyUpdates | Harm::DeepNests => {
                for room in self.rooms {
                    peer.join(room).await;
                    let update = if matches!(harm, Harm::DeepNests) { deep() } else { deadly_update() };
                    let batch = peer.send_bytes(room, update).await;
                    if peer.settled(batch).await.is_none() {
                        return;
                    }
                }
            }
            Harm::Floods => {
                peer.join(OWN).await;
                for number in 0..400 {
                    if peer.try_edit(OWN, |doc| set(doc, "stars", number)).await.is_err() {
                        return;
                    }
                }
                peer.ping().await;
            }
            Harm::PresenceFloods => {
                for room in self.rooms {
                    peer.join_presence(room).await;
                }
                for number in 0_u8..200 {
                    let room = self.rooms[usize::from(number) % self.rooms.len()];
                    peer.send_presence(room, vec![number; 64]).await;
                }
            }
            Harm::NeverReads => {
                for room in self.rooms {
                    peer.join(room).await;
                }
                peer.stop_reading();
                while !self.over.load(Ordering::Relaxed) {
                    tokio::task::yield_now().await;
                    if peer.try_edit(OWN, |doc| set(doc, "stars", 1)).await.is_err() {
                        return;
                    }
                }
            }
            Harm::HalfFrames | Harm::HalfHeads => {}
        }
    }

    /// A frame that says it is long, and its first bytes; then one that is beyond the limit, which its header tells.
    async fn half_frame(&self) {
        let request = handshake(self.address, Some(&self.token), None);
        let half = [0x82, 0xfe, 0xff, 0xff, 1, 2, 3, 4, 5];
        let too_long = [0x82, 0xff, 0, 0, 0, 0x40, 0, 0, 0, 0, 1, 2, 3, 4];
        for frame in [&half[..], &too_long] {
            let Ok(mut stream) = TcpStream::connect(self.address).await else { return };
            stream.write_all(request.as_bytes()).await.ok();
            if hears(&mut stream).await {
                stream.write_all(frame).await.ok();
            }
            if frame == too_long {
                hears(&mut stream).await;
            }
        }
    }

    async fn half_head(&self) {
        let Ok(mut stream) = TcpStream::connect(self.address).await else { return };
        stream.write_all(b"POST /api/entities/Note HTTP/1.1\r\nContent-Length: 99").await.ok();
        tokio::task::yield_now().await;
    }
}

/// Whether anything comes before the end.
async fn hears(stream: &mut TcpStream) -> bool {
    matches!(stream.read(&mut [0; 512]).await, Ok(1..))
}

/// Maps in one another, deeper than anybody may read.
fn deep() -> Vec<u8> {
    let doc = LoroDoc::new();
    let mut map = doc.get_map("row").insert_container("title", LoroMap::new()).expect("a map takes a map");
    for _ in 0..4_000 {
        map = map.insert_container("k", LoroMap::new()).expect("a map takes a map");
    }
    doc.commit();
    doc.export(ExportMode::all_updates()).expect("a document can be exported")
}

/// The request that opens a socket, as it goes over the wire.
#[must_use]
pub fn handshake(address: SocketAddr, token: Option<&str>, origin: Option<&str>) -> String {
    let query = token.map(|token| format!("?token={token}")).unwrap_or_default();
    let origin = origin.map(|origin| format!("Origin: {origin}\r\n")).unwrap_or_default();
    format!(
        "GET /ws{query} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{origin}\r\n"
    )
}
