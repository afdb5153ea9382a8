//! What tests share.
//!
//! Everything here is for tests, and ends the test with a plain message when something is not as it should be.
//!
//! In reading order: [`Installation`], a data folder and a manifest with the `corella` binary to run on them;
//! [`Server`], the running process; [`Http`] and [`Peer`], which talk to it; [`backend_suite`], what every
//! database behind the store has to do; [`Siege`], those who mean harm; [`StartedPostgres`], a PostgreSQL server to do it on.
//!
//! This crate does not know the insides of `corella-server` and `corella-live`: it speaks to the binary alone.

mod binary;
mod deadline;
mod http;
mod installation;
mod issuer;
mod peer;
mod postgres;
mod provider;
mod random;
mod sample;
mod server;
mod siege;
mod stage;

pub mod backend_suite;
pub mod row;

pub use binary::binary;
pub use deadline::{DEADLINE, within};
pub use http::{Answer, Http, query};
pub use installation::{Database, Finished, Installation, signed_with};
pub use issuer::{IssuerKey, KeyServer};
pub use peer::{Ended, JoinRefusal, Joined, Peer, PeerOptions, Received};
pub use postgres::{Session, StartedPostgres, Stop};
pub use provider::{Fault, Provider};
pub use random::Random;
pub use sample::{KINDS, NOTES, OPEN, SAMPLE, deadly_update, presence_store};
pub use server::{Server, Stopped};
pub use siege::{Harm, Siege, handshake};
pub use stage::Stage;

/// Makes two tests of a function that takes a [`Database`]: `on_both!(name)` runs it as `name::on_sqlite` and as
/// `name::on_postgres`. Lints take the function for a test's when it is marked `#[cfg(test)]`.
#[macro_export]
macro_rules! on_both {
    ($name:ident) => {
        mod $name {
            #[tokio::test(flavor = "multi_thread")]
            async fn on_sqlite() {
                super::$name($crate::Database::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn on_postgres() {
                super::$name($crate::Database::Postgres).await;
            }
        }
    };
}
