//! Where the rows are: in a data folder, or in a PostgreSQL database.

use std::{fmt, num::NonZeroU32, path::PathBuf, sync::Arc};

use clap::Args;
use corella_store::{
    Durability,
    port::Backend,
    postgres::{DatabaseAddress, PostgresBackend, PostgresOptions},
    sqlite::SqliteBackend,
};

use crate::{failure::Failure, secret};

/// Where the rows are: one of the two.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// The folder that everything is stored in; made if it is not there.
    #[arg(long, value_name = "DIR", env = "CORELLA_DATA")]
    data: Option<PathBuf>,
    /// In place of the folder a PostgreSQL database, such as postgres://user@host:5432/name; servers may share it. A
    /// password is best given in this flag's variable or in PGPASSWORD, where no list of processes shows it.
    // A text, so that a wrong one is not repeated with its password.
    #[arg(long, value_name = "ADDRESS", env = "CORELLA_DATABASE", hide_env_values = true)]
    database: Option<String>,
    /// Connections to PostgreSQL that read at the most; one more writes.
    #[arg(long, value_name = "N", default_value = "8", env = "CORELLA_DATABASE_CONNECTIONS")]
    database_connections: NonZeroU32,
}

/// One of the two places.
enum Choice {
    Folder(PathBuf),
    Database(Box<DatabaseAddress>),
}

impl Place {
    /// Opens it for a server.
    pub(crate) async fn open(&self, durability: Durability) -> Result<Arc<dyn Backend>, Failure> {
        Ok(match self.choice()? {
            Choice::Folder(folder) => Arc::new(SqliteBackend::open(&folder, durability)?),
            Choice::Database(address) => {
                Arc::new(PostgresBackend::open(&address, self.options(durability)).await?)
            }
        })
    }

    /// Opens it for a command that must be alone with it.
    pub(crate) async fn open_alone(&self) -> Result<Arc<dyn Backend>, Failure> {
        Ok(match self.choice()? {
            Choice::Folder(folder) => Arc::new(SqliteBackend::open(&folder, Durability::Full)?),
            Choice::Database(address) => {
                Arc::new(PostgresBackend::open_alone(&address, self.options(Durability::Full)).await?)
            }
        })
    }

    /// Opens it for a writer of tables beside servers.
    pub(crate) async fn open_beside(&self) -> Result<Arc<dyn Backend>, Failure> {
        Ok(match self.choice()? {
            Choice::Folder(folder) => Arc::new(SqliteBackend::open_beside(&folder)?),
            Choice::Database(address) => {
                Arc::new(PostgresBackend::open(&address, self.options(Durability::Full)).await?)
            }
        })
    }

    /// Opens it for a writer of tables beside servers; a folder without a database gets one.
    pub(crate) async fn open_beside_or_new(&self) -> Result<Arc<dyn Backend>, Failure> {
        match self.choice()? {
            Choice::Folder(folder) if !SqliteBackend::file(&folder).exists() => self.open_alone().await,
            Choice::Folder(_) | Choice::Database(_) => self.open_beside().await,
        }
    }

    /// Opens it for a reader beside servers.
    pub(crate) async fn open_read_only(&self) -> Result<Arc<dyn Backend>, Failure> {
        Ok(match self.choice()? {
            Choice::Folder(folder) => Arc::new(SqliteBackend::open_read_only(&folder)?),
            Choice::Database(address) => {
                Arc::new(PostgresBackend::open_read_only(&address, self.options(Durability::Full)).await?)
            }
        })
    }

    /// The secret that tokens are signed with. A database keeps none, and where public keys are given it needs none.
    pub(crate) fn secret(&self, has_keys: bool) -> Result<Option<Vec<u8>>, Failure> {
        let secret = match self.choice()? {
            Choice::Folder(folder) => secret::load(Some(&folder)),
            Choice::Database(_) => secret::load(None),
        };
        match secret {
            Err(Failure::NoSecret) if has_keys => Ok(None),
            other => other.map(Some),
        }
    }

    fn options(&self, durability: Durability) -> PostgresOptions {
        PostgresOptions { durability, readers: self.database_connections, ..PostgresOptions::default() }
    }

    fn choice(&self) -> Result<Choice, Failure> {
        match (&self.data, &self.database) {
            (Some(folder), None) => Ok(Choice::Folder(folder.clone())),
            (None, Some(address)) => Ok(Choice::Database(Box::new(address.parse()?))),
            (None, None) => Err(Failure::NoPlace),
            (Some(_), Some(_)) => Err(Failure::TwoPlaces),
        }
    }
}

impl fmt::Display for Place {
    /// The folder, or the database without its password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.choice() {
            Ok(Choice::Folder(folder)) => folder.display().fmt(f),
            Ok(Choice::Database(address)) => address.fmt(f),
            Err(_) => f.write_str("the database"),
        }
    }
}
