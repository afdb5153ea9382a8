//! `corella restore`: a database as a backup has it.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use clap::Args;
use corella_store::{
    archive::{ArchiveError, ArchiveHeader, ArchiveReader, Piece},
    port::{Backend, Kept, Moment, RestoreOnto, RestoreOutcome},
    schema::{self, Consent},
};
use tokio::sync::mpsc;

use crate::{
    archive_file,
    commands::{Location, backup::WAITING, runtime},
    failure::Failure,
    progress::Progress,
};

/// Bring a database to what a backup has.
///
/// No server may run on it meanwhile. It happens in one transaction: when it is cut short, everything is as before. The
/// database starts a new epoch: whoever was connected before starts afresh, and hands in what the backup lacks.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The file of `corella backup`; - is the standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    location: Location,
    /// Put the backup in the place of the rows that are there; without this, a database with rows is refused.
    #[arg(long)]
    replace: bool,
}

impl Restore {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let manifest = Arc::new(self.location.manifest()?);
        corella_store::check_served(&manifest).map_err(|source| self.location.start(source))?;
        // The file is looked at before anything is made.
        let progress = Progress::of_bytes(&self.file);
        let input = archive_file::open(&self.file, &progress)?;
        let reader = ArchiveReader::new(input).map_err(|source| self.wrong(source))?;
        let header = reader.header().clone();
        if manifest.name != header.app {
            return Err(Failure::OtherApp { expected: manifest.name.to_string(), found: header.app });
        }
        if header.fingerprint != manifest.fingerprint() {
            progress.tell("corella: the backup was made under another version of the manifest; the tables follow the one given");
        }
        runtime()?.block_on(async {
            let backend = self.location.owner().await?;
            let rows = self.put(&*backend, reader, header).await?;
            // Nothing is left of what the database had: no step loses anything.
            schema::apply(&*backend, Arc::clone(&manifest), Consent::Destructive, &mut |_| {})
                .await
                .map_err(|source| self.location.start(source))?;
            println!("Restored {}.", progress.finish(rows));
            Ok(ExitCode::SUCCESS)
        })
    }

    async fn put(
        &self,
        backend: &dyn Backend,
        mut reader: ArchiveReader<Box<dyn std::io::BufRead + Send>>,
        header: ArchiveHeader,
    ) -> Result<u64, Failure> {
        let (send, receive) = mpsc::channel(WAITING);
        let read = tokio::task::spawn_blocking(move || -> Result<u64, ArchiveError> {
            let start = Moment { epoch: header.epoch, seq: header.seq, rows: 0 };
            let mut piece = Kept::Start(start);
            let mut rows = 0;
            loop {
                let last = matches!(piece, Kept::End);
                // Nobody listens after a refusal.
                if send.blocking_send(piece).is_err() || last {
                    return Ok(rows);
                }
                piece = match reader.next_piece()? {
                    Piece::Row(row) => {
                        rows += 1;
                        Kept::Row(row)
                    }
                    Piece::Outcome(outcome) => Kept::Outcome(outcome),
                    Piece::Account(account) => Kept::Account(account),
                    Piece::End(_) => Kept::End,
                };
            }
        });
        let onto = if self.replace { RestoreOnto::Anything } else { RestoreOnto::Empty };
        let outcome = backend
            .restore(receive, onto)
            .await
            .map_err(|source| Failure::Database { what: "restore the rows", source });
        let read = read.await.map_err(|error| Failure::Process {
            what: "read the backup",
            source: std::io::Error::other(error),
        })?;
        let rows = read.map_err(|source| self.wrong(source))?;
        match outcome? {
            RestoreOutcome::Restored => Ok(rows),
            RestoreOutcome::NotEmpty => Err(Failure::NotEmpty(self.location.to_string())),
            RestoreOutcome::CutOff => Err(self.wrong(ArchiveError::CutOff { line: 0 })),
        }
    }

    fn wrong(&self, source: ArchiveError) -> Failure {
        Failure::Archive { path: self.file.clone(), source }
    }
}
