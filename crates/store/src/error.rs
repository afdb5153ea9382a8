//! What can go wrong between a caller and a row.

use std::sync::Arc;

use corella_manifest::{EntityName, ManifestErrors};
use corella_policy::PolicyProblem;
use corella_rowdoc::{PeerId, Refusal, RowId, UnservedField};

use crate::{
    forbidden::Forbidden,
    port::{BackendError, Reference},
};

/// Why a write was not made.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WriteError {
    /// The change itself is not acceptable.
    #[error(transparent)]
    Refused(Arc<Refusal>),
    /// No entity of that name is served.
    #[error("expected an entity of the manifest, found {0:?}")]
    UnknownEntity(String),
    /// A new row lacks fields that it must have.
    #[error(
        "expected a value in {}, which a new row must have, found none: send it with the first write of the row, or \
         make the field optional or give it a `default` in the manifest",
        fields.join(", ")
    )]
    RequiredFields {
        /// The fields.
        fields: Vec<String>,
    },
    /// There is no such row.
    #[error("there is no {entity} with the id {id:?}")]
    NotFound {
        /// The entity.
        entity: EntityName,
        /// The id.
        id: RowId,
    },
    /// There is such a row already.
    #[error("there is a {entity} with the id {id:?} already{}", if *deleted { "; it is deleted: restore it, or take another id" } else { "" })]
    Exists {
        /// The entity.
        entity: EntityName,
        /// The id.
        id: RowId,
        /// Whether the row is deleted.
        deleted: bool,
    },
    /// The document that was to be filled has been written to before.
    #[error("expected {entity} {id:?} to be empty, found it filled: join it, and leave the seed out")]
    AlreadySeeded {
        /// The entity.
        entity: EntityName,
        /// The id.
        id: RowId,
    },
    /// The manifest's policies do not let the author do this.
    #[error("{0}")]
    Forbidden(Box<Forbidden>),
    /// Another row holds a value that must be unique.
    #[error("another row holds this value of {}{}", fields.join(", "), holder.as_ref().map(|id| format!(": {}", id.as_str())).unwrap_or_default())]
    NotUnique {
        /// The fields that clash.
        fields: Vec<String>,
        /// The row that holds the value.
        holder: Option<RowId>,
    },
    /// The row names another that is not there.
    #[error(
        "there is no {} with the id {:?}, which {} names in {}: make that row first, or in the same transaction, or \
         restore it, or name another",
        .0.target.entity, .0.target.id.as_str(), .0.holder.entity, .0.field
    )]
    ReferenceMissing(Box<Reference>),
    /// Another row names the one that is to be deleted.
    #[error(
        "the {} {:?} cannot be deleted, since the {} {:?} names it in {}: delete or change that row first, or in the \
         same transaction, or let the manifest say `onDelete` cascade or setNull",
        .0.target.entity, .0.target.id.as_str(), .0.holder.entity, .0.holder.id.as_str(), .0.field
    )]
    ReferenceHeld(Box<Reference>),
    /// A transaction would touch too many rows.
    #[error(
        "expected a transaction that touches at most {most} rows, those that are deleted or emptied in consequence \
         included, found more: make it in pieces, those rows first that name others"
    )]
    TooManyRows {
        /// The bound.
        most: usize,
    },
    /// The database cannot hold one of the values.
    #[error("the database cannot hold one of the row's values: {what}")]
    Unfit {
        /// What stands in the way, in the database's words.
        what: String,
    },
    /// The update has new operations of a peer id that is somebody else's.
    #[error(
        "expected new operations under peer ids of your own only, found some of the peer {peer}; load the row afresh, \
         and write under another peer id",
        peer = .0.0
    )]
    PeerTaken(PeerId),
    /// The idempotency key was used with another request.
    #[error("the idempotency key was used before with another request; take a fresh key for a new request")]
    KeyConflict,
    /// The row's stored bytes are damaged.
    #[error("the row {0} is set aside because its stored bytes are damaged; its neighbours are not affected")]
    Quarantined(String),
    /// Too much is waiting for this row.
    #[error("too many writes are waiting for this row; slow down, then send this one again")]
    Busy,
    /// The server is shutting down.
    #[error("the server is shutting down; send this again once it is back")]
    ShuttingDown,
    /// The database did not do its part.
    #[error(transparent)]
    Backend(Arc<BackendError>),
    /// A defect of Corella's.
    #[error("an internal error: {0}")]
    Internal(&'static str),
}

impl From<Refusal> for WriteError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Arc::new(refusal))
    }
}

