//! A scenario, run against one server.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep_until, timeout},
};

use crate::{
    client::{self, Receiver, Sender},
    scenario::Scenario,
    server::Running,
    speech::{Beginning, Heard, Pen, Speech},
    track::{Followed, Track},
    usage::Usage,
};

/// Connections that are opened at the same time.
const OPENING: usize = 32;
/// How long readers are waited for once nobody writes any more.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a server made of a scenario.
pub(crate) struct Measured {
    /// How long each edit took to each reader, in microseconds, in ascending order.
    pub(crate) took: Vec<u32>,
    /// How many there should be.
    pub(crate) expected: usize,
    pub(crate) window: Duration,
    /// Received by readers in all, from the first edit on.
    pub(crate) bytes: u64,
    /// Deliveries that these bytes carried, those of the warm-up included.
    pub(crate) carried: u64,
    /// Processor time of the server while it counted.
    pub(crate) processor: Duration,
    /// The server's memory before anybody came, in bytes.
    pub(crate) memory_before: u64,
    /// The same while everybody was there.
    pub(crate) memory: u64,
}

/// One document and those who share it.
struct Shared {
    beginning: Beginning,
    /// Of each writer, by its number; the first one fills the document.
    tracks: Vec<Track>,
}

/// What readers know of the run.
#[derive(Clone)]
struct Stage {
    /// What counts, once it is known.
    window: watch::Receiver<Option<Range<Instant>>>,
    /// Set when all has been written.
    is_over: watch::Receiver<bool>,
    ready: Arc<Semaphore>,
    bytes: Arc<AtomicU64>,
}

pub(crate) async fn run(scenario: &Scenario, server: &Running) -> Measured {
    let memory_before = Usage::of(server.id()).memory;
    let documents: Vec<Arc<Shared>> =
        (0..scenario.documents).map(|number| Arc::new(Shared::new(scenario, server, number))).collect();
    let (set_window, window) = watch::channel(None);
    let (set_over, is_over) = watch::channel(false);
    let stage = Stage { window, is_over, ready: Arc::new(Semaphore::new(0)), bytes: Arc::default() };
    let opening = Arc::new(Semaphore::new(OPENING));

    let (mut readers, mut writers) = (JoinSet::new(), JoinSet::new());
    for (number, document) in documents.iter().enumerate() {
        let url = server.url(&server.kind.document(number));
        for reader in 0..scenario.readers {
            let (document, stage, opening, url) =
                (Arc::clone(document), stage.clone(), Arc::clone(&opening), url.clone());
            readers.spawn(async move {
                let permit = opening.acquire_owned().await;
                let mut speech = document.beginning.reader();
                let (mut sender, mut receiver, heard) = client::enter(&url, &mut *speech).await;
                // The first one of each document brings its text along.
                if reader == 0 {
                    let (frames, end) = document.beginning.fill();
                    if !frames.is_empty() {
                        document.filled(&url, frames, end).await;
                    }
                }
                document.await_beginning(heard, &mut *speech, &mut sender, &mut receiver).await;
                drop(permit);
                stage.ready.add_permits(1);
                document.read(&mut *speech, &mut sender, &mut receiver, stage).await
            });
        }
    }
    let all = u32::try_from(scenario.documents * scenario.readers).expect("readers are few");
    tokio::select! {
        ready = stage.ready.acquire_many(all) => drop(ready.expect("it is never closed")),
        Some(ended) = readers.join_next() => panic!("a reader has left before anything was written: {:?}", ended.err()),
    }

    for (number, document) in documents.iter().enumerate() {
        let url = server.url(&server.kind.document(number));
        for writer in 1..=scenario.writers {
            let (document, opening, url) = (Arc::clone(document), Arc::clone(&opening), url.clone());
            let is_over = stage.is_over.clone();
            // Spread over the time between two edits, so that they do not all write at once.
            let every = Duration::from_secs_f64(1.0 / scenario.rate);
            let place = number * scenario.writers + writer;
            let offset = every.mul_f64(place as f64 / (scenario.documents * scenario.writers) as f64);
            writers.spawn(async move {
                let permit = opening.acquire_owned().await;
                let (mut speech, pen) = document.beginning.writer(writer as u64);
                let (sender, receiver, _) = client::enter(&url, &mut *speech).await;
                drop(permit);
                tokio::time::sleep(offset).await;
                write(&document.tracks[writer], &mut *speech, pen, sender, receiver, every, is_over).await;
            });
        }
    }
    tokio::time::sleep(scenario.warm_up()).await;
    let begin = Instant::now();
    let end = begin + scenario.measured();
    set_window.send_replace(Some(begin..end));
    let before = Usage::of(server.id());
    sleep_until(end.into()).await;
    let after = Usage::of(server.id());
    set_over.send_replace(true);
    while let Some(written) = writers.join_next().await {
        written.expect("a writer writes to the end");
    }
    let mut took = Vec::new();
    let mut carried = 0;
    while let Some(read) = readers.join_next().await {
        let followed = read.expect("a reader reads to the end");
        took.extend(followed.took);
        carried += followed.count as u64;
    }
    took.sort_unstable();
    let counted = documents.iter().flat_map(|document| &document.tracks[1..]);
    let expected = counted.map(|track| track.within(&(begin..end))).sum::<usize>() * scenario.readers;
    Measured {
        took,
        expected,
        window: scenario.measured(),
        bytes: stage.bytes.load(Ordering::Relaxed),
        carried,
        processor: after.processor.saturating_sub(before.processor),
        memory_before,
        memory: after.memory,
    }
}

