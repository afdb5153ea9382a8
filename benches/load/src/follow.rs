//! Live queries over sockets: how long it is from a write until those whose answer it changes have the difference.
//!
//! `corella serve` runs as it comes: durable, with guards, and with a policy that every reader's queries are restricted by.
//! Each reader is a user of its own and follows queries of its own, each an ordered window of rows; writers on sockets of
//! their own move one row after the other to the front of its window. A write concerns one query, and its number stands in the
//! row, so every difference says which write it brings; one that never comes, comes twice, or comes to somebody else is found.

mod reader;
mod writer;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use corella_testkit::Installation;
use serde_json::json;
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

use self::{reader::Reader, writer::Writer};
use crate::usage::Usage;

const MANIFEST: &str = r#"{ "manifest_version": 1, "name": "load", "version": "1",
  "entities": [{ "name": "Task", "fields": [
      { "name": "owner", "type": "string" },
      { "name": "list", "type": "string" },
      { "name": "title", "type": "string" },
      { "name": "state", "type": "enum(open,done)", "default": "open" },
      { "name": "rank", "type": "int" } ],
    "indexes": [{ "name": "by_list", "fields": ["owner", "list", "state", "rank"] }] }],
  "policies": [{ "name": "own tasks", "entity": "Task",
    "allowRead": "data.owner == auth.userId", "allowWrite": "auth.userId == 'load'" }] }"#;

/// Sockets that write.
const WRITERS: usize = 4;
/// Connections that are opened at the same time.
const OPENING: usize = 32;
/// How long the last differences may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

/// So many readers, and so fast writers.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) connections: usize,
    /// Of each connection.
    pub(crate) queries: usize,
    /// Of each query, before anything is written.
    pub(crate) rows: usize,
    /// The length of each window.
    pub(crate) limit: usize,
    /// Writes in a second, of all writers.
    pub(crate) rate: usize,
    /// How long is written; the first fifth does not count.
    pub(crate) seconds: usize,
}

impl Scene {
    pub(crate) fn all() -> [Self; 2] {
        [
            Self {
                name: "windows",
                connections: 300,
                queries: 1,
                rows: 60,
                limit: 50,
                rate: 28,
                seconds: 50,
            },
            Self { name: "many", connections: 500, queries: 20, rows: 3, limit: 2, rate: 1_000, seconds: 50 },
        ]
    }

    fn all_queries(&self) -> usize {
        self.connections * self.queries
    }

    fn writes(&self) -> usize {
        self.rate * self.seconds
    }

    /// The first write that counts.
    fn counted_from(&self) -> usize {
        self.writes() / 5
    }

    /// After how many writes a row is written again.
    fn period(&self) -> usize {
        self.all_queries() * self.rows
    }

    /// Which query, and which of its rows, a write concerns: one after the other, so that no row is written twice soon,
    /// and far apart, so that no connection has two writes in a row.
    fn target(&self, write: usize) -> Target {
        let all = self.all_queries();
        let query = write * self.queries % all + write / self.connections % self.queries;
        // The last rows first: each comes in from outside of the window, and another one leaves it.
        Target { query, row: self.rows - 1 - write / all % self.rows }
    }
}

/// A row of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target {
    query: usize,
    row: usize,
}

impl Target {
    fn id(self) -> String {
        format!("q{}r{}", self.query, self.row)
    }
}

/// What readers and writers know of each other.
pub(crate) struct Stage {
    scene: Scene,
    address: String,
    begin: Instant,
    /// When each write was sent, in microseconds from the beginning; 0 while it was not.
    sent: Vec<AtomicU64>,
    /// When each was confirmed as durable, likewise.
    confirmed: Vec<AtomicU64>,
    /// When its difference had come, likewise.
    arrived: Vec<AtomicU64>,
    /// How many have come.
    count: AtomicU64,
    /// One permit for each reader that has all of its first answers.
    ready: Semaphore,
}

impl Stage {
    fn now(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_micros()).expect("a run is short")
    }

    /// Notes that a write's difference has come; says whether that is news.
    fn arrives(&self, write: usize, now: u64) -> bool {
        let arrived = self.arrived[write].compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
        let is_news = arrived.is_ok();
        self.count.fetch_add(u64::from(is_news), Ordering::Relaxed);
        is_news
    }

    fn url(&self, token: &str) -> String {
        format!("ws://{}/ws?token={token}", self.address)
    }
}

