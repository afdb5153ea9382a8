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
    /// What to measure, such as `writes` or `cold`; everything when nothing is named. `peers` puts other servers under the
    /// same load as Corella, `keep` kills them and counts what is left, `storm` cuts all their clients, `cold-opens` opens
    /// all their documents after a restart, `limit` finds how fast writers may be; `follow` has many clients follow queries,
    /// `rows` has them write rows. These take options: `peers --help` lists them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    measurements: Vec<OsString>,
}

/// The measurements that put other servers under load as well.
const LOADS: [&str; 7] = ["peers", "keep", "storm", "cold-opens", "limit", "follow", "rows"];
/// The folder with the servers that Corella is measured beside.
const PEERS: &str = "benches/load/peers";

/// Builds the binary and the benchmarks with the release profile, then measures.
pub(crate) fn run(steps: &mut Steps, options: &Options) -> Result<(), Stop> {
    let root = workspace::root();
    let is_load = options.measurements.first().and_then(|first| first.to_str());
    let is_load = is_load.is_some_and(|first| LOADS.contains(&first));
    setup::install_npm_packages(steps, &root, "web-client")?;
    setup::build_notes_page(steps, &root)?;
    if is_load {
        setup::install_npm_packages(steps, &root, PEERS)?;
    }
    // All in one build, so that they share what they depend on.
    let build = |name: &'static str| {
        let arguments = ["build", "--release", "--workspace"].into_iter().chain(["--bin", "corella"]);
        let arguments = arguments.chain(["--bin", "corella-benches", "--bin", "corella-load"]);
        Task::new("cargo", &root).args(arguments.map(OsString::from)).build_binary(name)
    };
    let corella = steps.must("the corella binary and the benchmarks, released", || build("corella"))?;
    let benches = build(if is_load { "corella-load" } else { "corella-benches" });
    steps.must("the measurements", || {
        let mend = "see the first failure above; a benchmark that cannot go on has failed";
        Task::new(benches?, &root)
            .args(options.measurements.iter().cloned())
            .env("CORELLA_BIN", corella)
            .run(mend)
    })
}
