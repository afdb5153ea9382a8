//! The server's side: guards that are kept busy, watched, and replaced.
//!
//! Whoever has blobs takes a guard that is free and talks to it on its own thread: a guard answers to small blobs within
//! some microseconds, less than it takes to wake another thread. One that has not answered within moments is waited
//! for elsewhere. Where no guard is free, whoever gets the next one takes along what else waits.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::{
    GuardError,
    frames::{Blob, BlobKind, FULL_BATCH, MOST_BLOBS, Verdict, batch},
    process::{Answer, GuardPoolOptions, Process},
};

/// How long the answer to a small batch is waited for on the caller's own thread. It comes within some 20 µs; the bound
/// is beyond the next tick of the clock, because setting a nearer alarm takes longer than that itself.
const MOMENT: Duration = Duration::from_millis(5);
/// Bytes of a small batch; a pipe takes them at once.
const SMALL_BATCH: usize = 16 * 1024;
/// How long a guard may take before another takes over what comes next.
const SLOW: Duration = Duration::from_millis(20);
/// Guards that may be slow at the same time, beside those that go on.
const MOST_SLOW: usize = 6;
/// How long a guard may take over a batch, and how much longer for each mebibyte.
const PATIENCE: Duration = Duration::from_secs(2);
const PATIENCE_PER_MEBIBYTE: Duration = Duration::from_secs(1);

type Outcome = Result<(), GuardError>;

/// Guards that share what there is to look at; they end with the pool.
#[derive(Debug, Clone)]
pub struct GuardPool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    options: GuardPoolOptions,
    /// A permit for each guard that nobody talks to.
    free: Arc<Semaphore>,
    /// A permit for each guard that may be started in the place of a slow one.
    spare: Arc<Semaphore>,
    /// The guards that nobody talks to; `None` stands for one that is to be started again. A plain mutex, held to take
    /// one or give it back.
    idle: Mutex<Vec<Option<Process>>>,
    /// What waits for a guard. A plain mutex, held to add to it or take from it.
    waiting: Mutex<VecDeque<Request>>,
}

/// Blobs that are looked at together.
#[derive(Debug)]
struct Request {
    blobs: Vec<Blob>,
    reply: oneshot::Sender<Vec<Outcome>>,
}

impl GuardPool {
    /// Starts the guards.
    ///
    /// # Errors
    /// When the binary cannot be run.
    pub fn start(options: GuardPoolOptions) -> io::Result<Self> {
        for counter in
            ["corella_guard_deaths_total", "corella_guard_timeouts_total", "corella_guard_refused_total"]
        {
            metrics::counter!(counter).increment(0);
        }
        let count = options.count.max(1);
        let idle: Vec<Option<Process>> =
            (0..count).map(|_| Process::start(&options).map(Some)).collect::<io::Result<_>>()?;
        Ok(Self(Arc::new(Shared {
            options,
            free: Arc::new(Semaphore::new(count)),
            spare: Arc::new(Semaphore::new(MOST_SLOW)),
            idle: Mutex::new(idle),
            waiting: Mutex::default(),
        })))
    }

    /// Has blobs decoded elsewhere; answers for each of them, in their order.
    ///
    /// # Errors
    /// The answer for a blob is a [`GuardError`] when that did not go well.
    pub async fn examine(&self, kind: BlobKind, blobs: impl IntoIterator<Item = Bytes>) -> Vec<Outcome> {
        let started = Instant::now();
        let mut blobs = blobs.into_iter().map(|bytes| Blob { kind, bytes }).peekable();
        let mut outcomes = Vec::new();
        while blobs.peek().is_some() {
            let some: Vec<Blob> = blobs.by_ref().take(MOST_BLOBS).collect();
            let expected = some.len();
            let answered = self.look_at(some).await;
            outcomes.extend(answered.unwrap_or_else(|| vec![Err(GuardError::Unavailable); expected]));
        }
        metrics::counter!("corella_guard_updates_total").increment(outcomes.len() as u64);
        metrics::histogram!("corella_guard_seconds").record(started.elapsed());
        let refused = outcomes.iter().filter(|outcome| outcome.is_err()).count();
        if refused > 0 {
            metrics::counter!("corella_guard_refused_total").increment(refused as u64);
        }
        outcomes
    }

