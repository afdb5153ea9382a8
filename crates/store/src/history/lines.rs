//! What is told of a row's changes, each with the version that it led to.

use corella_rowdoc::{RowKey, Version};

use super::newest;
use crate::{
    error::ReadError,
    port::{
        Backend, BackendError, HistoryCut, HistoryLine, HistoryOrder, HistoryScope, Reach, Seq, StoredHead,
    },
    store::Store,
};

/// Lines read at once.
const PAGE: usize = 256;

/// A change with the version that it led to.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) line: HistoryLine,
    pub(super) version: Version,
}

impl Store {
    /// The newest changes in `scope` of which it is known how far they led; none when the row was never written.
    pub(super) async fn told(&self, key: &RowKey, scope: HistoryScope) -> Result<Vec<Told>, ReadError> {
        let limit = scope.limit;
        let (start, lines) = self.lines(key, scope).await?;
        let skip = lines.len().saturating_sub(limit);
        let mut told = climb(key, start, lines, skip)?;
        told.reverse();
        Ok(told)
    }

    /// The newest changes in `scope`, the oldest first, and the version before the first of them where that is known.
    ///
    /// There are more than were asked for where the older ones are needed to know how far the others led.
    pub(super) async fn lines(
        &self,
        key: &RowKey,
        scope: HistoryScope,
    ) -> Result<(Option<Version>, Vec<HistoryLine>), ReadError> {
        let backend = &*self.0.backend;
        self.0.entity(key.entity.as_str())?;
        let Some(head) = backend.head(key).await? else { return Ok((None, Vec::new())) };
        let limit = scope.limit;
        let mut lines: Vec<HistoryLine> = Vec::new();
        let mut scope = HistoryScope { limit: limit.max(PAGE), order: HistoryOrder::Newest, ..scope };
        loop {
            let page = backend.history(key, scope).await?;
            let is_last = page.len() < scope.limit;
            lines.extend(page);
            let is_grounded = lines.iter().skip(limit.saturating_sub(1)).any(is_whole);
            let Some(oldest) = lines.last().filter(|_| !is_last && !is_grounded) else { break };
            scope = HistoryScope { before: Some(oldest.seq), ..scope };
        }
        lines.reverse();
        Ok((base(&head, lines.first()), lines))
    }

    /// The oldest change of which it is known how far it led.
    pub(super) async fn oldest(&self, key: &RowKey) -> Result<Option<Told>, ReadError> {
        let backend = &*self.0.backend;
        let Some(head) = backend.head(key).await? else { return Ok(None) };
        let mut climb = Climb::new(key, &head);
        while let Some(told) = climb.next(backend).await? {
            if let Some(oldest) = told.into_iter().next() {
                return Ok(Some(oldest));
            }
        }
        Ok(None)
    }
}

/// Which changes are forgotten with a snapshot up to `upto` whose history starts at `start`: those before the first
/// that has all of it.
pub(crate) async fn cut_at(
    backend: &dyn Backend,
    key: &RowKey,
    upto: Seq,
    start: &Version,
) -> Result<Option<HistoryCut>, ReadError> {
    let Some(head) = backend.head(key).await? else { return Ok(None) };
    let mut climb = Climb::new(key, &head);
    while let Some(told) = climb.next(backend).await? {
        for Told { line, version } in told {
            if line.seq > upto {
                return Ok(None);
            }
            if version.includes(start) {
                return Ok(Some(HistoryCut { from: line.seq, version: version.encode().into() }));
            }
        }
    }
    Ok(None)
}

/// Going through a row's changes from the oldest on.
struct Climb<'a> {
    key: &'a RowKey,
    head: &'a StoredHead,
    after: Seq,
    version: Option<Version>,
    ended: bool,
}

impl<'a> Climb<'a> {
    fn new(key: &'a RowKey, head: &'a StoredHead) -> Self {
        Self { key, head, after: Seq::ZERO, version: None, ended: false }
    }

    /// The next changes, without those of which it is not known how far they led; `None` at the end.
    async fn next(&mut self, backend: &dyn Backend) -> Result<Option<Vec<Told>>, ReadError> {
        if self.ended {
            return Ok(None);
        }
        let scope = HistoryScope { after: self.after, order: HistoryOrder::Oldest, limit: PAGE, ..newest() };
        let page = backend.history(self.key, scope).await?;
        self.ended = page.len() < PAGE;
        let Some(last) = page.last().map(|line| line.seq) else { return Ok(None) };
        self.after = last;
        let start = self.version.take().or_else(|| base(self.head, page.first()));
        let told = climb(self.key, start, page, 0)?;
        self.version = told.last().map(|told| told.version.clone());
        Ok(Some(told))
    }
}

/// The version before the oldest of some lines, where only the snapshot is older.
fn base(head: &StoredHead, oldest: Option<&HistoryLine>) -> Option<Version> {
    let is_first = oldest.is_some_and(|line| line.about.kind == "insert");
    match oldest {
        Some(_) if is_first => Some(Version::empty()),
        Some(line) if line.seq > head.snapshot => Version::decode(&head.snapshot_version).ok(),
        Some(_) | None => None,
    }
}

/// Changes, the oldest first, with the versions that they led to, from the first of which that is known; the first
/// `skip` of them are only gone through.
fn climb(
    key: &RowKey,
    start: Option<Version>,
    lines: Vec<HistoryLine>,
    skip: usize,
) -> Result<Vec<Told>, ReadError> {
    let mut version = start;
    let mut told = Vec::new();
    for (place, line) in lines.into_iter().enumerate() {
        step(key, &mut version, &line)?;
        if let (Some(version), true) = (&version, place >= skip) {
            told.push(Told { version: version.clone(), line });
        }
    }
    Ok(told)
}

/// Brings `version` to where the change led; it stays unknown until one says all of it.
pub(super) fn step(key: &RowKey, version: &mut Option<Version>, line: &HistoryLine) -> Result<(), ReadError> {
    let damaged = |what: &str| {
        ReadError::from(BackendError::Damaged { key: key.clone(), what: format!("its history: {what}") })
    };
    let decoded = |bytes: &[u8]| Version::decode(bytes).map_err(|error| damaged(&error.to_string()));
    match (&line.reach, version) {
        (Reach::Whole(whole), version) => *version = Some(decoded(whole)?),
        (Reach::Ends(ends), Some(version)) => version.merge(&decoded(ends)?),
        (Reach::Delta(delta), Some(version)) => {
            let (_, end) = Version::span_of(delta).ok_or_else(|| damaged("a delta does not decode"))?;
            version.merge(&end);
        }
        (Reach::Ends(_) | Reach::Delta(_), None) => {}
    }
    Ok(())
}

fn is_whole(line: &HistoryLine) -> bool {
    matches!(line.reach, Reach::Whole(_))
}
