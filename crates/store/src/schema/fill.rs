//! Filling tables from documents.

use std::{collections::VecDeque, sync::Arc};

use async_trait::async_trait;
use corella_manifest::{Entity, EntityName, Manifest};
use corella_rowdoc::{PeerId, Projection, RowDoc, RowKey, Version};
use tokio::{sync::RwLockReadGuard, task::JoinHandle};

use super::actions::{as_filled, filled};
use crate::{
    audit::Difference,
    error::StartError,
    faults::{KillPoint, point},
    model::{EntityModel, Model},
    port::{Backend, BackendError, SchemaAction, Seq, StoredRow},
};

/// Rows that are read, and written, at once.
const PAGE: usize = 1_024;
/// Pages whose documents are loaded at the same time.
const AT_ONCE: usize = 3;
/// How many rows with values that their columns cannot hold are told of; the others are counted.
const MOST_TOLD: usize = 100;

/// How far the filling of a table has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FillStep {
    /// It begins.
    Started {
        /// The table's entity.
        entity: EntityName,
        /// How many documents there are.
        rows: u64,
    },
    /// So many documents have been read so far.
    Rows {
        /// The table's entity.
        entity: EntityName,
        /// How many.
        done: u64,
    },
    /// A row whose column cannot hold what its document says, or whose document cannot be read.
    Told(Difference),
    /// It is done.
    Done {
        /// The table's entity.
        entity: EntityName,
        /// How many documents there were.
        rows: u64,
    },
}

/// What the filling of tables came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FillReport {
    /// Documents that were read.
    pub rows: u64,
    /// Rows of which a column cannot hold what the document says, or whose document cannot be read.
    pub told: Vec<Difference>,
    /// How many there are of them.
    pub unfit: u64,
    /// Why an index could not be made.
    pub clashes: Vec<String>,
}

impl FillReport {
    pub(super) fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.unfit += other.unfit;
        self.told.extend(other.told);
        self.clashes.extend(other.clashes);
    }
}

/// Why a table was not filled to its end.
#[derive(Debug)]
pub(crate) enum FillError {
    /// The database failed.
    Backend(BackendError),
    /// It is not asked for any more.
    Stopped,
}

impl From<BackendError> for FillError {
    fn from(error: BackendError) -> Self {
        Self::Backend(error)
    }
}

/// Under what a table is filled.
#[async_trait]
pub(crate) trait Fill: Sync {
    /// Waits until lines may be written; they may as long as the pass is held. `None` ends the work.
    async fn pass(&self) -> Option<Pass<'_>>;
}

/// Lines may be written while it is held.
pub(crate) struct Pass<'a>(
    #[expect(dead_code, reason = "held, not read")] pub(crate) Option<RwLockReadGuard<'a, ()>>,
);

/// Nobody else has the database.
struct Alone;

#[async_trait]
impl Fill for Alone {
    async fn pass(&self) -> Option<Pass<'_>> {
        Some(Pass(None))
    }
}

/// Fills an entity's table from its documents, and makes the indexes that it still lacks.
///
/// Rows whose bytes are damaged are left out and told of. Others may write to the rows meanwhile.
pub(crate) async fn fill(
    backend: &dyn Backend,
    model: &EntityModel,
    work: &dyn Fill,
    on: &mut (dyn FnMut(FillStep) + Send),
) -> Result<FillReport, FillError> {
    let entity = &model.entity;
    let name = &entity.name;
    on(FillStep::Started { entity: name.clone(), rows: backend.count_documents(name).await? });
    let mut pages = Pages { after: None, is_last: false, at_work: VecDeque::new() };
    let mut report = FillReport::default();
    while let Some(page) = pages.next(backend, model).await? {
        let Some(_pass) = work.pass().await else { return Err(FillError::Stopped) };
        backend.reproject(entity, page.lines).await?;
        point(KillPoint::MidFill);
        report.rows += page.rows;
        metrics::counter!("corella_refilled_rows_total").increment(page.rows);
        for told in page.told {
            report.unfit += 1;
            if report.told.len() < MOST_TOLD {
                report.told.push(told.clone());
                on(FillStep::Told(told));
            }
        }
        on(FillStep::Rows { entity: name.clone(), done: report.rows });
    }
    let Some(_pass) = work.pass().await else { return Err(FillError::Stopped) };
    report.clashes = finish(backend, entity).await?;
    on(FillStep::Done { entity: name.clone(), rows: report.rows });
    Ok(report)
}

/// Makes the indexes that an entity's table was filled without, and records that it is filled; says what stands in the
/// way of an index.
///
/// # Errors
/// [`BackendError`] when the database fails.
pub async fn finish(backend: &dyn Backend, entity: &Entity) -> Result<Vec<String>, BackendError> {
    let Some(record) = backend.tables().await?.into_iter().find(|table| table.entity == entity.name.as_str())
    else {
        return Ok(Vec::new());
    };
    let clashes = backend.reshape(filled(entity, &backend.design(entity), &record)).await?;
    if !clashes.is_empty() {
        let record = SchemaAction::Keep(super::sql::record(&as_filled(&record)));
        backend.reshape(vec![record]).await?;
    }
    Ok(clashes.iter().map(ToString::to_string).collect())
}

