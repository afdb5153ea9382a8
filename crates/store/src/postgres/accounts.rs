//! Accounts and sessions in PostgreSQL.

use async_trait::async_trait;
use corella_rowdoc::Tenant;
use jiff::{SignedDuration, Timestamp};
use sqlx_core::{
    error::Error, query::query, query_as::query_as, query_scalar::query_scalar, raw_sql::raw_sql,
    row::Row as _, sql_str::AssertSqlSafe,
};
use sqlx_postgres::{PgConnection, PgRow, Postgres};

use super::{PostgresBackend, bind::Moment, failure::unavailable, locks, read::timestamp, reading};
use crate::port::{
    AccessChanges, Account, AccountBook, AccountChange, AccountKey, AddedAccount, BackendError, Identity,
    KEEP_ACCESS_CHANGES, Rights, Session, Standing,
};

const ACCOUNT: &str = "tenant, id, email, password, issuer, subject, roles, admin, disabled, \
    (extract(epoch FROM created_at) * 1000000)::bigint";
const SESSION: &str = "tenant, id, account, label, chain, (extract(epoch FROM created_at) * 1000000)::bigint, \
    (extract(epoch FROM refreshed_at) * 1000000)::bigint, (extract(epoch FROM granted_to) * 1000000)::bigint, \
    (extract(epoch FROM ends_at) * 1000000)::bigint";

fn account(row: &PgRow) -> Result<Account, Error> {
    let (issuer, subject): (Option<String>, Option<String>) = (row.try_get(4)?, row.try_get(5)?);
    Ok(Account {
        tenant: Tenant::new(row.try_get(0)?),
        id: row.try_get::<String, _>(1)?.into(),
        email: row.try_get(2)?,
        password: row.try_get(3)?,
        identity: issuer.zip(subject).map(|(issuer, subject)| Identity { issuer, subject }),
        roles: serde_json::from_str(row.try_get(6)?).unwrap_or_default(),
        admin: row.try_get(7)?,
        disabled: row.try_get(8)?,
        created_at: timestamp(row.try_get(9)?)?,
    })
}

fn session(row: &PgRow) -> Result<Session, Error> {
    Ok(Session {
        tenant: Tenant::new(row.try_get(0)?),
        id: row.try_get::<String, _>(1)?.into(),
        account: row.try_get::<String, _>(2)?.into(),
        label: row.try_get(3)?,
        chain: row.try_get(4)?,
        created_at: timestamp(row.try_get(5)?)?,
        refreshed_at: timestamp(row.try_get(6)?)?,
        granted_to: timestamp(row.try_get(7)?)?,
        ends_at: timestamp(row.try_get(8)?)?,
    })
}

