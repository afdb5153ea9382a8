//! Everything that can be refused, with its stable code, in one place.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use corella_live::{JoinError, PresenceError, Refused};
use corella_query::QueryError;
use corella_rowdoc::Refusal;
use corella_store::{ReadError, TransactionError, WriteError, port::BackendError, schema::SchemaMismatch};
use corella_wire::ErrorCode;
use serde_json::{Map, Value as Json, json};

use crate::auth::AuthError;

/// A refusal: a code for programs and a sentence for people.
///
/// Over HTTP it is an RFC 9457 problem, on the socket an error message or a status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Failure {
    /// What is wrong.
    pub code: ErrorCode,
    /// What was expected, what came, how to mend it.
    pub detail: String,
    /// What programs may want to know besides, by name; members of the problem over HTTP.
    pub facts: Map<String, Json>,
}

impl Failure {
    pub(crate) fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), facts: Map::new() }
    }

    /// The same with one more fact.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, fact: Json) -> Self {
        self.facts.insert(name.to_owned(), fact);
        self
    }

    /// The HTTP status that goes with the code.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self.code {
            ErrorCode::Unauthorized => StatusCode::UNAUTHORIZED,
            ErrorCode::Forbidden | ErrorCode::PeerTaken => StatusCode::FORBIDDEN,
            ErrorCode::UnknownEntity
            | ErrorCode::UnknownRoom
            | ErrorCode::RowNotFound
            | ErrorCode::NotFound => StatusCode::NOT_FOUND,
            ErrorCode::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            ErrorCode::RowExists
            | ErrorCode::UniqueViolation
            | ErrorCode::ReferenceMissing
            | ErrorCode::ReferenceHeld
            | ErrorCode::MissingDependencies => StatusCode::CONFLICT,
            ErrorCode::InvalidJson
            | ErrorCode::InvalidRowId
            | ErrorCode::InvalidQuery
            | ErrorCode::InvalidFrame
            | ErrorCode::VersionUnknown
            | ErrorCode::UnsupportedMagic
            | ErrorCode::UnknownMessage
            | ErrorCode::NotJoined
            | ErrorCode::FragmentTimeout => StatusCode::BAD_REQUEST,
            ErrorCode::UnknownField
            | ErrorCode::InvalidValue
            | ErrorCode::RequiredField
            | ErrorCode::InvalidUpdate
            | ErrorCode::SnapshotRefused
            | ErrorCode::TooDeep
            | ErrorCode::TooManyOperations
            | ErrorCode::TooManyRows
            | ErrorCode::NoDocument
            | ErrorCode::IdempotencyConflict => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorCode::AlreadySeeded | ErrorCode::SchemaIncompatible => StatusCode::PRECONDITION_FAILED,
            ErrorCode::HistoryTrimmed | ErrorCode::QueryEnded => StatusCode::GONE,
            ErrorCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorCode::AnswerTooLarge => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorCode::RateLimited | ErrorCode::TooManyQueries => StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
            ErrorCode::Unavailable | ErrorCode::ShuttingDown | ErrorCode::UnknownOutcome => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            ErrorCode::RowQuarantined | ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = self.status();
        let retry_after = self.facts.get("retryAfter").and_then(Json::as_u64).unwrap_or(1).into();
        let mut problem = json!({
            "type": format!("urn:corella:error:{}", self.code),
            "title": self.code.title(),
            "status": status.as_u16(),
            "detail": self.detail,
            "code": self.code.as_str(),
        });
        if let Json::Object(problem) = &mut problem {
            problem.extend(self.facts);
        }
        let mut response = (status, problem.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.code == ErrorCode::Unauthorized {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if matches!(
            self.code,
            ErrorCode::RateLimited
                | ErrorCode::TooManyQueries
                | ErrorCode::ShuttingDown
                | ErrorCode::Unavailable
        ) {
            headers.insert(header::RETRY_AFTER, retry_after);
        }
        response
    }
}

impl From<AuthError> for Failure {
    fn from(error: AuthError) -> Self {
        Self::new(ErrorCode::Unauthorized, error.to_string())
    }
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Self {
        Self::new(ErrorCode::InvalidQuery, error.to_string())
    }
}

impl From<&Refusal> for Failure {
    fn from(refusal: &Refusal) -> Self {
        let code = match refusal {
            Refusal::InvalidUpdate { .. } | Refusal::Poisoned => ErrorCode::InvalidUpdate,
            Refusal::SnapshotRefused => ErrorCode::SnapshotRefused,
            Refusal::TooLarge { .. } => ErrorCode::TooLarge,
            Refusal::TooManyOperations { .. } => ErrorCode::TooManyOperations,
            Refusal::TooDeep { .. } => ErrorCode::TooDeep,
            Refusal::MissingDependencies => ErrorCode::MissingDependencies,
            Refusal::HistoryTrimmed => ErrorCode::HistoryTrimmed,
            Refusal::NoSuchVersion => ErrorCode::VersionUnknown,
            Refusal::UnknownField { .. } => ErrorCode::UnknownField,
            Refusal::InvalidValue { .. } => ErrorCode::InvalidValue,
            Refusal::Required { .. } => ErrorCode::RequiredField,
            Refusal::NoDocument { .. } => ErrorCode::NoDocument,
        };
        Self::new(code, refusal.to_string())
    }
}

