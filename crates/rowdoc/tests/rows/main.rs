//! Rows as documents, through the public face, against documents of stock clients.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod convergence;
mod counters;
mod former;
mod gates;
mod history;
mod hostile;
mod lists;
mod maps;
mod merge;
mod nodes;
mod open;
mod past;
mod patches;
mod projection;
mod rich;
mod salvage;
mod script;
mod support;
mod trees;
mod values;
