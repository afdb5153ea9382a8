//! How fragments become one update again, in bounded memory.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::{Duration, Instant},
};

use bytes::Bytes;

pub use self::error::ReassemblyError;
use crate::{BatchId, MAX_FRAME_BYTES, Magic, RoomName, encode::wide};

mod error;

/// How many settled batches are remembered, so that their late fragments are passed over in silence.
const REMEMBERED_BATCHES: usize = 64;

/// What one connection may have under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReassemblyLimits {
    /// Most bytes of all batches together, as their headers declare them; so also the longest update.
    pub max_bytes: usize,
    /// Most batches at once.
    pub max_batches: usize,
    /// Most fragments of one batch.
    pub max_fragments: u64,
    /// How long a batch may go without a new fragment.
    pub timeout: Duration,
}

impl Default for ReassemblyLimits {
    /// 16 MiB, 16 batches, 1,024 fragments, and the 10 seconds of the protocol.
    fn default() -> Self {
        Self {
            max_bytes: 16 * 1024 * 1024,
            max_batches: 16,
            max_fragments: 1_024,
            timeout: Duration::from_secs(10),
        }
    }
}

/// What a fragment led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// More are needed.
    Waiting,
    /// It was the last one; this is the update.
    Complete(Bytes),
    /// Its batch has been refused or completed before; the sender has been told.
    Ignored,
}

type Address = (Magic, RoomName, BatchId);

/// The batches under way on one connection.
///
/// Memory is taken as chunks arrive, never for what a header claims, and chunks are copied, so that a small
/// one does not keep a large read buffer alive. The clock is handed in.
#[derive(Debug)]
pub struct Reassembler {
    limits: ReassemblyLimits,
    batches: HashMap<Address, Batch>,
    /// The sum of what the headers of all batches declare.
    declared_bytes: usize,
    settled: VecDeque<Address>,
}

impl Reassembler {
    /// Nothing is under way.
    #[must_use]
    pub fn new(limits: ReassemblyLimits) -> Self {
        Self { limits, batches: HashMap::new(), declared_bytes: 0, settled: VecDeque::new() }
    }

    /// Begins the batch of a header.
    ///
    /// # Errors
    /// [`ReassemblyError`]; the fragments that follow are ignored, so the batch is acknowledged once.
    pub fn begin(
        &mut self,
        magic: Magic,
        room: &RoomName,
        batch: BatchId,
        count: u64,
        total_bytes: u64,
        now: Instant,
    ) -> Result<(), ReassemblyError> {
        let address = (magic, room.clone(), batch);
        match self.check_header(&address, count, total_bytes) {
            Ok(total_bytes) => {
                self.settled.retain(|settled| *settled != address);
                self.declared_bytes += total_bytes;
                self.batches.insert(address, Batch::new(count, total_bytes, now));
                Ok(())
            }
            Err(error) => {
                self.settle(address);
                Err(error)
            }
        }
    }

    /// Takes in a fragment.
    ///
    /// # Errors
    /// [`ReassemblyError`]; the batch is forgotten, and the fragments that follow are ignored.
    pub fn accept(
        &mut self,
        magic: Magic,
        room: &RoomName,
        batch: BatchId,
        index: u64,
        chunk: &[u8],
        now: Instant,
    ) -> Result<Progress, ReassemblyError> {
        let address = (magic, room.clone(), batch);
        let Some(under_way) = self.batches.get_mut(&address) else {
            if self.settled.contains(&address) {
                return Ok(Progress::Ignored);
            }
            self.settle(address);
            return Err(ReassemblyError::UnknownBatch);
        };
        let outcome = under_way.accept(index, chunk, now);
        match outcome {
            Ok(None) => Ok(Progress::Waiting),
            Ok(Some(update)) => {
                self.settle(address);
                Ok(Progress::Complete(update))
            }
            Err(error) => {
                self.settle(address);
                Err(error)
            }
        }
    }

    /// Forgets a batch that was refused for another reason; the fragments that follow are ignored.
    pub fn refuse(&mut self, magic: Magic, room: &RoomName, batch: BatchId) {
        self.settle((magic, room.clone(), batch));
    }

    /// Forgets all batches of a room that was left.
    pub fn leave(&mut self, magic: Magic, room: &RoomName) {
        self.settle_all(|address, _| address.0 == magic && address.1 == *room);
    }

    /// Forgets the batches that went without a fragment for too long, and returns them.
    ///
    /// Each is to be acknowledged with [`AckStatus::FragmentTimeout`](crate::AckStatus::FragmentTimeout).
    pub fn expire(&mut self, now: Instant) -> Vec<(Magic, RoomName, BatchId)> {
        let timeout = self.limits.timeout;
        self.settle_all(|_, batch| now.saturating_duration_since(batch.last_progress) >= timeout)
    }

