//! Running another program: its output streamed or captured, its failure turned into a plain message.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, ErrorKind, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anstream::adapter::strip_str;
use serde::Deserialize;

use crate::report::{self, Failure};

/// One command to run: nothing is read from the terminal, so that no step ever waits for an answer.
pub(crate) struct Task {
    program: OsString,
    arguments: Vec<OsString>,
    folder: PathBuf,
    environment: Vec<(&'static str, OsString)>,
}

impl Task {
    /// A command in `folder`, without arguments yet.
    pub(crate) fn new(program: impl Into<OsString>, folder: &Path) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            folder: folder.to_owned(),
            environment: Vec::new(),
        }
    }

    /// Adds arguments.
    pub(crate) fn args<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable for this command.
    pub(crate) fn env(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// The command as one would type it.
    pub(crate) fn display(&self) -> String {
        let words = self.environment.iter().map(|(name, value)| format!("{name}={}", quoted(value)));
        let command = std::iter::once(&self.program).chain(&self.arguments).map(|word| quoted(word));
        words.chain(command).collect::<Vec<_>>().join(" ")
    }

    /// Runs the command with its output streamed.
    ///
    /// # Errors
    ///
    /// The command could not be started or did not succeed; `mend` says what to do about the latter.
    pub(crate) fn run(&self, mend: &str) -> Result<(), Failure> {
        let status = self.command().status().map_err(|error| self.did_not_start(&error))?;
        if status.success() {
            return Ok(());
        }
        Err(Failure::new(format!("the command ended with {status}"), mend)
            .command(self.display())
            .output("above this message"))
    }

    /// Runs a program that runs tests, with its output streamed.
    ///
    /// Where nobody watches, the log may be long and only its end be kept: there the failure names the tests that
    /// failed and what each said first.
    ///
    /// # Errors
    ///
    /// As [`Task::run`].
    pub(crate) fn run_tests(&self, mend: &str) -> Result<(), Failure> {
        if std::io::stdout().is_terminal() {
            return self.run(mend);
        }
        let mut command = self.command();
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| self.did_not_start(&error))?;
        let (output, errors) = (child.stdout.take(), child.stderr.take());
        let failed = std::thread::scope(|scope| {
            let of_errors = scope.spawn(|| errors.map(pass_on).unwrap_or_default());
            let mut failed = output.map(pass_on).unwrap_or_default();
            failed.extend(of_errors.join().unwrap_or_default());
            failed
        });
        let status = child.wait().map_err(|error| self.did_not_start(&error))?;
        if status.success() {
            return Ok(());
        }
        let output = if failed.is_empty() { "above this message".to_owned() } else { failed.join("\n") };
        Err(Failure::new(format!("the command ended with {status}"), mend)
            .command(self.display())
            .output(output))
    }

    /// Runs the command and gives back what it wrote to its standard output.
    ///
    /// # Errors
    ///
    /// The command could not be started or did not succeed; what it wrote to its standard error is in the message.
    pub(crate) fn capture(&self, mend: &str) -> Result<Vec<u8>, Failure> {
        let output = self.command().output().map_err(|error| self.did_not_start(&error))?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        Err(Failure::new(format!("the command ended with {}", output.status), mend)
            .command(self.display())
            .output(String::from_utf8_lossy(&output.stderr)))
    }

    /// Whether the command can be started and succeeds; its output goes nowhere.
    pub(crate) fn succeeds(&self) -> bool {
        self.command()
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    /// Runs a `cargo build` with its progress streamed, and gives back where cargo put the binary `name`.
    ///
    /// Cargo is asked instead of the path being put together here, since the target folder and the target
    /// triple may be set in the developer's own configuration.
    ///
    /// # Errors
    ///
    /// The build failed, or it built no such binary.
    pub(crate) fn build_binary(self, name: &str) -> Result<PathBuf, Failure> {
        let task = self.args(["--message-format", "json-render-diagnostics"]);
        let mut child =
            task.command().stdout(Stdio::piped()).spawn().map_err(|error| task.did_not_start(&error))?;
        let mut executable = None;
        if let Some(messages) = child.stdout.take() {
            for line in BufReader::new(messages).lines() {
                let line = line.map_err(|error| task.did_not_start(&error))?;
                executable = executable.or_else(|| binary_in_message(&line, name));
            }
        }
        let status = child.wait().map_err(|error| task.did_not_start(&error))?;
        let mend = "mend what the compiler names";
        if !status.success() {
            return Err(Failure::new(format!("the command ended with {status}"), mend)
                .command(task.display())
                .output("above this message"));
        }
        executable.ok_or_else(|| {
            let what = format!("the build succeeded, but no package of the workspace has a binary `{name}`");
            Failure::new(what, format!("declare it: `[[bin]] name = \"{name}\"`")).command(task.display())
        })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).current_dir(&self.folder).stdin(Stdio::null());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    fn did_not_start(&self, error: &std::io::Error) -> Failure {
        let program = self.program.to_string_lossy();
        let mend = if error.kind() == ErrorKind::NotFound {
            format!("install `{program}` and see that it is on the PATH")
        } else {
            format!("see whether `{program}` can be run by hand")
        };
        Failure::new(format!("`{program}` could not be run: {error}"), mend).command(self.display())
    }
}

