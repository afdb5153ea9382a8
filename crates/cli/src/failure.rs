//! Why a command ended without doing its work, and the exit code that says so.

use std::{error::Error, io, path::PathBuf, process::ExitCode};

use corella_manifest::ManifestErrors;
use corella_server::AuthError;
use corella_store::{StartError, sqlite::OpenError};

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
    Open(#[from] OpenError),
    /// The signing secret cannot be used.
    #[error("failed to use the signing secret {}", path.display())]
    Secret { path: PathBuf, source: io::Error },
    /// The signing secret is too easy to guess.
    #[error("CORELLA_JWT_SECRET: expected at least 32 bytes, found {found}")]
    ShortSecret { found: usize },
    /// A token cannot be made.
    #[error("failed to make a token")]
    Token(#[source] AuthError),
    /// The address cannot be listened on.
    #[error("failed to listen on {address}{}", hint(source))]
    Listen { address: String, source: io::Error },
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

    /// The exit code: 3 for the manifest, 4 for the data folder, 5 for the address, 70 for anything else.
    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::ManifestFile { .. } | Self::Manifest { .. } => 3,
            Self::Start { source: StartError::Unserved(_), .. } => 3,
            Self::Open(_) | Self::Secret { .. } | Self::ShortSecret { .. } => 4,
            Self::Start { source: StartError::Backend(_), .. } => 4,
            Self::Listen { .. } => 5,
            Self::Start { source: StartError::Thread(_), .. } | Self::Token(_) | Self::Process { .. } => 70,
        })
    }
}