    /// When [`expire`](Self::expire) will next have something to return.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.batches.values().filter_map(|batch| batch.last_progress.checked_add(self.limits.timeout)).min()
    }

    /// The bytes that the headers under way declare.
    #[must_use]
    pub fn declared_bytes(&self) -> usize {
        self.declared_bytes
    }

    fn check_header(
        &self,
        address: &Address,
        count: u64,
        total_bytes: u64,
    ) -> Result<usize, ReassemblyError> {
        let ReassemblyLimits { max_bytes, max_batches, max_fragments, .. } = self.limits;
        if self.batches.contains_key(address) {
            return Err(ReassemblyError::DuplicateHeader);
        }
        let Some(total) = usize::try_from(total_bytes).ok().filter(|total| *total <= max_bytes) else {
            return Err(ReassemblyError::UpdateTooLarge { limit: max_bytes, found: total_bytes });
        };
        if count > max_fragments {
            return Err(ReassemblyError::TooManyFragments { limit: max_fragments, found: count });
        }
        if count == 0 || count > total_bytes || total_bytes > count.saturating_mul(wide(MAX_FRAME_BYTES)) {
            return Err(ReassemblyError::InconsistentHeader { count, total_bytes });
        }
        if self.batches.len() >= max_batches {
            return Err(ReassemblyError::TooManyBatches { limit: max_batches });
        }
        let under_way = self.declared_bytes.saturating_add(total);
        if under_way > max_bytes {
            return Err(ReassemblyError::TooManyBytes { limit: max_bytes, found: wide(under_way) });
        }
        Ok(total)
    }

    fn settle(&mut self, address: Address) {
        if let Some(batch) = self.batches.remove(&address) {
            self.declared_bytes -= batch.total_bytes;
        }
        if self.settled.contains(&address) {
            return;
        }
        if self.settled.len() == REMEMBERED_BATCHES {
            self.settled.pop_front();
        }
        self.settled.push_back(address);
    }

    fn settle_all(&mut self, over: impl Fn(&Address, &Batch) -> bool) -> Vec<Address> {
        let addresses: Vec<Address> = self
            .batches
            .iter()
            .filter(|(address, batch)| over(address, batch))
            .map(|(address, _)| address.clone())
            .collect();
        for address in &addresses {
            self.settle(address.clone());
        }
        addresses
    }
}

/// One update on its way.
#[derive(Debug)]
struct Batch {
    count: u64,
    total_bytes: usize,
    last_progress: Instant,
    /// The bytes of all fragments so far.
    received_bytes: usize,
    /// The fragments before `next`, joined.
    joined: Vec<u8>,
    next: u64,
    /// Fragments that came before their predecessors.
    early: BTreeMap<u64, Box<[u8]>>,
}

impl Batch {
    fn new(count: u64, total_bytes: usize, now: Instant) -> Self {
        Self {
            count,
            total_bytes,
            last_progress: now,
            received_bytes: 0,
            joined: Vec::new(),
            next: 0,
            early: BTreeMap::new(),
        }
    }

    fn accept(&mut self, index: u64, chunk: &[u8], now: Instant) -> Result<Option<Bytes>, ReassemblyError> {
        if index >= self.count {
            return Err(ReassemblyError::IndexOutOfRange { count: self.count, found: index });
        }
        if index < self.next || self.early.contains_key(&index) {
            return Err(ReassemblyError::DuplicateFragment { index });
        }
        if chunk.is_empty() {
            return Err(ReassemblyError::EmptyFragment { index });
        }
        self.received_bytes = self.received_bytes.saturating_add(chunk.len());
        if self.received_bytes > self.total_bytes {
            return Err(self.wrong_length());
        }
        self.last_progress = now;
        if index > self.next {
            self.early.insert(index, chunk.into());
            return Ok(None);
        }
        self.join(chunk);
        while let Some(chunk) = self.early.remove(&self.next) {
            self.join(&chunk);
        }
        if self.next < self.count {
            return Ok(None);
        }
        if self.received_bytes < self.total_bytes {
            return Err(self.wrong_length());
        }
        Ok(Some(Bytes::from(std::mem::take(&mut self.joined))))
    }

    /// Doubles the buffer when it is full, as a vector does by itself, but never beyond the whole update.
    fn join(&mut self, chunk: &[u8]) {
        let spare = self.joined.capacity() - self.joined.len();
        if spare < chunk.len() {
            let more = self.joined.len().max(chunk.len()).min(self.total_bytes - self.joined.len());
            self.joined.reserve_exact(more);
        }
        self.joined.extend_from_slice(chunk);
        self.next += 1;
    }

    fn wrong_length(&self) -> ReassemblyError {
        ReassemblyError::WrongLength { expected: self.total_bytes, found: self.received_bytes }
    }
}

#[cfg(test)]
mod tests;
