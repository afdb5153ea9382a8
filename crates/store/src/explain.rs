//! Why the manifest's policies let somebody do something to a row, or do not.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use corella_manifest::{Entity, EntityName, Manifest, Value};
use corella_policy::{Action, Caller, Images, Memberships, Policies, Ruling, Verdict};
use corella_query::{Column, Filter, RowView, Test};
use corella_rowdoc::{RowKey, Tenant};
use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use crate::{
    access::{Access, Image, are_there, one_row},
    defaults::proposed,
    error::{ReadError, StartError},
    job::Author,
    port::Backend,
};

/// A question to a manifest's policies.
#[derive(Debug, Clone)]
pub struct PolicyQuestion {
    /// Who asks.
    pub caller: Caller,
    /// The row that it is about; for an insert one that is not there.
    pub key: RowKey,
    /// What the caller wants to do with it.
    pub action: Action,
    /// The fields that an insert or an update would set.
    pub fields: Map<String, Json>,
}

/// What the policies say.
#[derive(Debug, Clone)]
pub struct PolicyAnswer {
    /// Whether the caller may do it.
    pub verdict: Verdict,
    /// The fields that the caller would not see, or may not set.
    pub denied_fields: Vec<String>,
    /// What each rule came to; those of fields that the question leaves alone are left out of the verdict.
    pub rulings: Vec<Ruling>,
}

/// Why a question cannot be answered.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// The manifest or the database is not right.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The database does not do its part.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// There is no such entity.
    #[error("expected an entity of the manifest ({known}), found {found:?}")]
    UnknownEntity {
        /// What was given.
        found: String,
        /// Those that there are.
        known: String,
    },
    /// There is no such row.
    #[error("there is no {entity} with the id {id:?}{}, so that nobody can {action} it", of(tenant))]
    NoRow {
        /// The entity.
        entity: EntityName,
        /// The id.
        id: String,
        /// The tenant.
        tenant: Tenant,
        /// What was asked for.
        action: Action,
    },
    /// A field of the question is not right.
    #[error("expected fields of {entity} with values of their types: {what}")]
    Field {
        /// The entity.
        entity: EntityName,
        /// What is wrong.
        what: String,
    },
}

fn of(tenant: &Tenant) -> String {
    if *tenant == Tenant::none() { String::new() } else { format!(" of the tenant {:?}", tenant.as_str()) }
}

/// Looks rows up in the tables of a database that is only read.
struct Tables<'a> {
    backend: &'a dyn Backend,
    manifest: &'a Manifest,
    tenant: &'a Tenant,
}

impl Tables<'_> {
    fn entity(&self, name: &EntityName) -> Result<&Entity, ReadError> {
        let found = self.manifest.entity(name.as_str());
        found.ok_or(ReadError::Internal("a rule names an entity that the manifest lacks"))
    }
}

#[async_trait]
impl Memberships for Tables<'_> {
    type Error = ReadError;

    async fn exists(&self, entity: &EntityName, filter: Filter) -> Result<bool, ReadError> {
        are_there(self.backend, self.entity(entity)?, self.tenant, filter).await
    }
}

