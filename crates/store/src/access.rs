//! How far somebody's access goes, and looking rows up to find that out.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use corella_manifest::{Entity, EntityName, Value};
use corella_policy::{Caller, Memberships, Reading};
use corella_query::{Column, Filter, Query, QueryParts, RowView};
use corella_rowdoc::{RowKey, Tenant};
use jiff::Timestamp;

use crate::{error::ReadError, model::EntityModel, port::Backend, store::Inner};

/// How far somebody's access goes.
#[derive(Clone)]
pub enum Access {
    /// As far as the manifest's policies let this caller go.
    Caller(Arc<Caller>),
    /// To everything: the server itself, or a command of its administrator.
    Everything,
}

impl Access {
    /// The caller of whom policies have to be asked; nobody, when they let it do everything.
    #[must_use]
    pub fn caller(&self) -> Option<&Arc<Caller>> {
        match self {
            Self::Caller(caller) if !caller.is_admin => Some(caller),
            Self::Caller(_) | Self::Everything => None,
        }
    }

    /// The question what may be seen of a row.
    pub(crate) fn reading(&self, model: &EntityModel, row: &(dyn RowView + Sync)) -> Option<Reading> {
        let caller = self.caller()?;
        Some(model.policies.reading(caller, &model.entity, row, Timestamp::now()))
    }
}

/// Without the claims, which are nobody's business.
impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Caller(caller) => write!(f, "Caller({:?})", caller.user),
            Self::Everything => f.write_str("Everything"),
        }
    }
}

/// A row of an entity's table as policies see it.
pub(crate) struct Image<'a> {
    id: Value,
    values: &'a [Value],
}

impl<'a> Image<'a> {
    pub(crate) fn new(key: &RowKey, values: &'a [Value]) -> Self {
        Self { id: Value::Text(key.id.as_str().into()), values }
    }
}

impl RowView for Image<'_> {
    fn value(&self, column: &Column) -> &Value {
        match column.position().checked_sub(1) {
            None => &self.id,
            Some(place) => self.values.get(place).unwrap_or(&Value::Null),
        }
    }
}

/// Looks rows of one tenant up as they are stored.
pub(crate) struct Lookup<'a> {
    pub(crate) store: &'a Inner,
    pub(crate) tenant: &'a Tenant,
}

#[async_trait]
impl Memberships for Lookup<'_> {
    type Error = ReadError;

    /// Fields of which it is asked have one plain value, so that no line which waits is in the way.
    async fn exists(&self, entity: &EntityName, filter: Filter) -> Result<bool, ReadError> {
        let model = self.store.entity(entity.as_str())?;
        are_there(&*self.store.backend, &model.entity, self.tenant, filter).await
    }
}

/// Whether a row of the tenant meets `filter`.
pub(crate) async fn are_there(
    backend: &dyn Backend,
    entity: &Entity,
    tenant: &Tenant,
    filter: Filter,
) -> Result<bool, ReadError> {
    let query = one_row(entity)?.restricted_to(filter);
    let statement = query.to_statement(backend.dialect(), tenant.as_str());
    Ok(!backend.select(entity, statement).await?.rows.is_empty())
}

/// A query of one row of `entity`, whichever.
pub(crate) fn one_row(entity: &Entity) -> Result<Query, ReadError> {
    let parts = QueryParts { limit: Some(1), ..QueryParts::default() };
    Query::of(entity, parts).map_err(|_| ReadError::Internal("a query of any row is wrong"))
}
