//! `cargo xtask fuzz TARGET`: libFuzzer looks for inputs that break a border, led by what they reach in the code.
//!
//! The compiler's own pass counts what is reached, so that the compiler of the workspace serves; everything is built a
//! second time for it, in a target folder of its own.

#[path = "../../fuzz/src/lines.rs"]
#[expect(unreachable_pub, reason = "the file is a module of another crate, which shows it")]
mod lines;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::process::Task;
use crate::report::{Failure, Steps, Stop, note};
use crate::workspace;

/// What `cargo xtask fuzz` is told.
#[derive(Args)]
pub(crate) struct Options {
    /// What is tried: a folder of tests/fuzz/corpus, such as `wire` or `policy`.
    target: String,
    /// How many inputs are tried.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    runs: u64,
    /// Writes the smallest inputs that reach what was reached to tests/fuzz/corpus, where every test run replays them.
    #[arg(long)]
    keep: bool,
}

/// The target that is meant to end its process now and then, as it ends guards.
const DEADLY: &str = "update";

/// Counts edges, and tells the fuzzer what is compared with what.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1";
/// Longest input that is made, in bytes.
const MOST_BYTES: &str = "-max_len=4096";
/// Longest input that is kept, in bytes.
const MOST_KEPT: &str = "-max_len=512";
/// Most bytes of the inputs that are kept of a target.
const MOST_KEPT_IN_ALL: usize = 24 * 1024;
/// The file of a corpus that is written here; others are written by hand.
const FOUND: &str = "found.hex";

/// Builds the fuzzer, and has it look.
pub(crate) fn run(steps: &mut Steps, options: &Options) -> Result<(), Stop> {
    let root = workspace::root();
    let name = &*options.target;
    steps.must("the target", || known(&root, name))?;
    let home = workspace::target_folder(&root).map(|folder| folder.join("fuzz"));
    let (fuzzer, home) = steps.must("the fuzzer", || {
        let home = home?;
        Ok((build(&root, &home)?, home))
    })?;
    let [inputs, smallest, broken] =
        ["inputs", "smallest", "broken"].map(|folder| home.join(folder).join(name));
    let kept = root.join("tests/fuzz/corpus").join(name);
    steps.must("the inputs to begin with", || {
        [&inputs, &broken].into_iter().try_for_each(|folder| made(folder))?;
        unpack(&kept, &inputs)
    })?;
    let task = || {
        let words = root.join("fuzz/words").join(format!("{name}.dict"));
        let words = words.is_file().then(|| format!("-dict={}", words.display()));
        Task::new(&fuzzer, &root).args(words).env("CORELLA_FUZZ_TARGET", name)
    };
    steps.attempt(&format!("{} inputs for {name}", options.runs), || {
        // What is meant to end a guard ends the fuzzer's process as well: children try, and are replaced.
        let fork = (name == DEADLY)
            .then_some(["-fork=1", "-ignore_crashes=1", "-ignore_ooms=1", "-ignore_timeouts=1"]);
        task()
            .args([format!("-runs={}", options.runs), format!("-artifact_prefix={}/", broken.display())])
            .args([MOST_BYTES, "-timeout=10", "-print_final_stats=1"])
            .args(fork.into_iter().flatten())
            .args([&inputs])
            .run("the input lies in the file that is named above; mend what it breaks, and add it to the corpus")
    });
    if name == DEADLY {
        note(&format!("what ended the fuzzer lies in {}; guards have to take it", broken.display()));
    }
    if options.keep {
        steps.attempt("the smallest inputs that reach as much", || {
            fs::remove_dir_all(&smallest).ok();
            made(&smallest)?;
            task()
                .args(["-merge=1", MOST_KEPT])
                .args([&smallest, &inputs])
                .run("see the first failure above")?;
            pack(&smallest, &kept.join(FOUND))
        });
    }
    Ok(())
}

