//! `cargo xtask instructions`: how many instructions each stage of an edit takes, beside what was last kept.
//!
//! Instructions are nearly the same on every machine and on a busy one, which times are not. Nothing fails when there are more:
//! the table is for whoever reads the change.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use clap::Args;

use crate::process::Task;
use crate::report::{Failure, Steps, Stop, note};
use crate::setup::{self, Program};
use crate::workspace;

/// What `cargo xtask instructions` is told.
#[derive(Args)]
pub(crate) struct Options {
    /// Keeps what is counted, to be compared with later.
    #[arg(long)]
    keep: bool,
}

/// The figures that were kept, by stage.
const KEPT: &str = "benches/instructions.json";
/// How often each stage is made.
const TIMES: u64 = 200;
/// How the function is called at which counting begins anew.
const MARK: &str = "*stages::mark*";

type Counts = BTreeMap<String, u64>;

/// Builds the benchmarks as the tests are built, counts, and compares.
pub(crate) fn run(steps: &mut Steps, options: &Options) -> Result<(), Stop> {
    let root = workspace::root();
    setup::install_programs(steps, &BTreeSet::from([Program::Valgrind]))?;
    let benches = steps.must("the benchmarks", || {
        Task::new("cargo", &root)
            .args(["build", "--workspace", "--bin", "corella-benches"])
            .build_binary("corella-benches")
    })?;
    steps.must("the instructions of an edit", || {
        let counts = count(&root, &benches)?;
        let kept = root.join(KEPT);
        let before: Counts = match fs::read(&kept) {
            Ok(json) => serde_json::from_slice(&json).map_err(|error| unreadable(&kept, &error))?,
            Err(_) => Counts::new(),
        };
        for (stage, count) in &counts {
            note(&line(stage, *count, before.get(stage).copied()));
        }
        if options.keep {
            let json = serde_json::to_string_pretty(&counts).map_err(|error| unreadable(&kept, &error))?;
            fs::write(&kept, json + "\n").map_err(|error| unreadable(&kept, &error))?;
        }
        Ok(())
    })
}

/// A stage beside what it took before.
fn line(stage: &str, count: u64, before: Option<u64>) -> String {
    match before.filter(|before| *before > 0) {
        Some(before) => {
            let percent = i128::from(count) * 100 / i128::from(before) - 100;
            format!("{stage:<10} {count:>9} instructions, {before:>9} before ({percent:+} %)")
        }
        None => format!("{stage:<10} {count:>9} instructions, none kept before"),
    }
}

/// Makes all stages under valgrind, and reads what it has counted between the marks.
fn count(root: &Path, benches: &Path) -> Result<Counts, Failure> {
    let folder = benches.with_file_name("instructions");
    // What an earlier run has left there would be read as this one's.
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|error| unreadable(&folder, &error))?;
    }
    fs::create_dir_all(&folder).map_err(|error| unreadable(&folder, &error))?;
    let mut out = std::ffi::OsString::from("--callgrind-out-file=");
    out.push(folder.join("part"));
    let task = Task::new("valgrind", root)
        .args(["--tool=callgrind", "--quiet", &format!("--dump-before={MARK}")])
        .args([out, benches.into()])
        .args(["--repeat-stages", &TIMES.to_string()]);
    let said = task.capture("see whether the benchmark runs by hand")?;
    let said = String::from_utf8_lossy(&said);
    let mut counts = Counts::new();
    for (place, stage) in said.lines().enumerate() {
        // One part ends where a stage begins, the next one where it ends.
        let part = folder.join(format!("part.{}", 2 * place + 2));
        counts.insert(stage.to_owned(), total(&part)? / TIMES);
    }
    Ok(counts)
}

/// What valgrind has counted in a part.
fn total(part: &PathBuf) -> Result<u64, Failure> {
    let text = fs::read_to_string(part).map_err(|error| unreadable(part, &error))?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok());
    total.ok_or_else(|| {
        Failure::new(format!("{} has no line of totals", part.display()), "see what this valgrind writes")
    })
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(format!("{}: {error}", path.display()), "see whether the file can be read and written")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_is_told_beside_what_it_took_before() {
        assert_eq!(
            line("decode", 110, Some(100)),
            "decode           110 instructions,       100 before (+10 %)"
        );
        assert_eq!(line("decode", 110, None), "decode           110 instructions, none kept before");
    }
}
