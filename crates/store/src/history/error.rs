//! Why a row cannot be seen as it was.

use corella_rowdoc::{DocFault, RowKey};

use super::HistoryPoint;
use crate::{error::ReadError, store::Store};

/// Why a row cannot be seen as it was.
#[derive(Debug, Clone, thiserror::Error)]
pub enum HistoryError {
    /// The row was never written.
    #[error("there is no such row")]
    NoRow,
    /// The row was not there yet.
    #[error("the row was not there yet; its first change came later")]
    NotYet {
        /// After its first change.
        oldest: Box<HistoryPoint>,
    },
    /// The row was there, but its history is kept from a later moment on.
    #[error("the history of that moment is not kept any more")]
    Trimmed {
        /// The oldest moment that there is, if there is any.
        oldest: Option<Box<HistoryPoint>>,
    },
    /// The row never was at that version.
    #[error("the row never was at that version: take one that its history names")]
    NoSuchVersion,
    /// The field is not declared.
    #[error("expected a field of the entity, found {0:?}")]
    UnknownField(String),
    /// The row cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl Store {
    /// Why no change of the row is in reach.
    pub(super) async fn out_of_reach(&self, key: &RowKey) -> Result<HistoryError, HistoryError> {
        if self.0.backend.head(key).await.map_err(ReadError::from)?.is_none() {
            return Ok(HistoryError::NoRow);
        }
        let oldest = self.oldest(key).await?;
        let is_first = oldest.as_ref().is_some_and(|told| told.line.about.kind == "insert");
        let oldest = oldest.map(|told| Box::new(told.point()));
        Ok(match oldest {
            Some(oldest) if is_first => HistoryError::NotYet { oldest },
            oldest => HistoryError::Trimmed { oldest },
        })
    }

    pub(super) async fn fault(&self, key: &RowKey, fault: DocFault) -> Result<HistoryError, HistoryError> {
        Ok(match fault {
            DocFault::NoSuchVersion => HistoryError::NoSuchVersion,
            DocFault::HistoryTrimmed => {
                let oldest = self.oldest(key).await?.map(|told| Box::new(told.point()));
                HistoryError::Trimmed { oldest }
            }
            DocFault::Poisoned | DocFault::Export(_) | DocFault::Unfit(_) => {
                tracing::error!(row = %key, error = &fault as &dyn std::error::Error, "a row cannot be seen as it was");
                ReadError::Internal("the row could not be seen as it was").into()
            }
        })
    }
}
