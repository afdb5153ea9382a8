//! `cargo xtask bench`: what Corella costs, measured as it is released.

use std::ffi::OsString;

use clap::Args;

use crate::process::Task;
use crate::report::{Steps, Stop};
use crate::setup;
use crate::workspace;

/// What `cargo xtask bench` is told.
#[derive(Args)]
pub(crate) struct Options {
    /// What to measure, such as `writes` or `cold`; everything when nothing is named.
    measurements: Vec<OsString>,
}

/// Builds the binary and the benchmarks with the release profile, then measures.
pub(crate) fn run(steps: &mut Steps, options: &Options) -> Result<(), Stop> {
    let root = workspace::root();
    setup::install_npm_packages(steps, &root, "web-client")?;
    setup::build_notes_page(steps, &root)?;
    // Both in one build, so that they share what they depend on.
    let build = |name: &'static str| {
        let selection = [
            "--package",
            "corella-cli",
            "--package",
            "corella-benches",
            "--bin",
            "corella",
            "--bin",
            "corella-benches",
        ];
        let arguments = ["build", "--release"].into_iter().chain(selection);
        Task::new("cargo", &root).args(arguments.map(OsString::from)).build_binary(name)
    };
    let corella = steps.must("the corella binary and the benchmarks, released", || build("corella"))?;
    let benches = build("corella-benches");
    steps.must("the measurements", || {
        let mend = "see the first failure above; a benchmark that cannot go on has failed";
        Task::new(benches?, &root)
            .args(options.measurements.iter().cloned())
            .env("CORELLA_BIN", corella)
            .run(mend)
    })
}
