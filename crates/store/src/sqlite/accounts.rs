//! Accounts and sessions in SQLite.

use async_trait::async_trait;
use corella_rowdoc::Tenant;
use jiff::Timestamp;
use rusqlite::{
    Connection, Error, OptionalExtension as _, Params, Row, Transaction, TransactionBehavior, params,
};

use super::{SqliteBackend, bind::unavailable, dump::timestamp};
use crate::port::{
    AccessChanges, Account, AccountBook, AccountChange, AccountKey, AddedAccount, BackendError, Identity,
    KEEP_ACCESS_CHANGES, Rights, Session, Standing,
};

const ACCOUNT: &str = "tenant, id, email, password, issuer, subject, roles, admin, disabled, created_at";
const SESSION: &str = "tenant, id, account, label, chain, created_at, refreshed_at, granted_to, ends_at";

pub(super) fn account(row: &Row<'_>) -> Result<Account, Error> {
    let tenant: String = row.get(0)?;
    let (issuer, subject): (Option<String>, Option<String>) = (row.get(4)?, row.get(5)?);
    let roles: String = row.get(6)?;
    Ok(Account {
        tenant: Tenant::new(&tenant),
        id: row.get::<_, String>(1)?.into(),
        email: row.get(2)?,
        password: row.get(3)?,
        identity: issuer.zip(subject).map(|(issuer, subject)| Identity { issuer, subject }),
        roles: serde_json::from_str(&roles).unwrap_or_default(),
        admin: row.get(7)?,
        disabled: row.get(8)?,
        created_at: timestamp(row, 9)?,
    })
}

fn session(row: &Row<'_>) -> Result<Session, Error> {
    let tenant: String = row.get(0)?;
    Ok(Session {
        tenant: Tenant::new(&tenant),
        id: row.get::<_, String>(1)?.into(),
        account: row.get::<_, String>(2)?.into(),
        label: row.get(3)?,
        chain: row.get(4)?,
        created_at: timestamp(row, 5)?,
        refreshed_at: timestamp(row, 6)?,
        granted_to: timestamp(row, 7)?,
        ends_at: timestamp(row, 8)?,
    })
}

/// All accounts, in the order of a dump.
pub(super) const ALL_ACCOUNTS: &str = "SELECT tenant, id, email, password, issuer, subject, roles, admin, disabled, created_at FROM corella_accounts \
     ORDER BY tenant, id";

/// Adds an account, unless it is taken; says how many were added.
pub(super) fn put(connection: &Connection, account: &Account) -> Result<usize, Error> {
    let identity = account.identity.as_ref();
    connection
        .prepare_cached(&format!(
            "INSERT OR IGNORE INTO corella_accounts ({ACCOUNT}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
        ))?
        .execute(params![
            account.tenant.as_str(),
            &*account.id,
            account.email,
            account.password,
            identity.map(|identity| &identity.issuer),
            identity.map(|identity| &identity.subject),
            serde_json::json!(account.roles).to_string(),
            account.admin,
            account.disabled,
            account.created_at.as_microsecond(),
        ])
}

fn one<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
    read: impl FnOnce(&Row<'_>) -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    connection.prepare_cached(sql)?.query_row(parameters, read).optional()
}

fn many<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
    read: impl FnMut(&Row<'_>) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    connection.prepare_cached(sql)?.query_map(parameters, read)?.collect()
}

/// Runs `work` as one transaction that writes.
fn transact<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, Error>,
) -> Result<T, BackendError> {
    let run = || -> Result<T, Error> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = work(&transaction)?;
        transaction.commit()?;
        Ok(done)
    };
    run().map_err(unavailable)
}

/// Notes that somebody's access has changed, and forgets what is long known.
fn note(connection: &Connection, tenant: &str, account: &str) -> Result<(), Error> {
    let now = Timestamp::now().as_microsecond();
    connection.execute(
        "INSERT INTO corella_access_changes (number, tenant, account, at) \
         SELECT coalesce(max(number), 0) + 1, ?1, ?2, ?3 FROM corella_access_changes",
        params![tenant, account, now],
    )?;
    connection
        .execute(
            "DELETE FROM corella_access_changes WHERE at < ?1 \
             AND number < (SELECT max(number) FROM corella_access_changes)",
            [now - KEEP_ACCESS_CHANGES * 1_000_000],
        )
        .map(drop)
}

