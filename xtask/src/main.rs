//! The one front door for developers: `cargo xtask dev | test | check | bench | instructions | soak | fuzz | generate`.
//!
//! Read in this order: `report` and `process` say how a step speaks and how it runs a command, `workspace`
//! says what there is, `setup` brings a fresh machine to where the work can start, and then comes one module
//! for each command with the rules that it applies.
//!
//! This program does not know how Corella works inside. Of the crates it uses `corella-manifest` alone, to
//! write down the manifest's JSON Schema.

mod report;

mod process;

mod workspace;

mod setup;

mod bench;
mod dev;
mod fuzz;
mod instructions;
mod soak;
mod test;

mod check;
mod dependencies;
mod generate;
mod layers;
mod tidy;
mod traps;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::report::Steps;

/// Builds, runs, tests and checks Corella.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Does all set-up, then runs `corella dev` with the notes page until Ctrl-C.
    Dev(dev::Options),
    /// Does all set-up, then runs every test.
    Test(test::Options),
    /// Checks formatting, lints, docs, dependencies, generated files and house rules.
    Check,
    /// Measures what Corella costs, beside what it could cost at least.
    Bench(bench::Options),
    /// Counts the instructions of each stage of an edit, beside the last figures that were kept.
    Instructions(instructions::Options),
    /// Runs the crash tests over and over.
    Soak(soak::Options),
    /// Has libFuzzer look for inputs that break a border.
    Fuzz(fuzz::Options),
    /// Writes the files that are generated from the code, such as schema/manifest.schema.json.
    Generate,
}

fn main() -> ExitCode {
    let command_line = CommandLine::parse();
    let mut steps = Steps::default();
    // A stop has been reported as the failure of its step, which is what the exit code is taken from.
    let _reported = match command_line.command {
        Command::Dev(options) => dev::run(&mut steps, &options),
        Command::Test(options) => test::run(&mut steps, &options),
        Command::Check => check::run(&mut steps),
        Command::Bench(options) => bench::run(&mut steps, &options),
        Command::Instructions(options) => instructions::run(&mut steps, &options),
        Command::Soak(options) => soak::run(&mut steps, &options),
        Command::Fuzz(options) => fuzz::run(&mut steps, &options),
        Command::Generate => generate::run(&mut steps),
    };
    steps.finish()
}
