//! Sessions: how they begin, go on and end.

use std::{sync::Arc, time::Duration};

use corella_rowdoc::Tenant;
use corella_store::port::{
    Account, AccountChange, AccountKey, AddedAccount, BackendError, EndingSessions, Identity, Rights, Session,
};
use corella_wire::ErrorCode;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{
    Accounts, Email,
    attempts::Attempts,
    chain::{Chain, RefreshToken, Use},
};
use crate::{App, Failure, Grant, Principal, auth::AuthError};

/// Sessions that an account may have at once.
const MOST_SESSIONS: u32 = 100;
/// Longest label of a session, in characters.
const MOST_LABEL: usize = 200;
/// Times that a refresh is tried while others refresh the same session.
const MOST_TRIES: usize = 8;

/// Somebody who has just signed in, or whose session goes on.
pub(crate) struct SignedIn {
    pub(crate) account: Account,
    pub(crate) session: Session,
    /// The access token.
    pub(crate) access: String,
    pub(crate) refresh: RefreshToken,
}

/// The failure of a request whose database does not answer.
pub(crate) fn unavailable(error: &BackendError) -> Failure {
    tracing::warn!(error = error as &dyn std::error::Error, "the accounts cannot be read or written");
    match error {
        BackendError::Full(_) => Failure::new(ErrorCode::StorageFull, error.to_string()),
        BackendError::Unknown(_) | BackendError::Damaged { .. } | BackendError::Unavailable(_) => {
            Failure::new(ErrorCode::Unavailable, error.to_string())
        }
    }
}

fn after(now: Timestamp, duration: Duration) -> Timestamp {
    let duration = SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
    now.checked_add(duration).unwrap_or(Timestamp::MAX)
}

/// What every refusal to sign in says, whatever was wrong.
fn no_such_account() -> Failure {
    let detail = "expected the e-mail and the password of an account, found no account that has both";
    Failure::new(ErrorCode::Unauthorized, detail)
}

/// A fresh account without roles that nobody can sign in to yet.
fn nobodys(tenant: Tenant) -> Account {
    Account {
        tenant,
        id: Uuid::now_v7().simple().to_string().into(),
        email: None,
        password: None,
        identity: None,
        roles: Vec::new(),
        admin: false,
        disabled: false,
        created_at: Timestamp::now(),
    }
}

impl Accounts {
    /// Makes an account with a password.
    pub(crate) async fn sign_up(
        &self,
        tenant: Tenant,
        email: Email,
        password: String,
    ) -> Result<Account, Failure> {
        let account = Account {
            email: Some(email.as_str().to_owned()),
            password: Some(self.passwords.hash(password).await?),
            ..nobodys(tenant)
        };
        match self.book.add_account(&account).await.map_err(|error| unavailable(&error))? {
            AddedAccount::Added => Ok(account),
            AddedAccount::Taken => {
                let detail =
                    "expected an e-mail that no account has, found one that has an account; sign in with it";
                Err(Failure::new(ErrorCode::UniqueViolation, detail))
            }
        }
    }

    /// The account that has this e-mail and password. It takes as long to find out that there is none.
    pub(crate) async fn by_password(
        &self,
        tenant: &Tenant,
        email: &str,
        password: String,
    ) -> Result<Account, Failure> {
        // What is no e-mail is nobody's.
        let email: Option<Email> = email.parse().ok();
        let name = email.as_ref().map_or("", Email::as_str);
        let tried = Attempts::tried(tenant, name);
        self.attempts.of(tried)?;
        let key = AccountKey::Email(name.to_owned());
        let account = self.book.account(tenant, &key).await.map_err(|error| unavailable(&error))?;
        let hashed = account.as_ref().and_then(|account| account.password.clone());
        if !self.passwords.check(password, hashed).await? {
            return Err(no_such_account());
        }
        self.attempts.right(tried);
        account.ok_or_else(no_such_account)
    }

    /// The account of somebody whom a provider knows; made when there is none.
    pub(crate) async fn by_identity(&self, tenant: &Tenant, identity: Identity) -> Result<Account, Failure> {
        let key = AccountKey::Identity(identity.clone());
        let find = async || self.book.account(tenant, &key).await.map_err(|error| unavailable(&error));
        if let Some(account) = find().await? {
            return Ok(account);
        }
        let account = Account { identity: Some(identity), ..nobodys(tenant.clone()) };
        match self.book.add_account(&account).await.map_err(|error| unavailable(&error))? {
            AddedAccount::Added => Ok(account),
            // Another request was faster.
            AddedAccount::Taken => find().await?.ok_or_else(no_such_account),
        }
    }

