//! What Corella costs, measured beside what it could cost at least.
//!
//! Each figure is the median of several runs, taken in turn (A B A B …), because the machine is noisy; what counts is
//! the ratio. Each module is one measurement: [`writes`], [`typing`], [`attack`], [`cold`], [`guard`], [`stages`], [`refill`], [`live`], [`memory`].
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]

mod app;
mod figures;

mod attack;
mod cold;
mod first_answer;
mod guard;
mod live;
mod memory;
mod postgres;
mod refill;
mod stages;
mod typing;
mod writes;

use clap::{Parser, ValueEnum};

/// Measures Corella beside what it could cost at least, and prints tables.
#[derive(Parser)]
struct Arguments {
    /// What to measure; everything when nothing is named.
    measurements: Vec<Measurement>,
    /// Serves blobs out of this database, as the bare server that `cold` is measured beside.
    #[arg(long, hide = true)]
    serve_blobs: Option<std::path::PathBuf>,
    /// Makes every stage of an edit so many times, for whoever counts instructions.
    #[arg(long, hide = true)]
    repeat_stages: Option<usize>,
    /// Does harm to the server at this address, in these ways with these tokens, until the input ends.
    #[arg(long, hide = true, num_args = 2..)]
    besiege: Option<Vec<String>>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Measurement {
    /// Durable writes of many writers, beside a bare SQLite writer and one fsync per write.
    Writes,
    /// The same on PostgreSQL, beside one transaction per write.
    Postgres,
    /// A character typed into a large text, beside the same in a small one.
    Typing,
    /// Joins of rows that are not in memory, beside reading the blob and sending it.
    Cold,
    /// What honest editors notice of others who do their worst.
    Attack,
    /// What guards cost a small update, beside a pipe that only echoes it.
    Guard,
    /// The stages that an edit goes through, each alone.
    Stages,
    /// Filling a table again from its documents, beside inserting the same lines.
    Refill,
    /// Live queries: matching, ordered windows, memory, from a write to the difference, the first answer.
    Live,
    /// Start and memory with 100,000 stored rows, and the cache's estimate beside what is resident.
    Memory,
}

impl Measurement {
    fn run(self) {
        match self {
            Self::Writes => writes::run(),
            Self::Postgres => postgres::run(),
            Self::Typing => typing::run(),
            Self::Cold => cold::run(),
            Self::Attack => attack::run(),
            Self::Guard => guard::run(),
            Self::Stages => stages::run(),
            Self::Refill => refill::run(),
            Self::Live => live::run(),
            Self::Memory => memory::run(),
        }
    }
}

fn main() {
    let arguments = Arguments::parse();
    if let Some(database) = arguments.serve_blobs {
        return cold::serve_blobs(&database);
    }
    if let Some(times) = arguments.repeat_stages {
        return stages::repeat(times);
    }
    if let Some(arguments) = arguments.besiege {
        return attack::besiege(&arguments);
    }
    let chosen = match &arguments.measurements[..] {
        [] => Measurement::value_variants(),
        chosen => chosen,
    };
    for measurement in chosen {
        measurement.run();
        println!();
    }
}