fn change(
    connection: &Connection,
    tenant: &str,
    id: &str,
    change: &AccountChange,
) -> Result<Option<u64>, Error> {
    let roles = change.roles.as_ref().map(|roles| serde_json::json!(roles).to_string());
    let changed = connection.execute(
        "UPDATE corella_accounts SET password = coalesce(?3, password), roles = coalesce(?4, roles), \
         admin = coalesce(?5, admin), disabled = coalesce(?6, disabled) WHERE tenant = ?1 AND id = ?2",
        params![tenant, id, change.password, roles, change.admin, change.disabled],
    )?;
    if changed == 0 {
        return Ok(None);
    }
    let (condition, other) = change.ends.condition("?3", "?3");
    let sql = format!("DELETE FROM corella_sessions WHERE tenant = ?1 AND account = ?2 AND {condition}");
    let ended = connection.execute(&sql, params![tenant, id, other])?;
    note(connection, tenant, id)?;
    Ok(Some(u64::try_from(ended).unwrap_or(u64::MAX)))
}

fn open(connection: &Connection, session: &Session, account: &Account, most: u32) -> Result<bool, Error> {
    let (tenant, id) = (session.tenant.as_str(), &*session.account);
    let is_as_known = one(
        connection,
        "SELECT 1 FROM corella_accounts WHERE tenant = ?1 AND id = ?2 AND NOT disabled AND password IS ?3",
        params![tenant, id, account.password],
        |_| Ok(()),
    )?;
    if is_as_known.is_none() {
        return Ok(false);
    }
    connection
        .execute("DELETE FROM corella_sessions WHERE ends_at < ?1", [session.created_at.as_microsecond()])?;
    connection
        .prepare_cached(&format!(
            "INSERT INTO corella_sessions ({SESSION}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
        ))?
        .execute(params![
            tenant,
            &*session.id,
            id,
            session.label,
            session.chain,
            session.created_at.as_microsecond(),
            session.refreshed_at.as_microsecond(),
            session.granted_to.as_microsecond(),
            session.ends_at.as_microsecond(),
        ])?;
    let ended = connection.execute(
        "DELETE FROM corella_sessions WHERE tenant = ?1 AND account = ?2 AND id NOT IN (SELECT id FROM \
         corella_sessions WHERE tenant = ?1 AND account = ?2 ORDER BY refreshed_at DESC, id DESC LIMIT ?3)",
        params![tenant, id, most],
    )?;
    if ended > 0 {
        note(connection, tenant, id)?;
    }
    Ok(true)
}

#[async_trait]
impl AccountBook for SqliteBackend {
    async fn add_account(&self, account: &Account) -> Result<AddedAccount, BackendError> {
        let account = account.clone();
        let added = self.write(move |connection, _| put(connection, &account).map_err(unavailable)).await?;
        Ok(if added == 0 { AddedAccount::Taken } else { AddedAccount::Added })
    }

    async fn account(&self, tenant: &Tenant, key: &AccountKey) -> Result<Option<Account>, BackendError> {
        let (tenant, key) = (tenant.clone(), key.clone());
        self.read(move |connection| {
            let (condition, name, issuer) = match &key {
                AccountKey::Id(id) => ("id = ?2 AND ?3 IS NULL", &**id, None),
                AccountKey::Email(email) => ("email = ?2 AND ?3 IS NULL", email.as_str(), None),
                AccountKey::Identity(Identity { issuer, subject }) => {
                    ("subject = ?2 AND issuer = ?3", subject.as_str(), Some(issuer))
                }
            };
            let sql = format!("SELECT {ACCOUNT} FROM corella_accounts WHERE tenant = ?1 AND {condition}");
            one(connection, &sql, params![tenant.as_str(), name, issuer], account)
        })
        .await
    }

    async fn accounts(&self, tenant: Option<&Tenant>) -> Result<Vec<Account>, BackendError> {
        let tenant = tenant.cloned();
        self.read(move |connection| {
            let mut all = many(connection, ALL_ACCOUNTS, [], account)?;
            all.retain(|account| tenant.as_ref().is_none_or(|tenant| *tenant == account.tenant));
            Ok(all)
        })
        .await
    }

