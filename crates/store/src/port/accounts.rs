//! Who has an account, who is signed in where, and whose access has changed.

use std::sync::Arc;

use async_trait::async_trait;
use corella_rowdoc::Tenant;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::BackendError;

/// Changes of access are kept at least this long, in seconds.
pub(crate) const KEEP_ACCESS_CHANGES: i64 = 24 * 60 * 60;

/// Somebody who may sign in.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// The tenant whose rows the account's user sees.
    pub tenant: Tenant,
    /// The user's id, as rows and histories name it; it is never changed.
    pub id: Arc<str>,
    /// What it signs in as with its password, in lower case.
    pub email: Option<String>,
    /// The hash of its password in the PHC format.
    pub password: Option<String>,
    /// As whom a provider knows it.
    pub identity: Option<Identity>,
    /// Its roles.
    pub roles: Vec<String>,
    /// Whether it may do everything.
    pub admin: bool,
    /// Whether it may not sign in.
    pub disabled: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

impl std::fmt::Debug for Account {
    /// Without the password's hash, which has no place in a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account")
            .field("tenant", &self.tenant)
            .field("id", &self.id)
            .field("email", &self.email)
            .field("disabled", &self.disabled)
            .finish_non_exhaustive()
    }
}

/// Somebody as an identity provider knows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The provider's issuer.
    pub issuer: String,
    /// What the provider calls them.
    pub subject: String,
}

/// By what an account is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountKey {
    /// By the user's id.
    Id(Arc<str>),
    /// By the e-mail, in lower case.
    Email(String),
    /// By what a provider calls it.
    Identity(Identity),
}

/// What became of a new account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddedAccount {
    /// It is there.
    Added,
    /// Nothing was done: the tenant has an account of this id, e-mail or identity.
    Taken,
}

/// What is to be another with an account; what is `None` stays.
#[derive(Clone, Default)]
pub struct AccountChange {
    /// The hash of its password.
    pub password: Option<String>,
    /// Its roles.
    pub roles: Option<Vec<String>>,
    /// Whether it may do everything.
    pub admin: Option<bool>,
    /// Whether it may not sign in.
    pub disabled: Option<bool>,
    /// Which of its sessions end with the change.
    pub ends: EndingSessions,
}

/// Which sessions of an account are to end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum EndingSessions {
    /// None.
    #[default]
    None,
    /// This one.
    One(Arc<str>),
    /// All but this one.
    AllBut(Arc<str>),
    /// All.
    All,
}

/// That somebody is signed in.
#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    /// The account's tenant.
    pub tenant: Tenant,
    /// Its id.
    pub id: Arc<str>,
    /// The account's id.
    pub account: Arc<str>,
    /// Where, for people: the browser or app as it calls itself.
    pub label: String,
    /// What is known of its refresh tokens; the backend does not look into it.
    pub chain: Vec<u8>,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last refreshed.
    pub refreshed_at: Timestamp,
    /// When the last access token is over that it gave.
    pub granted_to: Timestamp,
    /// When it is over, unless it is refreshed.
    pub ends_at: Timestamp,
}

impl std::fmt::Debug for Session {
    /// Without its tokens' hashes.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("id", &self.id)
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

/// What an account gives to whoever signs in with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rights {
    /// Its roles.
    pub roles: Vec<String>,
    /// Whether it may do everything.
    pub admin: bool,
}

/// Whether somebody's access is still good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is; the session that was asked about gives these rights.
    Good(Rights),
    /// No session was asked about, and the account is not disabled, if there is one.
    Unknown,
    /// The account is disabled.
    Disabled,
    /// The session has ended.
    Ended,
}

/// Whose access has changed since a reader looked last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessChanges {
    /// The accounts.
    pub changed: Vec<(Tenant, Arc<str>)>,
    /// The number of the last change of all.
    pub last: i64,
    /// Whether some have been missed, because they are not kept any more.
    pub missed: bool,
}

impl Standing {
    /// How it stands with a session, where one was asked about, of an account of which this is known.
    pub(crate) fn of(account: Option<(bool, Rights)>, session: Option<bool>) -> Self {
        match (account, session) {
            (Some((true, _)), _) => Self::Disabled,
            (_, None) => Self::Unknown,
            (Some((false, rights)), Some(true)) => Self::Good(rights),
            (Some((false, _)) | None, Some(_)) => Self::Ended,
        }
    }
}

impl EndingSessions {
    /// The condition under which a session ends, by its column `id` and one parameter, which is a text or null; `any` is that
    /// parameter where it is only compared with null.
    pub(crate) fn condition(&self, parameter: &str, any: &str) -> (String, Option<&str>) {
        match self {
            Self::None => (format!("{any} IS NULL AND false"), None),
            Self::One(one) => (format!("id = {parameter}"), Some(one)),
            Self::AllBut(one) => (format!("id <> {parameter}"), Some(one)),
            Self::All => (format!("{any} IS NULL"), None),
        }
    }
}

impl AccessChanges {
    /// Makes it of the lines after `since`, each with its number.
    pub(crate) fn of_lines(since: i64, last: i64, lines: Vec<(i64, String, String)>) -> Self {
        let missed = lines.first().map_or(last != since, |(first, _, _)| *first != since + 1);
        let changed = lines.into_iter().map(|(_, tenant, account)| (Tenant::new(&tenant), account.into()));
        Self { changed: changed.collect(), last, missed }
    }
}

/// The part of a [`super::Backend`] that knows accounts and sessions.
///
/// Whatever ends somebody's access also adds to what [`AccountBook::access_changes`] tells, in the same transaction.
#[async_trait]
pub trait AccountBook: Send + Sync {
    /// Adds an account.
    async fn add_account(&self, account: &Account) -> Result<AddedAccount, BackendError>;

    /// The account that is called so.
    async fn account(&self, tenant: &Tenant, key: &AccountKey) -> Result<Option<Account>, BackendError>;

    /// All accounts of a tenant, or of all tenants, in the order of their tenants and ids.
    async fn accounts(&self, tenant: Option<&Tenant>) -> Result<Vec<Account>, BackendError>;

    /// Changes an account and says how many of its sessions have ended with that; `None` when there is none of this id.
    async fn change_account(
        &self,
        tenant: &Tenant,
        id: &str,
        change: AccountChange,
    ) -> Result<Option<u64>, BackendError>;

    /// Begins a session of an account, as long as that is enabled and has the same password as in `account`; says whether
    /// it is. Sessions that are over are forgotten, and the account's oldest ones beyond `most` end.
    async fn open_session(
        &self,
        session: &Session,
        account: &Account,
        most: u32,
    ) -> Result<bool, BackendError>;

    /// A session, over or not.
    async fn session(&self, tenant: &Tenant, id: &str) -> Result<Option<Session>, BackendError>;

    /// The sessions of an account, the latest first.
    async fn sessions(&self, tenant: &Tenant, account: &str) -> Result<Vec<Session>, BackendError>;

    /// Puts `session` in the place of the one of its id, if that still has the chain `known`; says whether it had.
    async fn replace_session(&self, session: &Session, known: &[u8]) -> Result<bool, BackendError>;

    /// How it stands with an account, and with a session of it.
    async fn standing(
        &self,
        tenant: &Tenant,
        account: &str,
        session: Option<&str>,
    ) -> Result<Standing, BackendError>;

    /// Whose access has changed after the change numbered `since`.
    async fn access_changes(&self, since: i64) -> Result<AccessChanges, BackendError>;
}
