//! What honest editors notice of others who do their worst.
//!
//! Those who do harm are a process of their own, which yields to all others: on machines of their own they would not take time from
//! anybody's processor.

mod besiegers;
mod blocked;

use std::time::{Duration, Instant};

use corella_testkit::{
    Harm, Peer, SAMPLE, Stage,
    row::{append, read},
};
use corella_wire::AckStatus;

use self::besiegers::Besiegers;
pub(crate) use self::besiegers::besiege;
use crate::figures::median;

const EDITORS: u32 = 100;
/// Rows in which they write, five in each; all of them are attacked.
const ROOMS: u32 = 20;
const HOSTILE: usize = 20;
/// Edits of each editor, and how long after one the next is due.
const EDITS: u32 = 24;
const EVERY: Duration = Duration::from_millis(250);
const ROUNDS: usize = 3;

pub(crate) fn run() {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        measure().await;
        println!();
        blocked::measure().await;
    });
}

async fn measure() {
    let (mut calm, mut besieged, mut inputs) = (Vec::new(), Vec::new(), 0);
    for _ in 0..ROUNDS {
        calm.push(edit(&Stage::new(SAMPLE).await).await);
        let stage = Stage::new(SAMPLE).await;
        let besiegers = Besiegers::begin(&stage, Harm::ALL.into_iter().cycle().take(HOSTILE)).await;
        besieged.push(edit(&stage).await);
        inputs += besiegers.end().await;
    }
    println!(
        "{EDITORS} editors, an edit each every {} ms; {HOSTILE} hostile connections; {ROUNDS} rounds of each, in turn; nothing was lost",
        EVERY.as_millis()
    );
    println!("| from when an edit was due to its acknowledgement, ms | p50 | p99 | longest |");
    println!("|---|---|---|---|");
    let line = |name: &str, rounds: &[Figures]| {
        let of = |pick: fn(&Figures) -> f64| median(rounds.iter().map(pick).collect());
        let figures = [of(|round| round.median), of(|round| round.late), of(|round| round.longest)];
        println!("| {name} | {:.1} | {:.1} | {:.1} |", figures[0], figures[1], figures[2]);
        figures
    };
    let calm = line("nobody does harm", &calm);
    let besieged = line("they do their worst", &besieged);
    let ratio = |place: usize| besieged[place] / calm[place];
    println!("| ratio | {:.2} | {:.2} | {:.2} |", ratio(0), ratio(1), ratio(2));
    println!("{inputs} hostile inputs were sent");
}

/// What editors waited for, in milliseconds.
struct Figures {
    median: f64,
    /// The 99th percentile.
    late: f64,
    longest: f64,
}

impl Figures {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |place: usize| times[place].as_secs_f64() * 1e3;
        Self { median: at(times.len() / 2), late: at(times.len() * 99 / 100), longest: at(times.len() - 1) }
    }
}

/// Has the editors work, and looks whether each has every word of the others in the end.
async fn edit(stage: &Stage) -> Figures {
    let mut peers = Vec::new();
    for number in 0..EDITORS {
        let peer: Peer = stage.connect().await;
        peer.join(&room(number)).await;
        peers.push((number, peer));
    }
    let start = Instant::now() + EVERY;
    let editors: Vec<_> = peers
        .into_iter()
        .map(|(number, peer)| {
            tokio::spawn(async move {
                let mut times = Vec::new();
                for edit in 0..EDITS {
                    let due = start + EVERY * edit + EVERY * number / EDITORS;
                    tokio::time::sleep_until(due.into()).await;
                    let word = word(number, edit);
                    let status = peer.change(&room(number), |doc| append(doc, "body", &word)).await;
                    assert_eq!(status, AckStatus::Ok);
                    times.push(due.elapsed());
                }
                (number, peer, times)
            })
        })
        .collect();
    let (mut times, mut peers) = (Vec::new(), Vec::new());
    for editor in editors {
        let (number, peer, own) = editor.await.unwrap();
        times.extend(own);
        peers.push((number, peer));
    }
    for (number, peer) in &peers {
        let own = |other: &u32| room(*other) == room(*number);
        let words: Vec<String> = (0..EDITORS)
            .filter(own)
            .flat_map(|other| (0..EDITS).map(move |edit| word(other, edit)))
            .collect();
        let length = words.iter().map(String::len).sum::<usize>();
        peer.until(&room(*number), "every word", |doc| read(doc, "body").len() >= length).await;
        let text = read(&peer.doc(&room(*number)), "body");
        assert!(words.iter().all(|word| text.contains(word.as_str())), "a word is lost: {text}");
    }
    Figures::of(times)
}

fn room(editor: u32) -> String {
    format!("Note/r{}", editor % ROOMS)
}

fn word(editor: u32, edit: u32) -> String {
    format!("e{editor}x{edit} ")
}
