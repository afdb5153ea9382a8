//! `kill -9` in the middle of writes: what was acknowledged is there afterwards, once.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use corella_testkit::{Database, Http, Installation, Peer, Random, SAMPLE, Server, on_both, row::append};
use corella_wire::AckStatus;
use loro::LoroDoc;
use serde_json::{Value as Json, json};
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
};

/// Rounds for each database, unless `CORELLA_CRASH_ROUNDS` says how many; as many of them are made as fit in [`ENOUGH`].
const ROUNDS: usize = 200;
/// How long a run takes at the most when nobody has said how many rounds it is to have.
const ENOUGH: Duration = Duration::from_secs(150);
/// Edits that a writer has under way at once.
const AHEAD: usize = 16;

/// How many writes of the round have been acknowledged.
type Count = Arc<watch::Sender<u64>>;

/// Somebody at a row's document; the copy outlives the connection, as an offline client's does.
struct Writer {
    name: &'static str,
    room: &'static str,
    doc: LoroDoc,
    next: usize,
    /// Every mark that was written, and whether it was acknowledged.
    marks: HashMap<String, bool>,
}

impl Writer {
    fn new(name: &'static str, room: &'static str) -> Self {
        Self { name, room, doc: LoroDoc::new(), next: 0, marks: HashMap::new() }
    }

    /// Writes mark after mark until the server is gone.
    async fn write(mut self, peer: Peer, count: Count) -> Self {
        let mut under_way = std::collections::VecDeque::new();
        loop {
            let mark = format!("<{}{}>", self.name, self.next);
            self.next += 1;
            self.marks.insert(mark.clone(), false);
            let Ok(batch) = peer.try_edit(self.room, |doc| append(doc, "body", &mark)).await else { break };
            under_way.push_back((batch, mark));
            if under_way.len() >= AHEAD && !self.settle(&peer, &mut under_way, &count).await {
                break;
            }
        }
        while !under_way.is_empty() {
            self.settle(&peer, &mut under_way, &count).await;
        }
        self
    }

    /// Notes what became of the oldest edit under way; says whether the server lives.
    async fn settle(
        &mut self,
        peer: &Peer,
        under_way: &mut std::collections::VecDeque<(corella_wire::BatchId, String)>,
        count: &Count,
    ) -> bool {
        let Some((batch, mark)) = under_way.pop_front() else { return false };
        let Some(status) = peer.settled(batch).await else { return false };
        assert_eq!(status, AckStatus::Ok, "{mark}: {:?}", peer.messages());
        self.marks.insert(mark, true);
        count.send_modify(|count| *count += 1);
        true
    }
}

/// Somebody who makes rows over HTTP, each under a key of its own, and asks again when no answer came.
#[derive(Default)]
struct Maker {
    next: usize,
    /// The id that was answered for each key; none when no answer has come.
    rows: HashMap<String, Option<String>>,
}

impl Maker {
    async fn make(mut self, http: Http, count: Count) -> Self {
        let unanswered: Vec<String> =
            self.rows.iter().filter(|(_, id)| id.is_none()).map(|(key, _)| key.clone()).collect();
        for key in unanswered {
            if !self.ask(&http, key, &count).await {
                return self;
            }
        }
        loop {
            let key = format!("key-{}", self.next);
            self.next += 1;
            if !self.ask(&http, key, &count).await {
                return self;
            }
        }
    }

    async fn ask(&mut self, http: &Http, key: String, count: &Count) -> bool {
        let body = json!({ "title": key, "slug": key }).to_string();
        self.rows.entry(key.clone()).or_default();
        let headers = [("idempotency-key", key.as_str())];
        let Ok(answer) =
            http.try_send("POST".parse().unwrap_or_default(), "/api/entities/Note", &headers, body).await
        else {
            return false;
        };
        let id = answer.expect(201)["id"].as_str().map(str::to_owned);
        let known = self.rows.insert(key, id.clone()).flatten();
        assert!(known.is_none() || known == id, "one key, two rows: {known:?} and {id:?}");
        count.send_modify(|count| *count += 1);
        true
    }
}

/// Somebody who saves a whole text over HTTP, mark after mark.
#[derive(Default)]
struct Saver {
    saved: usize,
    /// Whether the last save has not been answered.
    unsure: bool,
}

const SAVED: &str = "/api/entities/Note/saved";

impl Saver {
    fn text(count: usize) -> String {
        (0..count).map(|number| format!("[{number}]")).collect()
    }

    async fn save(mut self, http: Http, count: Count) -> Self {
        loop {
            let body = json!({ "summary": Self::text(self.saved + 1) }).to_string();
            self.unsure = true;
            let Ok(answer) = http.try_send("PATCH".parse().unwrap_or_default(), SAVED, &[], body).await
            else {
                return self;
            };
            answer.expect(200);
            self.saved += 1;
            self.unsure = false;
            count.send_modify(|count| *count += 1);
        }
    }

    async fn verify(&mut self, http: &Http) {
        let row = http.get(SAVED).await.expect(200);
        let found = row["row"]["summary"].as_str().unwrap_or_default().to_owned();
        if self.unsure && found == Self::text(self.saved + 1) {
            self.saved += 1;
        }
        self.unsure = false;
        assert_eq!(found, Self::text(self.saved), "what was saved is not what is there");
    }
}

