//! The tables that are being filled while the store serves.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use corella_manifest::EntityName;
use tokio::sync::Notify;

use crate::error::ReadError;

/// How long a query waits for lines that may be missing.
const PATIENCE: Duration = Duration::from_secs(10);

/// The tables that are being filled.
#[derive(Default)]
pub(crate) struct Filling {
    /// A plain mutex, held for a look-up, never across an await.
    tables: Mutex<HashMap<EntityName, Table>>,
    /// Told whenever a table is done.
    done: Notify,
}

#[derive(Debug, Clone, Copy, Default)]
struct Table {
    /// Whether lines may be missing, and not only columns of lines be behind.
    missing: bool,
    rows: u64,
    done: u64,
}

/// How a table stands once its lines are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waited {
    /// As its documents.
    Filled,
    /// Every row has its line, but columns of some are behind.
    Behind,
}

impl Filling {
    fn tables(&self) -> MutexGuard<'_, HashMap<EntityName, Table>> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These tables are to be filled from now on, and no others.
    pub(crate) fn begin(&self, tables: &[(EntityName, bool)]) {
        let begun = |(entity, missing): &(EntityName, bool)| {
            (entity.clone(), Table { missing: *missing, ..Table::default() })
        };
        *self.tables() = tables.iter().map(begun).collect();
        self.done.notify_waiters();
        self.report();
    }

    pub(crate) fn expect(&self, entity: &EntityName, rows: u64) {
        if let Some(table) = self.tables().get_mut(entity) {
            table.rows = rows;
        }
        self.report();
    }

    pub(crate) fn advance(&self, entity: &EntityName, done: u64) {
        if let Some(table) = self.tables().get_mut(entity) {
            table.done = done;
        }
        self.report();
    }

    pub(crate) fn end(&self, entity: &EntityName) {
        self.tables().remove(entity);
        self.done.notify_waiters();
        self.report();
    }

    /// Sets the gauges.
    pub(crate) fn report(&self) {
        let tables = self.tables();
        let left: u64 = tables.values().map(|table| table.rows.saturating_sub(table.done)).sum();
        #[expect(clippy::cast_precision_loss, reason = "gauges")]
        {
            metrics::gauge!("corella_refill_tables").set(tables.len() as f64);
            metrics::gauge!("corella_refill_rows_left").set(left as f64);
        }
    }

    /// Whether every row of the entity has its line, and how it stands; `None` while some may not.
    pub(crate) fn standing(&self, entity: &EntityName) -> Option<Waited> {
        match self.tables().get(entity) {
            None => Some(Waited::Filled),
            Some(table) if table.missing => None,
            Some(_) => Some(Waited::Behind),
        }
    }

    /// Waits until every row of the entity has its line.
    ///
    /// # Errors
    /// [`ReadError::Filling`] when that takes too long.
    pub(crate) async fn lines(&self, entity: &EntityName) -> Result<Waited, ReadError> {
        let waiting = async {
            loop {
                let mut done = std::pin::pin!(self.done.notified());
                // Whoever is told before it looks would wait for ever otherwise.
                done.as_mut().enable();
                if let Some(standing) = self.standing(entity) {
                    return standing;
                }
                done.await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.map_err(|_| {
            let table = self.tables().get(entity).copied().unwrap_or_default();
            let percent = table.done * 100 / table.rows.max(1);
            ReadError::Filling { entity: entity.clone(), percent: percent.min(99) }
        })
    }
}
