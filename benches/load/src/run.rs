//! A scenario, run against one server.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use tokio::{
    sync::watch,
    task::JoinSet,
    time::{sleep, sleep_until},
};

use crate::{
    document::{Document, Stage},
    scenario::Scenario,
    server::Running,
    usage::Usage,
};

/// What a server made of a scenario.
pub(crate) struct Measured {
    /// How long each edit took to each reader, in microseconds, in ascending order.
    pub(crate) took: Vec<u32>,
    pub(crate) window: Duration,
    /// What readers received in all, in bytes.
    pub(crate) bytes: u64,
    /// Deliveries of edits, those of the warm-up included.
    pub(crate) delivered: usize,
    /// How many there should be.
    pub(crate) expected: usize,
    /// Processor time of the server while it counted.
    pub(crate) processor: Duration,
    /// The server's memory before anybody came, in bytes.
    pub(crate) memory_before: u64,
    /// The same while everybody was there.
    pub(crate) memory: u64,
    pub(crate) connections: usize,
}

pub(crate) async fn run(scenario: &Scenario, server: &Running) -> Measured {
    let memory_before = Usage::of(server.id()).memory;
    let documents: Vec<_> =
        (0..scenario.documents).map(|number| Arc::new(Document::new(scenario, server, number))).collect();
    let (set_window, window) = watch::channel(None);
    let (set_over, is_over) = watch::channel(false);
    let stage = Stage::new(window, is_over);

    let mut readers = JoinSet::new();
    for document in &documents {
        for reader in 0..scenario.readers {
            readers.spawn(Arc::clone(document).read(reader == 0, reader < scenario.slow, stage.clone()));
        }
    }
    let all = u32::try_from(scenario.documents * scenario.readers).expect("readers are few");
    tokio::select! {
        ready = stage.ready.acquire_many(all) => drop(ready.expect("it is never closed")),
        Some(ended) = readers.join_next() => panic!("a reader has left before anything was written: {:?}", ended.err()),
    }
    let mut writers = JoinSet::new();
    let pace = scenario.pace();
    for (number, document) in documents.iter().enumerate() {
        for writer in 1..=scenario.writers {
            // Spread over the time between two edits, so that they do not all write at once.
            let place = number * scenario.writers + writer;
            let offset = pace.mul_f64(place as f64 / (scenario.documents * scenario.writers) as f64);
            writers.spawn(Arc::clone(document).write(writer, pace, offset, stage.clone()));
        }
    }

    sleep(scenario.warm_up()).await;
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
    let (mut took, mut delivered) = (Vec::new(), 0);
    while let Some(read) = readers.join_next().await {
        let seen = read.expect("a reader reads to the end");
        took.extend(seen.took);
        delivered += seen.count;
    }
    took.sort_unstable();
    Measured {
        took,
        window: scenario.measured(),
        bytes: stage.bytes.load(Ordering::Relaxed),
        delivered,
        expected: documents.iter().map(|document| document.edits()).sum::<usize>() * scenario.readers,
        processor: after.processor.saturating_sub(before.processor),
        memory_before,
        memory: after.memory,
        connections: scenario.documents * (scenario.readers + scenario.writers),
    }
}
