//! Why a command ended without doing its work, and the exit code that says so.

use std::{error::Error, io, path::PathBuf, process::ExitCode, sync::Arc};

use corella_manifest::ManifestErrors;
use corella_server::{AuthError, KeyError, accounts::OptionError};
use corella_store::{
    ExplainError, ReadError, StartError, archive::ArchiveError, port::BackendError, postgres, sqlite,
};

/// A command's failure.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The manifest cannot be read.
    #[error("failed to read the manifest {}", path.display())]
    ManifestFile { path: PathBuf, source: io::Error },
    /// The manifest is not right.
    #[error("the manifest {} has to be mended:\n{errors}", path.display())]
    Manifest { path: PathBuf, errors: ManifestErrors },
    /// The manifest asks for something that cannot be served.
    #[error("the manifest {} cannot be served", path.display())]
    Start { path: PathBuf, source: StartError },
    /// The data folder or the database in it cannot be used.
    #[error(transparent)]
    Open(#[from] sqlite::OpenError),
    /// The PostgreSQL database cannot be used.
    #[error(transparent)]
    OpenDatabase(#[from] postgres::OpenError),
    /// Nobody said where the rows are.
    #[error(
        "expected a place for the rows, found none: give --data DIR, or --database postgres://user@host/name \
         (CORELLA_DATA or CORELLA_DATABASE)"
    )]
    NoPlace,
    /// Two places were given.
    #[error(
        "expected one place for the rows, found two: give either --data or --database, and leave CORELLA_DATA and \
         CORELLA_DATABASE unset for the other"
    )]
    TwoPlaces,
    /// The signing secret cannot be used.
    #[error("failed to use the signing secret {}", path.display())]
    Secret { path: PathBuf, source: io::Error },
    /// The signing secret is too easy to guess.
    #[error("CORELLA_JWT_SECRET: expected at least 32 bytes, found {found}")]
    ShortSecret { found: usize },
    /// There is no signing secret, and nowhere to keep one.
    #[error(
        "CORELLA_JWT_SECRET: expected a secret of at least 32 bytes, found none; there is no data folder to keep one in \
         (make one with `openssl rand -hex 32`, the same for all servers of a database)"
    )]
    NoSecret,
    /// The keys of those who issue tokens cannot be had.
    #[error(transparent)]
    Keys(KeyError),
    /// The identity provider's address is none.
    #[error("failed to use --oidc-issuer or --oidc")]
    Provider(#[source] OptionError),
    /// What is asked about an account is not right.
    #[error("failed to look after the accounts: {0}")]
    Account(String),
    /// A token cannot be made.
    #[error("failed to make a token")]
    Token(#[source] AuthError),
    /// The address cannot be listened on.
    #[error("failed to listen on {address}{}", hint(source))]
    Listen { address: String, source: io::Error },
    /// A file of rows cannot be opened or written.
    #[error("failed to {what} {}", path.display())]
    File { what: &'static str, path: PathBuf, source: io::Error },
    /// A file of rows is not right.
    #[error("failed to read the rows of {}", path.display())]
    Archive { path: PathBuf, source: ArchiveError },
    /// A row of a file cannot be imported.
    #[error("failed to import the rows of {}: line {line}: expected a row that fits the app, found {row}: {found}", path.display())]
    BadRow { path: PathBuf, line: u64, row: String, found: String },
    /// A file has rows of which the manifest knows nothing.
    #[error(
        "failed to import the rows of {}: the manifest lacks the entities {entities}; declare them, or choose others with --entity",
        path.display()
    )]
    UnknownEntities { path: PathBuf, entities: String },
    /// The manifest has no such entity.
    #[error("expected the name of an entity of the manifest ({known}), found {found:?}")]
    UnknownEntity { found: String, known: String },
    /// A backup is another app's.
    #[error(
        "failed to restore: expected a backup of the app {expected:?}, which the manifest names, found one of {found:?}"
    )]
    OtherApp { expected: String, found: String },
    /// A backup would replace rows.
    #[error(
        "failed to restore: {0} has rows already; restore into an empty one, or add --replace to let go of them"
    )]
    NotEmpty(String),
    /// The database fails a command.
    #[error("failed to {what}")]
    Database { what: &'static str, source: BackendError },
    /// The database fails a read.
    #[error("failed to {what}")]
    Read { what: &'static str, source: ReadError },
    /// The database fails a write.
    #[error("failed to {what}")]
    Write { what: &'static str, source: Arc<BackendError> },
    /// A question to the policies cannot be answered.
    #[error("failed to ask the policies")]
    Explain(#[source] ExplainError),
    /// A question to the policies is not right.
    #[error("failed to ask the policies: {what}")]
    Question { what: String },
    /// A server cannot be reached.
    #[error("failed to reach the server at {address}")]
    Unreached { address: String, source: Box<dyn Error + Send + Sync> },
    /// A server refuses a request.
    #[error("the server refused: {0}")]
    Refused(String),
    /// The process itself fails.
    #[error("failed to {what}")]
    Process { what: &'static str, source: io::Error },
}

fn hint(source: &io::Error) -> &'static str {
    if source.kind() == io::ErrorKind::AddrInUse {
        " (another process listens there; stop it, or choose another --listen)"
    } else if source.kind() == io::ErrorKind::PermissionDenied {
        " (ports below 1024 need privileges; choose another --listen)"
    } else {
        ""
    }
}

impl Failure {
    /// What to print: one line and its causes.
    pub(crate) fn message(&self) -> String {
        let mut message = self.to_string();
        let mut source = self.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !message.ends_with(&cause_text) {
                message.push_str(": ");
                message.push_str(&cause_text);
            }
            source = cause.source();
        }
        message
    }

    /// Whether it is the database that fails, whatever row it is asked for.
    pub(crate) fn is_the_databases(&self) -> bool {
        matches!(self, Self::Write { .. } | Self::Read { .. } | Self::Database { .. })
    }

    /// The exit code: 3 for the manifest, 4 for the data folder or the database, 5 for the address, 6 for a
    /// file of rows, 1 for what a server refuses, 70 for anything else.
    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::ManifestFile { .. } | Self::Manifest { .. } => 3,
            Self::Start { source: StartError::Unserved(_) | StartError::Policies(_), .. } => 3,
            Self::Start {
                source: StartError::Destructive { .. } | StartError::Impossible { .. }, ..
            } => 3,
            Self::Start { source: StartError::OtherSchema { .. }, .. } => 3,
            Self::UnknownEntity { .. } | Self::Question { .. } => 3,
            Self::Explain(ExplainError::Read(_) | ExplainError::Start(StartError::Backend(_))) => 4,
            Self::Explain(_) => 3,
            Self::Open(_) | Self::OpenDatabase(_) | Self::NoPlace | Self::TwoPlaces => 4,
            Self::Secret { .. } | Self::ShortSecret { .. } | Self::NoSecret | Self::Keys(_) => 4,
            Self::Start { source: StartError::Backend(_) | StartError::Record { .. }, .. } => 4,
            Self::NotEmpty(_) | Self::Database { .. } | Self::Read { .. } | Self::Write { .. } => 4,
            Self::File { .. } | Self::Archive { .. } | Self::BadRow { .. } => 6,
            Self::UnknownEntities { .. } | Self::OtherApp { .. } => 6,
            Self::Listen { .. } | Self::Unreached { .. } => 5,
            Self::Account(_) => 1,
            Self::Provider(_) => 4,
            Self::Refused(_) => 1,
            Self::Start { source: StartError::Thread(_), .. } | Self::Token(_) | Self::Process { .. } => 70,
        })
    }
}
