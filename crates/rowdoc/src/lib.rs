//! One row as one Loro document: its shape, its edits, what comes in, what goes out.
//!
//! In reading order:
//!
//! - `key`: which row: tenant, entity, row id
//! - `version`: how far a replica has come
//! - `shape`: an entity's declared fields, compiled for documents
//! - `doc`: the document: load, export, delete, size
//! - `change`: which fields a change touched; `absent`: which ones have nothing
//! - `refusal`: why bytes, patches and stored rows are turned away
//! - `import`: bytes from clients, and the gates that they pass; `joined`: several updates as one
//! - `faithful`: what is handed on of them, held against them; `examine`: the same gates where nothing is lost
//! - `check`: where the operations of an import may land; `landed`: what they put there
//! - `patch`: JSON patches as minimal operations
//! - `wanted`: what a patch wants of each field; `operation`: `{"$push": …}` and kin; `given`: JSON from outside
//! - `container`: the mergeable container that a collaborative field lives in
//! - `text`: a text brought to a wanted content; `rich`: texts with marks, as deltas
//! - `counter`: counters, a total for each peer
//! - `json_steps`, `json_edit`: lists and maps brought to wanted values; `sequence`: how one list becomes another
//! - `tree_value`, `tree_steps`, `tree_edit`: trees as JSON, and brought to a wanted shape
//! - `node_tree`: an editor's node tree as a value
//! - `node_read`, `node_edit`: that value out of a document, and into it
//! - `project`: a document as the values of its table row
//! - `former`: values from before a field's type or merge rule changed
//! - `plain`: rows that are no documents
//! - `read`: deep values within a depth bound
//! - `past`: a row as it was, and what differs; `delta`: edits of texts between two versions
//! - `revert`: a row brought back to what it was; `blame`: which operation wrote each character
//! - `fold`: a snapshot and its tail as one new snapshot
//! - `salvage`: another document's stored pieces, and what is sound of damaged ones
//! - [`presence`]: presence updates, apart from documents
//! - `vessel`: a Loro document that may panic without harm to others
//!
//! The document has one root map `row` with the fields and one root map `meta` with `deleted`.
//! Collaborative fields are mergeable children of `row`, so that two replicas which first touch a field at
//! the same time both keep their work.
//!
//! This is the only crate that names `loro`. It does not know storage or sockets.

mod absent;
mod blame;
mod change;
mod check;
mod container;
mod counter;
mod delta;
mod doc;
mod examine;
mod faithful;
mod fold;
mod former;
mod given;
mod import;
mod joined;
mod json_edit;
mod json_steps;
mod key;
mod landed;
mod node_edit;
mod node_read;
mod node_tree;
mod operation;
mod past;
mod patch;
mod plain;
pub mod presence;
mod project;
mod read;
mod refusal;
mod revert;
mod rich;
mod salvage;
mod sequence;
mod shape;
mod text;
mod tree_edit;
mod tree_steps;
mod tree_value;
mod version;
mod vessel;
mod wanted;

pub use blame::{TextRun, TextRuns};
pub use change::Change;
pub use doc::RowDoc;
pub use examine::{examine, examine_kept};
pub use fold::{Folded, merge_stored};
pub use import::{Bounds, Part};
pub use key::{RowId, RowIdError, RowKey, Tenant};
pub use past::{Difference, FieldDiff, Past, RowDiff};
pub use project::{Projection, Shown, Unfit};
pub use refusal::{CorruptRow, DocFault, Refusal};
pub use salvage::{Salvage, salvage};
pub use shape::{Form, Former, RowShape, ShapeField, UnservedField};
pub use version::{PeerId, Version, VersionError};
