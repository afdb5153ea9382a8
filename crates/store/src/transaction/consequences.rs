//! What rows suffer because they name a row that is deleted.

use std::collections::{BTreeMap, BTreeSet};

use corella_manifest::{EntityName, FieldName, OnDelete};
use corella_query::{Query, QueryParts};
use corella_rowdoc::{RowId, RowKey, Tenant};
use serde_json::json;

use super::{ByKey, MOST_ROWS};
use crate::{
    error::{ReadError, WriteError},
    port::Reference,
    references::Referrer,
    store::Inner,
};

/// Ids that are looked for at once.
const AT_ONCE: usize = 200;

/// What one row suffers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Consequence {
    /// It is deleted, too.
    Delete,
    /// These fields are emptied, as far as they still name a row that is deleted.
    Empty(BTreeSet<FieldName>),
}

/// What other rows suffer from a transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Consequences(pub(super) ByKey<Consequence>);

impl Consequences {
    /// What follows when these rows are deleted, from row to row until nothing more does.
    ///
    /// A field that restricts is passed over: it may be that its row is deleted, too, or names another row by then. The
    /// commit finds out.
    pub(super) async fn of(store: &Inner, deleted: BTreeSet<RowKey>) -> Result<Self, WriteError> {
        let model = store.model.load_full();
        let mut found = BTreeMap::new();
        let mut gone = deleted.clone();
        let mut level = deleted;
        while !level.is_empty() {
            let mut next = BTreeSet::new();
            let mut by_entity: BTreeMap<(&Tenant, &EntityName), Vec<&RowKey>> = BTreeMap::new();
            for key in &level {
                by_entity.entry((&key.tenant, &key.entity)).or_default().push(key);
            }
            for ((tenant, entity), keys) in by_entity {
                for referrer in model.referrers(entity) {
                    for keys in keys.chunks(AT_ONCE) {
                        match referrer.on_delete {
                            OnDelete::Restrict => {}
                            OnDelete::Cascade => {
                                for holder in holders(store, tenant, referrer, keys).await? {
                                    if gone.insert(holder.clone()) {
                                        found.insert(holder.clone(), Consequence::Delete);
                                        next.insert(holder);
                                    }
                                }
                            }
                            OnDelete::SetNull => {
                                for holder in holders(store, tenant, referrer, keys).await? {
                                    let entry = found.entry(holder);
                                    let entry = entry.or_insert_with(|| Consequence::Empty(BTreeSet::new()));
                                    if let Consequence::Empty(fields) = entry {
                                        fields.insert(referrer.field.clone());
                                    }
                                }
                            }
                        }
                        if found.len() > MOST_ROWS {
                            return Err(WriteError::TooManyRows { most: MOST_ROWS });
                        }
                    }
                }
            }
            level = next;
        }
        // What the transaction deletes itself needs no more.
        found.retain(|key, consequence| *consequence == Consequence::Delete || !gone.contains(key));
        Ok(Self(found))
    }

    /// Whether the row that stands in the way is one that these leave as it is, because its field restricts.
    pub(super) fn leave(&self, store: &Inner, reference: &Reference) -> bool {
        let model = store.model.load();
        let restricts = |referrer: &Referrer| {
            referrer.entity == reference.holder.entity
                && referrer.field == reference.field
                && referrer.on_delete == OnDelete::Restrict
        };
        model.referrers(&reference.target.entity).iter().any(restricts)
    }
}

/// The rows that name one of `targets` in the referrer's field; one more than a transaction may touch at the most.
async fn holders(
    store: &Inner,
    tenant: &Tenant,
    referrer: &Referrer,
    targets: &[&RowKey],
) -> Result<Vec<RowKey>, WriteError> {
    let entity = store.entity(referrer.entity.as_str())?.entity;
    let ids: Vec<&str> = targets.iter().map(|target| target.id.as_str()).collect();
    let parts = QueryParts {
        where_: Some(json!({ referrer.field.as_str(): { "$in": ids } })),
        limit: u32::try_from(MOST_ROWS + 1).ok(),
        ..QueryParts::default()
    };
    let query = Query::of(&entity, parts)
        .map_err(|_| ReadError::Internal("the query for the rows that name another is wrong"))?;
    let statement = query.to_statement(store.backend.dialect(), tenant.as_str());
    let selected = store.backend.select(&entity, statement).await?;
    let key = |id| RowKey { tenant: tenant.clone(), entity: referrer.entity.clone(), id };
    Ok(selected.rows.iter().filter_map(|row| RowId::new(row.id()).ok()).map(key).collect())
}
