//! The fields that a document says nothing of.

use std::collections::BTreeSet;

use loro::{LoroValue, ValueOrContainer};

use crate::{Refusal, RowDoc, doc::ROW};

impl RowDoc {
    /// Where in the shape's fields those stand that nobody has given anything: no value, or null, and no container.
    ///
    /// # Errors
    /// [`Refusal::Poisoned`] when Loro fails from within.
    pub fn absent(&self) -> Result<BTreeSet<usize>, Refusal> {
        let shape = &*self.shape;
        if let Some(plain) = &self.plain {
            let fields = shape.fields().iter().enumerate();
            return Ok(fields.filter(|(_, field)| plain.lacks(field)).map(|(index, _)| index).collect());
        }
        Ok(self.vessel.with(|doc| {
            let row = doc.get_map(ROW);
            let is_absent = |field: &crate::ShapeField| {
                matches!(row.get(field.key.as_str()), None | Some(ValueOrContainer::Value(LoroValue::Null)))
            };
            let fields = shape.fields().iter().enumerate();
            fields.filter(|(_, field)| is_absent(field)).map(|(index, _)| index).collect()
        })?)
    }
}
