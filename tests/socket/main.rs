//! The conversation on the socket, with the binary at its other end.

mod attack;
mod backfill;
mod durable;
mod guards;
mod history;
mod limits;
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
