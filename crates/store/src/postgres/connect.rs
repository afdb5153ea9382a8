//! Connections: one that writes, a few that read.

use std::{fmt, num::NonZeroU32, str::FromStr, time::Duration};

use sqlx_core::{
    connection::{ConnectOptions as _, Connection as _},
    error::Error,
    pool::PoolConnection,
    query_scalar::query_scalar,
};
use sqlx_postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions, Postgres};
use tokio::time::Instant;

use super::failure::{OpenError, code, is_of_connection, is_of_old_plan, unavailable};
use crate::{durability::Durability, port::BackendError};

/// Between two tries to connect to a server that is starting.
const RETRY: Duration = Duration::from_millis(100);
/// Idle for less than this, a connection is used without asking first whether it lives.
const FRESH: Duration = Duration::from_secs(1);
/// Prepared statements kept per connection.
const STATEMENT_CACHE: usize = 256;

/// How to use a PostgreSQL database.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// When a commit counts as durable.
    pub durability: Durability,
    /// Connections that read at the most; one more writes.
    pub readers: NonZeroU32,
    /// How long a connection is tried for, and waited for when all are in use.
    pub connect_timeout: Duration,
    /// How long one statement may take.
    pub statement_timeout: Duration,
    /// How long a statement may wait for a lock.
    pub lock_timeout: Duration,
}

impl Default for PostgresOptions {
    /// Durable commits, eight readers, 5 s to connect, 30 s for a statement, 10 s for a lock.
    fn default() -> Self {
        Self {
            durability: Durability::Full,
            readers: NonZeroU32::new(8).expect("eight is not zero"),
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(30),
            lock_timeout: Duration::from_secs(10),
        }
    }
}

/// Where a database is: `postgres://user:password@host:port/name?sslmode=require`.
///
/// It prints without its password and whatever else might be a secret.
#[derive(Clone)]
pub struct DatabaseAddress(PgConnectOptions);

impl FromStr for DatabaseAddress {
    type Err = OpenError;

    fn from_str(text: &str) -> Result<Self, OpenError> {
        if !["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme)) {
            return Err(OpenError::Address("it does not start with postgres://".into()));
        }
        // The driver's own words may repeat a part of the address.
        let options = text.parse::<PgConnectOptions>().map_err(|_| {
            OpenError::Address(
                "a part of it is no user, host, port, name or setting (write `@ / : ? # %` in a password as %40 %2F \
                 %3A %3F %23 %25)"
                    .into(),
            )
        })?;
        if options.get_database().is_none() {
            return Err(OpenError::Address("the database's name is missing at the end".into()));
        }
        Ok(Self(options))
    }
}

impl fmt::Display for DatabaseAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.get_database().unwrap_or_default();
        match self.0.get_socket() {
            Some(socket) => write!(f, "{name} at {}", socket.display()),
            None => write!(f, "{name} at {}:{}", self.0.get_host(), self.0.get_port()),
        }
    }
}

impl fmt::Debug for DatabaseAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseAddress({self})")
    }
}

/// What a process is doing with a database, as PostgreSQL names its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// It serves rows, beside others that may.
    Serve,
    /// It only reads.
    Read,
    /// It changes what others must not be looking at.
    Alone,
}

impl Part {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Serve => "corella serve",
            Self::Read => "corella read",
            Self::Alone => "corella alone",
        }
    }
}

/// The way to the server.
pub(super) struct Link {
    writing: PgConnectOptions,
    readers: PgPool,
    pub(super) options: PostgresOptions,
    /// The one connection that writes; `None` until it is needed, and again after a failure. An async mutex, held for
    /// one transaction: only the commit thread, background folds and what happens at the start ever take it.
    writer: tokio::sync::Mutex<Option<Idle>>,
}

/// A connection that nobody uses.
struct Idle {
    connection: PgConnection,
    since: Instant,
}

