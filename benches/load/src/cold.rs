//! Documents that nobody has open are opened, each once, after the server was started again.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    client::{self, Receiver, Sender},
    server::{Home, Kind},
    speech::{Beginning, Heard},
    usage::Usage,
};

/// Connections at the same time.
const TOGETHER: usize = 32;
/// How long a document is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a server made of it.
pub(crate) struct Opened {
    /// Documents that came whole.
    pub(crate) whole: usize,
    /// From the first connection to the last document.
    pub(crate) took: Duration,
    /// How long each document took, from the connection's beginning on, in ascending order.
    pub(crate) each: Vec<Duration>,
    /// Processor time of the server meanwhile.
    pub(crate) processor: Duration,
    /// What the server's memory has grown by, in bytes, while all connections are open.
    pub(crate) memory: u64,
}

/// Servers that can be measured: those that store.
pub(crate) fn stores(kind: Kind) -> bool {
    !until_stored(kind).is_zero()
}

/// How long after a change a server has stored it for certain.
fn until_stored(kind: Kind) -> Duration {
    Duration::from_secs(match kind {
        Kind::Relay | Kind::YWebsocket => 0,
        Kind::Corella => 1,
        Kind::Hocuspocus => 12,
        Kind::SimpleServer => 62,
    })
}

pub(crate) async fn open(kind: Kind, documents: usize, characters: usize) -> Opened {
    let home = Home::new(kind);
    let server = home.start(kind).await;
    // All have the same text.
    let text = kind.language().beginning("", characters);
    each(documents, |number| {
        let name = kind.document(number);
        let (url, beginning) = (server.url(&name), text.in_document(&name));
        async move {
            fill(&url, &beginning).await;
            Some(())
        }
    })
    .await;
    sleep(until_stored(kind)).await;
    server.kill().await;

    let server = home.start(kind).await;
    let before = Usage::of(server.id());
    let began = Instant::now();
    let open = each(documents, |number| {
        let name = kind.document(number);
        let (url, beginning) = (server.url(&name), text.in_document(&name));
        async move { arrives(&url, &beginning).await }
    })
    .await;
    let took = began.elapsed();
    let after = Usage::of(server.id());
    server.kill().await;
    let mut each: Vec<Duration> = open.iter().map(|(took, _)| *took).collect();
    each.sort_unstable();
    Opened {
        whole: each.len(),
        took,
        each,
        processor: after.processor.saturating_sub(before.processor),
        memory: after.memory.saturating_sub(before.memory),
    }
}

/// Does `work` once for each document, some at a time; what comes back is what it left where it came to its end, and how long
/// that took.
async fn each<T: Send + 'static, W: Future<Output = Option<T>> + Send + 'static>(
    documents: usize,
    work: impl Fn(usize) -> W,
) -> Vec<(Duration, T)> {
    let turns = Arc::new(Semaphore::new(TOGETHER));
    let mut all = JoinSet::new();
    for number in 0..documents {
        // Taken here, so that no more are prepared than are under way.
        let turn = Arc::clone(&turns).acquire_owned().await;
        let work = work(number);
        all.spawn(async move {
            let _turn = turn;
            let began = Instant::now();
            work.await.map(|left| (began.elapsed(), left))
        });
    }
    all.join_all().await.into_iter().flatten().collect()
}

/// Brings a document's text along, and waits until the server confirms it, if it does.
async fn fill(url: &str, beginning: &Beginning) {
    let mut speech = beginning.reader();
    let (mut sender, mut receiver, _) = client::enter(url, &mut *speech).await;
    sender.send(beginning.fill().0).await;
    drop(timeout(Duration::from_millis(500), receiver.next()).await);
}

/// Opens a document; the connection comes back if it comes whole.
async fn arrives(url: &str, beginning: &Beginning) -> Option<(Sender, Receiver)> {
    let end = beginning.fill().1;
    let is_whole = |heard: &Heard| heard.reached.iter().any(|(writer, at)| *writer == 0 && *at >= end);
    let mut speech = beginning.reader();
    let (mut sender, mut receiver, mut heard) = client::enter(url, &mut *speech).await;
    let arrival = async {
        while !is_whole(&heard) {
            heard = speech.hear(receiver.next().await?);
            sender.send(std::mem::take(&mut heard.answer)).await;
        }
        Some(())
    };
    timeout(PATIENCE, arrival).await.ok().flatten()?;
    Some((sender, receiver))
}
