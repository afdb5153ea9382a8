//! What guards cost a small update, beside a pipe to a process that only echoes it.

use std::{
    io::{Read as _, Write as _},
    process::{Child, Command, Stdio},
    time::Instant,
};

use bytes::Bytes;
use corella_rowdoc::examine;
use corella_server::guard::{BlobKind, GuardPool, GuardPoolOptions};
use corella_testkit::binary;
use loro::{ExportMode, LoroDoc};

use crate::figures::{median, number};

const ROUNDS: usize = 9;
const UPDATES: usize = 2_000;
const BATCH: usize = 64;

pub(crate) fn run() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let options =
        GuardPoolOptions { program: binary().to_path_buf(), arguments: vec!["guard".into()], count: 2 };
    let pool = runtime.block_on(async { GuardPool::start(options) }).unwrap();
    let mut echo = Echo::start();
    // What builds on nothing is decoded and read; an edit of what was there before is decoded only.
    for (name, is_edit) in [("of a new row", false), ("of a row's field", true)] {
        let updates = updates(is_edit);
        let mut medians = [const { Vec::new() }; 4];
        for _ in 0..ROUNDS {
            medians[0].push(micros(&updates, |update| echo.round_trip(update)));
            medians[1].push(micros(&updates, |update| examine(update).unwrap()));
            // On a thread of the runtime, as in the server.
            let alone = one_by_one(pool.clone(), updates.clone());
            medians[2].push(runtime.block_on(runtime.spawn(alone)).unwrap());
            medians[3].push(runtime.block_on(batches(&pool, &updates)));
        }
        let [echo, examined, alone, batched] = medians.map(median);
        println!("An update {name}, {} bytes; microseconds at the median", updates[0].len());
        println!("| what | µs | beside the echo |");
        println!("|---|---|---|");
        for (what, micros) in [
            ("a pipe to a process that echoes it, and back", echo),
            ("what a guard does with it, without a pipe", examined),
            ("looked at by a guard", alone),
            ("one of 64 looked at together", batched),
        ] {
            println!("| {what} | {micros:.1} | {:.2} |", micros / echo);
        }
        println!();
    }
}

async fn one_by_one(pool: GuardPool, updates: Vec<Bytes>) -> f64 {
    let mut times = Vec::new();
    for update in updates {
        let started = Instant::now();
        pool.examine(BlobKind::Update, [update]).await.pop().unwrap().unwrap();
        times.push(started.elapsed().as_secs_f64() * 1e6);
    }
    median(times)
}

async fn batches(pool: &GuardPool, updates: &[Bytes]) -> f64 {
    let mut times = Vec::new();
    for some in updates.chunks_exact(BATCH) {
        let started = Instant::now();
        let outcomes = pool.examine(BlobKind::Update, some.iter().cloned()).await;
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        times.push(started.elapsed().as_secs_f64() * 1e6 / number(BATCH));
    }
    median(times)
}

fn micros(updates: &[Bytes], mut work: impl FnMut(&[u8])) -> f64 {
    let timed = |update: &Bytes| {
        let started = Instant::now();
        work(update);
        started.elapsed().as_secs_f64() * 1e6
    };
    median(updates.iter().map(timed).collect())
}

fn updates(is_edit: bool) -> Vec<Bytes> {
    let made = |row: usize| {
        let doc = LoroDoc::new();
        let fields = doc.get_map("row");
        fields.insert("title", format!("Row number {row}")).unwrap();
        fields.insert("count", 1).unwrap();
        doc.commit();
        let before = doc.oplog_vv();
        fields.insert("title", format!("Row number {row}, edited")).unwrap();
        doc.commit();
        let mode = if is_edit { ExportMode::updates(&before) } else { ExportMode::all_updates() };
        Bytes::from(doc.export(mode).unwrap())
    };
    (0..UPDATES).map(made).collect()
}

/// A process that sends back what it is sent.
struct Echo(Child);

impl Echo {
    fn start() -> Self {
        Self(Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap())
    }

    fn round_trip(&mut self, bytes: &[u8]) {
        self.0.stdin.as_mut().unwrap().write_all(bytes).unwrap();
        let mut back = vec![0; bytes.len()];
        self.0.stdout.as_mut().unwrap().read_exact(&mut back).unwrap();
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}
