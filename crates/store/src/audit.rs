//! Comparing tables with documents, and filling them again.

use std::sync::Arc;

use corella_manifest::{Entity, EntityName, Manifest};
use corella_query::SearchDesign;
use corella_rowdoc::{PeerId, Projection, Refusal, RowDoc, RowKey, Version};

use crate::{
    error::StartError,
    json::row_json,
    model::{EntityModel, Model},
    port::{Backend, BackendError, ScannedRow, StoredRow, TableRecord},
    schema::has_words_of,
};

/// Rows read at once.
pub(crate) const PAGE: usize = 512;

/// A row whose table line is not what its document says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The row.
    pub key: RowKey,
    /// What is wrong, in words.
    pub what: String,
}

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// How many documents were looked at.
    pub documents: u64,
    /// The entities whose tables are being filled from their documents: their lines were not compared.
    pub filling: Vec<EntityName>,
    /// Where table and documents differ.
    pub differences: Vec<Difference>,
    /// The entities whose index of words is not as their table says, and what is wrong with it.
    pub words: Vec<(EntityName, String)>,
    /// Fields whose columns cannot hold what the documents say: the table has the nearest value, or null, which is no
    /// difference.
    pub beyond: Vec<Difference>,
}

/// Compares every document of the manifest's entities with its line in the table.
///
/// It may run beside a server: each row is compared as of one moment.
///
/// # Errors
/// [`StartError`] when the manifest asks for what rows do not offer, or the database fails.
pub async fn check(backend: &dyn Backend, manifest: Arc<Manifest>) -> Result<CheckReport, StartError> {
    backend.describe(&manifest);
    let model = Model::new(Arc::clone(&manifest), 0)?;
    let mut report = CheckReport::default();
    let tables = backend.tables().await?;
    for entity in &manifest.entities {
        let Some(model) = model.entity(entity.name.as_str()) else { continue };
        let is_stale = tables.iter().any(|table| table.stale && table.entity == entity.name.as_str());
        if is_stale {
            report.filling.push(entity.name.clone());
        }
        let mut after: Option<RowKey> = None;
        loop {
            let rows = backend.scan(&model.entity, after.as_ref(), PAGE).await?;
            let Some(last) = rows.last() else { break };
            after = Some(last.key.clone());
            report.documents += rows.len() as u64;
            report.beyond.extend(rows.iter().filter_map(|row| beyond(model, row)));
            let differences = rows.into_iter().filter_map(|row| difference(model, row, is_stale));
            report.differences.extend(differences);
        }
        let orphans = backend.orphans(&model.entity).await?;
        report.differences.extend(
            orphans
                .into_iter()
                .map(|key| Difference { key, what: "stands in the table, but has no document".into() }),
        );
        report.words.extend(astray_words(backend, &tables, &model.entity).await?);
    }
    Ok(report)
}

/// An entity whose index of words is not as its table says, and what is wrong with it.
///
/// An index that another manifest asked for is not looked at: it goes when this one is served.
pub(crate) async fn astray_words(
    backend: &dyn Backend,
    tables: &[TableRecord],
    entity: &Entity,
) -> Result<Option<(EntityName, String)>, BackendError> {
    let record = tables.iter().find(|table| table.entity == entity.name.as_str());
    if !record.is_some_and(|record| has_words_of(record, entity)) {
        return Ok(None);
    }
    let Some(check) = SearchDesign::of(&entity.name).check(backend.dialect(), entity) else {
        return Ok(None);
    };
    let told = backend.astray_words(entity, check).await?.told();
    Ok(told.map(|what| (entity.name.clone(), what)))
}

fn difference(model: &EntityModel, row: ScannedRow, is_stale: bool) -> Option<Difference> {
    let what = match judge(model, &row) {
        Verdict::Sound => return None,
        Verdict::Line { .. } if is_stale => return None,
        Verdict::Line { what, .. } => what,
        Verdict::Unfit(what) | Verdict::Damaged(what) => format!("its document cannot be read: {what}"),
    };
    Some(Difference { key: row.key, what })
}

/// The fields of a row that stand beyond what their columns can hold.
fn beyond(model: &EntityModel, row: &ScannedRow) -> Option<Difference> {
    if !model.may_be_unfit() {
        return None;
    }
    let stored = row.stored.as_ref().ok()?;
    let deltas: Vec<&[u8]> = stored.tail.iter().map(|entry| &entry.delta[..]).collect();
    let doc = RowDoc::load(Arc::clone(&model.shape), PeerId(0), stored.snapshot.as_deref(), &deltas).ok()?;
    let unfit: Vec<String> = doc.unfit().ok()?.iter().map(ToString::to_string).collect();
    (!unfit.is_empty()).then(|| Difference { key: row.key.clone(), what: unfit.join("; ") })
}

/// What a row as it was scanned is.
pub(crate) enum Verdict {
    /// Whole, and its line says what its document says.
    Sound,
    /// Its line is not as this projection.
    Line { what: String, projection: Projection },
    /// Its bytes are sound, but its values do not fit the manifest.
    Unfit(String),
    /// Its bytes are not what was written.
    Damaged(String),
}

/// Looks at a row's bytes, then at its line.
pub(crate) fn judge(model: &EntityModel, row: &ScannedRow) -> Verdict {
    let projection = match row.stored.as_ref().map_err(Clone::clone).and_then(|stored| examine(model, stored))
    {
        Ok(Ok(projection)) => projection,
        Ok(Err(refusal)) => return Verdict::Unfit(refusal.to_string()),
        Err(what) => return Verdict::Damaged(what),
    };
    let what = match (projection.deleted, &row.table) {
        (true, None) => return Verdict::Sound,
        (true, Some(_)) => "is deleted, but stands in the table".into(),
        (false, None) => "is missing from the table".into(),
        // Its columns are about to be written, by the server or by the next one to start.
        (false, Some(_)) if row.late => return Verdict::Sound,
        (false, Some(table)) if table.values() == projection.values => return Verdict::Sound,
        (false, Some(table)) => {
            let id = row.key.id.as_str();
            let told = |values: &[corella_manifest::Value]| {
                serde_json::Value::from(row_json(&model.entity, id, values))
            };
            format!("the document says {}, the table {}", told(&projection.values), told(table.values()))
        }
    };
    Verdict::Line { what, projection }
}

/// A stored row's columns, or why its values do not fit; an error when its bytes are not sound.
fn examine(model: &EntityModel, stored: &StoredRow) -> Result<Result<Projection, Refusal>, String> {
    let deltas: Vec<&[u8]> = stored.tail.iter().map(|entry| &entry.delta[..]).collect();
    let doc = RowDoc::load(Arc::clone(&model.shape), PeerId(0), stored.snapshot.as_deref(), &deltas)
        .map_err(|error| error.to_string())?;
    if Version::decode(&stored.head.head_version).ok() != Some(doc.version()) {
        return Err("its stored version is not that of its document".into());
    }
    match doc.project() {
        Err(Refusal::Poisoned) => Err(Refusal::Poisoned.to_string()),
        projected => Ok(projected),
    }
}

/// A stored row's columns, or why it has none.
pub(crate) fn project(model: &EntityModel, stored: &StoredRow) -> Result<Projection, String> {
    examine(model, stored)?.map_err(|refusal| refusal.to_string())
}