/// Adds an account, unless it is taken; says how many were added.
pub(super) async fn put(connection: &mut PgConnection, account: &Account) -> Result<u64, Error> {
    let identity = account.identity.as_ref();
    let done = query::<Postgres>(
        "INSERT INTO corella_accounts (tenant, id, email, password, issuer, subject, roles, admin, disabled, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING",
    )
    .bind(account.tenant.as_str())
    .bind(&*account.id)
    .bind(&account.email)
    .bind(&account.password)
    .bind(identity.map(|identity| &identity.issuer))
    .bind(identity.map(|identity| &identity.subject))
    .bind(serde_json::json!(account.roles).to_string())
    .bind(account.admin)
    .bind(account.disabled)
    .bind(Moment(account.created_at))
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// All accounts, in the order of a dump.
pub(super) async fn all(connection: &mut PgConnection) -> Result<Vec<Account>, Error> {
    let sql = format!("SELECT {ACCOUNT} FROM corella_accounts ORDER BY tenant, id");
    let rows = query::<Postgres>(AssertSqlSafe(sql)).fetch_all(connection).await?;
    rows.iter().map(account).collect()
}

async fn find(
    connection: &mut PgConnection,
    tenant: &Tenant,
    key: &AccountKey,
) -> Result<Option<Account>, Error> {
    let (condition, name, issuer) = match key {
        AccountKey::Id(id) => ("id = $2 AND $3::text IS NULL", &**id, None),
        AccountKey::Email(email) => ("email = $2 AND $3::text IS NULL", email.as_str(), None),
        AccountKey::Identity(Identity { issuer, subject }) => {
            ("subject = $2 AND issuer = $3", subject.as_str(), Some(issuer))
        }
    };
    let sql = format!("SELECT {ACCOUNT} FROM corella_accounts WHERE tenant = $1 AND {condition}");
    let found = query::<Postgres>(AssertSqlSafe(sql))
        .bind(tenant.as_str())
        .bind(name)
        .bind(issuer)
        .fetch_optional(connection)
        .await?;
    found.as_ref().map(account).transpose()
}

/// Notes that somebody's access has changed, and forgets what is long known.
async fn note(connection: &mut PgConnection, tenant: &str, account: &str) -> Result<(), Error> {
    let now = Timestamp::now();
    query::<Postgres>(
        "INSERT INTO corella_access_changes (number, tenant, account, at) \
         SELECT coalesce(max(number), 0) + 1, $1, $2, $3 FROM corella_access_changes",
    )
    .bind(tenant)
    .bind(account)
    .bind(Moment(now))
    .execute(&mut *connection)
    .await?;
    query::<Postgres>(
        "DELETE FROM corella_access_changes WHERE at < $1 \
         AND number < (SELECT max(number) FROM corella_access_changes)",
    )
    .bind(Moment(now - SignedDuration::from_secs(KEEP_ACCESS_CHANGES)))
    .execute(connection)
    .await
    .map(drop)
}

async fn change(
    connection: &mut PgConnection,
    tenant: &str,
    id: &str,
    change: &AccountChange,
) -> Result<Option<u64>, Error> {
    let roles = change.roles.as_ref().map(|roles| serde_json::json!(roles).to_string());
    let changed = query::<Postgres>(
        "UPDATE corella_accounts SET password = coalesce($3, password), roles = coalesce($4, roles), \
         admin = coalesce($5, admin), disabled = coalesce($6, disabled) WHERE tenant = $1 AND id = $2",
    )
    .bind(tenant)
    .bind(id)
    .bind(&change.password)
    .bind(roles)
    .bind(change.admin)
    .bind(change.disabled)
    .execute(&mut *connection)
    .await?;
    if changed.rows_affected() == 0 {
        return Ok(None);
    }
    let (condition, other) = change.ends.condition("$3", "$3::text");
    let sql = format!("DELETE FROM corella_sessions WHERE tenant = $1 AND account = $2 AND {condition}");
    let ended = query::<Postgres>(AssertSqlSafe(sql))
        .bind(tenant)
        .bind(id)
        .bind(other)
        .execute(&mut *connection)
        .await?;
    note(connection, tenant, id).await?;
    Ok(Some(ended.rows_affected()))
}

async fn open(
    connection: &mut PgConnection,
    session: &Session,
    account: &Account,
    most: u32,
) -> Result<bool, Error> {
    let (tenant, id) = (session.tenant.as_str(), &*session.account);
    let is_as_known: bool = query_scalar::<Postgres, _>(
        "SELECT EXISTS (SELECT 1 FROM corella_accounts WHERE tenant = $1 AND id = $2 AND NOT disabled \
         AND password IS NOT DISTINCT FROM $3)",
    )
    .bind(tenant)
    .bind(id)
    .bind(&account.password)
    .fetch_one(&mut *connection)
    .await?;
    if !is_as_known {
        return Ok(false);
    }
    query::<Postgres>("DELETE FROM corella_sessions WHERE ends_at < $1")
        .bind(Moment(session.created_at))
        .execute(&mut *connection)
        .await?;
    query::<Postgres>(
        "INSERT INTO corella_sessions (tenant, id, account, label, chain, created_at, refreshed_at, granted_to, ends_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(tenant)
    .bind(&*session.id)
    .bind(id)
    .bind(&session.label)
    .bind(&session.chain)
    .bind(Moment(session.created_at))
    .bind(Moment(session.refreshed_at))
    .bind(Moment(session.granted_to))
    .bind(Moment(session.ends_at))
    .execute(&mut *connection)
    .await?;
    let ended = query::<Postgres>(
        "DELETE FROM corella_sessions WHERE tenant = $1 AND account = $2 AND id NOT IN (SELECT id FROM \
         corella_sessions WHERE tenant = $1 AND account = $2 ORDER BY refreshed_at DESC, id DESC LIMIT $3)",
    )
    .bind(tenant)
    .bind(id)
    .bind(i64::from(most))
    .execute(&mut *connection)
    .await?;
    if ended.rows_affected() > 0 {
        note(connection, tenant, id).await?;
    }
    Ok(true)
}

async fn standing(
    connection: &mut PgConnection,
    tenant: &Tenant,
    account: &str,
    session: Option<&str>,
) -> Result<Standing, Error> {
    let known: Option<(bool, String, bool, bool)> = query_as::<Postgres, _>(
        "SELECT disabled, roles, admin, \
         EXISTS (SELECT 1 FROM corella_sessions WHERE tenant = $1 AND account = $2 AND id = $3) \
         FROM corella_accounts WHERE tenant = $1 AND id = $2",
    )
    .bind(tenant.as_str())
    .bind(account)
    .bind(session)
    .fetch_optional(connection)
    .await?;
    let is_there = known.as_ref().is_some_and(|(_, _, _, is_there)| *is_there);
    let known = known.map(|(disabled, roles, admin, _)| {
        (disabled, Rights { roles: serde_json::from_str(&roles).unwrap_or_default(), admin })
    });
    Ok(Standing::of(known, session.map(|_| is_there)))
}

async fn access_changes(connection: &mut PgConnection, since: i64) -> Result<AccessChanges, Error> {
    let lines: Vec<(i64, String, String)> = query_as::<Postgres, _>(
        "SELECT number, tenant, account FROM corella_access_changes WHERE number > $1 ORDER BY number",
    )
    .bind(since)
    .fetch_all(&mut *connection)
    .await?;
    let last = match lines.last() {
        Some((last, _, _)) => *last,
        None => {
            query_scalar::<Postgres, _>("SELECT coalesce(max(number), 0) FROM corella_access_changes")
                .fetch_one(connection)
                .await?
        }
    };
    Ok(AccessChanges::of_lines(since, last, lines))
}

impl PostgresBackend {
    /// Runs `work` as one transaction that nobody else changes accounts beside.
    async fn change_accounts<T>(
        &self,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, Error>,
    ) -> Result<T, BackendError> {
        self.link
            .write(async |connection| {
                raw_sql(locks::BEGIN_ACCOUNTS).execute(&mut *connection).await.map_err(unavailable)?;
                let done = work(connection).await.map_err(unavailable)?;
                raw_sql("COMMIT").execute(connection).await.map_err(unavailable)?;
                Ok(done)
            })
            .await
    }
}

#[async_trait]
impl AccountBook for PostgresBackend {
    async fn add_account(&self, account: &Account) -> Result<AddedAccount, BackendError> {
        let added = self.change_accounts(async |connection| put(connection, account).await).await?;
        Ok(if added == 0 { AddedAccount::Taken } else { AddedAccount::Added })
    }

    async fn account(&self, tenant: &Tenant, key: &AccountKey) -> Result<Option<Account>, BackendError> {
        reading!(self.link, connection => find(connection, tenant, key))
    }

    async fn accounts(&self, tenant: Option<&Tenant>) -> Result<Vec<Account>, BackendError> {
        let mut found = reading!(self.link, connection => all(connection))?;
        found.retain(|account| tenant.is_none_or(|tenant| *tenant == account.tenant));
        Ok(found)
    }

    async fn change_account(
        &self,
        tenant: &Tenant,
        id: &str,
        asked: AccountChange,
    ) -> Result<Option<u64>, BackendError> {
        self.change_accounts(async |connection| change(connection, tenant.as_str(), id, &asked).await).await
    }

    async fn open_session(
        &self,
        session: &Session,
        account: &Account,
        most: u32,
    ) -> Result<bool, BackendError> {
        self.change_accounts(async |connection| open(connection, session, account, most).await).await
    }

    async fn session(&self, tenant: &Tenant, id: &str) -> Result<Option<Session>, BackendError> {
        let sql = format!("SELECT {SESSION} FROM corella_sessions WHERE tenant = $1 AND id = $2");
        let found = reading!(self.link, connection => query::<Postgres>(AssertSqlSafe(sql.clone()))
            .bind(tenant.as_str())
            .bind(id)
            .fetch_optional(connection))?;
        found.as_ref().map(session).transpose().map_err(unavailable)
    }

    async fn sessions(&self, tenant: &Tenant, account: &str) -> Result<Vec<Session>, BackendError> {
        let sql = format!(
            "SELECT {SESSION} FROM corella_sessions WHERE tenant = $1 AND account = $2 ORDER BY refreshed_at DESC, id DESC"
        );
        let found = reading!(self.link, connection => query::<Postgres>(AssertSqlSafe(sql.clone()))
            .bind(tenant.as_str())
            .bind(account)
            .fetch_all(connection))?;
        found.iter().map(session).collect::<Result<_, _>>().map_err(unavailable)
    }

    async fn replace_session(&self, session: &Session, known: &[u8]) -> Result<bool, BackendError> {
        let replace = async |connection: &mut PgConnection| {
            query::<Postgres>(
                "UPDATE corella_sessions SET chain = $4, refreshed_at = $5, granted_to = $6, ends_at = $7 \
                 WHERE tenant = $1 AND id = $2 AND chain = $3",
            )
            .bind(session.tenant.as_str())
            .bind(&*session.id)
            .bind(known)
            .bind(&session.chain)
            .bind(Moment(session.refreshed_at))
            .bind(Moment(session.granted_to))
            .bind(Moment(session.ends_at))
            .execute(connection)
            .await
        };
        self.change_accounts(replace).await.map(|done| done.rows_affected() > 0)
    }

    async fn standing(
        &self,
        tenant: &Tenant,
        account: &str,
        session: Option<&str>,
    ) -> Result<Standing, BackendError> {
        reading!(self.link, connection => standing(connection, tenant, account, session))
    }

    async fn access_changes(&self, since: i64) -> Result<AccessChanges, BackendError> {
        reading!(self.link, connection => access_changes(connection, since))
    }
}
