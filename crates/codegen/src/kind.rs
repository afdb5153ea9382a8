//! What a field is to those who write it.

use corella_manifest::{Crdt, Field, FieldType};

/// What a field is to those who write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A value that is set whole.
    Plain,
    /// A text without marks.
    Text,
    /// A text with marks.
    Richtext,
    /// An editor's node tree.
    Document,
    /// A sum of increments.
    Counter,
    /// A list.
    List,
    /// A list whose items move.
    MovableList,
    /// An object that merges key by key.
    Map,
    /// A forest of nodes.
    Tree,
}

impl Kind {
    pub(crate) fn of(field: &Field) -> Self {
        match field.crdt {
            Crdt::Lww => Self::Plain,
            Crdt::Text if field.ty == FieldType::Richtext => Self::Richtext,
            Crdt::Text => Self::Text,
            Crdt::Counter => Self::Counter,
            Crdt::List => Self::List,
            Crdt::MovableList => Self::MovableList,
            Crdt::Map => Self::Map,
            Crdt::Tree => Self::Tree,
            Crdt::Document => Self::Document,
        }
    }
}

/// Whether a row always has a value of the field.
pub(crate) fn is_always_there(field: &Field) -> bool {
    !field.optional
}

/// Whether an insertion may leave the field out.
pub(crate) fn may_be_left_out(field: &Field) -> bool {
    field.optional || field.default.is_some() || field.crdt != Crdt::Lww
}
