//! Whose rows a transaction may touch: the server's own rule, repeated by row-level security below it.
//!
//! `schema/sql/postgres/0006_tenants.sql` has the rules. Transactions that answer callers enter as the role that is bound
//! by them; maintenance, which is for all tenants, stays the owner.

use std::collections::BTreeSet;

use sqlx_core::{error::Error, query_as::query_as, query_scalar::query_scalar, raw_sql::raw_sql};
use sqlx_postgres::{PgConnection, Postgres};

use super::locks;
use crate::port::{Seq, Unit};

/// The database role that sees and writes rows of named tenants alone.
const ROLE: &str = "corella_tenant";
/// PostgreSQL's word for going on as the user of the connection.
const NO_ROLE: &str = "none";

/// As whom transactions that answer callers go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ServingRole {
    /// As the role that is bound, whoever connects.
    Bound,
    /// As who connects, because the role is not there: rules bind an owner that names tenants, but no superuser.
    Own,
}

impl ServingRole {
    /// Finds out which of them this connection's user may take. The role is one for all databases of a server, the rules
    /// are each database's own.
    pub(super) async fn find(connection: &mut PgConnection) -> Result<Self, Error> {
        let may: bool = query_scalar::<Postgres, _>(
            "SELECT coalesce((SELECT pg_has_role(oid, CASE WHEN current_setting('server_version_num')::int >= 160000 \
             THEN 'SET' ELSE 'MEMBER' END) FROM pg_roles WHERE rolname = $1), false) \
             AND EXISTS (SELECT 1 FROM pg_policy WHERE polname = 'corella_serving' \
             AND polrelid = to_regclass('corella_rows'))",
        )
        .bind(ROLE)
        .fetch_one(connection)
        .await?;
        Ok(if may { Self::Bound } else { Self::Own })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Bound => ROLE,
            Self::Own => NO_ROLE,
        }
    }

    /// Binds the rest of the transaction to the rows of `tenants`; what comes back is the last change of all, read just
    /// before, so that it takes no more statements than without.
    pub(super) async fn enter(self, connection: &mut PgConnection, tenants: &[&str]) -> Result<Seq, Error> {
        let (last, _, _): (i64, String, String) = query_as::<Postgres, _>(
            "SELECT coalesce(max(seq), 0), set_config('corella.tenants', $1::text[]::text, true), \
             set_config('role', $2, true) FROM corella_changes",
        )
        .bind(tenants)
        .bind(self.name())
        .fetch_one(connection)
        .await?;
        Ok(Seq(last))
    }
}

/// The tenants of whose rows these units speak, each once.
pub(super) fn of(units: &[Unit]) -> Vec<&str> {
    let rows = units.iter().flat_map(|unit| &unit.writes).map(|write| write.key.tenant.as_str());
    let answers = units.iter().flat_map(|unit| &unit.outcomes).map(|outcome| outcome.key.tenant.as_str());
    let named = units.iter().flat_map(|unit| &unit.references);
    let named = named.map(|reference| reference.target.tenant.as_str());
    rows.chain(answers).chain(named).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Puts tables under the rules that are not yet, such as when the role was made after them.
pub(super) async fn secure(connection: &mut PgConnection) -> Result<(), Error> {
    raw_sql("BEGIN").execute(&mut *connection).await?;
    raw_sql(locks::STARTING_IN_TRANSACTION).execute(&mut *connection).await?;
    raw_sql(SECURE).execute(&mut *connection).await?;
    raw_sql("SELECT corella_secure_accounts()").execute(&mut *connection).await?;
    raw_sql("COMMIT").execute(connection).await.map(drop)
}

/// Puts tables under the rules within the transaction that makes them.
pub(super) const SECURE: &str = "SELECT corella_secure()";

/// Whether row-level security hides rows from this connection's user, who then is no one to look after them.
pub(super) async fn is_bound(connection: &mut PgConnection) -> Result<bool, Error> {
    query_scalar::<Postgres, _>(
        "SELECT NOT (rolsuper OR rolbypassrls) AND EXISTS (SELECT 1 FROM pg_class \
         WHERE oid = to_regclass('corella_rows') AND relrowsecurity AND NOT pg_has_role(relowner, 'USAGE')) \
         FROM pg_roles WHERE rolname = current_user",
    )
    .fetch_one(connection)
    .await
}
