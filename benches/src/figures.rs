//! Medians and rates.

use std::time::Instant;

pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// How many a second since `started`.
pub(crate) fn rate(count: usize, started: Instant) -> f64 {
    number(count) / started.elapsed().as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "a figure to print")]
pub(crate) fn number(count: usize) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "a figure to print")]
pub(crate) fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