pub(super) async fn fill_one(
    backend: &dyn Backend,
    model: &EntityModel,
    on: &mut (dyn FnMut(FillStep) + Send),
) -> Result<FillReport, BackendError> {
    match fill(backend, model, &Alone, on).await {
        Ok(report) => Ok(report),
        Err(FillError::Backend(error)) => Err(error),
        Err(FillError::Stopped) => Ok(FillReport::default()),
    }
}

/// Fills the tables of these entities again from their documents, whether they ask for it or not; all of them when none
/// is named. Servers may be running.
///
/// # Errors
/// [`StartError`] when the manifest asks for what rows do not offer or is not the one that the database was brought to,
/// or the database fails.
pub async fn reproject(
    backend: &dyn Backend,
    manifest: Arc<Manifest>,
    entities: &[EntityName],
    on: &mut (dyn FnMut(FillStep) + Send),
) -> Result<FillReport, StartError> {
    let model = Model::new(Arc::clone(&manifest), 0)?;
    let plan = super::plan(backend, &manifest).await?;
    if !plan.steps.is_empty() || !plan.is_known {
        let steps = plan.steps.iter().map(ToString::to_string).collect();
        return Err(StartError::OtherSchema { steps });
    }
    backend.describe(&manifest);
    let mut report = FillReport::default();
    for entity in &manifest.entities {
        if (entities.is_empty() || entities.contains(&entity.name))
            && let Some(model) = model.entity(entity.name.as_str())
        {
            report.add(fill_one(backend, model, on).await?);
        }
    }
    Ok(report)
}

/// The documents of an entity, page by page, some of which are being looked at while others are read and written.
struct Pages {
    after: Option<RowKey>,
    is_last: bool,
    at_work: VecDeque<JoinHandle<Page>>,
}

impl Pages {
    async fn next(
        &mut self,
        backend: &dyn Backend,
        model: &EntityModel,
    ) -> Result<Option<Page>, BackendError> {
        while !self.is_last && self.at_work.len() < AT_ONCE {
            let rows = backend.documents(&model.entity, self.after.as_ref(), PAGE).await?;
            self.is_last = rows.len() < PAGE;
            let Some((last, _)) = rows.last() else { break };
            self.after = Some(last.clone());
            let model = model.clone();
            self.at_work.push_back(tokio::task::spawn_blocking(move || Page::of(&model, rows)));
        }
        match self.at_work.pop_front() {
            Some(page) => page.await.map(Some).map_err(|error| BackendError::Unavailable(error.into())),
            None => Ok(None),
        }
    }
}

/// Some rows as their documents say them.
#[derive(Default)]
struct Page {
    rows: u64,
    lines: Vec<(RowKey, Seq, Projection)>,
    told: Vec<Difference>,
}

impl Page {
    fn of(model: &EntityModel, rows: Vec<(RowKey, Result<StoredRow, String>)>) -> Self {
        let mut page = Self { rows: rows.len() as u64, ..Self::default() };
        for (key, stored) in rows {
            match stored.and_then(|stored| Ok((stored.head.head, read(model, &stored)?))) {
                Ok((seq, (projection, unfit))) => {
                    page.told.extend(unfit.map(|what| Difference { key: key.clone(), what }));
                    page.lines.push((key, seq, projection));
                }
                Err(what) => {
                    tracing::error!(row = %key, what, "a row cannot be read, its table line is left out");
                    page.told.push(Difference { key, what: format!("its document cannot be read: {what}") });
                }
            }
        }
        page
    }
}

/// A stored row's columns, and what they cannot hold.
fn read(model: &EntityModel, stored: &StoredRow) -> Result<(Projection, Option<String>), String> {
    let deltas: Vec<&[u8]> = stored.tail.iter().map(|entry| &entry.delta[..]).collect();
    let doc = RowDoc::load(Arc::clone(&model.shape), PeerId(0), stored.snapshot.as_deref(), &deltas)
        .map_err(|error| error.to_string())?;
    if Version::decode(&stored.head.head_version).ok() != Some(doc.version()) {
        return Err("its stored version is not that of its document".into());
    }
    let projection = doc.project().map_err(|refusal| refusal.to_string())?;
    let unfit = match model.may_be_unfit() {
        true => doc.unfit().map_err(|fault| fault.to_string())?,
        false => Vec::new(),
    };
    let told: Vec<String> = unfit.iter().map(ToString::to_string).collect();
    Ok((projection, (!told.is_empty()).then(|| told.join("; "))))
}