/// Whether there is such a target: each has a corpus of its name.
fn known(root: &Path, name: &str) -> Result<(), Failure> {
    let corpora = files(&root.join("tests/fuzz/corpus"))?;
    let names: Vec<_> = corpora.iter().filter_map(|corpus| corpus.file_name()?.to_str()).collect();
    if names.contains(&name) {
        return Ok(());
    }
    let what = format!("expected one of {}, found {name}", names.join(", "));
    Err(Failure::new(what, "name a target of fuzz/src/lib.rs"))
}

fn build(root: &Path, home: &Path) -> Result<PathBuf, Failure> {
    // Build scripts are not built with the flags where a target is named.
    let host = String::from_utf8_lossy(
        &Task::new("rustc", root).args(["--print", "host-tuple"]).capture("install Rust")?,
    )
    .trim()
    .to_owned();
    Task::new("cargo", root)
        .args(["build", "--package", "corella-fuzz", "--bin", "corella-fuzz", "--features", "libfuzzer"])
        .args(["--target", &host, "--target-dir"])
        .args([home])
        .env("RUSTFLAGS", COVERAGE)
        .build_binary("corella-fuzz")
}

fn made(folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(|error| unusable(folder, &error))
}

fn unusable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{} could not be used: {error}", path.display()), "see whether it may be written")
}

/// Writes each input of a corpus to a file of its own, as libFuzzer wants them.
fn unpack(corpus: &Path, folder: &Path) -> Result<(), Failure> {
    for file in files(corpus)? {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = fs::read(&file).map_err(|error| unusable(&file, &error))?;
        let inputs =
            if name.ends_with(".hex") { lines::read(&String::from_utf8_lossy(&bytes)) } else { vec![bytes] };
        for (number, input) in inputs.iter().enumerate() {
            let place = folder.join(format!("{name}.{number}"));
            fs::write(&place, input).map_err(|error| unusable(&place, &error))?;
        }
    }
    Ok(())
}

/// Writes the inputs in `folder` to one file, the shortest first, as many as may be kept.
fn pack(folder: &Path, into: &Path) -> Result<(), Failure> {
    let mut inputs = Vec::new();
    for file in files(folder)? {
        inputs.push(fs::read(&file).map_err(|error| unusable(&file, &error))?);
    }
    let count = inputs.len();
    let text = to_lines(inputs);
    note(&format!("{} of {count} inputs are kept in {}", text.lines().count() - 1, into.display()));
    fs::write(into, text).map_err(|error| unusable(into, &error))
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let unusable = |error| unusable(folder, &error);
    let entries = fs::read_dir(folder).map_err(unusable)?;
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>().map_err(unusable)?;
    files.sort_unstable();
    Ok(files)
}

fn to_lines(mut inputs: Vec<Vec<u8>>) -> String {
    inputs.retain(|input| !input.is_empty());
    inputs.sort_unstable_by(|one, other| (one.len(), one).cmp(&(other.len(), other)));
    let mut text = "# What libFuzzer found to reach something new: `cargo xtask fuzz --keep`.\n".to_owned();
    let mut bytes = 0;
    for input in inputs {
        bytes += input.len();
        if bytes > MOST_KEPT_IN_ALL {
            break;
        }
        text.push_str(&lines::written(&input));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_read_as_they_are_written() {
        let written = to_lines(vec![b"longer".to_vec(), vec![0, 255], Vec::new()]);
        insta::assert_snapshot!(written, @r"
        # What libFuzzer found to reach something new: `cargo xtask fuzz --keep`.
        00ff
        6c6f6e676572
        ");
        assert_eq!(lines::read(&written), [vec![0, 255], b"longer".to_vec()]);
        assert_eq!(lines::read("0102 # two\n\n"), [vec![1, 2]]);
        let many = to_lines(vec![vec![7; 1_000]; 100]);
        assert!(many.len() < 2 * MOST_KEPT_IN_ALL + 200, "no more is kept than may be");
    }
}