impl From<ReadError> for WriteError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::UnknownEntity(name) => Self::UnknownEntity(name),
            ReadError::Quarantined(row) => Self::Quarantined(row),
            ReadError::Forbidden(what) => Self::Forbidden(what),
            ReadError::HistoryTrimmed => Self::Refused(Arc::new(Refusal::HistoryTrimmed)),
            ReadError::NoDocument(entity) => Self::Refused(Arc::new(Refusal::NoDocument { entity })),
            ReadError::Backend(source) => Self::Backend(source),
            ReadError::Filling { .. } | ReadError::OpenPolicies(_) | ReadError::TooManyIncluded(_) => {
                Self::Internal("a write does not ask for rows of a table")
            }
            ReadError::Internal(what) => Self::Internal(what),
        }
    }
}

impl From<BackendError> for WriteError {
    fn from(error: BackendError) -> Self {
        Self::Backend(Arc::new(error))
    }
}

/// Why a row could not be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    /// No entity of that name is served.
    #[error("expected an entity of the manifest, found {0:?}")]
    UnknownEntity(String),
    /// The row's stored bytes are damaged.
    #[error("the row {0} is set aside because its stored bytes are damaged; its neighbours are not affected")]
    Quarantined(String),
    /// The manifest's policies do not let the caller do this.
    #[error("{0}")]
    Forbidden(Box<Forbidden>),
    /// A query looks at rows of an entity whose policies have to be asked of each row, which it cannot do on its way.
    #[error(
        "the policies of {0} cannot be said as a condition for you, as queries need that look at its rows through a \
         relation: tie `exists` to fields of the row"
    )]
    OpenPolicies(EntityName),
    /// A part of a query would bring more rows along than it may.
    #[error(
        "include brings more than {0} rows along, the most of one part; ask for fewer with where or limit"
    )]
    TooManyIncluded(usize),
    /// What is asked for lies before the history that the row still has.
    #[error(
        "the history since that version is not kept any more: set the copy aside and load the row afresh, without a \
         version"
    )]
    HistoryTrimmed,
    /// The entity's table is being filled, and lines may be missing from it.
    #[error(
        "the table of {entity} is being filled from its documents, {percent} % are done; try again in a moment"
    )]
    Filling {
        /// The entity.
        entity: EntityName,
        /// How many of the documents have been read, in per cent.
        percent: u64,
    },
    /// The entity's rows are no documents.
    #[error("the rows of {0} are no documents (`crdt: false`): read and write them as JSON")]
    NoDocument(EntityName),
    /// The database did not do its part.
    #[error(transparent)]
    Backend(Arc<BackendError>),
    /// A defect of Corella's.
    #[error("an internal error: {0}")]
    Internal(&'static str),
}

impl From<BackendError> for ReadError {
    fn from(error: BackendError) -> Self {
        match error {
            BackendError::Damaged { key, what } => {
                tracing::error!(row = %key, what, "stored bytes are damaged, the row is set aside");
                metrics::counter!("corella_rows_quarantined_total").increment(1);
                Self::Quarantined(key.to_string())
            }
            other @ (BackendError::Full(_) | BackendError::Unknown(_) | BackendError::Unavailable(_)) => {
                Self::Backend(Arc::new(other))
            }
        }
    }
}

/// Why a store could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The manifest asks for something that rows do not offer yet.
    #[error(transparent)]
    Unserved(#[from] UnservedField),
    /// The manifest's policies are not right.
    #[error("the policies have to be mended:\n{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Policies(Vec<PolicyProblem>),
    /// The database did not do its part.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// Between the database and the manifest lie steps that lose something.
    #[error(
        "expected a manifest that keeps what the database has, found one that would{}\n\
         look at all steps with `corella migrate plan`, take them with `corella migrate apply --allow-destructive`, or \
         declare again what is missing",
        listed(steps)
    )]
    Destructive {
        /// These steps, in words.
        steps: Vec<String>,
    },
    /// What the manifest asks for cannot be done with the rows that are there.
    #[error("the database cannot be brought to the manifest:{}", listed(reasons))]
    Impossible {
        /// Why, in words.
        reasons: Vec<String>,
    },
    /// The database was brought to another manifest.
    #[error(
        "expected the manifest that the database was brought to, found another one{}\nbring the database to it with \
         `corella migrate apply`, or by starting a server with it",
        if steps.is_empty() { String::new() } else { format!(", which would{}", listed(steps)) }
    )]
    OtherSchema {
        /// What lies between the two, in words.
        steps: Vec<String>,
    },
    /// A schema that the database has recorded cannot be read.
    #[error(
        "the schema {fingerprint} that the database has recorded cannot be read; a newer Corella may have done so: {errors}"
    )]
    Record {
        /// Its fingerprint.
        fingerprint: String,
        /// What is wrong with it.
        errors: ManifestErrors,
    },
    /// The commit thread could not be started.
    #[error("the commit thread could not be started")]
    Thread(#[source] std::io::Error),
}

/// Items, each on a line of its own.
fn listed(items: &[String]) -> String {
    items.iter().map(|item| format!("\n  - {item}")).collect()
}
