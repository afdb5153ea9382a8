//! A row as it was at an earlier version.

use std::sync::Arc;

use corella_manifest::{FieldName, Value};
use loro::{Frontiers, event::DiffBatch};
use serde_json::Value as Json;

use crate::{
    PeerId, Projection, Refusal, RowDoc, RowShape, TextRuns, Version, delta,
    refusal::DocFault,
    shape::{Form, ShapeField},
};

/// A row as it was at one version, and can be at any other that its history reaches.
///
/// It is a copy: nothing that is done with it shows anywhere else.
pub struct Past(RowDoc);

/// How one field differs between two versions.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldDiff {
    /// The field.
    pub field: FieldName,
    /// In what way.
    pub difference: Difference,
}

/// In what way a field differs.
#[derive(Debug, Clone, PartialEq)]
pub enum Difference {
    /// It had one value and has another.
    Value {
        /// What it had.
        before: Json,
        /// What it has.
        after: Json,
    },
    /// Its text was edited: a list of `retain`, `insert` and `delete`, counted in UTF-16 code units.
    Text(Json),
}

/// What differs between two versions of a row.
#[derive(Debug, Clone, PartialEq)]
pub struct RowDiff {
    /// Whether the row was deleted at the first version.
    pub deleted_before: bool,
    /// Whether it is at the second.
    pub deleted_after: bool,
    /// The fields that differ, in the order of their declaration.
    pub fields: Vec<FieldDiff>,
    /// The whole document before and after, where the entity is open and they differ.
    pub open: Option<(Json, Json)>,
}

impl RowDoc {
    /// A copy of the row, to be looked at as it was.
    ///
    /// # Errors
    /// [`DocFault`] when Loro cannot export.
    pub fn past(&self) -> Result<Past, DocFault> {
        let snapshot = self.snapshot()?;
        let copy = Self::load(Arc::clone(self.shape()), PeerId(0), Some(&snapshot), &[] as &[Vec<u8>]);
        copy.map(Past).map_err(|error| DocFault::Export(error.to_string()))
    }

    /// Gives the row up, to be looked at as it was.
    #[must_use]
    pub fn into_past(self) -> Past {
        Past(self)
    }
}

impl Past {
    /// The shape that the row was made with.
    #[must_use]
    pub fn shape(&self) -> &Arc<RowShape> {
        self.0.shape()
    }

    pub(crate) fn doc(&self) -> &RowDoc {
        &self.0
    }

    /// Goes to `version`.
    ///
    /// # Errors
    /// [`DocFault::HistoryTrimmed`] when the history that is kept starts later, [`DocFault::NoSuchVersion`] when the
    /// row never was at that version.
    pub fn go_to(&mut self, version: &Version) -> Result<(), DocFault> {
        let frontiers = self.frontiers(version)?;
        self.0
            .vessel
            .with(|doc| doc.checkout(&frontiers))?
            .map_err(|error| DocFault::Export(error.to_string()))
    }

    /// Where in its history the row is at `version`.
    fn frontiers(&self, version: &Version) -> Result<Frontiers, DocFault> {
        if !self.0.version().includes(version) {
            return Err(DocFault::NoSuchVersion);
        }
        let start = self.0.history_start();
        if !version.includes(&start) {
            return Err(DocFault::HistoryTrimmed);
        }
        let frontiers = self.0.vessel.with(|doc| {
            if start.includes(version) {
                return Ok(Some(doc.shallow_since_frontiers()));
            }
            let frontiers = doc.try_vv_to_frontiers(version.vector())?;
            // A vector that leaves out what its operations build on names no version that the row ever had.
            let reached = doc.try_frontiers_to_vv(&frontiers)?.map(Version::from_vector);
            Ok(reached
                .filter(|reached| reached.includes(version) && version.includes(reached))
                .map(|_| frontiers))
        })?;
        frontiers
            .map_err(|error: loro::LoroError| DocFault::Export(error.to_string()))?
            .ok_or(DocFault::NoSuchVersion)
    }

    /// The row's values there.
    ///
    /// # Errors
    /// As [`RowDoc::project`].
    pub fn project(&self) -> Result<Projection, Refusal> {
        self.0.project()
    }

    /// What a field has beside its plain text there.
    ///
    /// # Errors
    /// As [`RowDoc::rich_json`].
    pub fn rich_json(&self, field: &str) -> Result<Option<Json>, DocFault> {
        self.0.rich_json(field)
    }

    /// Who wrote the characters of a text there.
    ///
    /// # Errors
    /// As [`RowDoc::text_runs`].
    pub fn text_runs(&self, field: &str, from: usize, most: usize) -> Result<Option<TextRuns>, DocFault> {
        self.0.text_runs(field, from, most)
    }

    /// Whether the row is deleted there.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.0.is_deleted()
    }

    /// What differs between the versions `from` and `to`; the row is at `to` afterwards.
    ///
    /// Texts are told as the edits that lead from one to the other, all else as its values.
    ///
    /// # Errors
    /// As [`Past::go_to`], and when values nest too deep.
    pub fn diff(&mut self, from: &Version, to: &Version) -> Result<RowDiff, DocFault> {
        let (start, end) = (self.frontiers(from)?, self.frontiers(to)?);
        let edits = self
            .0
            .vessel
            .with(|doc| doc.diff(&start, &end))?
            .map_err(|error| DocFault::Export(error.to_string()))?;
        self.go_to(from)?;
        let before = self.seen()?;
        self.go_to(to)?;
        let after = self.seen()?;
        let shape = Arc::clone(self.shape());
        let mut fields = Vec::new();
        for (index, field) in shape.fields().iter().enumerate() {
            let (before, after) = (&before.fields[index], &after.fields[index]);
            if before != after {
                let difference = match self.text_edit(field, &edits, before, after)? {
                    Some(delta) => Difference::Text(delta),
                    None => Difference::Value { before: before.clone(), after: after.clone() },
                };
                fields.push(FieldDiff { field: field.name.clone(), difference });
            }
        }
        let open = before.open.zip(after.open).filter(|(before, after)| before != after);
        Ok(RowDiff { deleted_before: before.deleted, deleted_after: after.deleted, fields, open })
    }

    /// The row's fields with all that they have.
    fn seen(&self) -> Result<Seen, DocFault> {
        let shape = self.shape();
        let Projection { deleted, values } = self.0.project()?;
        let fields = shape.fields().iter().zip(&values);
        let fields = fields.map(|(field, value)| match field.form {
            Form::Document | Form::Text => {
                Ok(self.0.rich_json(field.name.as_str())?.unwrap_or_else(|| value.to_json()))
            }
            Form::Register | Form::Counter | Form::List | Form::MovableList | Form::Map | Form::Tree => {
                Ok(value.to_json())
            }
        });
        let fields = fields.collect::<Result<_, DocFault>>()?;
        let open = if shape.is_open() { values.last().map(Value::to_json) } else { None };
        Ok(Seen { deleted, fields, open })
    }

    /// The edit of a text among `edits`, if it leads from `before` to `after`.
    fn text_edit(
        &self,
        field: &ShapeField,
        edits: &DiffBatch,
        before: &Json,
        after: &Json,
    ) -> Result<Option<Json>, DocFault> {
        if field.form != Form::Text {
            return Ok(None);
        }
        let delta = self.0.vessel.with(|doc| {
            let edits = delta::of_field(doc, field, edits)?;
            delta::in_units(&edits, &delta::plain(before), &delta::plain(after))
        })?;
        Ok(delta)
    }
}

/// A row's fields, as a diff compares them.
struct Seen {
    deleted: bool,
    fields: Vec<Json>,
    open: Option<Json>,
}
