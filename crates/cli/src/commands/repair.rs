//! `corella repair`: damaged rows made whole.

use std::{process::ExitCode, sync::Arc};

use clap::Args;
use corella_store::MendedRow;

use crate::{
    commands::{Location, runtime},
    failure::Failure,
};

/// Make damaged rows whole from what is sound of them, and bring the tables back to their documents.
///
/// No server may run on the data meanwhile. Bytes that are replaced are set aside in the table corella_damaged. What is
/// lost is listed; clients that still have it hand it in when they connect again. Exit code 0 when nothing is wrong any
/// more, 1 when something could not be mended.
#[derive(Debug, Args)]
pub(crate) struct Repair {
    #[command(flatten)]
    location: Location,
}

impl Repair {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let manifest = Arc::new(self.location.manifest()?);
        let report = runtime()?.block_on(async {
            let backend = self.location.owner_of_what_is_there().await?;
            corella_store::repair(&*backend, manifest).await.map_err(|source| self.location.start(source))
        })?;
        for MendedRow { key, fault, lost } in &report.mended {
            println!("{key}: {fault}; it is whole again");
            for piece in lost {
                println!("  lost: {piece}");
            }
            if lost.is_empty() {
                println!("  nothing was lost");
            }
        }
        for line in &report.lines {
            println!("{}: {}; mended", line.key, line.what);
        }
        for (entity, what) in &report.words {
            println!("{entity}: {what}; made anew");
        }
        for left in &report.left {
            println!("{}: not mended: {}", left.key, left.what);
        }
        println!(
            "{} documents: {} rows and {} table lines mended, {} left as they are.",
            report.documents,
            report.mended.len(),
            report.lines.len(),
            report.left.len()
        );
        Ok(if report.left.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}