/// Runs a scene against a server, and prints a line of a table.
#[expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]
pub(crate) async fn run(scene: &Scene) {
    let installation = Installation::new(MANIFEST);
    let server = installation.start("serve", &[]).await;
    let moments = || (0..scene.writes()).map(|_| AtomicU64::new(0)).collect();
    let stage = Arc::new(Stage {
        scene: scene.clone(),
        address: server.address().to_string(),
        begin: Instant::now(),
        sent: moments(),
        confirmed: moments(),
        arrived: moments(),
        count: AtomicU64::new(0),
        ready: Semaphore::new(0),
    });
    let token = |user: &str| installation.token_of(&json!({ "sub": user, "exp": 4_102_444_800_u64 }));
    let mut writers = Vec::new();
    for number in 0..WRITERS {
        writers.push(Writer::connect(&stage, number, &token("load")).await);
    }
    let mut filling = JoinSet::new();
    for mut writer in writers.drain(..) {
        filling.spawn(async move {
            writer.fill().await;
            writer
        });
    }
    while let Some(writer) = filling.join_next().await {
        writers.push(writer.expect("a writer fills its rows in"));
    }
    let before = Usage::of(server.id());

    let opening = Arc::new(Semaphore::new(OPENING));
    let (set_over, over) = watch::channel(false);
    let asked = Instant::now();
    let mut readers = JoinSet::new();
    for number in 0..scene.connections {
        let (stage, opening, over) = (Arc::clone(&stage), Arc::clone(&opening), over.clone());
        let token = token(&owner(number));
        readers.spawn(async move {
            let permit = opening.acquire().await;
            let mut reader = Reader::connect(&stage, number, &token).await;
            reader.hear_all().await;
            drop(permit);
            stage.ready.add_permits(1);
            reader.follow(over).await
        });
    }
    let all = u32::try_from(scene.connections).expect("they are few");
    tokio::select! {
        ready = stage.ready.acquire_many(all) => drop(ready.expect("it is never closed")),
        Some(ended) = readers.join_next() => panic!("a reader has left before anything was written: {:?}", ended.err()),
    }
    let answered = asked.elapsed();
    let idle = Usage::of(server.id());

    let writing = Instant::now();
    let mut working = JoinSet::new();
    for writer in writers {
        working.spawn(writer.write(writing));
    }
    while let Some(written) = working.join_next().await {
        written.expect("a writer writes to the end");
    }
    let wrote = writing.elapsed();
    let expected = u64::try_from(scene.writes()).expect("writes are few");
    let arrive = async {
        while stage.count.load(Ordering::Relaxed) < expected {
            sleep(Duration::from_millis(10)).await;
        }
    };
    let _late = timeout(PATIENCE, arrive).await;
    let after = Usage::of(server.id());
    set_over.send_replace(true);
    let mut rows = 0;
    while let Some(read) = readers.join_next().await {
        rows += read.expect("a reader reads to the end");
    }
    drop(server.kill().await);

    let took = stage.took(&stage.arrived);
    let stored = stage.took(&stage.confirmed);
    let subscriptions = scene.all_queries() as f64;
    let at = |times: &[u64], hundredths: usize| {
        times
            .get(times.len() * hundredths / 100)
            .or(times.last())
            .map_or(f64::NAN, |took| *took as f64 / 1_000.0)
    };
    println!(
        "| {} | {} × {} | {:.0} | {:.1} | {:.1} | {:.1} | {:.1} | {:.0} | {} of {expected} | {:.2} | {:.1} | {:.1} | {:.1} |",
        scene.name,
        scene.connections,
        scene.queries,
        scene.writes() as f64 / wrote.as_secs_f64(),
        at(&stored, 50),
        at(&took, 50),
        at(&took, 90),
        at(&took, 99),
        at(&took, 100),
        stage.count.load(Ordering::Relaxed),
        (after.processor - idle.processor).as_secs_f64() / wrote.as_secs_f64(),
        answered.as_secs_f64(),
        idle.memory as f64 / 1_048_576.0,
        idle.memory.saturating_sub(before.memory) as f64 / 1_024.0 / subscriptions,
    );
    assert_eq!(rows, scene.all_queries() * scene.limit.min(scene.rows), "every reader has its whole windows");
}

/// The head of the table that [`run`] prints the lines of.
pub(crate) const HEAD: &str = "| scene | connections × queries | writes/s | stored p50 ms | p50 ms | p90 ms | p99 ms | max ms | arrived | \
     CPUs of the server | first answers s | MiB idle | KiB per query and its connection |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|";

impl Stage {
    /// How long each write took to one of its moments, in microseconds, in ascending order.
    fn took(&self, moments: &[AtomicU64]) -> Vec<u64> {
        let pairs = self.sent.iter().zip(moments).skip(self.scene.counted_from());
        let known = pairs.map(|(from, to)| (from.load(Ordering::Relaxed), to.load(Ordering::Relaxed)));
        let mut took: Vec<u64> = known.filter(|(_, to)| *to > 0).map(|(from, to)| to - from).collect();
        took.sort_unstable();
        took
    }
}

/// The user of a connection.
fn owner(connection: usize) -> String {
    format!("u{connection}")
}
