//! How much a server takes before it falls behind.

use std::time::Duration;

use crate::{
    run::{self, Measured},
    scenario::Scenario,
    server::{Home, Kind},
};

/// By when nearly every edit has to be with every reader.
const PROMPT: Duration = Duration::from_millis(100);
/// By how much the pace grows until a server falls behind.
const STEP: f64 = 1.5;
/// How often the last step is halved.
const HALVINGS: usize = 2;

/// The highest pace of each writer, in edits a second, at which everything arrives and 99 of 100 edits do so in time;
/// 0 when the scenario's own pace is too high.
pub(crate) async fn highest(scenario: &Scenario, kind: Kind) -> f64 {
    let mut kept = 0.0;
    let mut next = scenario.rate;
    while keeps_up(scenario, kind, next).await {
        (kept, next) = (next, next * STEP);
    }
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(kept, next);
        if kept == 0.0 {
            break;
        } else if keeps_up(scenario, kind, middle).await {
            kept = middle;
        } else {
            next = middle;
        }
    }
    kept
}

async fn keeps_up(scenario: &Scenario, kind: Kind, rate: f64) -> bool {
    let scenario = scenario.at(rate);
    let home = Home::new(kind);
    let server = home.start(kind).await;
    let measured = run::run(&scenario, &server).await;
    server.kill().await;
    is_prompt(&measured)
}

fn is_prompt(measured: &Measured) -> bool {
    let place = measured.took.len() * 99 / 100;
    let in_time = measured.took.get(place).is_some_and(|took| Duration::from_micros((*took).into()) < PROMPT);
    in_time && measured.delivered == measured.expected
}