/// What one reader has seen of all writers.
struct Seen {
    took: Vec<u32>,
    count: usize,
}

impl Shared {
    fn new(scenario: &Scenario, server: &Running, number: usize) -> Self {
        let document = server.kind.document(number);
        let beginning = server.kind.language().beginning(&document, scenario.characters);
        Self { beginning, tracks: (0..=scenario.writers).map(|_| Track::default()).collect() }
    }

    /// Fills the document over a connection of its own, which stays until the server has told somebody.
    async fn filled(&self, url: &str, frames: Vec<bytes::Bytes>, end: u64) {
        self.tracks[0].sends(end);
        let mut speech = self.beginning.reader();
        let (mut sender, mut receiver, _) = client::enter(url, &mut *speech).await;
        sender.send(frames).await;
        // Whoever asks after this gets it: servers take frames in their order.
        tokio::spawn(async move {
            while let Some(frame) = receiver.next().await {
                sender.send(speech.hear(frame).answer).await;
            }
        });
    }

    /// Waits for the text that the document begins with; `heard` is what came already.
    async fn await_beginning(
        &self,
        mut heard: Heard,
        speech: &mut dyn Speech,
        sender: &mut Sender,
        receiver: &mut Receiver,
    ) {
        let (_, end) = self.beginning.fill();
        if end == 0 {
            return;
        }
        let arrival = async {
            while !heard.reached.iter().any(|(writer, at)| *writer == 0 && *at >= end) {
                let frame = receiver.next().await.expect("the server lives");
                heard = speech.hear(frame);
                sender.send(std::mem::take(&mut heard.answer)).await;
            }
        };
        timeout(PATIENCE, arrival).await.expect("the server sends the document");
    }

    /// Reads until all is over and everything has arrived, or patience ends.
    async fn read(
        &self,
        speech: &mut dyn Speech,
        sender: &mut Sender,
        receiver: &mut Receiver,
        stage: Stage,
    ) -> Seen {
        let mut followed: Vec<Followed> = self.tracks.iter().map(|_| Followed::default()).collect();
        followed[0].skip(self.tracks[0].len());
        let mut is_over = stage.is_over.clone();
        let mut deadline = None;
        // Before it is known what counts, nothing does.
        let never = Instant::now()..Instant::now();
        loop {
            let is_complete =
                self.tracks.iter().zip(&followed).all(|(track, followed)| track.is_followed(followed));
            if deadline.is_some() && is_complete {
                break;
            }
            let frame = tokio::select! {
                frame = receiver.next() => frame,
                () = over(&mut is_over), if deadline.is_none() => {
                    deadline = Some(tokio::time::Instant::now() + PATIENCE);
                    continue;
                }
                () = async { sleep_until(deadline.unwrap_or_else(tokio::time::Instant::now)).await }, if deadline.is_some() => break,
            };
            let Some(frame) = frame else { break };
            stage.bytes.fetch_add(frame.len() as u64, Ordering::Relaxed);
            let heard = speech.hear(frame);
            let window = stage.window.borrow().clone().unwrap_or_else(|| never.clone());
            for (writer, end) in heard.reached {
                if let Some(place) = usize::try_from(writer).ok().filter(|place| *place < followed.len()) {
                    self.tracks[place].arrived(&mut followed[place], end, &window);
                }
            }
            if !heard.answer.is_empty() {
                sender.send(heard.answer).await;
            }
        }
        let count = followed[1..].iter().map(Followed::count).sum();
        Seen { took: followed.into_iter().flat_map(|followed| followed.took).collect(), count }
    }
}

async fn over(is_over: &mut watch::Receiver<bool>) {
    drop(is_over.wait_for(|over| *over).await);
}

async fn write(
    track: &Track,
    speech: &mut dyn Speech,
    mut pen: Box<dyn Pen>,
    mut sender: Sender,
    mut receiver: Receiver,
    every: Duration,
    mut is_over: watch::Receiver<bool>,
) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                let (frames, end) = pen.write();
                track.sends(end);
                sender.send(frames).await;
            }
            frame = receiver.next() => {
                let frame = frame.expect("the server lives");
                sender.send(speech.hear(frame).answer).await;
            }
            () = over(&mut is_over) => break,
        }
    }
    // What was sent has to arrive: the connection is kept until the server has had time to take it.
    let drain = async { while receiver.next().await.is_some() {} };
    drop(timeout(Duration::from_secs(1), drain).await);
}
