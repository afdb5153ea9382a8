//! Somebody who writes at a steady pace.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use corella_wire::control::Operation;
use serde_json::json;
use tokio::time::sleep_until;

use super::{Stage, Target, WRITERS, owner};
use crate::{
    client::{self, Receiver, Sender},
    mutations::{confirmation, mutation},
};

/// Insertions that are under way at the same time.
const AT_ONCE: usize = 100;

/// A connection that makes one of so many writes.
pub(super) struct Writer {
    stage: Arc<Stage>,
    number: usize,
    sender: Sender,
    receiver: Receiver,
}

impl Writer {
    pub(super) async fn connect(stage: &Arc<Stage>, number: usize, token: &str) -> Self {
        let connected = client::connect(&stage.url(token)).await;
        let (sender, receiver) = connected.unwrap_or_else(|error| panic!("failed to connect: {error}"));
        Self { stage: Arc::clone(stage), number, sender, receiver }
    }

    /// Makes the rows that there are at first.
    pub(super) async fn fill(&mut self) {
        let scene = self.stage.scene.clone();
        let mut under_way = 0;
        for query in (self.number..scene.all_queries()).step_by(WRITERS) {
            for row in 0..scene.rows {
                let target = Target { query, row };
                let fields = json!({
                    "owner": owner(query / scene.queries), "list": format!("l{query}"), "title": "as it was at first",
                    "rank": target.first_rank(),
                });
                self.sender.say(mutation("fill".into(), target.id(), Operation::Insert, fields)).await;
                under_way += 1;
                if under_way == AT_ONCE {
                    confirmation(&mut self.receiver).await;
                    under_way -= 1;
                }
            }
        }
        for _ in 0..under_way {
            confirmation(&mut self.receiver).await;
        }
    }

    /// Writes its share, each write at its time, whatever has become of those before it.
    pub(super) async fn write(self, begin: Instant) {
        let Self { stage, number, mut sender, mut receiver } = self;
        let writes = (number..stage.scene.writes()).step_by(WRITERS);
        let count = writes.len();
        let confirmed = {
            let stage = Arc::clone(&stage);
            tokio::spawn(async move {
                for _ in 0..count {
                    let reference = confirmation(&mut receiver).await;
                    let write: usize = reference.parse().expect("a reference is as it was sent");
                    stage.confirmed[write].store(stage.now(), Ordering::Relaxed);
                }
            })
        };
        for write in writes {
            let at = begin + Duration::from_secs(1).mul_f64(write as f64 / stage.scene.rate as f64);
            sleep_until(at.into()).await;
            let fields = json!({ "rank": write + 1, "title": format!("written as number {write}") });
            let target = stage.scene.target(write);
            stage.sent[write].store(stage.now(), Ordering::Relaxed);
            sender.say(mutation(write.to_string(), target.id(), Operation::Patch, fields)).await;
        }
        confirmed.await.expect("every write is confirmed");
    }
}
