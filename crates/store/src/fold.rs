//! Folding a document's tail into a new snapshot, off the path of writes.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use corella_manifest::History;
use corella_rowdoc::{Folded, RowDoc, Version, VersionError, merge_stored};
use jiff::Timestamp;

use crate::{
    faults::{KillPoint, point},
    guard::RowGuard,
    model::EntityModel,
    port::{Fold, HistoryMark, StoredHead, StoredRow},
    resident::{Loaded, Slot, Tail},
    store::Inner,
};

/// Deltas after which a small document is folded.
const MOST_DELTAS: usize = 64;
/// Deltas after which any document is folded, so that a load stays quick.
const MOST_DELTAS_OF_LARGE: usize = 1_024;
/// A snapshot up to which a document counts as small: folding it costs less than a few writes.
const SMALL_SNAPSHOT: usize = 64 * 1024;
/// How long history is kept where only the latest state is wanted: people who write side by side build on versions
/// that are a little old.
const LATEST: Duration = Duration::from_secs(60);

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Whether the tail has grown so long that a snapshot pays.
///
/// The rule keeps the bytes that folding writes in proportion to the bytes that were written before, however
/// large the document.
fn is_due(tail: Tail) -> bool {
    let outgrown = tail.bytes > SMALL_SNAPSHOT / 16 && tail.bytes > tail.snapshot_bytes / 2;
    let many = tail.deltas >= MOST_DELTAS && tail.snapshot_bytes <= SMALL_SNAPSHOT;
    outgrown || many || tail.deltas >= MOST_DELTAS_OF_LARGE
}

/// Starts folding the row in the background, if that is due and nothing else is being folded.
pub(crate) fn consider(store: &Arc<Inner>, slot: &Arc<Slot>, loaded: &Loaded) {
    if !is_due(loaded.tail) {
        return;
    }
    let Ok(permit) = Arc::clone(&store.folds).try_acquire_owned() else { return };
    let (store, slot) = (Arc::clone(store), Arc::clone(slot));
    let tasks = store.tasks.clone();
    tasks.spawn(async move {
        if let Err(error) = fold(&store, &slot).await {
            tracing::error!(row = %slot.key, error = &*error, "folding a row failed; its tail stays");
        }
        drop(permit);
        let bytes = slot.resident.lock().await.bytes();
        store.cache.settle(slot, bytes);
    });
}

/// Folds what is stored.
async fn fold(store: &Arc<Inner>, slot: &Slot) -> Result<(), Failure> {
    let model = store.entity(slot.key.entity.as_str())?;
    let Some(stored) = store.backend.load(&slot.key).await? else { return Ok(()) };
    let Some(last) = stored.tail.last() else { return Ok(()) };
    let upto = last.seq;
    // Another server may hold the whole document, and take in what this one could not load any more.
    let keep = if store.backend.is_shared() { None } else { kept(model.entity.history) };
    let plan = keep.map_or(Ok(Plan::default()), |keep| Plan::of(&stored.head, keep, Timestamp::now()))?;
    let (keep_from, shape) = (plan.keep_from, Arc::clone(&model.shape));
    let merged = tokio::task::spawn_blocking(move || {
        merge_stored(&shape, stored.snapshot.as_deref(), &deltas(&stored), keep_from.as_ref())
    });
    let Folded { snapshot, version, history_start } = merged.await??;
    let fold = Fold {
        key: slot.key.clone(),
        upto,
        snapshot: Bytes::from(snapshot),
        version: Bytes::from(version.encode()),
        mark: plan.mark,
        cut: None,
    };
    if history_start.is_empty() {
        let snapshot_bytes = fold.snapshot.len();
        store.backend.fold(fold).await?;
        renew_tail(slot, snapshot_bytes).await;
    } else {
        let cut_at = crate::history::cut_at(&*store.backend, &slot.key, upto, &history_start).await?;
        let fold = Fold { cut: cut_at, ..fold };
        if !cut(store, &model, fold).await? {
            return Ok(());
        }
    }
    point(KillPoint::AfterFold);
    metrics::counter!("corella_folds_total").increment(1);
    Ok(())
}

fn deltas(stored: &StoredRow) -> Vec<&[u8]> {
    stored.tail.iter().map(|entry| &entry.delta[..]).collect()
}

