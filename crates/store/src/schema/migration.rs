//! From the schema that a database has to the one that a manifest declares.

use std::{collections::HashSet, sync::Arc};

use corella_manifest::{Entity, EntityName, Manifest, Parsed, Step, StepClass};

use super::{
    actions::{Actions, Standing, ToFill, actions},
    fill::{FillReport, FillStep, fill_one},
};
use crate::{
    error::StartError,
    model::Model,
    port::{Backend, KeptSchema, SchemaAction, TableDesign},
};

/// What a migration may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// Only what loses nothing.
    Additive,
    /// Everything that the manifest asks for.
    Destructive,
}

/// What lies between a database and a manifest.
#[derive(Debug)]
pub struct MigrationPlan {
    /// The steps, in their order.
    pub steps: Vec<Step>,
    /// The statements about the app's tables, in their order.
    pub statements: Vec<String>,
    /// The entities whose tables are filled from their documents afterwards.
    pub fill: Vec<EntityName>,
    /// Why it cannot be done, if it cannot.
    pub refused: Vec<String>,
    /// Whether the database has recorded its schema; one that has not is taken to be as its tables are.
    pub is_known: bool,
    actions: Vec<SchemaAction>,
    /// The tables to fill, with what is behind until then.
    pub(crate) behind: Vec<ToFill>,
}

impl MigrationPlan {
    /// The steps that lose something.
    pub fn destructive(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.class() == StepClass::Destructive)
    }
}

/// The schemas that the database was brought to, the present one first.
///
/// # Errors
/// [`StartError`] when the database fails, or a newer Corella recorded what this one cannot read.
pub async fn served_schemas(backend: &dyn Backend) -> Result<Vec<(String, Manifest)>, StartError> {
    let kept = backend.schemas().await?;
    kept.into_iter()
        .map(|KeptSchema { fingerprint, record }| match Manifest::parse(&record) {
            Ok(Parsed { manifest, .. }) => Ok((fingerprint, manifest)),
            Err(errors) => Err(StartError::Record { fingerprint, errors }),
        })
        .collect()
}

/// Looks at what lies between the database and `manifest`, and changes nothing.
///
/// # Errors
/// [`StartError`] when the manifest asks for what rows do not offer, or the database fails.
pub async fn plan(backend: &dyn Backend, manifest: &Manifest) -> Result<MigrationPlan, StartError> {
    let kept = backend.schemas().await?;
    let schemas: Vec<Manifest> =
        served_schemas(backend).await?.into_iter().map(|(_, manifest)| manifest).collect();
    let steps = schemas.first().map(|now| manifest.steps_from(now, &schemas)).unwrap_or_default();
    let present = KeptSchema { fingerprint: manifest.fingerprint(), record: manifest.record() };
    let is_present = kept.first().is_some_and(|kept| {
        // The app's own version is no part of the schema.
        kept.fingerprint == present.fingerprint && steps.is_empty()
    });
    let mut documents = HashSet::new();
    let former = manifest.entities.iter().filter_map(|entity| entity.renamed_from.as_ref());
    for name in manifest.entities.iter().map(|entity| &entity.name).chain(former) {
        if backend.has_documents(name).await? {
            documents.insert(name.to_string());
        }
    }
    let wanted: Vec<(&Entity, TableDesign)> =
        manifest.entities.iter().map(|entity| (entity, backend.design(entity))).collect();
    let dialect = backend.dialect();
    let standing =
        Standing { dialect, tables: backend.tables().await?, documents, is_known: !schemas.is_empty() };
    let Actions { actions, fill, refused } =
        actions(standing, &wanted, &steps, (!is_present).then_some(&present));
    let shown = |action: &SchemaAction| match action {
        SchemaAction::Run(sql) => Some(sql.clone()),
        SchemaAction::Keep(_) | SchemaAction::Check { .. } => None,
    };
    Ok(MigrationPlan {
        steps,
        statements: actions.iter().filter_map(shown).collect(),
        fill: fill.iter().map(|table| table.entity.clone()).collect(),
        refused,
        is_known: !schemas.is_empty(),
        actions,
        behind: fill,
    })
}

/// Brings the tables to `manifest`, all in one transaction; says which have to be filled afterwards, and whether lines
/// may be missing from them until then. Nobody else may be doing the same.
///
/// # Errors
/// As [`apply`].
pub async fn bring(
    backend: &dyn Backend,
    manifest: &Manifest,
    consent: Consent,
) -> Result<MigrationPlan, StartError> {
    let mut plan = plan(backend, manifest).await?;
    let told: Vec<String> = plan.destructive().map(ToString::to_string).collect();
    if consent == Consent::Additive && !told.is_empty() {
        return Err(StartError::Destructive { steps: told });
    }
    if !plan.refused.is_empty() {
        return Err(StartError::Impossible { reasons: plan.refused });
    }
    if !plan.steps.is_empty() && backend.other_servers().await? > 0 {
        tracing::warn!(
            "other servers run on this database under the manifest that it had until now: restart them with the new one"
        );
    }
    let clashes = backend.reshape(std::mem::take(&mut plan.actions)).await?;
    if !clashes.is_empty() {
        let reasons = clashes.iter().map(ToString::to_string).collect();
        return Err(StartError::Impossible { reasons });
    }
    for step in &plan.steps {
        tracing::info!("schema: {step}");
    }
    backend.describe(manifest);
    Ok(plan)
}

/// Brings the database to `manifest`: takes the steps, then fills the tables that ask for it. What was cut short before
/// is taken up where it was. Nobody else may have the database open for writing.
///
/// # Errors
/// [`StartError`] when the manifest asks for what rows do not offer, steps lose something and `consent` does not cover
/// them, rows stand in the way, or the database fails.
pub async fn apply(
    backend: &dyn Backend,
    manifest: Arc<Manifest>,
    consent: Consent,
    on: &mut (dyn FnMut(FillStep) + Send),
) -> Result<(MigrationPlan, FillReport), StartError> {
    let model = Model::new(Arc::clone(&manifest), 0)?;
    let plan = bring(backend, &manifest, consent).await?;
    let mut report = FillReport::default();
    for name in &plan.fill {
        if let Some(model) = model.entity(name.as_str()) {
            report.add(fill_one(backend, model, on).await?);
        }
    }
    Ok((plan, report))
}
