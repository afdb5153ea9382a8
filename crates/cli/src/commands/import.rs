//! `corella import`: rows out of a file, merged into those that are there.

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode, sync::Arc};

use clap::Args;
use corella_rowdoc::Refusal;
use corella_server::guard::{BlobKind, GuardError, GuardPool};
use corella_store::{
    CommitSink, Committed, RowReader, Store, StoreOptions, WriteError,
    archive::{ArchiveError, ArchiveReader, Piece},
    port::{DumpScope, KeptRow},
};
use tokio::task::JoinSet;

use crate::{
    archive_file,
    commands::{Location, export::Filter, guard::GuardChoice, runtime},
    failure::Failure,
    progress::Progress,
};

/// Rows that are merged at once.
const MOST_AT_WORK: usize = 256;
/// Bytes of rows that are merged at once.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// Merge the rows of a file into those that are there.
///
/// It reads the files of `corella export` and `corella backup`. No server may run on the data meanwhile. A row that is
/// there already keeps its own edits and gets those of the file; importing twice changes nothing. A file is read to its
/// end before the first row is stored, so that one with a wrong line changes nothing.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The file to read, compressed or not; - is the standard input, which is not read ahead.
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
    #[command(flatten)]
    location: Location,
    #[command(flatten)]
    filter: Filter,
    /// Report rows that cannot be imported, and import the others.
    #[arg(long)]
    skip_bad: bool,
    #[command(flatten)]
    guard: GuardChoice,
}

struct Nobody;

impl CommitSink for Nobody {
    fn committed(&self, _changes: &[Committed]) {}
}

type Reader = ArchiveReader<Box<dyn std::io::BufRead + Send>>;

/// One row of the file that is to be imported.
struct Line {
    number: u64,
    row: KeptRow,
}

impl Import {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let manifest = Arc::new(self.location.manifest()?);
        let rows = RowReader::new(Arc::clone(&manifest)).map_err(|source| self.location.start(source))?;
        let scope = self.filter.scope();
        if !self.skip_bad && !archive_file::is_standard(&self.file) {
            self.look_through(&rows, &scope)?;
        }
        runtime()?.block_on(async {
            let backend = self.location.owner().await?;
            let store = Store::start(backend, manifest, Arc::new(Nobody), StoreOptions::default())
                .await
                .map_err(|source| self.location.start(source))?;
            let outcome = self.import(&store, &rows, &scope).await;
            store.close().await;
            outcome
        })
    }

    fn open(&self, progress: &Progress) -> Result<Reader, Failure> {
        let input = archive_file::open(&self.file, progress)?;
        ArchiveReader::new(input).map_err(|source| self.wrong(source))
    }

    fn wrong(&self, source: ArchiveError) -> Failure {
        Failure::Archive { path: self.file.clone(), source }
    }

    /// Reads all lines without storing anything; the first that is wrong is the failure.
    fn look_through(&self, rows: &RowReader, scope: &DumpScope) -> Result<(), Failure> {
        let progress = Progress::of_bytes(&self.file);
        let mut reader = self.open(&progress)?;
        let mut unknown: BTreeMap<String, u64> = BTreeMap::new();
        loop {
            match reader.next_piece().map_err(|source| self.wrong(source))? {
                Piece::Row(row) if !scope.has(&row.key) => {}
                Piece::Row(row) => {
                    if !rows.knows(&row) {
                        *unknown.entry(row.key.entity.to_string()).or_default() += 1;
                    } else if let Some(fault) = row.fault() {
                        let (line, row) = (reader.line(), row.key.to_string());
                        return Err(Failure::BadRow { path: self.file.clone(), line, row, found: fault });
                    }
                }
                Piece::Outcome(_) | Piece::Account(_) => {}
                Piece::End(_) => break,
            }
        }
        progress.finish(0);
        if unknown.is_empty() {
            return Ok(());
        }
        let entities = unknown.iter().map(|(name, rows)| format!("{name} ({rows} rows)"));
        Err(Failure::UnknownEntities {
            path: self.file.clone(),
            entities: entities.collect::<Vec<_>>().join(", "),
        })
    }

    async fn import(&self, store: &Store, rows: &RowReader, scope: &DumpScope) -> Result<ExitCode, Failure> {
        let before = last_seq(store).await?;
        let progress = Progress::of_bytes(&self.file);
        let mut reader = self.open(&progress)?;
        let guards = self.guard.start()?;
        let mut work = Work { store, guards, at_work: JoinSet::new(), bytes: 0, merged: 0 };
        let mut skipped = 0_u64;
        loop {
            let bad = match reader.next_piece() {
                Ok(Piece::End(_)) => break,
                Ok(Piece::Outcome(_) | Piece::Account(_)) => None,
                Ok(Piece::Row(row)) if !scope.has(&row.key) => None,
                Ok(Piece::Row(row)) if !rows.knows(&row) => {
                    let found = format!("the manifest has no entity {}", row.key.entity);
                    Some(self.bad_row(reader.line(), &row, found))
                }
                Ok(Piece::Row(row)) => {
                    let guarded = !rows.is_plain(&row);
                    work.start(Line { number: reader.line(), row }, guarded);
                    work.room().await.map(|failed| self.refused(failed))
                }
                Err(source @ ArchiveError::Line { .. }) => Some(self.wrong(source)),
                Err(source) => return Err(self.wrong(source)),
            };
            self.bear(bad, &mut skipped, &progress)?;
        }
        while let Some(failed) = work.next().await {
            self.bear(failed.map(|failed| self.refused(failed)), &mut skipped, &progress)?;
        }
        let after = last_seq(store).await?;
        let told = progress.finish(work.merged);
        println!("Merged {told}; {} of them changed something.", after - before);
        if skipped > 0 {
            eprintln!("corella: {skipped} lines were skipped; they are named above");
            return Ok(ExitCode::from(1));
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Reports a line that cannot be imported, or gives up because of it.
    fn bear(&self, bad: Option<Failure>, skipped: &mut u64, progress: &Progress) -> Result<(), Failure> {
        match bad {
            None => Ok(()),
            Some(failure) if !self.skip_bad || failure.is_the_databases() => Err(failure),
            Some(failure) => {
                *skipped += 1;
                progress.tell(&format!("corella: skipped: {}", failure.message()));
                Ok(())
            }
        }
    }

    fn bad_row(&self, line: u64, row: &KeptRow, found: String) -> Failure {
        Failure::BadRow { path: self.file.clone(), line, row: row.key.to_string(), found }
    }

    fn refused(&self, Refused { line, row, error }: Refused) -> Failure {
        if let WriteError::Backend(source) = error {
            return Failure::Write { what: "store a row", source };
        }
        Failure::BadRow { path: self.file.clone(), line, row, found: error.to_string() }
    }
}

async fn last_seq(store: &Store) -> Result<i64, Failure> {
    let seq =
        store.last_seq().await.map_err(|source| Failure::Read { what: "read the last change", source })?;
    Ok(seq.0)
}

/// A row that was not merged.
struct Refused {
    line: u64,
    row: String,
    error: WriteError,
}

/// Rows that are being merged.
struct Work<'a> {
    store: &'a Store,
    guards: Option<GuardPool>,
    at_work: JoinSet<(usize, Result<(), Refused>)>,
    bytes: usize,
    merged: u64,
}

