//! Somebody who follows queries, and takes each difference in.

use std::sync::Arc;

use corella_wire::control::{ClientMessage, Difference, PING, PONG, ServerMessage, Subscribe};
use serde_json::{Map, Value as Json, json};
use tokio::sync::watch;

use super::{Stage, Target};
use crate::client::{self, Receiver, Sender};

/// A connection with its queries.
pub(super) struct Reader {
    stage: Arc<Stage>,
    number: usize,
    sender: Sender,
    receiver: Receiver,
    /// By query: the ids and ranks of its rows, in their order.
    windows: Vec<Option<Vec<(String, i64)>>>,
}

impl Reader {
    /// Connects, and asks for all of its answers.
    pub(super) async fn connect(stage: &Arc<Stage>, number: usize, token: &str) -> Self {
        let url = stage.url(token);
        let connected = client::connect(&url).await;
        let (mut sender, receiver) = connected.unwrap_or_else(|error| panic!("failed to connect: {error}"));
        let scene = &stage.scene;
        for query in 0..scene.queries {
            let query = number * scene.queries + query;
            let message = ClientMessage::Subscribe(Subscribe {
                reference: format!("q{query}"),
                query: json!({
                    "from": "Task", "where": { "list": format!("l{query}"), "state": "open" },
                    "orderBy": { "rank": "desc" }, "limit": scene.limit, "select": ["title", "rank"],
                }),
                since: None,
                documents: false,
            });
            sender.say(message.encode()).await;
        }
        let windows = vec![None; scene.queries];
        Self { stage: Arc::clone(stage), number, sender, receiver, windows }
    }

    /// Waits for all first answers.
    pub(super) async fn hear_all(&mut self) {
        while self.windows.iter().any(Option::is_none) {
            let text = self.receiver.next_text().await.expect("the server answers");
            self.hear(&text).await;
        }
    }

    /// Takes in what comes until it is over; says how many rows it has in the end.
    pub(super) async fn follow(mut self, mut over: watch::Receiver<bool>) -> usize {
        loop {
            let ended = async { drop(over.wait_for(|over| *over).await) };
            let text = tokio::select! {
                text = self.receiver.next_text() => text.expect("the server stays until it is over"),
                () = ended => break,
            };
            self.hear(&text).await;
        }
        let in_order = |rows: &Vec<(String, i64)>| rows.is_sorted_by(|one, next| one.1 >= next.1);
        assert!(self.windows.iter().flatten().all(in_order), "each window stays in its order");
        self.windows.iter().flatten().map(Vec::len).sum()
    }

    async fn hear(&mut self, text: &str) {
        if text == PING {
            return self.sender.say(PONG.to_owned()).await;
        }
        match serde_json::from_str(text).expect("the server sends messages") {
            ServerMessage::Snapshot(snapshot) => {
                let rows = snapshot.rows.iter().map(|row| (id(row), rank(row).expect("it was selected")));
                let rows = rows.collect();
                // Nobody falls behind: each answer comes whole once.
                assert!(self.window(&snapshot.reference).replace(rows).is_none(), "a second whole answer");
            }
            ServerMessage::Changes(changes) => {
                let now = self.stage.now();
                for answer in changes.answers {
                    self.take_in(&answer.reference, answer.difference, now);
                }
            }
            ServerMessage::Error(error) => panic!("{}: {}", error.code, error.message),
            ServerMessage::Hello(_)
            | ServerMessage::Auth(_)
            | ServerMessage::Result(_)
            | ServerMessage::Reached(_) => {}
        }
    }

    fn take_in(&mut self, reference: &str, difference: Difference, now: u64) {
        let query = number_of(reference);
        let mut news = Vec::new();
        let window = self.window(reference).as_mut().expect("differences follow the whole answer");
        window.retain(|(id, _)| !difference.remove.contains(id));
        for upsert in difference.upsert {
            let rank = rank(&upsert.row).expect("writes change ranks, and nothing else moves a row");
            let known = window.iter().position(|(id, _)| *id == upsert.id);
            let at = upsert.at.or(known).expect("a row without a place is known");
            window.retain(|(id, _)| *id != upsert.id);
            window.insert(at, (upsert.id.clone(), rank));
            news.push((upsert.id, rank));
        }
        for (id, rank) in news {
            // What moves up from behind was there before.
            let Some(write) = usize::try_from(rank).ok().filter(|rank| *rank > 0).map(|rank| rank - 1) else {
                continue;
            };
            let target = self.stage.scene.target(write);
            assert_eq!((target.query, target.id()), (query, id), "write {write} is of this row");
            assert!(self.stage.arrives(write, now), "write {write} came twice");
            // Where the server is far behind, one commit may have two writes of a row: the later one brings both.
            let mut before = write.checked_sub(self.stage.scene.period());
            while let Some(earlier) = before.filter(|earlier| self.stage.arrives(*earlier, now)) {
                before = earlier.checked_sub(self.stage.scene.period());
            }
        }
    }

    fn window(&mut self, reference: &str) -> &mut Option<Vec<(String, i64)>> {
        let first = self.number * self.stage.scene.queries;
        &mut self.windows[number_of(reference) - first]
    }
}

fn number_of(reference: &str) -> usize {
    reference.strip_prefix('q').and_then(|text| text.parse().ok()).expect("a reference is as it was sent")
}

fn id(row: &Map<String, Json>) -> String {
    row.get("id").and_then(Json::as_str).expect("a row has an id").to_owned()
}

fn rank(row: &Map<String, Json>) -> Option<i64> {
    row.get("rank")?.as_i64()
}

impl Target {
    /// The rank of a row before anybody writes: below all that are written.
    pub(super) fn first_rank(self) -> i64 {
        -i64::try_from(self.row).expect("rows are few")
    }
}
