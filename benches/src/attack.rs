//! What honest editors notice of others who do their worst.

use std::time::Instant;

use corella_testkit::{Harm, Peer, SAMPLE, Siege, Stage, row::append};
use corella_wire::AckStatus;

use crate::figures::{median, number};

const ROOMS: [&str; 4] = ["Note/r0", "Note/r1", "Note/r2", "Note/r3"];
const EDITORS: usize = 100;
const HOSTILE: usize = 20;
const EDITS: usize = 10;
const ROUNDS: usize = 3;

pub(crate) fn run() {
    tokio::runtime::Runtime::new().unwrap().block_on(measure());
}

async fn measure() {
    let (mut calm, mut besieged, mut attacks) = (Vec::new(), Vec::new(), 0);
    for _ in 0..ROUNDS {
        let stage = Stage::new(SAMPLE).await;
        calm.push(edit(&stage).await);
        let mallory = stage.installation.token("mallory").await;
        let harms = Harm::ALL.into_iter().cycle().take(HOSTILE);
        let siege = Siege::begin(stage.address(), &mallory, &ROOMS, harms);
        besieged.push(edit(&stage).await);
        attacks += siege.count();
    }
    println!(
        "{EDITORS} editors, {EDITS} edits each, acknowledged one after the other; {HOSTILE} hostile connections"
    );
    println!("| from an edit to its acknowledgement, ms | p50 | p99 |");
    println!("|---|---|---|");
    let figures = |rounds: &[(f64, f64)]| {
        let of = |pick: fn(&(f64, f64)) -> f64| median(rounds.iter().map(pick).collect());
        (of(|round| round.0), of(|round| round.1))
    };
    let (calm, besieged) = (figures(&calm), figures(&besieged));
    println!("| nobody does harm | {:.1} | {:.1} |", calm.0, calm.1);
    println!("| they do their worst | {:.1} | {:.1} |", besieged.0, besieged.1);
    println!("| ratio | {:.2} | {:.2} |", besieged.0 / calm.0, besieged.1 / calm.1);
    println!("harm was tried {attacks} times");
}

/// Median and 99th percentile, in milliseconds.
async fn edit(stage: &Stage) -> (f64, f64) {
    let mut editors = Vec::new();
    for number in 0..EDITORS {
        let peer: Peer = stage.connect().await;
        let room = ROOMS[number % ROOMS.len()];
        peer.join(room).await;
        editors.push(tokio::spawn(async move {
            let mut times = Vec::new();
            for _ in 0..EDITS {
                let started = Instant::now();
                assert_eq!(peer.change(room, |doc| append(doc, "body", "word ")).await, AckStatus::Ok);
                times.push(started.elapsed().as_secs_f64() * 1e3);
            }
            times
        }));
    }
    let mut times = Vec::new();
    for editor in editors {
        times.extend(editor.await.unwrap());
    }
    times.sort_by(f64::total_cmp);
    assert!(number(times.len()) > 0.0);
    (times[times.len() / 2], times[times.len() * 99 / 100])
}
