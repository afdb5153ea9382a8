//! `corella check`: whether the tables are what the documents say.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use clap::Args;
use tokio::runtime::Runtime;

use super::database::Place;
use crate::{failure::Failure, manifest_file};

/// Compare every document with its line in the table, and the indexes of words with the texts.
///
/// It reads only, and may run beside a server. Exit code 0 when all agree, 1 with a list when some do not.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The manifest of the app.
    #[arg(long, value_name = "FILE", env = "CORELLA_MANIFEST")]
    manifest: PathBuf,
    #[command(flatten)]
    place: Place,
}

impl Check {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let manifest = Arc::new(manifest_file::read(&self.manifest)?);
        let runtime =
            Runtime::new().map_err(|source| Failure::Process { what: "start the async threads", source })?;
        let backend = runtime.block_on(self.place.open_read_only())?;
        let report = runtime
            .block_on(corella_store::check(&*backend, manifest))
            .map_err(|source| Failure::Start { path: self.manifest, source })?;
        for difference in &report.differences {
            println!("{}: {}", difference.key, difference.what);
        }
        for (entity, what) in &report.words {
            println!("{entity}: {what}; `corella repair` makes it anew");
        }
        for beyond in &report.beyond {
            println!("{}: {}", beyond.key, beyond.what);
        }
        for entity in &report.filling {
            println!("{entity}: its table is being filled from its documents, its lines were not compared");
        }
        let differing = report.differences.len();
        if differing > 0 {
            eprintln!("corella: {differing} of {} documents differ from their table", report.documents);
        }
        if differing > 0 || !report.words.is_empty() {
            return Ok(ExitCode::from(1));
        }
        println!("{} documents, all as their tables say.", report.documents);
        Ok(ExitCode::SUCCESS)
    }
}