/// Asks the manifest's policies, and tells how they came to their answer. Rows are taken as their tables have them, where
/// a large text may be half a second behind.
///
/// # Errors
/// [`ExplainError`] when the question or the manifest is not right, or the database fails.
pub async fn explain_policy(
    backend: &dyn Backend,
    manifest: Arc<Manifest>,
    question: &PolicyQuestion,
) -> Result<PolicyAnswer, ExplainError> {
    let PolicyQuestion { caller, key, action, fields } = question;
    backend.describe(&manifest);
    let policies = Policies::new(Arc::clone(&manifest)).map_err(StartError::Policies)?;
    let entity = manifest.entity(key.entity.as_str()).ok_or_else(|| {
        let known: Vec<&str> = manifest.entities.iter().map(|entity| entity.name.as_str()).collect();
        ExplainError::UnknownEntity { found: key.entity.to_string(), known: known.join(", ") }
    })?;
    let stored = line(backend, entity, key).await?;
    let before = match action {
        Action::Insert => None,
        Action::Read | Action::Update | Action::Delete => {
            Some(stored.ok_or_else(|| ExplainError::NoRow {
                entity: entity.name.clone(),
                id: key.id.as_str().to_owned(),
                tenant: key.tenant.clone(),
                action: *action,
            })?)
        }
    };
    let (after, touched) = match action {
        Action::Read | Action::Delete => (None, BTreeSet::new()),
        Action::Insert => {
            let user = caller.user.clone().unwrap_or_else(|| "anonymous".into());
            let author = Author { user, access: Access::Everything, source: None };
            let mut values = vec![Value::Null; entity.fields.len()];
            set(entity, &mut values, &proposed(entity, fields, &author))?;
            let touched = set(entity, &mut values, fields)?;
            (Some(values), touched)
        }
        Action::Update => {
            let mut values = before.clone().unwrap_or_default();
            let touched = set(entity, &mut values, fields)?;
            (Some(values), touched)
        }
    };
    let image = |values: &Option<Vec<Value>>| values.clone().map(|values| Owned { key: key.clone(), values });
    let (before, after) = (image(&before), image(&after));
    let (before, after) = (before.as_ref().map(Owned::image), after.as_ref().map(Owned::image));
    let images = Images {
        before: before.as_ref().map(|row| row as &(dyn RowView + Sync)),
        after: after.as_ref().map(|row| row as &(dyn RowView + Sync)),
    };
    let tables = Tables { backend, manifest: &manifest, tenant: &key.tenant };
    let now = Timestamp::now();
    let verdict = policies.may(caller, entity, *action, images, now, &tables).await?;
    let rulings = policies.explain(caller, entity, *action, images, now, &tables).await?;
    let denied = |ruling: &&Ruling| {
        let place =
            ruling.field.as_ref().and_then(|name| entity.fields.iter().position(|field| field.name == *name));
        let counts = place.is_some_and(|place| *action == Action::Read || touched.contains(&place));
        counts && ruling.outcome != Some(true) && !caller.is_admin
    };
    let denied_fields: Vec<String> =
        rulings.iter().filter(denied).filter_map(|ruling| Some(ruling.field.as_ref()?.to_string())).collect();
    let is_refused = *action != Action::Read && !denied_fields.is_empty();
    let verdict = if is_refused { Verdict::Denied } else { verdict };
    Ok(PolicyAnswer { verdict, denied_fields, rulings })
}

/// A row's values with its key.
struct Owned {
    key: RowKey,
    values: Vec<Value>,
}

impl Owned {
    fn image(&self) -> Image<'_> {
        Image::new(&self.key, &self.values)
    }
}

/// A row's line in its table; nothing where there is no such row, or it is deleted.
async fn line(backend: &dyn Backend, entity: &Entity, key: &RowKey) -> Result<Option<Vec<Value>>, ReadError> {
    let id = Filter::term(Column::id(), Test::Equal(Value::Text(key.id.as_str().into())));
    let statement = one_row(entity)?.restricted_to(id).to_statement(backend.dialect(), key.tenant.as_str());
    let row = backend.select(entity, statement).await?.rows.pop();
    Ok(row.map(|row| row.values().to_vec()))
}

/// Sets fields, and says which.
fn set(
    entity: &Entity,
    values: &mut [Value],
    fields: &Map<String, Json>,
) -> Result<BTreeSet<usize>, ExplainError> {
    let wrong = |what: String| ExplainError::Field { entity: entity.name.clone(), what };
    let mut touched = BTreeSet::new();
    for (name, json) in fields {
        let place = entity.fields.iter().position(|field| field.name.as_str() == name);
        let known: Vec<&str> = entity.fields.iter().map(|field| field.name.as_str()).collect();
        let place = place.ok_or_else(|| wrong(format!("{name:?} is none of {}", known.join(", "))))?;
        let value = entity.fields[place].ty.read(json).map_err(|error| wrong(format!("{name}: {error}")))?;
        if let Some(slot) = values.get_mut(place) {
            *slot = value;
        }
        touched.insert(place);
    }
    Ok(touched)
}
