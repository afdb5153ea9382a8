//! All clients are cut at once, and all come back at once with what they have.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{Barrier, Semaphore},
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    client::{self, Refused},
    server::{Home, Kind},
    speech::Beginning,
    usage::Usage,
};

/// Clients of each document.
const EACH: usize = 10;
const CHARACTERS: usize = 2_000;
/// Connections that are opened at the same time before the storm.
const OPENING: usize = 32;
/// How long a client waits that was refused without a word about when to come back.
const PAUSE: Duration = Duration::from_secs(1);
/// How long one waits for an answer, and for all to be back.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a server made of it.
pub(crate) struct Weathered {
    /// When each client had its answer, since the cut, in ascending order.
    pub(crate) back: Vec<Duration>,
    /// How often one was refused and came again.
    pub(crate) refused: usize,
    /// Processor time of the server from the cut to the last answer.
    pub(crate) processor: Duration,
}

pub(crate) async fn weather(kind: Kind, clients: usize) -> Weathered {
    let home = Home::new(kind);
    let server = home.start(kind).await;
    let opening = Arc::new(Semaphore::new(OPENING));
    // Everybody and this task: once all are in, and once all have gone.
    let together = Arc::new(Barrier::new(clients + 1));
    let mut all = JoinSet::new();
    for document in 0..clients.div_ceil(EACH) {
        let name = kind.document(document);
        let beginning = Arc::new(kind.language().beginning(&name, CHARACTERS));
        let url: Arc<str> = server.url(&name).into();
        fill(&url, &beginning).await;
        for number in 0..EACH.min(clients - document * EACH) {
            let client = Client {
                url: Arc::clone(&url),
                beginning: Arc::clone(&beginning),
                number: number as u64 + 1,
            };
            all.spawn(client.live(Arc::clone(&opening), Arc::clone(&together)));
        }
    }
    tokio::select! {
        // Whoever is back already does not hide that all were there.
        biased;
        _ = together.wait() => {}
        Some(ended) = all.join_next() => panic!("a client has ended before the storm: {:?}", ended.err()),
    }
    let before = Usage::of(server.id());
    let (mut back, mut refused) = (Vec::with_capacity(clients), 0);
    while let Some(client) = all.join_next().await {
        let (took, times) = client.expect("every client comes back");
        back.push(took);
        refused += times;
    }
    let after = Usage::of(server.id());
    back.sort_unstable();
    server.kill().await;
    Weathered { back, refused, processor: after.processor.saturating_sub(before.processor) }
}

/// Brings a document's text along, and waits until the server has it.
async fn fill(url: &str, beginning: &Beginning) {
    let mut speech = beginning.reader();
    let (mut sender, mut receiver, _) = client::enter(url, &mut *speech).await;
    let frames = beginning.fill().0;
    if !frames.is_empty() {
        sender.send(frames).await;
        // Some servers confirm an edit, others say nothing: whoever comes next is told the text, or brings it.
        drop(timeout(Duration::from_millis(20), receiver.next()).await);
    }
}

struct Client {
    url: Arc<str>,
    beginning: Arc<Beginning>,
    number: u64,
}

impl Client {
    /// Says when it was back, and how often it was refused.
    async fn live(self, opening: Arc<Semaphore>, together: Arc<Barrier>) -> (Duration, usize) {
        let permit = opening.acquire().await;
        let mut speech = self.beginning.writer(self.number).0;
        let connection = client::enter(&self.url, &mut *speech).await;
        drop(permit);
        together.wait().await;
        let cut = Instant::now();
        drop(connection);
        let mut refused = 0;
        let come_back = async {
            loop {
                let mut speech = self.beginning.writer(self.number).0;
                match client::try_enter(&self.url, &mut *speech).await {
                    Ok(connection) => return connection,
                    Err(Refused { retry_after }) => {
                        refused += 1;
                        // Not all at the same moment again.
                        let share = f64::midpoint(1.0, (self.number % 10) as f64 / 10.0);
                        sleep(retry_after.unwrap_or_else(|| PAUSE.mul_f64(share))).await;
                    }
                }
            }
        };
        let connection = timeout(PATIENCE, come_back).await.expect("the server lets everybody back in");
        let took = cut.elapsed();
        // Stays until all are back.
        tokio::spawn(async move {
            let _open = connection;
            sleep(PATIENCE).await;
        });
        (took, refused)
    }
}
