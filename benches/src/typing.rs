//! What one typed character costs in a large text, beside the same in a small one: bytes written and CPU.
//!
//! Both run in turn, several rounds, and the figure is the median. The client's part is made before the clock runs.
use std::time::Duration;

use bytes::Bytes;
use corella_store::{LateDelay, RowChange, StoreOptions};
use loro::{ExportMode, LoroDoc};

use crate::{
    app::{self, write},
    figures::{self, number},
};

const EDITS: usize = 1_500;
const ROUNDS: usize = 3;
const SMALL: usize = 1_000;
const LARGE: usize = 1_000_000;
/// Longer than a round: what is written late stays out of the figures.
const NEVER: LateDelay = LateDelay(Duration::from_secs(60 * 60));

/// What one edit costs.
#[derive(Clone, Copy)]
struct Cost {
    bytes: f64,
    micros: f64,
}

pub(crate) fn run() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let cases = [
        ("1 KB", SMALL, NEVER),
        ("1 MB", LARGE, NEVER),
        ("1 MB, its line written every 500 ms", LARGE, LateDelay::default()),
    ];
    let mut costs = vec![Vec::new(); cases.len()];
    for _ in 0..ROUNDS {
        for (case, costs) in cases.iter().zip(&mut costs) {
            costs.push(runtime.block_on(typing(case.1, case.2)));
        }
    }
    let costs: Vec<Cost> = costs.into_iter().map(|costs| median(&costs)).collect();
    println!("a character typed anywhere in a text, each durable before the next, synchronous=FULL");
    println!("| text | bytes written | ratio | CPU µs | ratio |");
    println!("|---|---|---|---|---|");
    for (case, cost) in cases.iter().zip(&costs) {
        let (bytes, micros) = (cost.bytes / costs[0].bytes, cost.micros / costs[0].micros);
        println!("| {} | {:.0} | {bytes:.2} | {:.0} | {micros:.2} |", case.0, cost.bytes, cost.micros);
    }
}

fn median(costs: &[Cost]) -> Cost {
    let middle = |figure: fn(&Cost) -> f64| figures::median(costs.iter().map(figure).collect());
    Cost { bytes: middle(|cost| cost.bytes), micros: middle(|cost| cost.micros) }
}

async fn typing(length: usize, late: LateDelay) -> Cost {
    let folder = tempfile::tempdir_in(".").unwrap();
    let options = StoreOptions { late, ..StoreOptions::default() };
    let store = app::store_with(folder.path(), options).await;
    let (first, updates) = keystrokes(length);
    for update in first {
        write(&store, 0, RowChange::Update(update)).await;
    }
    let (bytes, ticks) = (bytes_written(), ticks());
    for update in updates {
        write(&store, 0, RowChange::Update(update)).await;
    }
    let cost = Cost {
        bytes: per_edit(bytes_written() - bytes),
        micros: per_edit((self::ticks() - ticks) * MICROS_PER_TICK),
    };
    store.close().await;
    cost
}

/// The updates that make a text, and one update per character typed into it.
fn keystrokes(length: usize) -> (Vec<Bytes>, Vec<Bytes>) {
    let doc = LoroDoc::new();
    let sentence = "The quick brown fox jumps over the lazy dog, and nobody knows why. ";
    let mut updates = Vec::new();
    let step = |edit: &dyn Fn()| {
        let before = doc.oplog_vv();
        edit();
        doc.commit();
        Bytes::from(doc.export(ExportMode::updates(&before)).unwrap())
    };
    updates.push(step(&|| {
        doc.get_map("row").insert("title", "bench").unwrap();
        doc.get_map("row").ensure_mergeable_text("body").unwrap();
    }));
    let text = doc.get_map("row").ensure_mergeable_text("body").unwrap();
    while text.len_unicode() < length {
        let piece: String = sentence.chars().cycle().take(50_000.min(length - text.len_unicode())).collect();
        updates.push(step(&|| text.insert(text.len_unicode(), &piece).unwrap()));
    }
    let mut typed = Vec::new();
    let mut place = 1;
    for _ in 0..EDITS {
        place = (place * 48_271 + 11) % length;
        typed.push(step(&|| text.insert(place, "x").unwrap()));
    }
    (updates, typed)
}

fn per_edit(sum: u64) -> f64 {
    number(usize::try_from(sum).unwrap()) / number(EDITS)
}

/// What this process has caused to be written to the disk.
fn bytes_written() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap();
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")).unwrap();
    line.parse().unwrap()
}

/// Linux counts a process's time in hundredths of a second, whatever the kernel's own clock.
const MICROS_PER_TICK: u64 = 10_000;

/// The CPU time of this process, its own and the kernel's for it.
fn ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    let figures: Vec<&str> = after_name.split_whitespace().collect();
    figures[11].parse::<u64>().unwrap() + figures[12].parse::<u64>().unwrap()
}
