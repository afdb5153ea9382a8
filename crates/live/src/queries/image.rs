//! A row as it was at one moment.

use std::sync::Arc;

use corella_manifest::Value;
use corella_query::{Column, RowView, maintain::WindowRow};
use corella_rowdoc::Projection;
use corella_store::port::{Seq, TableRow};

/// A row as it was at one moment; shared by all answers that have it.
#[derive(Debug, Clone)]
pub(super) struct Image(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    id: Arc<str>,
    /// The id once more, for conditions.
    id_value: Value,
    columns: Arc<Projection>,
    /// A change that it has in it, and no change of the row after that and before the image is missing.
    seq: Seq,
}

static NULL: Value = Value::Null;

impl Image {
    pub(super) fn new(id: &Arc<str>, columns: &Arc<Projection>, seq: Seq) -> Self {
        let id_value = Value::Text(Arc::clone(id));
        Self(Arc::new(Inner { id: Arc::clone(id), id_value, columns: Arc::clone(columns), seq }))
    }

    pub(super) fn of_table(row: TableRow, seq: Seq) -> Option<Self> {
        let mut cells = row.cells.into_iter();
        let Some(Value::Text(id)) = cells.next() else { return None };
        let columns = Arc::new(Projection { deleted: false, values: cells.collect() });
        Some(Self::new(&id, &columns, seq))
    }

    pub(super) fn id(&self) -> &Arc<str> {
        &self.0.id
    }

    pub(super) fn seq(&self) -> Seq {
        self.0.seq
    }

    /// The same row, which fits the words of a query as well as `other` does.
    pub(super) fn ranked_as(&self, other: &Self) -> Self {
        let mut columns = Projection::clone(&self.0.columns);
        // Behind what the row has itself.
        let rank = other.0.columns.values.iter().skip(columns.values.len()).cloned();
        columns.values.extend(rank);
        Self::new(&self.0.id, &Arc::new(columns), self.0.seq)
    }

    /// About how many bytes it takes.
    pub(super) fn weight(&self) -> usize {
        const FIXED: usize = 160;
        let values = self.0.columns.values.iter().map(|value| {
            size_of::<Value>()
                + match value {
                    Value::Text(text) => text.len(),
                    Value::Bytes(bytes) => bytes.len(),
                    // A measure of its text; trees take more.
                    Value::Json(json) => json.to_string().len() * 2,
                    Value::Null | Value::Time(_) | Value::Int(_) | Value::Float(_) | Value::Bool(_) => 0,
                }
        });
        FIXED + values.sum::<usize>()
    }
}

impl RowView for Image {
    fn value(&self, column: &Column) -> &Value {
        match column.position() {
            0 => &self.0.id_value,
            position => self.0.columns.values.get(position - 1).unwrap_or(&NULL),
        }
    }
}

impl WindowRow for Image {
    fn id(&self) -> &Arc<str> {
        &self.0.id
    }
}