    async fn change_account(
        &self,
        tenant: &Tenant,
        id: &str,
        asked: AccountChange,
    ) -> Result<Option<u64>, BackendError> {
        let (tenant, id) = (tenant.clone(), id.to_owned());
        self.write(move |connection, _| {
            transact(connection, |transaction| change(transaction, tenant.as_str(), &id, &asked))
        })
        .await
    }

    async fn open_session(
        &self,
        session: &Session,
        account: &Account,
        most: u32,
    ) -> Result<bool, BackendError> {
        let (session, account) = (session.clone(), account.clone());
        self.write(move |connection, _| {
            transact(connection, |transaction| open(transaction, &session, &account, most))
        })
        .await
    }

    async fn session(&self, tenant: &Tenant, id: &str) -> Result<Option<Session>, BackendError> {
        let (tenant, id) = (tenant.clone(), id.to_owned());
        self.read(move |connection| {
            let sql = format!("SELECT {SESSION} FROM corella_sessions WHERE tenant = ?1 AND id = ?2");
            one(connection, &sql, (tenant.as_str(), id), session)
        })
        .await
    }

    async fn sessions(&self, tenant: &Tenant, account: &str) -> Result<Vec<Session>, BackendError> {
        let (tenant, account) = (tenant.clone(), account.to_owned());
        self.read(move |connection| {
            let sql = format!(
                "SELECT {SESSION} FROM corella_sessions WHERE tenant = ?1 AND account = ?2 \
                 ORDER BY refreshed_at DESC, id DESC"
            );
            many(connection, &sql, (tenant.as_str(), account), session)
        })
        .await
    }

    async fn replace_session(&self, session: &Session, known: &[u8]) -> Result<bool, BackendError> {
        let (session, known) = (session.clone(), known.to_vec());
        self.write(move |connection, _| {
            let changed = connection.execute(
                "UPDATE corella_sessions SET chain = ?4, refreshed_at = ?5, granted_to = ?6, ends_at = ?7 \
                 WHERE tenant = ?1 AND id = ?2 AND chain = ?3",
                params![
                    session.tenant.as_str(),
                    &*session.id,
                    known,
                    session.chain,
                    session.refreshed_at.as_microsecond(),
                    session.granted_to.as_microsecond(),
                    session.ends_at.as_microsecond(),
                ],
            );
            changed.map(|changed| changed > 0).map_err(unavailable)
        })
        .await
    }

    async fn standing(
        &self,
        tenant: &Tenant,
        account: &str,
        session: Option<&str>,
    ) -> Result<Standing, BackendError> {
        let (tenant, account) = (tenant.clone(), account.to_owned());
        let session = session.map(str::to_owned);
        self.read(move |connection| {
            let known = one(
                connection,
                "SELECT disabled, roles, admin FROM corella_accounts WHERE tenant = ?1 AND id = ?2",
                (tenant.as_str(), &account),
                |row| {
                    let (disabled, roles, admin): (bool, String, bool) = row.try_into()?;
                    Ok((disabled, Rights { roles: serde_json::from_str(&roles).unwrap_or_default(), admin }))
                },
            )?;
            let Some(session) = session else { return Ok(Standing::of(known, None)) };
            let there = one(
                connection,
                "SELECT 1 FROM corella_sessions WHERE tenant = ?1 AND id = ?2 AND account = ?3",
                (tenant.as_str(), session, account),
                |_| Ok(()),
            )?;
            Ok(Standing::of(known, Some(there.is_some())))
        })
        .await
    }

    async fn access_changes(&self, since: i64) -> Result<AccessChanges, BackendError> {
        self.read(move |connection| {
            let lines = many(
                connection,
                "SELECT number, tenant, account FROM corella_access_changes WHERE number > ?1 ORDER BY number",
                [since],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )?;
            let last = match lines.last() {
                Some((last, _, _)) => *last,
                None => connection.query_row(
                    "SELECT coalesce(max(number), 0) FROM corella_access_changes",
                    [],
                    |row| row.get(0),
                )?,
            };
            Ok(AccessChanges::of_lines(since, last, lines))
        })
        .await
    }
}
