//! Whether somebody may have a row as a document, which is whole or not at all.

use std::{borrow::Cow, collections::BTreeSet, sync::Arc};

use corella_manifest::{EntityName, Value};
use corella_policy::{Action, Caller, Reading, Sight, Sources, Writing};
use corella_query::{Filter, Test};
use corella_rowdoc::RowKey;
use jiff::Timestamp;

use crate::{
    access::{Access, Image, Lookup, one_row},
    error::ReadError,
    forbidden::{Denied, Forbidden},
    guard::RowGuard,
    model::EntityModel,
    port::Seq,
    store::Inner,
};

/// What is asked about somebody and a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// Whether the row may be read.
    Reading,
    /// And whether it may be written to.
    Writing,
}

/// Whether somebody may have a row as a document, as far as the row itself tells; memberships are still open.
pub struct Question {
    key: RowKey,
    model: EntityModel,
    /// Nothing when the answer is yes, whatever memberships say.
    reading: Option<Reading>,
    /// Nothing when the answer is yes, or when it was not asked for.
    writing: Option<Writing>,
    /// Who asks, where policies are asked.
    caller: Option<Arc<Caller>>,
}

impl Question {
    /// The rows on whose being there the answer depends: any of those entities that meets the filter.
    #[must_use]
    pub fn memberships(&self) -> Vec<(EntityName, Filter)> {
        self.reading.as_ref().map(Reading::memberships).unwrap_or_default()
    }

    /// What the rules look at by which rows of this entity are read.
    #[must_use]
    pub fn sources(&self) -> &Sources {
        self.model.policies.read_sources(&self.model.entity)
    }

    async fn settle(&self, store: &Inner) -> Result<(), ReadError> {
        let Some((reading, caller)) = self.reading.as_ref().zip(self.caller.as_ref()) else { return Ok(()) };
        let forbidden = |denied| ReadError::Forbidden(Forbidden::new(denied, caller, &self.key));
        let entity = &self.model.entity;
        match reading.settle(&Lookup { store, tenant: &self.key.tenant }).await? {
            Sight::Row { hidden } if hidden.is_empty() => Ok(()),
            Sight::Row { hidden } => {
                let fields: Vec<&str> = hidden
                    .iter()
                    .filter_map(|place| Some(entity.fields.get(*place)?.name.as_str()))
                    .collect();
                let (entity, fields) = (entity.name.clone(), fields.join(", "));
                Err(forbidden(Denied::Document { entity, fields }))
            }
            Sight::Nothing => {
                let entity = entity.name.clone();
                Err(forbidden(Denied::Row { entity, action: Action::Read }))
            }
        }
    }
}

impl RowGuard {
    /// The question whether somebody may have the row as a document.
    ///
    /// A row that was never written has nothing to see: whoever wants to make it may join it.
    ///
    /// # Errors
    /// [`ReadError`] when the row's bytes are damaged or the database fails.
    pub async fn question(&mut self, access: &Access, about: About) -> Result<Question, ReadError> {
        let key = self.key()?.clone();
        let model = self.store().entity(key.entity.as_str())?;
        let Some(caller) = access.caller().map(Arc::clone) else {
            return Ok(Question { key, model, reading: None, writing: None, caller: None });
        };
        let (policies, entity) = (&model.policies, &model.entity);
        let read = &policies.read_sources(entity).fields;
        let looked_at = match about {
            About::Reading => Cow::Borrowed(read),
            About::Writing => Cow::Owned(read | &policies.write_sources(entity).fields),
        };
        let values = self.values(&model, &key, &looked_at).await?;
        let image = values.as_ref().map(|values| Image::new(&key, values));
        let writing = match about {
            About::Reading => None,
            About::Writing => {
                let row = image.as_ref().map(|image| image as _);
                Some(policies.writing(&caller, entity, row, Timestamp::now()))
            }
        };
        let reading = image.as_ref().and_then(|image| access.reading(&model, image));
        Ok(Question { key, model, reading, writing, caller: Some(caller) })
    }

    /// Whether the one of whom was asked may write to the row as it is, or make it; what is written is still to be judged.
    ///
    /// # Errors
    /// [`ReadError`] when the database fails.
    pub async fn may_write(&self, question: &Question) -> Result<bool, ReadError> {
        let Some(writing) = &question.writing else { return Ok(true) };
        writing.settle(&Lookup { store: self.store(), tenant: &question.key.tenant }).await
    }

    /// Looks up what is open.
    ///
    /// # Errors
    /// [`ReadError::Forbidden`] when the answer is no; [`ReadError`] when the database fails.
    pub async fn settle(&self, question: &Question) -> Result<(), ReadError> {
        question.settle(self.store()).await
    }

    /// Refuses those who may not have the row as a document.
    ///
    /// # Errors
    /// As [`RowGuard::question`] and [`RowGuard::settle`].
    pub async fn admit(&mut self, access: &Access) -> Result<(), ReadError> {
        let question = self.question(access, About::Reading).await?;
        self.settle(&question).await
    }

    /// The row's columns as far as rules look at them; nothing when it was never written.
    async fn values(
        &mut self,
        model: &EntityModel,
        key: &RowKey,
        looked_at: &BTreeSet<usize>,
    ) -> Result<Option<Vec<Value>>, ReadError> {
        if !self.is_loaded() {
            let Some(head) = self.store().backend.head(key).await? else { return Ok(None) };
            if looked_at.is_empty() {
                return Ok(Some(Vec::new()));
            }
            // A row that nobody works with is asked of by its line, without making a document of it.
            if !head.deleted && looked_at.is_disjoint(&model.late) {
                let id = Filter::term(
                    corella_query::Column::id(),
                    Test::Equal(Value::Text(key.id.as_str().into())),
                );
                let query = one_row(&model.entity)?.restricted_to(id);
                let statement = query.to_statement(self.store().backend.dialect(), key.tenant.as_str());
                let line = self.store().backend.select(&model.entity, statement).await?.rows.pop();
                if let Some(line) = line {
                    return Ok(Some(line.values().to_vec()));
                }
            }
        }
        let loaded = self.loaded().await?;
        if loaded.head == Seq::ZERO {
            return Ok(None);
        }
        let mut values = loaded.projection.values.clone();
        let behind = loaded.late.fields.intersection(looked_at).copied();
        let read = loaded.doc.project_fields(behind).map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "a row's fields cannot be read");
            ReadError::Internal("the row's fields could not be read")
        })?;
        for (place, value) in read {
            if let Some(slot) = values.get_mut(place) {
                *slot = value;
            }
        }
        Ok(Some(values))
    }
}