impl Link {
    pub(super) fn new(address: &DatabaseAddress, options: PostgresOptions, part: Part) -> Self {
        let milliseconds = |duration: Duration| duration.as_millis().max(1).to_string();
        let common = address
            .0
            .clone()
            .application_name(part.name())
            .statement_cache_capacity(STATEMENT_CACHE)
            .options([
                ("statement_timeout", milliseconds(options.statement_timeout)),
                ("lock_timeout", milliseconds(options.lock_timeout)),
                ("idle_in_transaction_session_timeout", milliseconds(options.statement_timeout * 2)),
            ])
            .disable_statement_logging();
        let synchronous = match options.durability {
            Durability::Full => "on",
            Durability::Relaxed => "off",
        };
        // The writer's statements take arrays of any length; a plan made for one length does for all.
        let writing = common
            .clone()
            .options([("synchronous_commit", synchronous), ("plan_cache_mode", "force_generic_plan")]);
        let readers = PgPoolOptions::new()
            .max_connections(options.readers.get())
            .acquire_timeout(options.connect_timeout)
            .test_before_acquire(false)
            .connect_lazy_with(common);
        Self { writing, readers, options, writer: tokio::sync::Mutex::default() }
    }

    /// A connection of its own, for as long as the caller keeps it.
    pub(super) async fn connect(&self) -> Result<PgConnection, Error> {
        let deadline = Instant::now() + self.options.connect_timeout;
        loop {
            let attempt = tokio::time::timeout_at(deadline, self.writing.connect()).await;
            match attempt.unwrap_or(Err(Error::PoolTimedOut)) {
                Err(error) if is_passing(&error) && Instant::now() + RETRY < deadline => {
                    tokio::time::sleep(RETRY).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// Lends the writing connection to `work`, and closes it when that fails: nobody knows then what it is at.
    pub(super) async fn write<T>(
        &self,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        let mut slot = self.writer.lock().await;
        let alive = match slot.take() {
            Some(idle) => self.revive(idle).await,
            None => None,
        };
        let mut connection = match alive {
            Some(connection) => connection,
            None => self.connect().await.map_err(unavailable)?,
        };
        let outcome = work(&mut connection).await;
        if outcome.is_ok() {
            *slot = Some(Idle { connection, since: Instant::now() });
        }
        outcome
    }

    /// The connection, unless it has died while nobody used it.
    async fn revive(&self, Idle { mut connection, since }: Idle) -> Option<PgConnection> {
        if since.elapsed() < FRESH {
            return Some(connection);
        }
        let answer = tokio::time::timeout(self.options.connect_timeout, connection.ping()).await;
        matches!(answer, Ok(Ok(()))).then_some(connection)
    }

    /// Tries for one read: when the server has restarted or a table has changed, every idle connection is of no use.
    pub(super) fn tries(&self) -> Tries {
        Tries(self.options.readers.get().saturating_add(1))
    }

    /// A reading connection; what it is used for goes through `reading!`.
    pub(super) async fn reader(&self) -> Result<PoolConnection<Postgres>, BackendError> {
        self.readers.acquire().await.map_err(unavailable)
    }

    /// How long an answer is waited for that the server's own timeouts must have brought by then.
    pub(super) fn patience(&self) -> Duration {
        (self.options.statement_timeout + self.options.lock_timeout) * 2
    }

    /// Closes every connection.
    pub(super) async fn close(&self) {
        self.readers.close().await;
        if let Some(Idle { connection, .. }) = self.writer.lock().await.take() {
            connection.close().await.ok();
        }
    }
}

/// How many other connections of these names the database has.
pub(super) async fn others(connection: &mut PgConnection, names: &[&str]) -> Result<i64, Error> {
    query_scalar::<Postgres, _>(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
         AND application_name = ANY($1)",
    )
    .bind(names)
    .fetch_one(connection)
    .await
}

/// Whether the server may take connections in a moment.
fn is_passing(error: &Error) -> bool {
    if let Error::Io(source) = error {
        return source.kind() != std::io::ErrorKind::PermissionDenied;
    }
    // It starts up, shuts down, recovers, or has no connection left.
    matches!(code(error).as_deref(), Some("57P03" | "57P01" | "53300"))
}

/// How often a read may still be tried.
pub(super) struct Tries(u32);

impl Tries {
    /// What to answer; nothing when the connection was dead and another one is to be tried.
    pub(super) fn settle<T>(
        &mut self,
        connection: &mut PoolConnection<Postgres>,
        outcome: Result<T, Error>,
    ) -> Option<Result<T, BackendError>> {
        let error = match outcome {
            Ok(found) => return Some(Ok(found)),
            Err(error) => error,
        };
        connection.close_on_drop();
        self.0 = self.0.saturating_sub(1);
        if (is_of_connection(&error) || is_of_old_plan(&error)) && self.0 > 0 {
            return None;
        }
        Some(Err(unavailable(error)))
    }
}
