//! Live queries over real stores: what is told adds up to what a fresh query finds.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod documents;
mod follower;
mod histories;
mod house;
mod limits;
mod manifests;
mod matching;
mod oracle;
mod orders;
mod related;
mod servers;
mod words;
