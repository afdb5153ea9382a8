//! What was measured, as tables for people and as JSON for machines.

use std::{fmt::Write as _, path::Path};

use serde_json::{Value as Json, json};

use crate::{
    plot::{self, Bar},
    run::Measured,
    scenario::Scenario,
    server::Kind,
};

/// The medians of a server's rounds, with how far they lay apart.
pub(crate) struct Line {
    pub(crate) kind: Kind,
    rounds: Vec<Figures>,
}

/// What one round gave.
#[derive(Debug, Clone, Copy)]
struct Figures {
    delivered_per_second: f64,
    /// In milliseconds.
    p50: f64,
    p90: f64,
    p99: f64,
    max: f64,
    bytes_per_edit: f64,
    /// Milliseconds of processor time for 1,000 deliveries.
    processor: f64,
    /// MiB that the connections and documents add.
    memory: f64,
    connections: f64,
    /// Of those that should have come.
    complete: f64,
}

impl Figures {
    fn of(measured: &Measured) -> Self {
        let count = measured.took.len() as f64;
        let share = |thousandths: usize| {
            let place =
                (measured.took.len() * thousandths / 1_000).min(measured.took.len().saturating_sub(1));
            measured.took.get(place).map_or(f64::NAN, |took| f64::from(*took) / 1_000.0)
        };
        Self {
            delivered_per_second: count / measured.window.as_secs_f64(),
            p50: share(500),
            p90: share(900),
            p99: share(990),
            max: share(1_000),
            bytes_per_edit: measured.bytes as f64 / measured.delivered as f64,
            processor: measured.processor.as_secs_f64() * 1e6 / count,
            memory: measured.memory.saturating_sub(measured.memory_before) as f64 / 1024.0 / 1024.0,
            connections: measured.connections as f64,
            complete: measured.delivered as f64 / measured.expected as f64,
        }
    }

    fn json(&self) -> Json {
        json!({
            "delivered_per_second": self.delivered_per_second, "p50_ms": self.p50, "p90_ms": self.p90, "p99_ms": self.p99,
            "max_ms": self.max, "bytes_per_edit": self.bytes_per_edit, "cpu_ms_per_1000": self.processor,
            "memory_mib": self.memory, "complete": self.complete,
        })
    }
}

impl Line {
    pub(crate) fn new(kind: Kind) -> Self {
        Self { kind, rounds: Vec::new() }
    }

    pub(crate) fn is_measured(&self) -> bool {
        !self.rounds.is_empty()
    }

    pub(crate) fn add(&mut self, measured: &Measured) {
        self.rounds.push(Figures::of(measured));
    }

    pub(crate) fn json(&self) -> Json {
        json!({ "server": self.kind.title(), "rounds": self.rounds.iter().map(Figures::json).collect::<Vec<_>>() })
    }

    fn median(&self, of: impl Fn(&Figures) -> f64) -> f64 {
        let mut values: Vec<f64> = self.rounds.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    }

    fn range(&self, of: impl Fn(&Figures) -> f64) -> (f64, f64) {
        let values = || self.rounds.iter().map(&of);
        (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max))
    }
}

/// The lines of one scenario as a table; the first is what the others are compared with.
pub(crate) fn table(lines: &[Line]) -> String {
    let mut table = String::from(
        "| server | delivered/s | p50 ms | p90 ms | p99 ms (range) | max ms | bytes/edit | CPU ms per 1,000 (range) | \
         beside the first | MiB added | KiB per connection | complete |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for line in lines {
        let median = |of: fn(&Figures) -> f64, digits: usize| number(line.median(of), digits);
        let range = |of: fn(&Figures) -> f64| {
            let (from, to) = line.range(of);
            format!("{} ({}–{})", number(line.median(of), 1), number(from, 1), number(to, 1))
        };
        let first = lines[0].median(|figures| figures.processor);
        let cells = [
            line.kind.title().to_owned(),
            median(|figures| figures.delivered_per_second, 0),
            median(|figures| figures.p50, 1),
            median(|figures| figures.p90, 1),
            range(|figures| figures.p99),
            median(|figures| figures.max, 0),
            median(|figures| figures.bytes_per_edit, 0),
            range(|figures| figures.processor),
            number(line.median(|figures| figures.processor) / first, 2),
            median(|figures| figures.memory, 0),
            median(|figures| figures.memory * 1024.0 / figures.connections, 1),
            median(|figures| figures.complete * 100.0, 1),
        ];
        let _ = writeln!(table, "| {} |", cells.join(" | "));
    }
    table
}

/// Draws what the machine pays for a delivery, and how long the slowest take.
pub(crate) fn draw(folder: &Path, scenario: &Scenario, lines: &[Line]) -> Result<(), plot::Undrawn> {
    let of_processor: fn(&Figures) -> f64 = |figures| figures.processor;
    let of_slowest: fn(&Figures) -> f64 = |figures| figures.p99;
    let pictures = [
        ("cpu", "processor ms for 1,000 delivered", of_processor),
        ("p99", "99 of 100 edits arrive within, ms", of_slowest),
    ];
    for (kind, what, of) in pictures {
        let bars = lines.iter().map(|line| Bar {
            label: line.kind.title().to_owned(),
            median: line.median(of),
            range: line.range(of),
            is_ours: line.kind == Kind::Corella,
        });
        let file = folder.join(format!("{}-{kind}.svg", scenario.name));
        plot::draw(&file, &format!("{}: {what}", scenario.name), &bars.collect::<Vec<_>>())?;
    }
    Ok(())
}

/// A number for people; what was not measured, since nothing was written, is a dash.
fn number(value: f64, digits: usize) -> String {
    if value.is_finite() { format!("{value:.digits$}") } else { "–".to_owned() }
}