    /// Begins a session; `label` says where, for people.
    pub(crate) async fn begin(&self, app: &App, account: Account, label: &str) -> Result<SignedIn, Failure> {
        if account.disabled {
            return Err(AuthError::Disabled.into());
        }
        let now = Timestamp::now();
        let id = Uuid::new_v4().simple().to_string();
        let refresh = RefreshToken::new(&account.tenant, &id);
        let session = Session {
            tenant: account.tenant.clone(),
            id: id.into(),
            account: Arc::clone(&account.id),
            label: label.chars().filter(|character| !character.is_control()).take(MOST_LABEL).collect(),
            chain: Chain::of(&refresh).to_bytes(),
            created_at: now,
            refreshed_at: now,
            granted_to: after(now, self.options.access),
            ends_at: after(now, self.options.session),
        };
        let begun = self.book.open_session(&session, &account, MOST_SESSIONS).await;
        if !begun.map_err(|error| unavailable(&error))? {
            return Err(no_such_account());
        }
        let access = self.access_token(app, &account, &session)?;
        Ok(SignedIn { account, session, access, refresh })
    }

    fn access_token(&self, app: &App, account: &Account, session: &Session) -> Result<String, Failure> {
        // What the token says of rights must not be less true than what is known of them.
        let rights = Rights { roles: account.roles.clone(), admin: account.admin };
        self.standings.learn(&(account.tenant.clone(), Arc::clone(&account.id)), &rights);
        // Counted in whole seconds, as tokens tell the time.
        let left = session.granted_to.as_second().saturating_sub(Timestamp::now().as_second());
        let grant = Grant {
            user: account.id.to_string(),
            roles: account.roles.clone(),
            tenant: Some(account.tenant.as_str()).filter(|tenant| !tenant.is_empty()).map(str::to_owned),
            admin: account.admin,
            lifetime: Duration::from_secs(u64::try_from(left).unwrap_or(0)),
            session: Some(session.id.to_string()),
        };
        let manifest = app.manifest();
        app.authority
            .token(&grant, manifest.tenant_claim())
            .map_err(|error| Failure::new(ErrorCode::Internal, error.to_string()))
    }

    /// Goes on with a session. A token that comes a second time ends it: somebody else has it, too.
    pub(crate) async fn refresh(&self, app: &App, token: &str) -> Result<SignedIn, Failure> {
        let ended = || Failure::from(AuthError::SessionEnded);
        let token = RefreshToken::parse(token).ok_or_else(|| {
            Failure::new(
                ErrorCode::Unauthorized,
                "expected a refresh token as it was given, found another text",
            )
        })?;
        for _ in 0..MOST_TRIES {
            let before = self.book.session(&token.tenant, &token.session).await;
            let before = before.map_err(|error| unavailable(&error))?.ok_or_else(ended)?;
            let now = Timestamp::now();
            if before.ends_at < now {
                return Err(ended());
            }
            let next = RefreshToken::new(&token.tenant, &token.session);
            let mut chain = Chain::of_bytes(&before.chain);
            match chain.take(&token, &next, now) {
                Use::Good => {}
                Use::Unknown => return Err(ended()),
                Use::Again => {
                    tracing::warn!(
                        account = &*before.account,
                        "a refresh token came twice; its session has ended"
                    );
                    metrics::counter!("corella_refresh_tokens_reused_total").increment(1);
                    let one = EndingSessions::One(Arc::clone(&before.id));
                    self.end(&before.tenant, &before.account, one).await?;
                    let detail = "the refresh token was used before, and its session has ended for that; sign in again";
                    return Err(Failure::new(ErrorCode::Unauthorized, detail));
                }
            }
            let key = AccountKey::Id(Arc::clone(&before.account));
            let account =
                self.book.account(&token.tenant, &key).await.map_err(|error| unavailable(&error))?;
            let account = account.ok_or_else(ended)?;
            if account.disabled {
                return Err(AuthError::Disabled.into());
            }
            let session = Session {
                chain: chain.to_bytes(),
                refreshed_at: now,
                granted_to: after(now, self.options.access),
                ends_at: after(now, self.options.session),
                ..before.clone()
            };
            let replaced = self.book.replace_session(&session, &before.chain).await;
            if replaced.map_err(|error| unavailable(&error))? {
                let access = self.access_token(app, &account, &session)?;
                return Ok(SignedIn { account, session, access, refresh: next });
            }
        }
        Err(Failure::new(ErrorCode::Unavailable, "the session is refreshed by too many at once; try again"))
    }

