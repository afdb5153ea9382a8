//! How a server's own accounts are set, as options.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use corella_server::accounts::{AccountOptions, ProviderOptions, PublicUrl, SignUp};

use crate::failure::Failure;

/// Accounts of the server's own.
#[derive(Debug, Args)]
#[command(next_help_heading = "Accounts")]
pub(crate) struct AccountSettings {
    /// Let people sign in with an e-mail and a password, or through --oidc-issuer; see `corella user`.
    #[arg(long, env = "CORELLA_ACCOUNTS")]
    accounts: bool,
    /// Who may make an account with a password.
    #[arg(long, value_enum, default_value_t, env = "CORELLA_SIGN_UP")]
    sign_up: SignUpChoice,
    /// How long an access token is good for; a session goes on with fresh ones.
    #[arg(long, value_name = "TIME", default_value = "15m", env = "CORELLA_ACCESS_TTL")]
    access_ttl: humantime::Duration,
    /// How long a session lasts that is not refreshed.
    #[arg(long, value_name = "TIME", default_value = "30d", env = "CORELLA_SESSION_TTL")]
    session_ttl: humantime::Duration,
    /// Passwords that may be tried a minute from one address; 0 for any number.
    #[arg(long, value_name = "N", default_value_t = AccountOptions::default().sign_ins_per_minute, env = "CORELLA_SIGN_INS_PER_MINUTE")]
    sign_ins_per_minute: u32,
    /// Where browsers find the server, such as `https://app.example.com`; needed behind a proxy that rewrites the host.
    #[arg(long, value_name = "URL", env = "CORELLA_PUBLIC_URL")]
    public_url: Option<PublicUrl>,
    /// An OpenID Connect provider through which people sign in, by its issuer.
    #[arg(long, value_name = "URL", env = "CORELLA_OIDC_ISSUER", requires = "oidc_client_id")]
    oidc_issuer: Option<String>,
    /// What the provider calls this server. Its secret is CORELLA_OIDC_CLIENT_SECRET, or in --oidc-client-secret-file.
    #[arg(long, value_name = "ID", env = "CORELLA_OIDC_CLIENT_ID")]
    oidc_client_id: Option<String>,
    /// The file with the secret that the provider gave this server; without one it is a public client.
    #[arg(long, value_name = "FILE", env = "CORELLA_OIDC_CLIENT_SECRET_FILE")]
    oidc_client_secret_file: Option<PathBuf>,
    /// What is asked of the provider beside `openid`; may be given more than once.
    #[arg(long = "oidc-scope", value_name = "SCOPE", env = "CORELLA_OIDC_SCOPE", value_delimiter = ',')]
    oidc_scopes: Vec<String>,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum SignUpChoice {
    /// Whoever has the database, with `corella user add`.
    #[default]
    Closed,
    /// Anybody, in apps without tenants.
    Open,
}

impl AccountSettings {
    /// Whether there are to be accounts.
    pub(crate) fn are_on(&self) -> bool {
        self.accounts
    }

    /// How accounts are set; nothing when there are to be none.
    pub(crate) fn options(&self) -> Result<Option<AccountOptions>, Failure> {
        if !self.accounts {
            return Ok(None);
        }
        Ok(Some(AccountOptions {
            sign_up: match self.sign_up {
                SignUpChoice::Closed => SignUp::Closed,
                SignUpChoice::Open => SignUp::Open,
            },
            access: self.access_ttl.into(),
            session: self.session_ttl.into(),
            sign_ins_per_minute: self.sign_ins_per_minute,
            public_url: self.public_url.clone(),
            provider: self.provider()?,
        }))
    }

    fn provider(&self) -> Result<Option<ProviderOptions>, Failure> {
        let Some((issuer, client)) = self.oidc_issuer.as_ref().zip(self.oidc_client_id.as_ref()) else {
            return Ok(None);
        };
        let secret = match &self.oidc_client_secret_file {
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|source| Failure::Secret { path: path.clone(), source })?;
                Some(text.trim().to_owned())
            }
            None => std::env::var("CORELLA_OIDC_CLIENT_SECRET").ok(),
        };
        let secret = secret.filter(|secret| !secret.is_empty());
        let provider = ProviderOptions::new(issuer, client.clone(), secret, self.oidc_scopes.clone());
        provider.map(Some).map_err(Failure::Provider)
    }
}