/// How long history is kept at least; `None` means for ever.
fn kept(history: History) -> Option<Duration> {
    match history {
        History::All => None,
        History::Latest => Some(LATEST),
        History::For(duration) => Some(duration),
    }
}

/// What a fold does about history.
///
/// The first fold marks the version that the document has. The first one after the mark has become old enough keeps
/// history from there on, and marks anew: so it is kept as long as was asked for, and not much more than twice as long
/// in a row that is written to.
#[derive(Default)]
struct Plan {
    keep_from: Option<Version>,
    mark: Option<HistoryMark>,
}

impl Plan {
    fn of(head: &StoredHead, keep: Duration, now: Timestamp) -> Result<Self, VersionError> {
        let here = || HistoryMark { version: head.head_version.clone(), at: now };
        let Some(mark) = &head.mark else { return Ok(Self { keep_from: None, mark: Some(here()) }) };
        if now.duration_since(mark.at).unsigned_abs() < keep {
            return Ok(Self::default());
        }
        Ok(Self { keep_from: Some(Version::decode(&mark.version)?), mark: Some(here()) })
    }
}

/// Stores a snapshot without all of its history; `false` when it was left, because something was written meanwhile
/// that builds on what would go.
///
/// A document in memory that still has the history would take in such writes, and they could not be loaded on top of
/// the snapshot any more. So the row is held, everything since is loaded on top of the snapshot for a trial, and that
/// document takes the place of the one in memory.
async fn cut(store: &Arc<Inner>, model: &EntityModel, fold: Fold) -> Result<bool, Failure> {
    let mut row = RowGuard::lock(store, &fold.key).await;
    let Some(mut stored) = store.backend.load(&fold.key).await? else { return Ok(false) };
    stored.tail.retain(|entry| entry.seq > fold.upto);
    let (shape, peer, snapshot) =
        (Arc::clone(&model.shape), store.backend.server_peer(), fold.snapshot.clone());
    let tail = Tail {
        deltas: stored.tail.len(),
        bytes: stored.tail.iter().map(|entry| entry.delta.len()).sum(),
        snapshot_bytes: snapshot.len(),
    };
    let head_version = Version::decode(&stored.head.head_version)?;
    let trial =
        tokio::task::spawn_blocking(move || RowDoc::load(shape, peer, Some(&snapshot), &deltas(&stored)));
    match trial.await? {
        Ok(doc) if doc.version() == head_version => {
            store.backend.fold(fold).await?;
            row.replace(doc, tail);
            Ok(true)
        }
        Ok(_) | Err(_) => {
            tracing::info!(row = %fold.key, "what was written meanwhile needs the history; it is cut another time");
            Ok(false)
        }
    }
}

/// Counts the tail from the new snapshot on; writes that came meanwhile are forgotten here, which only makes the
/// next fold a little later.
async fn renew_tail(slot: &Slot, snapshot_bytes: usize) {
    if let Some(loaded) = &mut slot.resident.lock().await.loaded {
        loaded.tail = Tail { deltas: 0, bytes: 0, snapshot_bytes };
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::port::Seq;

    fn head(mark: Option<i64>) -> StoredHead {
        let mark = mark.map(|second| HistoryMark {
            version: Bytes::from_static(&[0]),
            at: Timestamp::from_second(second).unwrap(),
        });
        StoredHead {
            head: Seq(9),
            head_version: Bytes::from_static(b"head"),
            snapshot: Seq::ZERO,
            snapshot_version: Bytes::new(),
            deleted: false,
            mark,
        }
    }

    fn plan(mark: Option<i64>, now: i64) -> (bool, Option<i64>) {
        let now = Timestamp::from_second(now).unwrap();
        let plan = Plan::of(&head(mark), Duration::from_secs(100), now).unwrap();
        (plan.keep_from.is_some(), plan.mark.map(|mark| mark.at.as_second()))
    }

    #[test]
    fn history_is_kept_as_long_as_asked_for_and_not_for_ever() {
        assert_eq!(plan(None, 1_000), (false, Some(1_000)), "the first fold marks");
        assert_eq!(plan(Some(1_000), 1_099), (false, None), "too early to cut");
        assert_eq!(plan(Some(1_000), 1_100), (true, Some(1_100)), "cut at the mark, and marked anew");
    }
}
