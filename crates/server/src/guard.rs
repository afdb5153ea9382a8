//! Guards: child processes that decode clients' bytes first.
//!
//! Some updates make Loro end the process that decodes them, and nothing within it can prevent that. So a guard decodes
//! each of them before the server does; one that dies of it is replaced, and the update is refused.
//!
//! `frames` is what the two processes say to each other, `child` the guard's side, `process` and `pool` the server's.

pub mod child;
mod frames;
mod pool;
mod process;

use corella_wire::ErrorCode;

pub use self::{
    frames::{Blob, BlobKind},
    pool::GuardPool,
    process::GuardPoolOptions,
};
use crate::Failure;

/// Why an update does not come in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    /// It is no update.
    #[error("{0}")]
    Refused(String),
    /// It ended the guard that decoded it, or kept it from ever answering.
    #[error("expected a Loro update, found one that ends the process that decodes it")]
    Deadly,
    /// There is no guard to look at it.
    #[error("updates cannot be looked at now; send this again after a pause")]
    Unavailable,
}

impl From<&GuardError> for Failure {
    fn from(error: &GuardError) -> Self {
        let code = match error {
            GuardError::Refused(_) | GuardError::Deadly => ErrorCode::InvalidUpdate,
            GuardError::Unavailable => ErrorCode::Unavailable,
        };
        Self::new(code, error.to_string())
    }
}
