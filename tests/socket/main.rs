//! The conversation on the socket, with the binary at its other end.

mod backfill;
mod durable;
mod guards;
mod history;
mod live;
mod mutations;
mod open;
mod peers;
mod presence;
mod queries;
mod seeds;
mod slow;
mod two;
mod wrong;
