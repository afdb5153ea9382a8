//! One load for many collaboration servers, and what each makes of it.
//!
//! Servers take turns (A B A B …), each started afresh for each round, on the same machine as the load; what counts are the
//! ratios within one run. A scenario ([`scenario`]) is run ([`run`]) against a server ([`server`]) in its language
//! ([`speech`]). An edit's time runs from before it is sent to when a reader's program has it.
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]
#![expect(clippy::panic, clippy::expect_used, reason = "a benchmark that cannot go on has failed")]

mod client;
mod cold;
mod document;
mod follow;
mod keep;
mod limit;
mod mutations;
mod plot;
mod relay;
mod report;
mod rows;
mod run;
mod scenario;
mod server;
mod speech;
mod storm;
mod track;
mod usage;

use std::{fs, panic::AssertUnwindSafe, path::PathBuf, time::Duration};

use clap::{Parser, Subcommand, ValueEnum as _};
use futures_util::FutureExt as _;
use serde_json::json;

use crate::{
    report::Line,
    rows::Way,
    scenario::Scenario,
    server::{Home, Kind},
};

/// Puts collaboration servers under the same load, and prints tables.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs scenarios against servers, in turn.
    Peers {
        /// Which scenarios, by their names; all when none is named.
        #[arg(long)]
        scenario: Vec<String>,
        /// Which servers; all when none is named.
        #[arg(long, value_enum)]
        server: Vec<Kind>,
        /// How often each is measured.
        #[arg(long, default_value_t = 3)]
        rounds: usize,
        /// Also writes every round's figures to this file, as JSON.
        #[arg(long)]
        json: Option<PathBuf>,
        /// Also draws two pictures of each scenario into this folder.
        #[arg(long)]
        plots: Option<PathBuf>,
    },
    /// Kills servers after edits that were seen, and counts what they still have.
    Keep {
        /// Which servers; all when none is named.
        #[arg(long, value_enum)]
        server: Vec<Kind>,
    },
    /// Finds how fast writers may be before a server falls behind.
    Limit {
        /// Which scenario, by its name; its pace is the first that is tried.
        #[arg(long, default_value = "read-200")]
        scenario: String,
        /// Which servers; all when none is named.
        #[arg(long, value_enum)]
        server: Vec<Kind>,
    },
    /// Starts servers again and opens all their documents, each once.
    ColdOpens {
        /// How many.
        #[arg(long, default_value_t = 10_000)]
        documents: usize,
        /// How long each is, in characters.
        #[arg(long, default_value_t = 2_000)]
        characters: usize,
        /// Which servers; all that store when none is named.
        #[arg(long, value_enum)]
        server: Vec<Kind>,
    },
    /// Cuts all clients at once, who all come back at once.
    Storm {
        /// How many.
        #[arg(long, default_value_t = 5_000)]
        clients: usize,
        /// Which servers; all when none is named.
        #[arg(long, value_enum)]
        server: Vec<Kind>,
    },
    /// Has many clients follow queries of their own, and measures how soon they have what is written.
    Follow {
        /// Which scenes, `windows` or `many`; both when none is named.
        #[arg(long)]
        scene: Vec<String>,
        /// Another number of writes in a second.
        #[arg(long)]
        rate: Option<usize>,
    },
    /// Has many writers write rows over HTTP and on sockets, each one after the other.
    Rows {
        /// How many.
        #[arg(long, default_value_t = 64)]
        writers: usize,
        /// How many rows the table has before; the default takes a while to fill.
        #[arg(long, value_delimiter = ',', default_values_t = [1, 10_000, 1_000_000])]
        stored: Vec<usize>,
        /// What they do; everything when nothing is named.
        #[arg(long, value_enum)]
        way: Vec<Way>,
        /// How often each is measured.
        #[arg(long, default_value_t = 2)]
        rounds: usize,
    },
    /// Serves the bare relay.
    #[command(hide = true)]
    Relay,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    match Arguments::parse().command {
        Command::Peers { scenario, server, rounds, json, plots } => {
            peers(&scenario, &chosen(server), rounds, json, plots).await;
        }
        Command::Keep { server } => keep(&chosen(server)).await,
        Command::Limit { scenario, server } => limit(&scenario, &chosen(server)).await,
        Command::ColdOpens { documents, characters, server } => {
            cold(documents, characters, &chosen(server)).await;
        }
        Command::Storm { clients, server } => storm(clients, &chosen(server)).await,
        Command::Follow { scene, rate } => follow(&scene, rate).await,
        Command::Rows { writers, stored, way, rounds } => rows(writers, &stored, way, rounds).await,
        Command::Relay => relay::serve().await,
    }
}

fn chosen(kinds: Vec<Kind>) -> Vec<Kind> {
    if kinds.is_empty() { Kind::value_variants().to_vec() } else { kinds }
}

