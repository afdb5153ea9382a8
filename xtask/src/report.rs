//! What the developer sees: a line when a step starts, one plain message when it fails, and a summary.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is the module through which xtask speaks"
)]

use std::fmt;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Why a step failed, in the words that the developer needs to mend it.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    command: Option<String>,
    output: Option<String>,
    mend: String,
}

impl Failure {
    /// A failure described by what happened and by what mends it.
    pub(crate) fn new(what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { what: what.into(), command: None, output: None, mend: mend.into() }
    }

    /// Names the command that failed.
    pub(crate) fn command(mut self, command: impl Into<String>) -> Self {
        self.command = Some(command.into());
        self
    }

    /// Says where the command's output is, or gives it when it was not streamed.
    pub(crate) fn output(mut self, output: impl Into<String>) -> Self {
        self.output = Some(output.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.what)?;
        let rows = [
            ("command: ", self.command.as_deref()),
            ("output:  ", self.output.as_deref()),
            ("to mend: ", Some(self.mend.as_str())),
        ];
        for (label, text) in rows {
            if let Some(text) = text {
                write!(formatter, "\n    {label}{}", text.trim_end().replace('\n', "\n             "))?;
            }
        }
        Ok(())
    }
}

/// A step failed and the failure has been reported: there is nothing left to say.
#[derive(Debug)]
pub(crate) struct Stop;

enum Outcome {
    Passed,
    Failed,
}

struct Step {
    title: String,
    outcome: Outcome,
    took: Duration,
}

/// The steps of one command, in the order in which they ran.
#[derive(Default)]
pub(crate) struct Steps {
    finished: Vec<Step>,
}

impl Steps {
    /// Runs a step on which later ones build.
    ///
    /// # Errors
    ///
    /// [`Stop`] when the step failed; the failure has been printed.
    pub(crate) fn must<T>(
        &mut self,
        title: &str,
        work: impl FnOnce() -> Result<T, Failure>,
    ) -> Result<T, Stop> {
        println!("==> {title}");
        let started = Instant::now();
        let result = work();
        let outcome = if result.is_ok() { Outcome::Passed } else { Outcome::Failed };
        self.finished.push(Step { title: title.to_owned(), outcome, took: started.elapsed() });
        result.map_err(|failure| {
            eprintln!("\nfailed: {title}: {failure}\n");
            Stop
        })
    }

    /// Runs a step whose failure leaves the later ones worth running, so that one run shows all failures.
    pub(crate) fn attempt(&mut self, title: &str, work: impl FnOnce() -> Result<(), Failure>) {
        // The failure has been printed and recorded, and `finish` turns it into the exit code.
        let _reported = self.must(title, work);
    }

    /// Prints how long each step took and which ones failed, and gives the exit code of the whole.
    pub(crate) fn finish(self) -> ExitCode {
        println!("\n==> summary");
        for step in &self.finished {
            let outcome = match step.outcome {
                Outcome::Passed => "ok",
                Outcome::Failed => "FAILED",
            };
            println!("    {outcome:<6} {:>7.1} s  {}", step.took.as_secs_f64(), step.title);
        }
        let failed = self.finished.iter().filter(|step| matches!(step.outcome, Outcome::Failed)).count();
        println!("    {} steps passed, {failed} failed", self.finished.len() - failed);
        if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) }
    }
}

/// Passes a line of a command's output on as it is.
pub(crate) fn pass_on(line: &str) {
    println!("{line}");
}

/// Says something that belongs to the step that is running.
pub(crate) fn note(text: &str) {
    println!("    {text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_reads_as_one_message() {
        let failure = Failure::new("the tests failed", "run it again\nor read the log")
            .command("cargo nextest run")
            .output("above");
        insta::assert_snapshot!(failure, @r"
        the tests failed
            command: cargo nextest run
            output:  above
            to mend: run it again
                     or read the log
        ");
    }

    #[test]
    fn a_failed_step_does_not_keep_the_next_one_from_running() {
        let mut steps = Steps::default();
        let mut ran = false;
        steps.attempt("first", || Err(Failure::new("broken", "mend it")));
        steps.attempt("second", || {
            ran = true;
            Ok(())
        });
        assert!(ran);
        assert_eq!(steps.finished.iter().filter(|step| matches!(step.outcome, Outcome::Failed)).count(), 1);
    }
}
