//! What PostgreSQL's errors mean.

use std::path::PathBuf;

use sqlx_core::error::Error;

use crate::port::BackendError;

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address cannot be read. It is not repeated: it may have a password in it.
    #[error("expected a database such as postgres://user@host:5432/name, found one that cannot be read: {0}")]
    Address(String),
    /// A file of the address cannot be used.
    #[error("the file {} that the database's address names cannot be used", .0.display())]
    File(PathBuf),
    /// The server is too old.
    #[error("expected PostgreSQL {known} or later, found {found}")]
    Old {
        /// The oldest that serves.
        known: u32,
        /// What the server says.
        found: String,
    },
    /// The database keeps its texts in another encoding.
    #[error(
        "expected a database of the encoding UTF8, found {found}; make one with `createdb --encoding=UTF8`"
    )]
    Encoding {
        /// What the server says.
        found: String,
    },
    /// Somebody else works with it who must not be there, or does not want others to be.
    #[error("the database {0} is in use by another Corella process; stop that one first")]
    InUse(String),
    /// Row-level security hides rows from the database's user.
    #[error(
        "expected a user who owns Corella's tables in {0}, or is a member of the role that does, found one from whom \
         row-level security hides their rows"
    )]
    Bound(String),
    /// There is nothing of Corella's in it.
    #[error("the database has no rows of Corella's yet; start `corella serve` on it first")]
    Empty,
    /// A newer Corella wrote it.
    #[error(
        "the database was written by a newer Corella (sidecar version {found}, this binary knows {known}); use that one"
    )]
    Newer {
        /// The version in the database.
        found: i64,
        /// The last version that this binary knows.
        known: i64,
    },
    /// PostgreSQL refused, or is not there.
    #[error("the database {database} cannot be opened")]
    Database {
        /// Its host and name.
        database: String,
        /// What the driver said.
        source: Error,
    },
}

/// A failure of a statement that left nothing behind.
pub(super) fn unavailable(error: Error) -> BackendError {
    if code(&error).as_deref() == Some("53100") {
        return BackendError::Full(Box::new(error));
    }
    BackendError::Unavailable(Box::new(error))
}

/// A failure of a transaction's end.
pub(super) fn unknown(error: Error) -> BackendError {
    match code(&error).as_deref() {
        Some("53100") => BackendError::Full(Box::new(error)),
        Some(_) | None => BackendError::Unknown(Box::new(error)),
    }
}

/// The five letters by which PostgreSQL names the error.
pub(super) fn code(error: &Error) -> Option<String> {
    error.as_database_error()?.code().map(Into::into)
}

/// Whether the connection is at fault, so that another one may do.
pub(super) fn is_of_connection(error: &Error) -> bool {
    match code(error) {
        // Shut down by an administrator or by a crash, or not ready to take connections.
        Some(code) => matches!(code.as_str(), "57P01" | "57P02" | "57P03" | "08006" | "08003" | "08000"),
        None => matches!(error, Error::Io(_) | Error::Protocol(_) | Error::WorkerCrashed),
    }
}

/// Whether the connection has prepared the statement before the table got another shape.
pub(super) fn is_of_old_plan(error: &Error) -> bool {
    code(error).as_deref() == Some("0A000")
}

/// Whether the values that were written are at fault, so that others may be written in their place: they clash with
/// what is there, do not fit their columns, or are too long for an index.
pub(super) fn is_of_values(error: &Error) -> bool {
    match code(error) {
        Some(code) => matches!(&code[..2], "22" | "23" | "54"),
        None => matches!(error, Error::Encode(_)),
    }
}

/// Whether a row clashes with another in what must be unique.
pub(super) fn is_clash(error: &Error) -> bool {
    code(error).as_deref() == Some("23505")
}
