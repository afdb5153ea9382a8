//! A query gives the same answer in memory and in SQL, and says clearly what it does not take.

mod agreement;
mod bounds;
mod database;
mod errors;
mod fixture;
mod generate;
mod injection;
mod matching;
mod paging;
mod related;
mod semantics;
mod statements;
mod windows;
mod words;