async fn peers(
    names: &[String],
    kinds: &[Kind],
    rounds: usize,
    file: Option<PathBuf>,
    plots: Option<PathBuf>,
) {
    let mut all = Vec::new();
    let scenarios = Scenario::all();
    for name in names {
        let known: Vec<&str> = scenarios.iter().map(|scenario| &*scenario.name).collect();
        assert!(known.contains(&&**name), "expected one of {}, found {name}", known.join(", "));
    }
    for scenario in scenarios.iter().filter(|scenario| names.is_empty() || names.contains(&scenario.name)) {
        let mut lines: Vec<Line> = kinds.iter().map(|kind| Line::new(*kind)).collect();
        println!(
            "### `{}`: {}\n\nLoad of the machine before: {}\n",
            scenario.name,
            scenario.what,
            machine_load()
        );
        for _ in 0..rounds {
            for line in &mut lines {
                let home = Home::new(line.kind);
                let server = home.start(line.kind).await;
                // One server that cannot do this does not keep the others from being measured.
                match AssertUnwindSafe(run::run(scenario, &server)).catch_unwind().await {
                    Ok(measured) => line.add(&measured),
                    Err(_told) => println!("{} has not done this.\n", line.kind.title()),
                }
                server.kill().await;
            }
        }
        lines.retain(Line::is_measured);
        println!("{}", report::table(&lines));
        if let Some(folder) = &plots {
            report::draw(folder, scenario, &lines).expect("pictures can be written");
        }
        all.push(
            json!({ "scenario": scenario.name, "lines": lines.iter().map(Line::json).collect::<Vec<_>>() }),
        );
    }
    if let Some(file) = file {
        fs::write(file, json!(all).to_string()).expect("the file can be written");
    }
}

async fn keep(kinds: &[Kind]) {
    println!("| server | it stores | found after 50 ms | after 1 s | of |\n|---|---|---|---|---|");
    for kind in kinds {
        let soon = keep::found(*kind, Duration::from_millis(50)).await;
        let later = keep::found(*kind, Duration::from_secs(1)).await;
        println!("| {} | {} | {soon} | {later} | {} |", kind.title(), kind.promise(), keep::EDITS);
    }
}

async fn limit(name: &str, kinds: &[Kind]) {
    let scenario = Scenario::all().into_iter().find(|scenario| scenario.name == name);
    let scenario = scenario.unwrap_or_else(|| panic!("expected the name of a scenario, found {name}"));
    println!(
        "### `{name}`, faster and faster\n\n| server | edits/s of a writer | delivered/s |\n|---|---|---|"
    );
    for kind in kinds {
        let pace = limit::highest(&scenario, *kind).await;
        let deliveries = pace * (scenario.documents * scenario.writers * scenario.readers) as f64;
        println!("| {} | {pace:.0} | {deliveries:.0} |", kind.title());
    }
}

async fn cold(documents: usize, characters: usize, kinds: &[Kind]) {
    println!("### {documents} documents of {characters} characters, each opened once after a restart\n");
    println!(
        "| server | documents/s | p50 ms | p99 ms | CPU ms per 1,000 | KiB for each | came whole |\n|---|---|---|---|---|---|---|"
    );
    for kind in kinds.iter().filter(|kind| cold::stores(**kind)) {
        let opened = cold::open(*kind, documents, characters).await;
        let at = |hundredths: usize| {
            let place = (opened.each.len() * hundredths / 100).min(opened.each.len().saturating_sub(1));
            opened.each.get(place).map_or(0.0, |took| took.as_secs_f64() * 1e3)
        };
        println!(
            "| {} | {:.0} | {:.1} | {:.1} | {:.0} | {:.1} | {} |",
            kind.title(),
            opened.whole as f64 / opened.took.as_secs_f64(),
            at(50),
            at(99),
            opened.processor.as_secs_f64() * 1e6 / opened.whole.max(1) as f64,
            opened.memory as f64 / 1024.0 / opened.whole.max(1) as f64,
            opened.whole
        );
    }
}

async fn storm(clients: usize, kinds: &[Kind]) {
    println!("### {clients} clients, cut at once\n");
    println!(
        "| server | half are back, ms | 99 of 100 | all | refused and came again | CPU ms |\n|---|---|---|---|---|---|"
    );
    for kind in kinds {
        let weathered = storm::weather(*kind, clients).await;
        let at =
            |hundredths: usize| weathered.back[(clients * hundredths / 100).min(clients - 1)].as_millis();
        println!(
            "| {} | {} | {} | {} | {} | {} |",
            kind.title(),
            at(50),
            at(99),
            at(100),
            weathered.refused,
            weathered.processor.as_millis()
        );
    }
}

async fn follow(names: &[String], rate: Option<usize>) {
    println!("Load of the machine before: {}\n\n{}", machine_load(), follow::HEAD);
    let scenes = follow::Scene::all();
    for name in names {
        assert!(scenes.iter().any(|scene| scene.name == name), "expected windows or many, found {name}");
    }
    for mut scene in
        scenes.into_iter().filter(|scene| names.is_empty() || names.iter().any(|name| name == scene.name))
    {
        scene.rate = rate.unwrap_or(scene.rate);
        follow::run(&scene).await;
    }
}

async fn rows(writers: usize, stored: &[usize], ways: Vec<Way>, rounds: usize) {
    println!("Load of the machine before: {}\n\n{}", machine_load(), rows::HEAD);
    let ways = if ways.is_empty() { Way::value_variants().to_vec() } else { ways };
    for stored in stored {
        rows::run(writers, *stored, &ways, rounds).await;
    }
}

/// The machine's load over the last minute, as its kernel counts it.
fn machine_load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}