    async fn look_at(&self, blobs: Vec<Blob>) -> Option<Vec<Outcome>> {
        let (reply, mut answer) = oneshot::channel();
        let request = Request { blobs, reply };
        if let Ok(permit) = Arc::clone(&self.0.free).try_acquire_owned() {
            self.lease(permit).work(vec![request]).await;
            return answer.await.ok();
        }
        self.0.waiting().push_back(request);
        loop {
            let free = Arc::clone(&self.0.free).acquire_owned();
            let permit = tokio::select! {
                biased;
                // Whoever got a guard before took this along.
                answered = &mut answer => return answered.ok(),
                permit = free => permit.ok()?,
            };
            let batch = self.0.take_waiting();
            if batch.is_empty() {
                drop(permit);
                return answer.await.ok();
            }
            self.lease(permit).work(batch).await;
        }
    }

    fn lease(&self, permit: OwnedSemaphorePermit) -> Lease {
        let process = self.0.idle().pop().flatten();
        Lease { process, shared: Arc::clone(&self.0), held: Held::Regular(Some(permit)) }
    }
}

impl Shared {
    fn idle(&self) -> MutexGuard<'_, Vec<Option<Process>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Request>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As much of what waits as makes a batch.
    fn take_waiting(&self) -> Vec<Request> {
        let mut waiting = self.waiting();
        let (mut blobs, mut bytes) = (0, 0);
        let mut taken = Vec::new();
        while let Some(next) = waiting.front() {
            blobs += next.blobs.len();
            bytes += next.blobs.iter().map(|blob| blob.bytes.len()).sum::<usize>();
            if !taken.is_empty() && (blobs > MOST_BLOBS || bytes > FULL_BATCH) {
                break;
            }
            // Whoever has gone meanwhile needs no answer.
            taken.extend(waiting.pop_front().filter(|request| !request.reply.is_closed()));
        }
        taken
    }
}

/// One guard, as long as somebody talks to it.
struct Lease {
    /// `None` after one has died and another could not be started yet.
    process: Option<Process>,
    shared: Arc<Shared>,
    held: Held,
}

/// What a lease gives back in the end.
enum Held {
    /// A guard of the pool, whose permit is there until the lease ends.
    Regular(Option<OwnedSemaphorePermit>),
    /// Nothing: the pool has another in its place.
    Replaced { _spare: OwnedSemaphorePermit },
}

impl Drop for Lease {
    fn drop(&mut self) {
        match &mut self.held {
            Held::Regular(permit) => {
                self.shared.idle().push(self.process.take());
                drop(permit.take());
            }
            Held::Replaced { .. } => {}
        }
    }
}

/// Why there is no verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lost {
    Died,
    Stuck,
    NotStarted,
}

/// How far a batch has come.
enum Begun {
    /// Nothing was sent.
    NotYet,
    Sent,
    Answered(Vec<Verdict>),
    Lost(Lost),
}

impl Lease {
    /// Answers some requests.
    async fn work(mut self, requests: Vec<Request>) {
        let blobs: Vec<Blob> = requests.iter().flat_map(|request| &request.blobs).cloned().collect();
        let begun = match self.begin(&blobs) {
            Begun::Answered(verdicts) => return answer(requests, verdicts.into_iter().map(outcome)),
            begun @ (Begun::NotYet | Begun::Sent | Begun::Lost(_)) => begun,
        };
        // Dropping the future does not stop this, so that no guard is left in the middle of a batch.
        let finished = tokio::task::spawn_blocking(move || {
            let outcomes = self.finish(&blobs, &begun);
            answer(requests, outcomes.into_iter());
        });
        finished.await.ok();
    }

    /// Sends a small batch, and waits a moment for the answer.
    fn begin(&mut self, blobs: &[Blob]) -> Begun {
        let size: usize = blobs.iter().map(|blob| blob.bytes.len()).sum();
        let Some(process) = self.process.as_mut().filter(|_| size <= SMALL_BATCH) else {
            return Begun::NotYet;
        };
        let until = Instant::now() + MOMENT;
        let sent = process.send(&batch(blobs.iter()), until);
        match sent.and_then(|()| process.receive(blobs.len(), until)) {
            Ok(Answer::Whole(verdicts)) => Begun::Answered(verdicts),
            Ok(Answer::Awaited) => Begun::Sent,
            Err(error) => Begun::Lost(self.bury(&error)),
        }
    }

