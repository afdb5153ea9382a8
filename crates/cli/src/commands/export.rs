//! `corella export`: rows with their documents and their fields, for people, tools and other databases.

use std::{collections::BTreeMap, io, path::PathBuf, process::ExitCode, sync::Arc};

use clap::Args;
use corella_manifest::EntityName;
use corella_rowdoc::Tenant;
use corella_store::{Reading, RowReader, port::DumpScope};

use crate::{
    archive_file::{Compression, NewFile},
    commands::{Location, backup, runtime},
    failure::Failure,
};

/// Write rows, with their documents and their fields as JSON, one line each.
///
/// It may run beside a server: all rows are as of one moment. `corella import` reads the file, also into a database of
/// another kind.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The file to write, compressed when it is called *.zst; - is the standard output.
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
    #[command(flatten)]
    location: Location,
    #[command(flatten)]
    filter: Filter,
}

/// Which rows.
#[derive(Debug, Args)]
pub(crate) struct Filter {
    /// Rows of this entity alone; may be given more than once.
    #[arg(long = "entity", value_name = "NAME", value_parser = entity_name)]
    pub(crate) entities: Vec<EntityName>,
    /// Rows of this tenant alone; may be given more than once.
    #[arg(long = "tenant", value_name = "NAME")]
    tenants: Vec<String>,
}

fn entity_name(text: &str) -> Result<EntityName, String> {
    EntityName::new(text).map_err(|error| error.to_string())
}

impl Filter {
    pub(crate) fn scope(&self) -> DumpScope {
        let tenants = self.tenants.iter().map(|name| Tenant::new(name)).collect();
        DumpScope { entities: self.entities.clone(), tenants, ..DumpScope::default() }
    }
}

impl Export {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let manifest = Arc::new(self.location.manifest()?);
        let reader = RowReader::new(Arc::clone(&manifest)).map_err(|source| self.location.start(source))?;
        let failed = |source: io::Error| Failure::File { what: "write", path: self.file.clone(), source };
        runtime()?.block_on(async {
            let backend = self.location.reader().await?;
            let file = NewFile::create(&self.file)?;
            let output = file.output(Compression::by_name(&self.file)).map_err(failed)?;
            let mut unknown: BTreeMap<String, u64> = BTreeMap::new();
            let mut unreadable = 0_u64;
            let (output, counts, told) =
                backup::write(&*backend, &manifest, self.filter.scope(), output, |row, writer, progress| {
                    let fields = match reader.read(row) {
                        Reading::Fields(fields) => Some(fields),
                        Reading::UnknownEntity => {
                            *unknown.entry(row.key.entity.to_string()).or_default() += 1;
                            None
                        }
                        Reading::Unreadable(what) => {
                            unreadable += 1;
                            progress.tell(&format!("corella: {} cannot be read: {what}", row.key));
                            None
                        }
                    };
                    writer.row(row, fields)
                })
                .await
                .map_err(|error| error.into_failure(&self.file))?;
            file.keep(output).map_err(failed)?;
            eprintln!("Wrote {told}.");
            for (entity, rows) in &unknown {
                eprintln!(
                    "corella: the manifest has no entity {entity}; {rows} rows of it are written without their fields"
                );
            }
            if unreadable > 0 {
                eprintln!("corella: {unreadable} of the {} rows are written as they lie, without their fields", counts.rows);
                return Ok(ExitCode::from(1));
            }
            Ok(ExitCode::SUCCESS)
        })
    }
}
