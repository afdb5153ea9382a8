//! Writes of rows, one after the other by each of many writers, over HTTP and on sockets.
//!
//! `corella serve` runs as it comes. Each writer has a connection of its own and waits until its write is durable before it makes
//! the next. Beside them, the same writers ask `/health`, which is what the way there and back takes at least.

use std::time::{Duration, Instant};

use clap::ValueEnum;
use corella_testkit::{Http, Installation, Server};
use corella_wire::control::Operation;
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    client::{self, Receiver, Sender},
    mutations::{confirmation, mutation},
    usage::Usage,
};

const MANIFEST: &str = r#"{ "manifest_version": 1, "name": "load", "version": "1",
  "entities": [{ "name": "Task", "fields": [
      { "name": "list", "type": "string" },
      { "name": "title", "type": "string" },
      { "name": "rank", "type": "int" } ],
    "indexes": [{ "name": "by_list", "fields": ["list", "rank"] }] }],
  "policies": [{ "name": "people", "entity": "Task", "allow": "auth.userId != null" }] }"#;

/// Sockets that fill the table, and insertions that each has under way at the same time.
const FILLERS: usize = 4;
const AT_ONCE: usize = 100;
/// How long writers warm up, and how long is measured.
const WARM_UP: Duration = Duration::from_secs(2);
const MEASURED: Duration = Duration::from_secs(8);

/// What a writer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    /// Asks over HTTP whether the server lives.
    Health,
    /// Changes rows over HTTP.
    Patch,
    /// Makes rows over HTTP.
    Post,
    /// Changes rows by messages on a socket.
    Mutate,
}

impl Way {
    fn title(self) -> &'static str {
        match self {
            Self::Health => "GET /health",
            Self::Patch => "PATCH",
            Self::Post => "POST",
            Self::Mutate => "mutate",
        }
    }
}

/// What was measured.
struct Measured {
    /// How long each took, in order.
    each: Vec<Duration>,
    processor: Duration,
}

/// Makes a server with so many rows, and measures each way.
#[expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]
pub(crate) async fn run(writers: usize, stored: usize, ways: &[Way], rounds: usize) {
    let installation = Installation::new(MANIFEST);
    let server = installation.start("serve", &[]).await;
    let token = installation.token("load").await;
    fill(&server, &token, stored.max(writers)).await;
    for round in 0..rounds {
        for way in ways {
            let measured = measure(*way, &server, &token, writers, round).await;
            let count = measured.each.len();
            let at = |hundredths: usize| {
                let took = measured.each.get((count * hundredths / 100).min(count.saturating_sub(1)));
                took.map_or(f64::NAN, |took| took.as_secs_f64() * 1e3)
            };
            println!(
                "| {} | {writers} | {stored} | {:.0} | {:.2} | {:.2} | {:.2} | {:.0} |",
                way.title(),
                count as f64 / MEASURED.as_secs_f64(),
                at(50),
                at(99),
                at(100),
                measured.processor.as_secs_f64() * 1e6 / count.max(1) as f64,
            );
        }
    }
    drop(server.kill().await);
}

/// The head of the table that [`run`] prints the lines of.
pub(crate) const HEAD: &str = "| way | writers | stored rows | a second | p50 ms | p99 ms | max ms | CPU ms per 1,000 |\n|---|---|---|---|---|---|---|---|";

fn url(server: &Server, token: &str) -> String {
    format!("ws://{}/ws?token={token}", server.address())
}

async fn connect(server: &Server, token: &str) -> (Sender, Receiver) {
    let connected = client::connect(&url(server, token)).await;
    connected.unwrap_or_else(|error| panic!("failed to connect: {error}"))
}

async fn fill(server: &Server, token: &str, rows: usize) {
    let mut filling = JoinSet::new();
    for filler in 0..FILLERS {
        let (mut sender, mut receiver) = connect(server, token).await;
        filling.spawn(async move {
            let mut under_way = 0;
            for row in (filler..rows).step_by(FILLERS) {
                if under_way == AT_ONCE {
                    confirmation(&mut receiver).await;
                    under_way -= 1;
                }
                let fields =
                    json!({ "list": format!("l{}", row % 100), "title": "as it was at first", "rank": row });
                sender.say(mutation("fill".into(), format!("r{row}"), Operation::Insert, fields)).await;
                under_way += 1;
            }
            for _ in 0..under_way {
                confirmation(&mut receiver).await;
            }
        });
    }
    while let Some(filled) = filling.join_next().await {
        filled.expect("the table is filled");
    }
}

async fn measure(way: Way, server: &Server, token: &str, writers: usize, round: usize) -> Measured {
    let begin = Instant::now() + WARM_UP;
    let end = begin + MEASURED;
    let mut working = JoinSet::new();
    for writer in 0..writers {
        let http = Http::new(server.address(), Some(token));
        let socket = match way {
            Way::Mutate => Some(connect(server, token).await),
            Way::Health | Way::Patch | Way::Post => None,
        };
        let mut writer = Writer { way, http, socket, number: writer, round, made: 0 };
        working.spawn(async move {
            let mut each = Vec::new();
            loop {
                let sent = Instant::now();
                if sent >= end {
                    return each;
                }
                writer.write().await;
                if sent >= begin {
                    each.push(sent.elapsed());
                }
            }
        });
    }
    tokio::time::sleep_until(begin.into()).await;
    let before = Usage::of(server.id());
    tokio::time::sleep_until(end.into()).await;
    let after = Usage::of(server.id());
    let mut each: Vec<Duration> = Vec::new();
    while let Some(written) = working.join_next().await {
        each.extend(written.expect("a writer writes to the end"));
    }
    each.sort();
    Measured { each, processor: after.processor.checked_sub(before.processor).unwrap_or_default() }
}

struct Writer {
    way: Way,
    http: Http,
    socket: Option<(Sender, Receiver)>,
    number: usize,
    round: usize,
    made: usize,
}

impl Writer {
    async fn write(&mut self) {
        self.made += 1;
        let Self { way, http, socket, number, round, made } = self;
        let fields = json!({ "title": format!("written as number {made}"), "rank": *made });
        match (way, socket) {
            (Way::Mutate, Some((sender, receiver))) => {
                sender.say(mutation(made.to_string(), format!("r{number}"), Operation::Patch, fields)).await;
                assert_eq!(confirmation(receiver).await, made.to_string());
            }
            (Way::Patch, _) => drop(http.patch(&format!("/api/Task/r{number}"), fields).await.expect(200)),
            (Way::Post, _) => {
                let id = format!("n{round}-{number}-{made}");
                let row = json!({ "id": id, "list": "new", "title": "made anew", "rank": *made });
                drop(http.post("/api/Task", row).await.expect(201));
            }
            (Way::Health, _) => drop(http.get("/health").await.expect(200)),
            (Way::Mutate, None) => unreachable!("who writes on a socket has one"),
        }
    }
}
