//! How far a long command has come: a bar on a terminal, nothing elsewhere, and the rate in the end.

use std::{
    io::Read,
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use corella_store::schema::{FillReport, FillStep};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};

/// A bar on the error output, if that is a terminal.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    bar: ProgressBar,
    started: Instant,
}

impl Progress {
    /// Counts rows up to `count`.
    pub(crate) fn of_rows(count: u64) -> Self {
        Self::new(ProgressBar::new(count), "{bar:30} {human_pos} of {human_len} rows, {per_sec}, {eta} left")
    }

    /// Counts the bytes of the file at `path`; of an input without a size, those that came.
    pub(crate) fn of_bytes(path: &Path) -> Self {
        match std::fs::metadata(path) {
            Ok(about) if about.is_file() => Self::new(
                ProgressBar::new(about.len()),
                "{bar:30} {binary_bytes} of {binary_total_bytes}, {eta} left",
            ),
            Ok(_) | Err(_) => Self::new(ProgressBar::no_length(), "{spinner} {binary_bytes}"),
        }
    }

    fn new(bar: ProgressBar, template: &str) -> Self {
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = bar.with_style(style);
        Self { bar, started: Instant::now() }
    }

    /// One more row.
    pub(crate) fn row(&self) {
        self.bar.inc(1);
    }

    /// Counts what is read through it.
    pub(crate) fn follow<R: Read>(&self, input: R) -> impl Read + use<R> {
        self.bar.wrap_read(input)
    }

    /// Takes the bar away; says how many rows there were, and how many each second.
    pub(crate) fn finish(&self, rows: u64) -> String {
        self.bar.finish_and_clear();
        let took = self.started.elapsed().max(Duration::from_millis(1));
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rate for people"
        )]
        let rate = (rows as f64 / took.as_secs_f64()) as u64;
        let rows_word = if rows == 1 { "row" } else { "rows" };
        format!("{} {rows_word}, {} each second", HumanCount(rows), HumanCount(rate))
    }

    /// Prints a line above the bar.
    pub(crate) fn tell(&self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }
}

/// How far the filling of tables has come.
#[derive(Debug, Default)]
pub(crate) struct Filling {
    bar: Option<Progress>,
    done: u64,
}

impl Filling {
    /// Takes one step.
    pub(crate) fn follow(&mut self, step: &FillStep) {
        match (step, &self.bar) {
            (FillStep::Started { rows, .. }, _) => {
                self.bar = Some(Progress::of_rows(*rows));
                self.done = 0;
            }
            (FillStep::Rows { done, .. }, Some(bar)) => {
                bar.bar.inc(done.saturating_sub(self.done));
                self.done = *done;
            }
            (FillStep::Told(row), Some(bar)) => bar.tell(&format!("{}: {}", row.key, row.what)),
            (FillStep::Done { entity, rows }, Some(bar)) => {
                println!("{entity}: {}.", bar.finish(*rows));
                self.bar = None;
            }
            (FillStep::Rows { .. } | FillStep::Told(_) | FillStep::Done { .. }, None) => {}
        }
    }

    /// Says what is left to be looked at; the exit code says whether anything is.
    pub(crate) fn sum_up(&self, report: &FillReport) -> ExitCode {
        for clash in &report.clashes {
            eprintln!("corella: an index is left out: {clash}");
        }
        if report.unfit > 0 {
            eprintln!(
                "corella: {} of {} documents hold what their columns cannot; the first of them are named above, `corella \
                 check` names all",
                report.unfit, report.rows
            );
        }
        if report.clashes.is_empty() && report.unfit == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) }
    }
}
