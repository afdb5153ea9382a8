//! `corella reproject`: tables filled again from the documents.

use std::{process::ExitCode, sync::Arc};

use clap::Args;
use corella_manifest::EntityName;
use corella_store::schema;

use crate::{
    commands::{Location, runtime},
    failure::Failure,
    progress::Filling,
};

/// Fill tables again from the documents.
///
/// It may run beside a server with the same manifest: what is written meanwhile is in the tables too. Exit code 0 when
/// every column holds what its document says, 1 with a list when some cannot.
#[derive(Debug, Args)]
pub(crate) struct Reproject {
    /// The entities whose tables are filled; all of them when none is named.
    #[arg(value_name = "ENTITY")]
    entities: Vec<String>,
    #[command(flatten)]
    location: Location,
}

impl Reproject {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let manifest = Arc::new(self.location.manifest()?);
        let known = |found: &String| -> Result<EntityName, Failure> {
            let entity = manifest.entity(found).map(|entity| entity.name.clone());
            entity.ok_or_else(|| {
                let known: Vec<&str> = manifest.entities.iter().map(|entity| entity.name.as_str()).collect();
                Failure::UnknownEntity { found: found.clone(), known: known.join(", ") }
            })
        };
        let entities = self.entities.iter().map(known).collect::<Result<Vec<_>, _>>()?;
        let mut progress = Filling::default();
        let report = runtime()?.block_on(async {
            let backend = self.location.beside().await?;
            let report = schema::reproject(&*backend, Arc::clone(&manifest), &entities, &mut |step| {
                progress.follow(&step);
            })
            .await;
            backend.close().await;
            report.map_err(|source| self.location.start(source))
        })?;
        Ok(progress.sum_up(&report))
    }
}
