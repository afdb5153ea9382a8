//! The `corella` binary: the only part of Corella that prints, and the only one that ends the process.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "talking to the terminal is what this crate is for"
)]

mod archive_file;
mod commands;
mod failure;
mod manifest_file;
mod progress;
mod secret;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::commands::{
    backup::Backup, check::Check, codegen::Codegen, dev::Dev, explain::Explain, export::Export, guard::Guard,
    import::Import, migrate::Migrate, query::Query, repair::Repair, reproject::Reproject, restore::Restore,
    serve::Serve, token::Token, user::User,
};

/// Corella: a realtime backend in one binary.
///
/// Every row is a document that is edited offline or together, merged without loss, stored durably, and projected
/// into an ordinary SQL table.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Start here:\n  \
    corella dev --manifest schema/examples/notes.json --data ./data\n\n\
    Every flag can also be given as an environment variable, such as CORELLA_LISTEN.\n\
    Logs go to stderr; CORELLA_LOG chooses how much (error, warn, info, debug, or a filter such as \
    corella_store=debug)."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(Serve),
    Dev(Dev),
    Token(Token),
    User(User),
    Check(Check),
    Migrate(Migrate),
    Reproject(Reproject),
    Repair(Repair),
    Backup(Backup),
    Restore(Restore),
    Export(Export),
    Import(Import),
    Codegen(Codegen),
    Query(Query),
    Guard(Guard),
    Explain(Explain),
}

fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    let outcome = match command {
        Command::Serve(serve) => serve.run(),
        Command::Dev(dev) => dev.run(),
        Command::Token(token) => token.run(),
        Command::User(user) => user.run(),
        Command::Check(check) => check.run(),
        Command::Migrate(migrate) => migrate.run(),
        Command::Reproject(reproject) => reproject.run(),
        Command::Repair(repair) => repair.run(),
        Command::Backup(backup) => backup.run(),
        Command::Restore(restore) => restore.run(),
        Command::Export(export) => export.run(),
        Command::Import(import) => import.run(),
        Command::Codegen(codegen) => codegen.run(),
        Command::Query(query) => query.run(),
        Command::Guard(guard) => guard.run(),
        Command::Explain(explain) => explain.run(),
    };
    match outcome {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("corella: {}", failure.message());
            failure.code()
        }
    }
}
