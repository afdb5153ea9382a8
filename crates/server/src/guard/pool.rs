//! The server's side: guards that are kept busy, watched, and replaced.

use std::{
    ffi::OsString,
    io,
    path::PathBuf,
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::{Mutex, mpsc, oneshot},
    time::timeout,
};

use super::{
    Guard, GuardError,
    frames::{FULL_BATCH, MOST_REASON, MOST_UPDATES, REFUSED, SOUND, Verdict, batch},
};

/// Updates that may wait; whoever has more waits itself.
const MOST_WAITING: usize = 256;
/// How long a guard may take over a batch, and how much longer for each mebibyte.
const PATIENCE: Duration = Duration::from_secs(2);
const PATIENCE_PER_MEBIBYTE: Duration = Duration::from_secs(1);

/// How guards are to be run.
#[derive(Debug, Clone)]
pub struct GuardPoolOptions {
    /// The binary.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// How many there are.
    pub count: usize,
}

/// Guards that share what there is to look at.
#[derive(Debug)]
pub struct GuardPool(mpsc::Sender<Request>);

struct Request {
    update: Bytes,
    reply: oneshot::Sender<Result<(), GuardError>>,
}

/// What waits for a guard. An async mutex, because a guard holds it while it waits for the first update.
type Queue = Arc<Mutex<mpsc::Receiver<Request>>>;

impl GuardPool {
    /// Starts the guards; they end with the pool.
    ///
    /// # Errors
    /// When the binary cannot be run.
    pub fn start(options: GuardPoolOptions) -> io::Result<Self> {
        let (send, receive) = mpsc::channel(MOST_WAITING);
        let queue = Arc::new(Mutex::new(receive));
        let options = Arc::new(options);
        metrics::counter!("corella_guard_deaths_total").increment(0);
        for _ in 0..options.count.max(1) {
            let process = Process::start(&options)?;
            let worker = Worker { options: Arc::clone(&options), process: Some(process) };
            tokio::spawn(worker.run(Arc::clone(&queue)));
        }
        Ok(Self(send))
    }
}

impl Guard for GuardPool {
    fn examine(&self, update: Bytes) -> BoxFuture<'_, Result<(), GuardError>> {
        async move {
            let started = Instant::now();
            let (reply, answer) = oneshot::channel();
            let sent = self.0.send(Request { update, reply }).await;
            sent.map_err(|_| GuardError::Unavailable)?;
            let verdict = answer.await.unwrap_or(Err(GuardError::Unavailable));
            metrics::histogram!("corella_guard_seconds").record(started.elapsed());
            verdict
        }
        .boxed()
    }
}

/// One guard, and whoever takes its place.
struct Worker {
    options: Arc<GuardPoolOptions>,
    /// `None` after one has died and another could not be started yet.
    process: Option<Process>,
}

impl Worker {
    async fn run(mut self, queue: Queue) {
        loop {
            let Some(requests) = take(&queue).await else { return };
            self.work(requests).await;
        }
    }

    async fn work(&mut self, requests: Vec<Request>) {
        metrics::counter!("corella_guard_updates_total").increment(requests.len() as u64);
        if let Ok(verdicts) = self.attempt(&requests).await {
            return answer(requests, verdicts);
        }
        // One of them did it, or the guard went for a reason of its own: each alone tells.
        for request in requests {
            let alone = std::slice::from_ref(&request);
            let mut outcome = self.attempt(alone).await;
            if let Err(Lost::Died) = outcome {
                outcome = self.attempt(alone).await;
            }
            let verdict = match outcome {
                Ok(verdicts) => {
                    answer(vec![request], verdicts);
                    continue;
                }
                Err(Lost::Died) => GuardError::Deadly,
                Err(Lost::NotStarted) => GuardError::Unavailable,
            };
            request.reply.send(Err(verdict)).ok();
        }
    }

    /// Has the guard look at a batch; one that dies of it is replaced at once.
    async fn attempt(&mut self, requests: &[Request]) -> Result<Vec<Verdict>, Lost> {
        if self.process.is_none() {
            self.restart();
        }
        let process = self.process.as_mut().ok_or(Lost::NotStarted)?;
        let bytes: usize = requests.iter().map(|request| request.update.len()).sum();
        let patience = PATIENCE + PATIENCE_PER_MEBIBYTE * u32::try_from(bytes >> 20).unwrap_or(u32::MAX);
        match timeout(patience, process.examine(requests)).await {
            Ok(Ok(verdicts)) => return Ok(verdicts),
            Ok(Err(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, bytes, "a guard has died")
            }
            Err(_) => {
                metrics::counter!("corella_guard_timeouts_total").increment(1);
                tracing::warn!(bytes, "a guard did not answer in time and is ended");
            }
        }
        metrics::counter!("corella_guard_deaths_total").increment(1);
        self.restart();
        Err(Lost::Died)
    }

    fn restart(&mut self) {
        // Dropping the old one kills it.
        self.process = None;
        match Process::start(&self.options) {
            Ok(process) => self.process = Some(process),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a guard cannot be started");
            }
        }
    }
}

/// Why there is no verdict.
enum Lost {
    Died,
    NotStarted,
}

fn answer(requests: Vec<Request>, verdicts: Vec<Verdict>) {
    for (request, verdict) in requests.into_iter().zip(verdicts) {
        let verdict = match verdict {
            Verdict::Sound => Ok(()),
            Verdict::Refused(reason) => Err(GuardError::Refused(reason)),
        };
        request.reply.send(verdict).ok();
    }
}

/// Waits for an update, and takes what else waits; `None` when no more will come.
async fn take(queue: &Queue) -> Option<Vec<Request>> {
    let mut queue = queue.lock().await;
    let first = queue.recv().await?;
    let mut bytes = first.update.len();
    let mut requests = vec![first];
    while bytes < FULL_BATCH
        && requests.len() < MOST_UPDATES
        && let Ok(request) = queue.try_recv()
    {
        bytes += request.update.len();
        requests.push(request);
    }
    Some(requests)
}

/// A child process; dropping it kills it.
struct Process {
    _child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Process {
    fn start(options: &GuardPoolOptions) -> io::Result<Self> {
        let mut child = Command::new(&options.program)
            .args(&options.arguments)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let gone = || io::Error::other("the guard has no pipes");
        let (input, output) = (child.stdin.take().ok_or_else(gone)?, child.stdout.take().ok_or_else(gone)?);
        Ok(Self { _child: child, input, output: BufReader::new(output) })
    }

    async fn examine(&mut self, requests: &[Request]) -> io::Result<Vec<Verdict>> {
        let bytes = batch(requests.iter().map(|request| &request.update[..]));
        self.input.write_all(&bytes).await?;
        self.input.flush().await?;
        let mut verdicts = Vec::with_capacity(requests.len());
        for _ in requests {
            verdicts.push(match self.output.read_u8().await? {
                SOUND => Verdict::Sound,
                REFUSED => {
                    let length = usize::from(self.output.read_u16_le().await?).min(MOST_REASON);
                    let mut reason = vec![0; length];
                    self.output.read_exact(&mut reason).await?;
                    Verdict::Refused(String::from_utf8_lossy(&reason).into_owned())
                }
                _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "a verdict that none is")),
            });
        }
        Ok(verdicts)
    }
}