/// Every acknowledged mark is in its row once, and no mark twice.
async fn verify(http: &Http, writers: &[Writer]) {
    let mut bodies: HashMap<&str, String> = HashMap::new();
    for writer in writers {
        if !bodies.contains_key(writer.room) {
            let answer = http.get(&format!("/api/entities/{}", writer.room)).await;
            let row: Json = if answer.status == 404 { Json::Null } else { answer.expect(200) };
            bodies.insert(writer.room, row["row"]["body"].as_str().unwrap_or_default().to_owned());
        }
        let body = &bodies[writer.room];
        for (mark, acknowledged) in &writer.marks {
            let found = body.matches(mark.as_str()).count();
            assert!(found <= 1, "{mark} of {} is there {found} times", writer.room);
            assert!(found == 1 || !acknowledged, "{mark} of {} was acknowledged and is lost", writer.room);
        }
    }
}

async fn join_all(server: &Server, token: &str, writers: &[Writer]) -> Vec<Peer> {
    let mut peers = Vec::new();
    for writer in writers {
        let peer = server.peer(token).await;
        peer.adopt(writer.room, &writer.doc);
        if let Some(batch) = peer.join(writer.room).await.handed_in {
            assert_eq!(peer.acked(batch).await, AckStatus::Ok);
        }
        peers.push(peer);
    }
    peers
}

/// Everybody at work; what comes back are the tasks, which end with the server.
struct Work {
    writers: JoinSet<Writer>,
    maker: JoinHandle<Maker>,
    saver: JoinHandle<Saver>,
}

/// Whether a run that has come this far is over.
fn is_enough(round: usize, started: Instant) -> bool {
    let wished = std::env::var("CORELLA_CRASH_ROUNDS").ok();
    match wished.map(|rounds| rounds.parse::<usize>().expect("CORELLA_CRASH_ROUNDS is a number")) {
        Some(rounds) => round >= rounds,
        None => round >= ROUNDS || (round > 0 && started.elapsed() > ENOUGH),
    }
}

on_both!(crashes_lose_nothing_that_was_acknowledged);

#[cfg(test)]
async fn crashes_lose_nothing_that_was_acknowledged(database: Database) {
    let mut random = Random::new();
    println!("CORELLA_SEED={}", random.seed());
    let installation = Installation::on(database, SAMPLE);
    let token = installation.token("ada").await;
    let mut writers =
        vec![Writer::new("a", "Note/shared"), Writer::new("b", "Note/shared"), Writer::new("c", "Note/own")];
    let (mut maker, mut saver) = (Maker::default(), Saver::default());
    let acknowledged = AtomicU64::new(0);
    let started = Instant::now();
    let mut round = 0;
    while !is_enough(round, started) {
        let server = installation.serve().await;
        let http = server.http(&token);
        if round == 0 {
            http.post("/api/entities/Note", json!({ "id": "saved", "title": "saved" })).await.expect(201);
        }
        verify(&http, &writers).await;
        saver.verify(&http).await;
        let peers = join_all(&server, &token, &writers).await;
        let (sender, mut count) = watch::channel(0);
        let sender = Arc::new(sender);
        let mut work = Work {
            writers: writers
                .drain(..)
                .zip(peers)
                .map(|(writer, peer)| writer.write(peer, Arc::clone(&sender)))
                .collect(),
            maker: tokio::spawn(maker.make(server.http(&token), Arc::clone(&sender))),
            saver: tokio::spawn(saver.save(server.http(&token), Arc::clone(&sender))),
        };
        let enough = random.within(1..200);
        count.wait_for(|count| *count >= enough).await.unwrap();
        server.kill().await;
        while let Some(writer) = work.writers.join_next().await {
            writers.push(writer.unwrap());
        }
        maker = work.maker.await.unwrap();
        saver = work.saver.await.unwrap();
        acknowledged.fetch_add(*count.borrow(), Ordering::Relaxed);
        installation.check_clean().await;
        round += 1;
    }

    let server = installation.serve().await;
    let http = server.http(&token);
    verify(&http, &writers).await;
    saver.verify(&http).await;
    // What was not acknowledged is handed in at last, and is there once, too.
    let peers = join_all(&server, &token, &writers).await;
    drop(peers);
    for writer in &mut writers {
        writer.marks.values_mut().for_each(|acknowledged| *acknowledged = true);
    }
    verify(&http, &writers).await;
    let keys = maker.rows.len();
    for key in
        maker.rows.iter().filter(|(_, id)| id.is_none()).map(|(key, _)| key.clone()).collect::<Vec<_>>()
    {
        maker.ask(&http, key, &Arc::new(watch::Sender::new(0))).await;
    }
    let rows =
        http.get("/api/entities/Note?limit=10000&where=%7B%22slug%22%3A%7B%22%24ne%22%3Anull%7D%7D").await;
    let rows = rows.expect(200)["rows"].as_array().unwrap().len();
    assert_eq!(rows, keys, "rows that were asked for once are there more or less than once");
    println!("{} writes were acknowledged in {round} rounds", acknowledged.load(Ordering::Relaxed));
    assert_eq!(server.stop().await.status.code(), Some(0));
    installation.check_clean().await;
}