    /// Who goes on with a session that a browser has refreshed by its cookie since `principal` came; nobody when it has not.
    pub(crate) async fn renewed(&self, app: &App, principal: &Principal) -> Option<Principal> {
        let id = principal.session.as_ref()?;
        let session = self.book.session(&principal.tenant, id).await.ok()??;
        if session.granted_to <= Timestamp::now() {
            return None;
        }
        let key = AccountKey::Id(Arc::clone(&session.account));
        let account = self.book.account(&principal.tenant, &key).await.ok()??;
        let token = self.access_token(app, &account, &session).ok()?;
        let renewed = crate::http::caller::caller(app, &token).await.ok()?;
        Some(Principal { carrier: principal.carrier, ..renewed })
    }

    /// The session that a refresh token is of, if the token is one of those that it had.
    pub(crate) async fn session_of(&self, token: &str) -> Result<Option<Session>, Failure> {
        let Some(token) = RefreshToken::parse(token) else { return Ok(None) };
        let session =
            self.book.session(&token.tenant, &token.session).await.map_err(|error| unavailable(&error))?;
        let now = Timestamp::now();
        Ok(session
            .filter(|session| Chain::of_bytes(&session.chain).take(&token, &token, now) != Use::Unknown))
    }

    /// The sessions of an account that go on, the latest first.
    pub(crate) async fn sessions(&self, tenant: &Tenant, account: &str) -> Result<Vec<Session>, Failure> {
        let mut sessions = self.book.sessions(tenant, account).await.map_err(|error| unavailable(&error))?;
        let now = Timestamp::now();
        sessions.retain(|session| session.ends_at >= now);
        Ok(sessions)
    }

    /// Ends sessions of an account, at once and everywhere; says how many.
    pub(crate) async fn end(
        &self,
        tenant: &Tenant,
        account: &str,
        ends: EndingSessions,
    ) -> Result<u64, Failure> {
        let change = AccountChange { ends, ..AccountChange::default() };
        self.change(tenant, account, change).await.map(Option::unwrap_or_default)
    }

    async fn change(
        &self,
        tenant: &Tenant,
        account: &str,
        change: AccountChange,
    ) -> Result<Option<u64>, Failure> {
        let ended = self.book.change_account(tenant, account, change).await;
        let ended = ended.map_err(|error| unavailable(&error))?;
        self.standings.changed(&(tenant.clone(), account.into()));
        Ok(ended)
    }

    /// The account of a caller; a failure for those who have none here.
    pub(crate) async fn account_of(&self, principal: &Principal) -> Result<Account, Failure> {
        let key = AccountKey::Id(Arc::clone(&principal.user));
        let account =
            self.book.account(&principal.tenant, &key).await.map_err(|error| unavailable(&error))?;
        let account = account.filter(|_| principal.caller.user.is_some());
        account.ok_or_else(|| {
            let detail = "expected somebody with an account of this server, found a token of somebody else";
            Failure::new(ErrorCode::Forbidden, detail)
        })
    }

    /// Gives an account another password, and ends its other sessions.
    pub(crate) async fn change_password(
        &self,
        principal: &Principal,
        current: String,
        new: String,
    ) -> Result<u64, Failure> {
        let account = self.account_of(principal).await?;
        let Some(email) = account.email.as_deref().filter(|_| account.password.is_some()) else {
            let detail = "expected an account with a password, found one that signs in through its provider";
            return Err(Failure::new(ErrorCode::Forbidden, detail));
        };
        let tried = Attempts::tried(&account.tenant, email);
        self.attempts.of(tried)?;
        if !self.passwords.check(current, account.password.clone()).await? {
            let detail = "expected the account's password in \"current\", found another one";
            return Err(Failure::new(ErrorCode::Forbidden, detail));
        }
        self.attempts.right(tried);
        let password = self.passwords.hash(new).await?;
        let ends = match &principal.session {
            Some(session) => EndingSessions::AllBut(Arc::clone(session)),
            None => EndingSessions::All,
        };
        let change = AccountChange { password: Some(password), ends, ..AccountChange::default() };
        Ok(self.change(&account.tenant, &account.id, change).await?.unwrap_or_default())
    }
}
