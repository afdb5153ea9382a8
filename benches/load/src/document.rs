//! One document under load, and those who read it and write to it.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    sync::{Semaphore, SetOnce, watch},
    time::{MissedTickBehavior, interval, sleep, sleep_until, timeout},
};

use crate::{
    client::{self, Receiver, Sender},
    scenario::Scenario,
    server::Running,
    speech::{Beginning, Heard, Speech},
    track::{Followed, Track},
};

/// Connections that are opened at the same time.
const OPENING: usize = 32;
/// How long readers are waited for once nobody writes any more.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a slow reader takes in nothing.
const PAUSE: Duration = Duration::from_secs(10);

/// What everybody in a run shares.
#[derive(Clone)]
pub(crate) struct Stage {
    /// What counts, once it is known.
    window: watch::Receiver<Option<Range<Instant>>>,
    /// Set when all has been written.
    is_over: watch::Receiver<bool>,
    /// A permit for each reader that has the document.
    pub(crate) ready: Arc<Semaphore>,
    /// Received by readers in all, from the first edit on.
    pub(crate) bytes: Arc<AtomicU64>,
    opening: Arc<Semaphore>,
}

impl Stage {
    pub(crate) fn new(
        window: watch::Receiver<Option<Range<Instant>>>,
        is_over: watch::Receiver<bool>,
    ) -> Self {
        let opening = Arc::new(Semaphore::new(OPENING));
        Self { window, is_over, ready: Arc::new(Semaphore::new(0)), bytes: Arc::default(), opening }
    }

    async fn over(&mut self) {
        drop(self.is_over.wait_for(|over| *over).await);
    }
}

/// What one reader has seen of all writers.
pub(crate) struct Seen {
    /// How long each edit that counts took, in microseconds.
    pub(crate) took: Vec<u32>,
    /// How many edits have arrived, those of the warm-up included.
    pub(crate) count: usize,
}

/// A document.
pub(crate) struct Document {
    url: String,
    beginning: Beginning,
    /// Of each writer, by its number; the first one has filled the document.
    tracks: Vec<Track>,
    /// Set once the first reader is there: some servers make two of a document that two ask for first at once.
    is_there: SetOnce<()>,
}

impl Document {
    pub(crate) fn new(scenario: &Scenario, server: &Running, number: usize) -> Self {
        let name = server.kind.document(number);
        let beginning = server.kind.language().beginning(&name, scenario.characters);
        Self {
            url: server.url(&name),
            beginning,
            tracks: (0..=scenario.writers).map(|_| Track::default()).collect(),
            is_there: SetOnce::new(),
        }
    }

    /// How many edits were made.
    pub(crate) fn edits(&self) -> usize {
        self.tracks[1..].iter().map(Track::len).sum()
    }

    /// Comes in, waits for the text that the document begins with, and reads until all is over and has arrived.
    ///
    /// The first reader of all brings that text along.
    pub(crate) async fn read(self: Arc<Self>, is_first: bool, is_slow: bool, stage: Stage) -> Seen {
        let permit = if is_first {
            None
        } else {
            self.is_there.wait().await;
            // Waits for what the first one brings with the permit in hand.
            Some(Arc::clone(&stage.opening).acquire_owned().await)
        };
        let mut speech = self.beginning.reader();
        let (mut sender, mut receiver, heard) = client::enter(&self.url, &mut *speech).await;
        if is_first {
            sender.send(self.beginning.fill().0).await;
            self.is_there.set(()).expect("there is one first reader");
        } else {
            self.await_beginning(heard, &mut *speech, &mut sender, &mut receiver).await;
        }
        drop(permit);
        stage.ready.add_permits(1);
        if is_slow {
            let mut window = stage.window.clone();
            drop(window.wait_for(Option::is_some).await);
            sleep(PAUSE).await;
        }
        let mut seen = self.follow(&mut *speech, &mut sender, &mut receiver, stage).await;
        if is_slow {
            seen.took.clear();
        }
        seen
    }

    async fn await_beginning(
        &self,
        mut heard: Heard,
        speech: &mut dyn Speech,
        sender: &mut Sender,
        receiver: &mut Receiver,
    ) {
        let (_, end) = self.beginning.fill();
        let arrival = async {
            while end > 0 && !heard.reached.iter().any(|(writer, at)| *writer == 0 && *at >= end) {
                let frame = receiver.next().await.expect("the server lives");
                heard = speech.hear(frame);
                sender.send(std::mem::take(&mut heard.answer)).await;
            }
        };
        timeout(PATIENCE, arrival).await.expect("the server sends the document");
    }

    /// Reads until all is over and everything has arrived, or patience ends.
    async fn follow(
        &self,
        speech: &mut dyn Speech,
        sender: &mut Sender,
        receiver: &mut Receiver,
        mut stage: Stage,
    ) -> Seen {
        let mut followed: Vec<Followed> = self.tracks.iter().map(|_| Followed::default()).collect();
        let mut deadline = None;
        // Before it is known what counts, nothing does.
        let never = Instant::now()..Instant::now();
        loop {
            let mut both = self.tracks.iter().zip(&followed);
            if deadline.is_some() && both.all(|(track, followed)| track.is_followed(followed)) {
                break;
            }
            let frame = tokio::select! {
                frame = receiver.next() => frame,
                () = stage.over(), if deadline.is_none() => {
                    deadline = Some(tokio::time::Instant::now() + PATIENCE);
                    continue;
                }
                () = sleep_until(deadline.unwrap_or_else(tokio::time::Instant::now)), if deadline.is_some() => break,
            };
            let Some(frame) = frame else { break };
            stage.bytes.fetch_add(frame.len() as u64, Ordering::Relaxed);
            let heard = speech.hear(frame);
            let window = stage.window.borrow().clone().unwrap_or_else(|| never.clone());
            for (writer, end) in heard.reached {
                // The fill is nobody's edit.
                if let Some(place) =
                    usize::try_from(writer).ok().filter(|place| (1..followed.len()).contains(place))
                {
                    self.tracks[place].arrived(&mut followed[place], end, &window);
                }
            }
            sender.send(heard.answer).await;
        }
        let count = followed.iter().map(Followed::count).sum();
        Seen { took: followed.into_iter().flat_map(|followed| followed.took).collect(), count }
    }

    /// Writes at a steady pace until all is over; the first edit comes after `offset`.
    pub(crate) async fn write(
        self: Arc<Self>,
        writer: usize,
        every: Duration,
        offset: Duration,
        mut stage: Stage,
    ) {
        let permit = Arc::clone(&stage.opening).acquire_owned().await;
        let (mut speech, mut pen) = self.beginning.writer(writer as u64);
        let (mut sender, mut receiver, _) = client::enter(&self.url, &mut *speech).await;
        drop(permit);
        sleep(offset).await;
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut others = Vec::new();
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    pen.take_in(std::mem::take(&mut others));
                    let (frames, end) = pen.write();
                    self.tracks[writer].sends(end);
                    sender.send(frames).await;
                }
                frame = receiver.next() => {
                    let heard = speech.hear(frame.expect("the server lives"));
                    others.extend(heard.updates);
                    sender.send(heard.answer).await;
                }
                () = stage.over() => break,
            }
        }
        // What was sent has to arrive: the connection is kept until the server has had time to take it.
        let drain = async { while receiver.next().await.is_some() {} };
        drop(timeout(Duration::from_secs(1), drain).await);
    }
}
