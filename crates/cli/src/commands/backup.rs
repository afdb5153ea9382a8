//! `corella backup`: everything that is stored, as of one moment, in one file.

use std::{io, path::PathBuf, process::ExitCode, sync::Arc};

use clap::Args;
use corella_manifest::Manifest;
use corella_store::{
    archive::{ArchiveCounts, ArchiveHeader, ArchiveWriter},
    port::{Backend, DumpScope, Kept},
};
use tokio::sync::mpsc;

use crate::{
    archive_file::{Compression, NewFile},
    commands::{Location, runtime},
    failure::Failure,
    progress::Progress,
};

/// Pieces that may wait between the database and the file.
pub(crate) const WAITING: usize = 64;

/// Write everything that is stored into one file.
///
/// It may run beside a server: the file has all rows and accounts as of one moment, and writes go on meanwhile. Nobody's
/// session is in it: whoever was signed in signs in again after a restore. The file appears
/// under its name once it is complete. A file that is not called *.zst or *.ndjson is compressed, too.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The file to write; - is the standard output.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    location: Location,
}

impl Backup {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let manifest = Arc::new(self.location.manifest()?);
        let plain = self.file.extension().is_some_and(|extension| extension == "ndjson");
        let compression = if plain { Compression::None } else { Compression::Zstd };
        runtime()?.block_on(async {
            let backend = self.location.reader().await?;
            let file = NewFile::create(&self.file)?;
            let mut damaged = 0;
            let (output, counts, told) = write(
                &*backend,
                &manifest,
                DumpScope::everything(),
                file.output(compression).map_err(|source| self.failed(source))?,
                |row, writer, _| {
                    damaged += u64::from(row.fault().is_some());
                    writer.row(row, None)
                },
            )
            .await
            .map_err(|error| self.in_file(error))?;
            file.keep(output).map_err(|source| self.failed(source))?;
            eprintln!("Wrote {told}, {} kept answers and {} accounts.", counts.outcomes, counts.accounts);
            if damaged > 0 {
                eprintln!(
                    "corella: {damaged} of the rows are damaged, and are in the file as they lie; `corella check` lists \
                     them, `corella repair` mends them"
                );
                return Ok(ExitCode::from(1));
            }
            Ok(ExitCode::SUCCESS)
        })
    }

    fn failed(&self, source: io::Error) -> Failure {
        Failure::File { what: "write", path: self.file.clone(), source }
    }

    fn in_file(&self, error: DumpFailure) -> Failure {
        error.into_failure(&self.file)
    }
}

/// Why rows could not be written.
pub(crate) enum DumpFailure {
    Output(io::Error),
    Database(corella_store::port::BackendError),
}

impl DumpFailure {
    pub(crate) fn into_failure(self, path: &std::path::Path) -> Failure {
        match self {
            Self::Output(source) => Failure::File { what: "write", path: path.to_owned(), source },
            Self::Database(source) => Failure::Database { what: "read the rows", source },
        }
    }
}

/// Writes what is in `scope`, each row by `put`; gives back the output, the counts, and how it went, for people.
pub(crate) async fn write<W: io::Write>(
    backend: &dyn Backend,
    manifest: &Manifest,
    scope: DumpScope,
    output: W,
    mut put: impl FnMut(&corella_store::port::KeptRow, &mut ArchiveWriter<W>, &Progress) -> io::Result<()>,
) -> Result<(W, ArchiveCounts, String), DumpFailure> {
    let (send, mut receive) = mpsc::channel(WAITING);
    let take = async move {
        let mut progress = None;
        let mut writer = None;
        let mut waiting = Some(output);
        while let Some(piece) = receive.recv().await {
            match (piece, &mut writer, &progress) {
                (Kept::Start(moment), _, _) => {
                    progress = Some(Progress::of_rows(moment.rows));
                    let header = ArchiveHeader::new(manifest, &moment);
                    writer = waiting.take().map(|output| ArchiveWriter::new(output, &header)).transpose()?;
                }
                (Kept::Row(row), Some(writer), Some(progress)) => {
                    put(&row, writer, progress)?;
                    progress.row();
                }
                (Kept::Outcome(outcome), Some(writer), _) => writer.outcome(&outcome)?,
                (Kept::Account(account), Some(writer), _) => writer.account(&account)?,
                (Kept::End, Some(_), _) => {
                    let Some(writer) = writer.take() else { break };
                    let (output, counts) = writer.finish()?;
                    let told = progress.map(|progress| progress.finish(counts.rows)).unwrap_or_default();
                    return Ok(Some((output, counts, told)));
                }
                (Kept::Row(_) | Kept::Outcome(_) | Kept::Account(_) | Kept::End, _, _) => break,
            }
        }
        Ok(None)
    };
    let (taken, dumped) = tokio::join!(take, backend.dump(scope, send));
    // A full disk ends the dump early; it is the output's failure then.
    let taken = taken.map_err(DumpFailure::Output)?;
    dumped.map_err(DumpFailure::Database)?;
    taken.ok_or_else(|| DumpFailure::Output(io::Error::other("the database ended its rows without an end")))
}
