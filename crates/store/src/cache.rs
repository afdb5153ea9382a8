//! The rows in memory, the least recently used leaving first.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use corella_rowdoc::RowKey;
use lru::LruCache;

use crate::resident::Slot;

const SHARDS: usize = 16;

/// How much memory documents may take, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheBudget(pub usize);

impl Default for CacheBudget {
    /// 256 MiB.
    fn default() -> Self {
        Self(256 * 1024 * 1024)
    }
}

struct Held {
    slot: Arc<Slot>,
    bytes: usize,
}

/// Every row that somebody works with, and the documents that are kept for the next one who does.
///
/// There is at most one [`Slot`] per row: it leaves only while its shard is locked and nobody else holds it.
pub(crate) struct Cache {
    /// Each shard behind a plain mutex, held for a look-up or an eviction, never across an await.
    shards: Vec<Mutex<LruCache<RowKey, Held>>>,
    hasher: RandomState,
    bytes: AtomicUsize,
    budget: usize,
}

impl Cache {
    pub(crate) fn new(budget: CacheBudget) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::new(LruCache::unbounded())).collect();
        Self { shards, hasher: RandomState::new(), bytes: AtomicUsize::new(0), budget: budget.0 }
    }

    fn shard(&self, index: usize) -> MutexGuard<'_, LruCache<RowKey, Held>> {
        self.shards[index % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn index(&self, key: &RowKey) -> usize {
        usize::try_from(self.hasher.hash_one(key) % SHARDS as u64).unwrap_or(0)
    }

    /// The row's slot, made if it is not there; whoever holds it keeps the row in memory.
    pub(crate) fn slot(&self, key: &RowKey) -> Arc<Slot> {
        let mut shard = self.shard(self.index(key));
        if let Some(held) = shard.get(key) {
            return Arc::clone(&held.slot);
        }
        let slot = Arc::new(Slot::new(key.clone()));
        shard.put(key.clone(), Held { slot: Arc::clone(&slot), bytes: 0 });
        slot
    }

    /// Takes a slot back from one who worked with it, and makes room if its document has grown.
    pub(crate) fn settle(&self, slot: Arc<Slot>, bytes: usize) {
        let index = self.index(&slot.key);
        {
            let mut shard = self.shard(index);
            if let Some(held) = shard.peek_mut(&slot.key) {
                let before = std::mem::replace(&mut held.bytes, bytes);
                self.bytes.fetch_add(bytes, Ordering::Relaxed);
                self.bytes.fetch_sub(before, Ordering::Relaxed);
            }
            // The cache's own hold and this one: nobody else is there to miss an empty slot.
            if bytes == 0 && Arc::strong_count(&slot) == 2 {
                shard.pop(&slot.key);
            }
            drop(slot);
        }
        if self.bytes.load(Ordering::Relaxed) > self.budget {
            self.make_room(index);
        }
    }

    fn make_room(&self, first: usize) {
        for index in first..first + SHARDS {
            let mut evicted = Vec::new();
            let mut shard = self.shard(index);
            let mut looks = shard.len();
            while looks > 0 && self.bytes.load(Ordering::Relaxed) > self.budget {
                looks -= 1;
                let Some((key, held)) = shard.pop_lru() else { break };
                if Arc::strong_count(&held.slot) > 1 {
                    shard.put(key, held);
                    continue;
                }
                self.bytes.fetch_sub(held.bytes, Ordering::Relaxed);
                evicted.push(held);
            }
            drop(shard);
            if !evicted.is_empty() {
                metrics::counter!("corella_cache_evictions_total").increment(evicted.len() as u64);
            }
            if self.bytes.load(Ordering::Relaxed) <= self.budget {
                break;
            }
        }
        self.report();
    }

    /// Sets the gauges of what is in memory.
    pub(crate) fn report(&self) {
        let rows: usize = (0..SHARDS).map(|index| self.shard(index).len()).sum();
        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
        {
            metrics::gauge!("corella_cache_rows").set(rows as f64);
            metrics::gauge!("corella_cache_bytes").set(self.bytes.load(Ordering::Relaxed) as f64);
        }
    }
}
