//! The tables that are being filled while the store serves.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use corella_manifest::{EntityName, Manifest};
use corella_query::ColumnMask;
use tokio::sync::Notify;

use super::actions::{Behind, ToFill};
use crate::error::ReadError;

/// How long a query waits for what it finds rows by.
const PATIENCE: Duration = Duration::from_secs(10);

/// The tables that are being filled.
#[derive(Default)]
pub(crate) struct Filling {
    /// A plain mutex, held for a look-up, never across an await.
    tables: Mutex<HashMap<EntityName, Table>>,
    /// Told whenever a table is done.
    done: Notify,
}

#[derive(Debug, Clone, Copy)]
struct Table {
    /// The columns that are behind; every one, the id included, where lines may be missing.
    behind: ColumnMask,
    rows: u64,
    done: u64,
}

/// How a table stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waited {
    /// As its documents.
    Filled,
    /// The right rows are found, but columns of some are behind.
    Behind,
}

impl Filling {
    fn tables(&self) -> MutexGuard<'_, HashMap<EntityName, Table>> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These tables are to be filled from now on, and no others.
    pub(crate) fn begin(&self, manifest: &Manifest, tables: &[ToFill]) {
        let begun = |ToFill { entity, behind }: &ToFill| {
            let fields = manifest.entity(entity.as_str()).map_or(&[][..], |entity| &entity.fields);
            // The id comes first, the whole value of an open entity last.
            let every = 1..=fields.len() + 1;
            let behind = match behind {
                Behind::Lines => ColumnMask::ALL,
                Behind::AnyColumn => union(every),
                Behind::Columns(names) => {
                    let is_named = |place: &usize| {
                        fields.get(place.wrapping_sub(1)).is_some_and(|field| names.contains(&field.name))
                    };
                    union(every.filter(is_named))
                }
            };
            (entity.clone(), Table { behind, rows: 0, done: 0 })
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

    /// How the table stands for somebody who finds rows by these columns; `None` while they would not be found rightly.
    pub(crate) fn standing(&self, entity: &EntityName, found_by: ColumnMask) -> Option<Waited> {
        match self.tables().get(entity) {
            None => Some(Waited::Filled),
            Some(table) if table.behind == ColumnMask::ALL || table.behind.meets(found_by) => None,
            Some(_) => Some(Waited::Behind),
        }
    }

    /// Waits until rows are found rightly by these columns.
    ///
    /// # Errors
    /// [`ReadError::Filling`] when that takes too long.
    pub(crate) async fn wait(&self, entity: &EntityName, found_by: ColumnMask) -> Result<(), ReadError> {
        let waiting = async {
            loop {
                let mut done = std::pin::pin!(self.done.notified());
                // Whoever is told before it looks would wait for ever otherwise.
                done.as_mut().enable();
                if self.standing(entity, found_by).is_some() {
                    return;
                }
                done.await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.map_err(|_| {
            let (done, rows) = self.tables().get(entity).map_or((0, 0), |table| (table.done, table.rows));
            let percent = done * 100 / rows.max(1);
            ReadError::Filling { entity: entity.clone(), percent: percent.min(99) }
        })
    }
}

fn union(places: impl Iterator<Item = usize>) -> ColumnMask {
    places.fold(ColumnMask::NONE, |mask, place| mask.union(ColumnMask::at(place)))
}
