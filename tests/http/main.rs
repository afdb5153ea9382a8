//! The HTTP interface of the binary.

mod constraints;
mod documents;
mod history;
mod kinds;
mod numbers;
mod plain;
mod queries;
mod refusals;
mod repeats;
mod rows;
mod status;
mod transactions;
