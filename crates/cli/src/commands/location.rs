//! Which app's data a command works on.

use std::{fmt, path::PathBuf, sync::Arc};

use clap::Args;
use corella_manifest::Manifest;
use corella_store::{StartError, port::Backend};
use tokio::runtime::Runtime;

use super::database::Place;
use crate::{failure::Failure, manifest_file};

/// The app and its data.
#[derive(Debug, Args)]
pub(crate) struct Location {
    /// The manifest of the app.
    #[arg(long, value_name = "FILE", env = "CORELLA_MANIFEST")]
    manifest: PathBuf,
    #[command(flatten)]
    place: Place,
}

impl Location {
    /// The manifest, read and validated.
    pub(crate) fn manifest(&self) -> Result<Manifest, Failure> {
        manifest_file::read(&self.manifest)
    }

    /// The database, to be read beside a server that may run.
    pub(crate) async fn reader(&self) -> Result<Arc<dyn Backend>, Failure> {
        self.place.open_read_only().await
    }

    /// The database with nobody else at it, made if it is not there.
    pub(crate) async fn owner(&self) -> Result<Arc<dyn Backend>, Failure> {
        self.place.open_alone().await
    }

    /// The database with nobody else at it; it has to be there.
    pub(crate) async fn owner_of_what_is_there(&self) -> Result<Arc<dyn Backend>, Failure> {
        self.place.open_read_only().await?;
        self.owner().await
    }

    /// The database, to be written beside a server that may run.
    pub(crate) async fn beside(&self) -> Result<Arc<dyn Backend>, Failure> {
        self.place.open_beside().await
    }

    /// The database, to be written beside a server that may run; made if it is not there.
    pub(crate) async fn beside_or_new(&self) -> Result<Arc<dyn Backend>, Failure> {
        self.place.open_beside_or_new().await
    }

    /// A manifest that cannot be served, or a database that fails.
    pub(crate) fn start(&self, source: StartError) -> Failure {
        Failure::Start { path: self.manifest.clone(), source }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.fmt(f)
    }
}

/// The threads that a command's work runs on.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    Runtime::new().map_err(|source| Failure::Process { what: "start the async threads", source })
}