    /// Answers for a batch, whatever it takes.
    fn finish(&mut self, blobs: &[Blob], begun: &Begun) -> Vec<Outcome> {
        let whole = match begun {
            Begun::Answered(verdicts) => Ok(verdicts.clone()),
            Begun::Sent => self.wait(blobs),
            Begun::Lost(lost) => Err(*lost),
            Begun::NotYet => self.attempt(blobs),
        };
        match (whole, blobs) {
            (Ok(verdicts), _) => verdicts.into_iter().map(outcome).collect(),
            (Err(lost), [only]) => vec![self.again(only, lost)],
            // One of them did it, or the guard went for a reason of its own: each alone tells.
            (Err(_), blobs) => blobs.iter().map(|blob| self.alone(blob)).collect(),
        }
    }

    fn alone(&mut self, blob: &Blob) -> Outcome {
        match self.attempt(std::slice::from_ref(blob)) {
            Ok(verdicts) => sole(verdicts),
            Err(lost) => self.again(blob, lost),
        }
    }

    /// Has another guard look at a blob of which one has died: it may have died of something else.
    fn again(&mut self, blob: &Blob, lost: Lost) -> Outcome {
        let last = match lost {
            Lost::Died => self.attempt(std::slice::from_ref(blob)),
            Lost::Stuck | Lost::NotStarted => Err(lost),
        };
        match last {
            Ok(verdicts) => sole(verdicts),
            Err(Lost::Died | Lost::Stuck) => Err(GuardError::Deadly),
            Err(Lost::NotStarted) => Err(GuardError::Unavailable),
        }
    }

    /// Has the guard look at a batch; one that dies of it is replaced by the next.
    fn attempt(&mut self, blobs: &[Blob]) -> Result<Vec<Verdict>, Lost> {
        if self.process.is_none() {
            match Process::start(&self.shared.options) {
                Ok(process) => self.process = Some(process),
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "a guard cannot be started");
                    return Err(Lost::NotStarted);
                }
            }
        }
        let process = self.process.as_mut().ok_or(Lost::NotStarted)?;
        match process.send(&batch(blobs.iter()), Instant::now() + patience(blobs)) {
            Ok(()) => self.wait(blobs),
            Err(error) => Err(self.bury(&error)),
        }
    }

    /// Waits for the answer to a batch that was sent.
    fn wait(&mut self, blobs: &[Blob]) -> Result<Vec<Verdict>, Lost> {
        let started = Instant::now();
        for patience in [SLOW, patience(blobs)] {
            let process = self.process.as_mut().ok_or(Lost::NotStarted)?;
            match process.receive(blobs.len(), started + patience) {
                Ok(Answer::Whole(verdicts)) => return Ok(verdicts),
                Ok(Answer::Awaited) => self.step_aside(),
                Err(error) => return Err(self.bury(&error)),
            }
        }
        metrics::counter!("corella_guard_timeouts_total").increment(1);
        tracing::warn!("a guard did not answer in time and is ended");
        metrics::counter!("corella_guard_deaths_total").increment(1);
        self.process = None;
        Err(Lost::Stuck)
    }

    /// Lets another guard take this one's place in the pool, so that what comes next need not wait for a slow one.
    fn step_aside(&mut self) {
        let Held::Regular(permit) = &mut self.held else { return };
        let Ok(spare) = Arc::clone(&self.shared.spare).try_acquire_owned() else { return };
        self.shared.idle().push(Process::start(&self.shared.options).ok());
        drop(permit.take());
        self.held = Held::Replaced { _spare: spare };
    }

    fn bury(&mut self, error: &io::Error) -> Lost {
        metrics::counter!("corella_guard_deaths_total").increment(1);
        tracing::warn!(error = error as &dyn std::error::Error, "a guard has died");
        self.process = None;
        Lost::Died
    }
}

fn patience(blobs: &[Blob]) -> Duration {
    let bytes: usize = blobs.iter().map(|blob| blob.bytes.len()).sum();
    PATIENCE + PATIENCE_PER_MEBIBYTE * u32::try_from(bytes >> 20).unwrap_or(u32::MAX)
}

fn sole(verdicts: Vec<Verdict>) -> Outcome {
    verdicts.into_iter().next().map_or(Err(GuardError::Unavailable), outcome)
}

fn outcome(verdict: Verdict) -> Outcome {
    match verdict {
        Verdict::Sound => Ok(()),
        Verdict::Refused(reason) => Err(GuardError::Refused(reason)),
    }
}

fn answer(requests: Vec<Request>, mut outcomes: impl Iterator<Item = Outcome>) {
    for request in requests {
        let own: Vec<Outcome> = outcomes.by_ref().take(request.blobs.len()).collect();
        request.reply.send(own).ok();
    }
}
