//! Damaged rows made whole from what is sound of them, and tables brought back to their documents.

use std::sync::Arc;

use bytes::Bytes;
use corella_manifest::{EntityName, Manifest};
use corella_query::SearchDesign;
use corella_rowdoc::{PeerId, RowDoc, RowKey, salvage};
use jiff::Timestamp;

use crate::{
    audit::{Difference, PAGE, Verdict, astray_words, judge},
    error::StartError,
    import::fill_tables,
    model::{EntityModel, Model},
    port::{Backend, BackendError, KeptRow, Mend, MendOutcome, ScannedRow, SchemaAction, StoredRow},
};

/// A damaged row that is whole again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MendedRow {
    /// The row.
    pub key: RowKey,
    /// What was wrong with it.
    pub fault: String,
    /// The pieces that are lost, each with why; none when all of its operations could be saved.
    pub lost: Vec<String>,
}

/// What a repair found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RepairReport {
    /// How many documents were looked at.
    pub documents: u64,
    /// Rows that are whole again.
    pub mended: Vec<MendedRow>,
    /// Table lines that say again what their documents say, or that are gone because they had none.
    pub lines: Vec<Difference>,
    /// The entities whose index of words was made anew, and what was wrong with it.
    pub words: Vec<(EntityName, String)>,
    /// What is still wrong, and why.
    pub left: Vec<Difference>,
}

/// Mends every row and line that [`crate::check`] would tell of.
///
/// The bytes that it replaces are set aside in the database, and the server writes under another peer id afterwards:
/// an operation that was lost must not be made again under its old id and counter. Nobody else may have the database
/// open for writing.
///
/// # Errors
/// [`StartError`] when the manifest asks for what rows do not offer, or the database fails.
pub async fn repair(backend: &dyn Backend, manifest: Arc<Manifest>) -> Result<RepairReport, StartError> {
    fill_tables(backend, Arc::clone(&manifest)).await?;
    let model = Model::new(Arc::clone(&manifest), 0)?;
    let mut repair = Repair { backend, report: RepairReport::default(), renewed: false };
    for entity in &manifest.entities {
        let Some(model) = model.entity(entity.name.as_str()) else { continue };
        // Wrong lines go first: one of them may hold a value that a right one needs for itself.
        repair.clear_lines(model).await?;
        repair.mend_rows(model).await?;
    }
    repair.mend_words(&manifest).await?;
    Ok(repair.report)
}

struct Repair<'a> {
    backend: &'a dyn Backend,
    report: RepairReport,
    /// Whether the server has its new peer id.
    renewed: bool,
}

