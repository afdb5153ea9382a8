//! `cargo xtask soak`: thousands of crashes in a row, and pages that write at once, for as long as one likes.

use std::collections::BTreeSet;

use clap::Args;

use crate::process::Task;
use crate::report::{Steps, Stop, note};
use crate::setup::{self, Build, Program};
use crate::workspace;

/// What `cargo xtask soak` is told.
#[derive(Args)]
pub(crate) struct Options {
    /// How often the crash tests are run; each time is up to 200 rounds of `kill -9` for each database and every named
    /// fault, from a fresh seed; then five pages write for two minutes, now and then offline.
    #[arg(long, value_name = "N", default_value_t = 100)]
    times: u32,
}

/// How long the pages write.
const PAGES_SECONDS: &str = "120";

/// Builds once, then runs the crash tests and the pages until they have held that often or one has failed.
pub(crate) fn run(steps: &mut Steps, options: &Options) -> Result<(), Stop> {
    let root = workspace::root();
    setup::install_programs(
        steps,
        &BTreeSet::from([Program::Chromium, Program::Postgres, Program::Sqlite, Program::Strace]),
    )?;
    setup::install_npm_packages(steps, &root, "web-client")?;
    setup::install_npm_packages(steps, &root, "tests/web")?;
    setup::build_notes_page(steps, &root)?;
    let corella = setup::build_corella(steps, &root, Build::BinaryAndTests)?;
    steps.must("the crash tests and the pages, again and again", || {
        for time in 1..=options.times {
            note(&format!("time {time} of {}", options.times));
            Task::new("cargo", &root)
                .args([
                    "test",
                    "--quiet",
                    "--package",
                    "corella-tests",
                    "--test",
                    "crash",
                    "--test",
                    "faults",
                ])
                .env("CORELLA_BIN", &corella)
                .run("the failure above names its seed; run it again with CORELLA_SEED=…")?;
            let mut pages = Task::new("npm", &root.join("tests/web"))
                .args(["run", "browser", "--", "soak"])
                .env("CORELLA_BIN", &corella)
                .env("CORELLA_SOAK_SECONDS", PAGES_SECONDS);
            if let Some(chromium) = setup::chromium() {
                pages = pages.env("CHROMIUM", chromium);
            }
            pages.run("the failure above names its seed; run it again with CORELLA_SOAK_SEED=…")?;
        }
        Ok(())
    })
}
