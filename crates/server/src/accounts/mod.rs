//! Accounts of the server's own: passwords, sessions, cookies, and signing in through a provider.
//!
//! In reading order: [`AccountOptions`], how it is all set; `Accounts`, what requests share; `passwords`, how they are
//! checked; `sessions`, how they begin, go on and end; `chain`, what is kept of refresh tokens; `standing`, whether
//! somebody's access is still good, and how open connections hear that it is not; `attempts`, how often one may try;
//! `cookies`, how browsers carry it all; `provider`, OpenID Connect.

mod attempts;
mod chain;
pub(crate) mod cookies;
mod email;
mod options;
mod passwords;
mod provider;
mod sessions;
mod standing;

use std::{collections::BTreeMap, sync::Arc};

use corella_store::port::AccountBook;
use tokio_util::sync::CancellationToken;

use self::{attempts::Attempts, passwords::Passwords, standing::Standings};
pub use self::{
    email::{Email, EmailError},
    options::{AccountOptions, OptionError, ProviderName, ProviderNameError, PublicUrl, SignUp},
    passwords::{PasswordError, hash_password},
    provider::ProviderOptions,
};
pub(crate) use self::{
    provider::{Pending, Provider},
    sessions::{SignedIn, unavailable},
    standing::Vigil,
};

/// What requests and connections share of accounts.
pub(crate) struct Accounts {
    pub(crate) options: AccountOptions,
    book: Arc<dyn AccountBook>,
    passwords: Passwords,
    pub(crate) attempts: Attempts,
    pub(crate) standings: Arc<Standings>,
    /// The one without a name.
    pub(crate) provider: Option<Provider>,
    pub(crate) providers: BTreeMap<ProviderName, Provider>,
}

impl Accounts {
    /// Accounts as `options` say; from now on, until `stop`, other processes' changes of access are followed.
    pub(crate) fn start(
        options: AccountOptions,
        book: Arc<dyn AccountBook>,
        stop: &CancellationToken,
    ) -> Arc<Self> {
        let standings = Standings::new(Arc::clone(&book));
        tokio::spawn(Arc::clone(&standings).follow(stop.child_token()));
        Arc::new(Self {
            attempts: Attempts::new(options.sign_ins_per_minute),
            passwords: Passwords::new(),
            provider: options.provider.clone().map(Provider::new),
            providers: options
                .providers
                .iter()
                .map(|(name, provider)| (name.clone(), Provider::new(provider.clone())))
                .collect(),
            standings,
            book,
            options,
        })
    }
}