impl Repair<'_> {
    /// Takes lines that are not what their documents say out of the table; the next pass writes them anew.
    async fn clear_lines(&mut self, model: &EntityModel) -> Result<(), BackendError> {
        let mut after = None;
        loop {
            let rows = self.backend.scan(&model.entity, after.as_ref(), PAGE).await?;
            let Some(last) = rows.last() else { break };
            after = Some(last.key.clone());
            self.report.documents += rows.len() as u64;
            let mut wrong = Vec::new();
            for row in rows {
                if let Verdict::Line { what, .. } = judge(model, &row) {
                    if row.table.is_some() {
                        wrong.push(row.key.clone());
                    }
                    self.report.lines.push(Difference { key: row.key, what });
                }
            }
            self.take_out(model, wrong, "the line was not what its document says").await?;
        }
        let orphans = self.backend.orphans(&model.entity).await?;
        let what = "stood in the table without a document";
        let told = |key: &RowKey| Difference { key: key.clone(), what: what.into() };
        self.report.lines.extend(orphans.iter().map(told));
        self.take_out(model, orphans, what).await
    }

    async fn take_out(&self, model: &EntityModel, keys: Vec<RowKey>, what: &str) -> Result<(), BackendError> {
        if keys.is_empty() {
            return Ok(());
        }
        self.backend.take_out(&model.entity, keys, what.to_owned()).await
    }

    /// Makes indexes of words anew that are not as their tables say.
    async fn mend_words(&mut self, manifest: &Manifest) -> Result<(), BackendError> {
        let tables = self.backend.tables().await?;
        for entity in &manifest.entities {
            let Some((name, what)) = astray_words(self.backend, &tables, entity).await? else { continue };
            let statements = SearchDesign::of(&name).make(self.backend.dialect(), entity);
            self.backend.reshape(statements.into_iter().map(SchemaAction::Run).collect()).await?;
            self.report.words.push((name, what));
        }
        Ok(())
    }

    /// Mends what is damaged, and writes the lines that are missing.
    async fn mend_rows(&mut self, model: &EntityModel) -> Result<(), BackendError> {
        let mut after = None;
        loop {
            let rows = self.backend.scan(&model.entity, after.as_ref(), PAGE).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = Some(last.key.clone());
            for row in rows {
                match judge(model, &row) {
                    Verdict::Sound => {}
                    Verdict::Line { what, projection } => {
                        let Ok(StoredRow { head, .. }) = &row.stored else { continue };
                        let line = vec![(row.key.clone(), head.head, projection)];
                        if let Err(error) = self.backend.reproject(&model.entity, line).await {
                            let cause = std::error::Error::source(&error).map(ToString::to_string);
                            let what = format!("{what}; {error}: {}", cause.unwrap_or_default());
                            self.report.left.push(Difference { key: row.key, what });
                        }
                    }
                    Verdict::Unfit(what) => {
                        let what = format!(
                            "its bytes are sound, but {what}; change the manifest back, or the field, then repair again"
                        );
                        self.report.left.push(Difference { key: row.key, what });
                    }
                    Verdict::Damaged(fault) => self.mend(model, row, fault).await?,
                }
            }
        }
    }

    async fn mend(
        &mut self,
        model: &EntityModel,
        row: ScannedRow,
        fault: String,
    ) -> Result<(), BackendError> {
        // Before the first row: if the repair is cut short, nothing can be written under the old id.
        if !self.renewed {
            self.backend.renew_peer().await?;
            self.renewed = true;
        }
        let Some(kept) = self.backend.kept(&row.key).await? else { return Ok(()) };
        let (mend, lost) = match rescue(model, &kept, &fault) {
            Ok(rescued) => rescued,
            Err(what) => {
                let what = format!("{fault}; nothing was changed, because {what}");
                self.report.left.push(Difference { key: row.key, what });
                return Ok(());
            }
        };
        let key = row.key;
        match self.backend.mend(mend).await? {
            MendOutcome::Mended(_) => self.report.mended.push(MendedRow { key, fault, lost }),
            MendOutcome::Stale => {
                let what = "was written to meanwhile; repair again".into();
                self.report.left.push(Difference { key, what });
            }
            MendOutcome::NotUnique { fields, holder } => {
                let holder = holder.map_or_else(|| "another row".into(), |id| id.to_string());
                let what = format!(
                    "{fault}; what could be saved of it clashes with {holder} in {}: change that row, then repair again",
                    fields.join(", ")
                );
                self.report.left.push(Difference { key, what });
            }
        }
        Ok(())
    }
}

/// What is sound of a row, and what is lost.
fn rescue(model: &EntityModel, kept: &KeptRow, fault: &str) -> Result<(Mend, Vec<String>), String> {
    let pieces: Vec<&Bytes> = kept.blobs().collect();
    let salvage = salvage(&model.shape, &pieces).map_err(|error| error.to_string())?;
    let doc = RowDoc::load(Arc::clone(&model.shape), PeerId(0), Some(&salvage.snapshot), &[] as &[Vec<u8>])
        .map_err(|error| error.to_string())?;
    let projection = doc.project().map_err(|error| error.to_string())?;
    let mut lost: Vec<String> =
        salvage.lost.into_iter().map(|(place, why)| format!("{}: {why}", name(kept, place))).collect();
    if kept.snapshot.is_none() && kept.head.snapshot != crate::port::Seq::ZERO {
        lost.insert(0, "its snapshot: it is missing".into());
    }
    let mend = Mend {
        key: kept.key.clone(),
        known_head: kept.head.head,
        fault: fault.to_owned(),
        snapshot: salvage.snapshot.into(),
        version: salvage.version.encode().into(),
        projection,
        at: Timestamp::now(),
    };
    Ok((mend, lost))
}

/// What the piece at that place is called.
fn name(kept: &KeptRow, place: usize) -> String {
    let before = usize::from(kept.snapshot.is_some());
    match place.checked_sub(before).and_then(|place| kept.tail.get(place)) {
        Some(entry) => {
            let author = entry.author.as_deref().map(|author| format!(" by {author}")).unwrap_or_default();
            format!("its change {}{author} of {:.0}", entry.seq.0, entry.at)
        }
        None => "its snapshot".into(),
    }
}