impl From<&BackendError> for Failure {
    fn from(error: &BackendError) -> Self {
        let code = match error {
            BackendError::Full(_) => ErrorCode::StorageFull,
            BackendError::Unknown(_) => ErrorCode::UnknownOutcome,
            BackendError::Damaged { .. } => ErrorCode::RowQuarantined,
            BackendError::Unavailable(_) => ErrorCode::Unavailable,
        };
        Self::new(code, error.to_string())
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        match &error {
            ReadError::UnknownEntity(_) => Self::new(ErrorCode::UnknownEntity, error.to_string()),
            ReadError::Quarantined(_) => Self::new(ErrorCode::RowQuarantined, error.to_string()),
            ReadError::Backend(source) => Self::from(&**source),
            ReadError::Forbidden(_) => Self::new(ErrorCode::Forbidden, error.to_string()),
            ReadError::TooManyIncluded(_) => Self::new(ErrorCode::AnswerTooLarge, error.to_string()),
            ReadError::OpenPolicies(_) => Self::new(ErrorCode::Forbidden, error.to_string()),
            ReadError::NoDocument(_) => Self::new(ErrorCode::NoDocument, error.to_string()),
            ReadError::HistoryTrimmed => Self::new(ErrorCode::HistoryTrimmed, error.to_string()),
            ReadError::Filling { .. } => Self::new(ErrorCode::Unavailable, error.to_string()),
            ReadError::Internal(_) => Self::new(ErrorCode::Internal, error.to_string()),
        }
    }
}

impl From<Refused> for Failure {
    fn from(Refused(code, detail): Refused) -> Self {
        Self::new(code, detail)
    }
}

impl From<JoinError> for Failure {
    fn from(error: JoinError) -> Self {
        let JoinError(error) = error;
        error.into()
    }
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Self {
        let code = match &error {
            WriteError::Refused(refusal) => return Self::from(&**refusal),
            WriteError::Backend(source) => return Self::from(&**source),
            WriteError::UnknownEntity(_) => ErrorCode::UnknownEntity,
            WriteError::RequiredFields { .. } => ErrorCode::RequiredField,
            WriteError::NotFound { .. } => ErrorCode::RowNotFound,
            WriteError::Exists { .. } => ErrorCode::RowExists,
            WriteError::AlreadySeeded { .. } => ErrorCode::AlreadySeeded,
            WriteError::Forbidden(_) => ErrorCode::Forbidden,
            WriteError::NotUnique { .. } => ErrorCode::UniqueViolation,
            WriteError::ReferenceMissing(_) => ErrorCode::ReferenceMissing,
            WriteError::ReferenceHeld(_) => ErrorCode::ReferenceHeld,
            WriteError::TooManyRows { .. } => ErrorCode::TooManyRows,
            WriteError::Unfit { .. } => ErrorCode::InvalidValue,
            WriteError::PeerTaken(_) => ErrorCode::PeerTaken,
            WriteError::KeyConflict => ErrorCode::IdempotencyConflict,
            WriteError::Quarantined(_) => ErrorCode::RowQuarantined,
            WriteError::Busy => ErrorCode::RateLimited,
            WriteError::ShuttingDown => ErrorCode::ShuttingDown,
            WriteError::Internal(_) => ErrorCode::Internal,
        };
        Self::new(code, error.to_string())
    }
}

impl From<TransactionError> for Failure {
    fn from(error: TransactionError) -> Self {
        let detail = error.to_string();
        Self { detail, ..error.error.into() }
    }
}

impl From<SchemaMismatch> for Failure {
    fn from(error: SchemaMismatch) -> Self {
        Self::new(ErrorCode::SchemaIncompatible, error.to_string())
    }
}

impl From<PresenceError> for Failure {
    fn from(error: PresenceError) -> Self {
        let code = match &error {
            PresenceError::TooLarge { .. } => ErrorCode::TooLarge,
            PresenceError::Invalid(_) => ErrorCode::InvalidUpdate,
            PresenceError::NotYours(_) => ErrorCode::Forbidden,
            PresenceError::TooManyKeys(_) => ErrorCode::RateLimited,
            PresenceError::NotJoined => ErrorCode::NotJoined,
        };
        Self::new(code, error.to_string())
    }
}
