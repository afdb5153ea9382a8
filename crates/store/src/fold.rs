//! Folding a document's tail into a new snapshot, off the path of writes.

use std::sync::Arc;

use bytes::Bytes;
use corella_rowdoc::merge_stored;

use crate::{
    faults::{KillPoint, point},
    port::Fold,
    resident::{Loaded, Slot, Tail},
    store::Inner,
};

/// Deltas after which a small document is folded.
const MOST_DELTAS: usize = 64;
/// Deltas after which any document is folded, so that a load stays quick.
const MOST_DELTAS_OF_LARGE: usize = 1_024;
/// A snapshot up to which a document counts as small: folding it costs less than a few writes.
const SMALL_SNAPSHOT: usize = 64 * 1024;

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
        match fold(&store, &slot).await {
            Ok(Some(snapshot_bytes)) => renew_tail(&slot, snapshot_bytes).await,
            Ok(None) => {}
            Err(error) => {
                tracing::error!(row = %slot.key, error = &*error, "folding a row failed; its tail stays");
            }
        }
        drop(permit);
        let bytes = slot.resident.lock().await.bytes();
        store.cache.settle(slot, bytes);
    });
}

/// Folds what is stored; what comes back is the new snapshot's size.
async fn fold(store: &Inner, slot: &Slot) -> Result<Option<usize>, Box<dyn std::error::Error + Send + Sync>> {
    let model = store.entity(slot.key.entity.as_str())?;
    let Some(stored) = store.backend.load(&slot.key).await? else { return Ok(None) };
    let Some(last) = stored.tail.last() else { return Ok(None) };
    let upto = last.seq;
    let merged = tokio::task::spawn_blocking(move || {
        let deltas: Vec<&[u8]> = stored.tail.iter().map(|entry| &entry.delta[..]).collect();
        merge_stored(&model.shape, stored.snapshot.as_deref(), &deltas)
    });
    let (snapshot, version) = merged.await??;
    let size = snapshot.len();
    let fold = Fold {
        key: slot.key.clone(),
        upto,
        snapshot: Bytes::from(snapshot),
        version: Bytes::from(version.encode()),
    };
    store.backend.fold(fold).await?;
    point(KillPoint::AfterFold);
    metrics::counter!("corella_folds_total").increment(1);
    Ok(Some(size))
}

/// Counts the tail from the new snapshot on; writes that came meanwhile are forgotten here, which only makes the
/// next fold a little later.
async fn renew_tail(slot: &Slot, snapshot_bytes: usize) {
    if let Some(loaded) = &mut slot.resident.lock().await.loaded {
        loaded.tail = Tail { deltas: 0, bytes: 0, snapshot_bytes };
    }
}