/// Where a program of this name lies on the PATH.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|candidate| candidate.is_file())
}

/// Prints what a runner of tests says, line by line, and gives back what it says of tests that failed.
fn pass_on(output: impl Read) -> Vec<String> {
    let mut failed = FailedTests::default();
    for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        report::pass_on(&line);
        failed.read(&line);
    }
    failed.lines
}

/// The tests that failed, as cargo-nextest, libtest and vitest name them.
#[derive(Default)]
struct FailedTests {
    lines: Vec<String>,
    /// How many lines of the message that follows a name are still to be kept.
    message: usize,
}

impl FailedTests {
    const LINES: usize = 60;
    /// vitest writes what was expected below the name; the others write it far from the name.
    const MESSAGE: usize = 2;

    fn read(&mut self, line: &str) {
        // npm has the programs that it runs write in colours wherever their output goes.
        let line = strip_str(line).to_string();
        let line = line.trim();
        let is_vitest = line.starts_with("FAIL ") && line.contains(".test.");
        let is_name = is_vitest
            || ["FAIL [", "TIMEOUT [", "SIGABRT [", "SIGSEGV ["].iter().any(|start| line.starts_with(start))
            || (line.starts_with("test ") && line.ends_with("... FAILED"));
        let is_wanted = is_name || (self.message > 0 && !line.is_empty());
        if !is_name && is_wanted {
            self.message -= 1;
        }
        if is_vitest {
            self.message = Self::MESSAGE;
        }
        // nextest names what failed once more at its end.
        if is_wanted && self.lines.len() < Self::LINES && !self.lines.iter().any(|kept| kept == line) {
            self.lines.push(line.to_owned());
        }
    }
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_=./:,@+".contains(character);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// The part of cargo's build messages that is read here; messages of other kinds lack most of it.
#[derive(Deserialize)]
struct BuildMessage {
    executable: Option<PathBuf>,
    target: Option<BuildTarget>,
}

#[derive(Deserialize)]
struct BuildTarget {
    name: String,
    kind: Vec<String>,
}

fn binary_in_message(line: &str, name: &str) -> Option<PathBuf> {
    let message: BuildMessage = serde_json::from_str(line).ok()?;
    let target = message.target?;
    // The test harness of a binary has an executable too, in the folder of the dependencies.
    let is_harness = message.executable.as_ref()?.parent()?.ends_with("deps");
    let is_wanted = target.name == name && target.kind.iter().any(|kind| kind == "bin") && !is_harness;
    if is_wanted { message.executable } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        let task =
            Task::new("cargo", Path::new(".")).env("RUSTDOCFLAGS", "-D warnings").args(["doc", "it's"]);
        insta::assert_snapshot!(task.display(), @r"RUSTDOCFLAGS='-D warnings' cargo doc 'it'\''s'");
    }

    #[test]
    fn a_program_that_does_not_exist_is_named() {
        let failure =
            Task::new("no-such-program", Path::new(".")).run("unused").expect_err("it is not there");
        assert!(failure.to_string().contains("install `no-such-program`"), "{failure}");
    }

    #[test]
    fn a_command_that_fails_shows_what_it_said() {
        let failure = Task::new("sh", Path::new("."))
            .args(["-c", "echo told >&2; exit 3"])
            .capture("look at it")
            .expect_err("it ends with 3");
        insta::assert_snapshot!(failure, @r"
        the command ended with exit status: 3
            command: sh -c 'echo told >&2; exit 3'
            output:  told
            to mend: look at it
        ");
    }

    #[test]
    fn tests_that_failed_are_named() {
        let said = "PASS [   0.005s] (1/3) corella-wire frame::fits
        FAIL [   0.007s] (2/3) corella-wire frame::too_long
 \u{1b}[41m FAIL \u{1b}[49m browser/board.test.ts > a card is moved
AssertionError: expected 'a' to be 'b'

Expected: b
Received: a
     Summary [   0.010s] 3 tests run
        FAIL [   0.007s] (2/3) corella-wire frame::too_long";
        let mut failed = FailedTests::default();
        said.lines().for_each(|line| failed.read(line));
        insta::assert_snapshot!(failed.lines.join("\n"), @r"
        FAIL [   0.007s] (2/3) corella-wire frame::too_long
        FAIL  browser/board.test.ts > a card is moved
        AssertionError: expected 'a' to be 'b'
        Expected: b
        ");
    }

    #[test]
    fn the_binary_is_read_from_the_build_messages() {
        let message = |name: &str, kind: &str, executable: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","target":{{"name":"{name}","kind":["{kind}"]}},"executable":{executable}}}"#
            )
        };
        let found = |line: &str| binary_in_message(line, "corella");
        assert_eq!(
            found(&message("corella", "bin", r#""/t/debug/corella""#)),
            Some("/t/debug/corella".into())
        );
        assert_eq!(found(&message("corella", "bin", r#""/t/debug/deps/corella-1f""#)), None);
        assert_eq!(found(&message("corella", "lib", "null")), None);
        assert_eq!(found(&message("other", "bin", r#""/t/debug/other""#)), None);
        assert_eq!(found(r#"{"reason":"build-finished","success":true}"#), None);
        assert_eq!(found("not json"), None);
    }
}
