//! A batch of updates on its way into a row, and its acknowledgement.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use corella_store::{Reply, RowChange, Write};
use corella_wire::{
    AckStatus, BatchId, Envelope, ErrorCode, Frame, Magic, RoomName, ack_status,
    control::{ErrorReply, ServerMessage},
    encode,
};

use super::{rooms::JoinedRoom, session::Connection};
use crate::{Failure, guard::GuardError};

/// Updates of one connection that may be under way at the same time.
pub(super) const IN_FLIGHT: usize = 256;

/// Offences after which a connection is closed: that many updates that are none.
pub(super) const MOST_OFFENCES: u32 = 15;
/// An update that ends the process which decodes it is worse: the third closes the connection.
const DEADLY_OFFENCE: u32 = 5;

/// What the updates of a batch are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Edits.
    Update,
    /// What fills an empty document.
    Seed,
}

impl Kind {
    fn change(self, update: Bytes) -> RowChange {
        match self {
            Self::Update => RowChange::Update(update),
            Self::Seed => RowChange::Seed(update),
        }
    }
}

/// A batch whose updates are on their way.
pub(super) struct Batch {
    pub(super) magic: Magic,
    pub(super) room: RoomName,
    pub(super) id: BatchId,
}

impl Batch {
    /// Tells the connection what became of the batch; a refusal is preceded by its reason in a control
    /// message.
    pub(super) fn acknowledge(&self, connection: &Connection, result: Result<(), &Failure>) {
        let status = match result {
            Ok(()) => AckStatus::Ok,
            Err(failure) => ack_status(failure.code),
        };
        if let Err(failure) = result {
            metrics::counter!("corella_updates_refused_total", "code" => failure.code.as_str()).increment(1);
            let mut error = ErrorReply::new(failure.code, failure.detail.clone());
            error.room = Some(self.room.as_str().to_owned());
            error.batch = Some(self.id);
            connection.outbox.push_text(ServerMessage::Error(error).encode());
        }
        let frame = Frame::Ack { batch: self.id, status };
        let ack = encode(&Envelope { magic: self.magic, room: self.room.clone(), frame });
        connection.outbox.push_answer(ack);
    }
}

/// What the updates of one batch have in common until the last is answered.
struct Pending {
    batch: Batch,
    connection: Arc<Connection>,
    remaining: AtomicUsize,
    /// The first refusal; a plain mutex, held to note it.
    failure: Mutex<Option<Failure>>,
}

impl Pending {
    fn note(&self, result: Result<(), Failure>) {
        if let Err(failure) = result {
            self.connection.refused.fetch_add(1, Ordering::Relaxed);
            self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
        }
        if self.remaining.fetch_sub(1, Ordering::AcqRel) == 1 {
            let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
            self.batch.acknowledge(&self.connection, failure.as_ref().map_or(Ok(()), Err));
        }
    }
}

/// How much an update that the guards refused counts against its connection.
fn offence(error: &GuardError) -> u32 {
    match error {
        GuardError::Refused(_) => 1,
        GuardError::Deadly => DEADLY_OFFENCE,
        GuardError::Unavailable => 0,
    }
}

/// Puts a batch's updates into their row's queue; the batch is acknowledged once all are durable, or with the first
/// refusal.
pub(super) async fn submit(
    connection: &Arc<Connection>,
    joined: &JoinedRoom,
    batch: Batch,
    kind: Kind,
    updates: Vec<Bytes>,
) {
    if updates.is_empty() {
        return batch.acknowledge(connection, Ok(()));
    }
    if kind == Kind::Seed && updates.len() > 1 {
        let detail = format!("expected a seed as one update, found {}", updates.len());
        return batch.acknowledge(connection, Err(&Failure::new(ErrorCode::InvalidUpdate, detail)));
    }
    let JoinedRoom { pass, principal, has_token: _, vigil: _ } = joined;
    let pending = Arc::new(Pending {
        batch,
        connection: Arc::clone(connection),
        remaining: AtomicUsize::new(updates.len()),
        failure: Mutex::default(),
    });
    let verdicts = connection.app.examine(&updates).await;
    for (update, verdict) in updates.into_iter().zip(verdicts) {
        if let Err(error) = verdict {
            connection.offences.fetch_add(offence(&error), Ordering::Relaxed);
            pending.note(Err(Failure::from(&error)));
            continue;
        }
        let Ok(permit) = Arc::clone(&connection.in_flight).acquire_owned().await else { return };
        let write = Write {
            key: pass.key.clone(),
            change: kind.change(update),
            author: principal.author(Some(connection.outbox.source())),
            wants_row: false,
            idempotency: None,
            message: None,
        };
        let pending = Arc::clone(&pending);
        let reply = Reply::new(move |result| {
            pending.note(result.map(drop).map_err(Failure::from));
            drop(permit);
        });
        connection.app.store.submit(write, reply);
    }
}