impl Work<'_> {
    fn start(&mut self, Line { number, row }: Line, guarded: bool) {
        let bytes = row.blobs().map(bytes::Bytes::len).sum();
        self.bytes += bytes;
        let (store, guards) = (self.store.clone(), self.guards.clone().filter(|_| guarded));
        self.at_work.spawn(async move {
            let name = row.key.to_string();
            let merged = merge(&store, guards.as_ref(), row).await;
            (bytes, merged.map_err(|error| Refused { line: number, row: name, error }))
        });
    }

    /// Waits until another row may start; says what was refused meanwhile.
    async fn room(&mut self) -> Option<Refused> {
        while self.at_work.len() >= MOST_AT_WORK || self.bytes > MOST_BYTES {
            match self.next().await {
                Some(None) => {}
                Some(Some(refused)) => return Some(refused),
                None => break,
            }
        }
        None
    }

    /// Waits for one row; says whether it was refused, and nothing when none is left.
    async fn next(&mut self) -> Option<Option<Refused>> {
        let (bytes, outcome) = match self.at_work.join_next().await? {
            Ok(done) => done,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        self.bytes -= bytes;
        match outcome {
            Ok(()) => {
                self.merged += 1;
                Some(None)
            }
            Err(refused) => Some(Some(refused)),
        }
    }
}

/// Merges a row, once the guards have decoded what it was kept as.
async fn merge(store: &Store, guards: Option<&GuardPool>, row: KeptRow) -> Result<(), WriteError> {
    if let Some(guards) = guards {
        for outcome in guards.examine(BlobKind::Kept, row.blobs().cloned()).await {
            outcome.map_err(|error| match error {
                GuardError::Refused(reason) => Refusal::InvalidUpdate { reason }.into(),
                GuardError::Deadly => Refusal::InvalidUpdate { reason: error.to_string() }.into(),
                GuardError::Unavailable => WriteError::Internal("no guard can be started"),
            })?;
        }
    }
    store.merge(row).await.map(drop)
}
