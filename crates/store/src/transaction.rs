//! Several rows changed together, all or nothing.
//!
//! The rows are locked in the order of their keys, and nobody else holds one row while waiting for another, so that
//! nobody waits in a circle. What other rows suffer in consequence, because they name a row that is deleted, is found
//! when the database refuses the first attempt; the next one locks them, too.

use std::{collections::BTreeMap, sync::Arc};

use corella_rowdoc::RowKey;
use serde_json::Value as Json;
use tokio::sync::oneshot;

use crate::{
    batch::MOST_TRIES,
    error::WriteError,
    job::{Author, Idempotency, Job, RowChange, Written},
    store::{Inner, Store},
};

mod attempt;
mod consequences;

use attempt::{Attempt, Ended};
use consequences::Consequences;

/// Rows that one transaction may touch, those that change in consequence included.
pub const MOST_ROWS: usize = 1_000;

/// Changes of several rows that are made together or not at all.
#[derive(Debug, Clone)]
pub struct Transaction {
    /// The changes, in their order; one row may have several.
    pub changes: Vec<(RowKey, RowChange)>,
    /// Who writes.
    pub author: Author,
    /// The promise that was asked for.
    pub idempotency: Option<Idempotency>,
    /// What the writer says of it, for the rows' history.
    pub message: Option<Arc<str>>,
}

/// Why a transaction was not made; nothing of it was.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}{error}", change.map(|change| format!("changes[{change}]: ")).unwrap_or_default())]
pub struct TransactionError {
    /// Which of the changes stood in the way, counted from 0, if it was one of them.
    pub change: Option<usize>,
    /// What is wrong.
    #[source]
    pub error: WriteError,
}

impl<E: Into<WriteError>> From<E> for TransactionError {
    fn from(error: E) -> Self {
        Self { change: None, error: error.into() }
    }
}

/// How the answer is kept under the idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// As the one row of a single write.
    Row,
    /// As a list of rows.
    Rows,
}

impl Store {
    /// Makes several changes together; resolves once they are durable, or have been refused and left nothing behind.
    ///
    /// One answer comes back for each change, with the row as it is after all of them. Whatever must be unique, and
    /// whatever names another row, is looked at when all are made. The sink hears of them in one call.
    ///
    /// # Errors
    /// [`TransactionError`] says what stood in the way.
    pub async fn transact(&self, transaction: Transaction) -> Result<Vec<Written>, TransactionError> {
        if self.0.tasks.is_closed() {
            return Err(WriteError::ShuttingDown.into());
        }
        let (send, receive) = oneshot::channel();
        let store = Arc::clone(&self.0);
        // In a task of its own: a caller that goes away must not take back half of it.
        self.0.tasks.spawn(async move {
            send.send(transact(&store, &transaction, Kept::Rows).await).ok();
        });
        receive.await.unwrap_or_else(|_| {
            Err(WriteError::Internal(
                "the transaction was given up half-way; whether it is durable is unknown",
            )
            .into())
        })
    }
}

/// Makes a single write that other rows must change for, such as the deletion of a row that they name.
pub(crate) async fn one(store: &Arc<Inner>, key: &RowKey, job: Job) {
    let Job { change, author, wants_row, idempotency, message, reply } = job;
    let changes = vec![(key.clone(), change)];
    let transaction = Transaction { changes, author, idempotency, message };
    let result = transact(store, &transaction, Kept::Row).await;
    reply.send(match result.map(|mut rows| rows.pop()) {
        Ok(Some(Written { seq, version, row })) => {
            Ok(Written { seq, version, row: row.filter(|_| wants_row) })
        }
        Ok(None) => Err(WriteError::Internal("a write was not answered")),
        Err(TransactionError { error, .. }) => Err(error),
    });
}

async fn transact(
    store: &Arc<Inner>,
    transaction: &Transaction,
    kept: Kept,
) -> Result<Vec<Written>, TransactionError> {
    if let Some(answer) = replay(store, transaction, kept).await? {
        return Ok(answer);
    }
    let mut consequences = Consequences::default();
    for _ in 0..MOST_TRIES {
        let ended = Attempt::begin(store, transaction, &consequences, kept).await?.run().await?;
        match ended {
            Ended::Done(answers) => return Ok(answers),
            Ended::Behind => {}
            Ended::KeyUsed => {
                return replay(store, transaction, kept).await?.ok_or_else(|| WriteError::Busy.into());
            }
            Ended::Held { reference, mut deleted } => {
                // What follows is asked of what the transaction deletes itself.
                deleted.retain(|key| !consequences.0.contains_key(key));
                let planned = Consequences::of(store, deleted).await?;
                if planned == consequences && planned.leave(store, &reference) {
                    return Err(WriteError::ReferenceHeld(reference.into()).into());
                }
                consequences = planned;
            }
        }
    }
    Err(WriteError::Busy.into())
}

/// The answer that was given under the transaction's key, if it was used before.
async fn replay(
    store: &Inner,
    transaction: &Transaction,
    kept: Kept,
) -> Result<Option<Vec<Written>>, TransactionError> {
    let Some(idempotency) = &transaction.idempotency else { return Ok(None) };
    if kept == Kept::Row {
        return Ok(store.replay(idempotency).await?.map(|written| vec![written]));
    }
    let Some(outcome) = store.outcome(idempotency).await? else { return Ok(None) };
    let rows: Vec<Json> = serde_json::from_str(&outcome.answer).unwrap_or_default();
    let written = |row: Json| Written { row: row.as_object().cloned(), ..Written::earlier(outcome.seq) };
    Ok(Some(rows.into_iter().map(written).collect()))
}

/// The rows of a transaction, in the order of their keys.
type ByKey<T> = BTreeMap<RowKey, T>;
