//! How a server's own accounts are set, as options.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::{Args, ValueEnum};
use corella_server::accounts::{
    AccountOptions, ProviderName, ProviderNameError, ProviderOptions, PublicUrl, SignUp,
};

use crate::failure::Failure;

/// Accounts of the server's own.
#[derive(Debug, Args)]
#[command(next_help_heading = "Accounts")]
pub(crate) struct AccountSettings {
    /// Let people sign in with an e-mail and a password, or through --oidc-issuer or --oidc; see `corella user`.
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
    /// One of several providers: `name=corp,issuer=https://id.example.com,client-id=my-app`, and where they are needed
    /// `secret-file=FILE` and `scope=email+profile`. The secret of one called `corp` is also looked for in
    /// CORELLA_OIDC_CLIENT_SECRET_CORP. May be given several times.
    #[arg(long = "oidc", value_name = "PROVIDER", env = "CORELLA_OIDC", value_delimiter = ' ')]
    oidc: Vec<NamedProvider>,
}

/// A provider as `--oidc` tells of it.
#[derive(Debug, Clone)]
struct NamedProvider {
    name: ProviderName,
    issuer: String,
    client: String,
    secret_file: Option<PathBuf>,
    scopes: Vec<String>,
}

impl FromStr for NamedProvider {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const FORM: &str = "name=NAME,issuer=URL,client-id=ID[,secret-file=FILE][,scope=SCOPE+SCOPE]";
        let (mut name, mut issuer, mut client, mut secret_file, mut scopes) = (None, None, None, None, None);
        for part in text.split(',') {
            let (key, value) =
                part.split_once('=').ok_or_else(|| format!("expected {FORM}, found {part:?} in it"))?;
            let slot = match key {
                "name" => &mut name,
                "issuer" => &mut issuer,
                "client-id" => &mut client,
                "secret-file" => &mut secret_file,
                "scope" => &mut scopes,
                other => return Err(format!("expected {FORM}, found {other:?} in it")),
            };
            if slot.replace(value.to_owned()).is_some() {
                return Err(format!("expected {FORM}, found {key:?} in it twice"));
            }
        }
        let missing = |key: &str| format!("expected {FORM}, found no {key:?} in it");
        Ok(Self {
            name: name
                .ok_or_else(|| missing("name"))?
                .parse()
                .map_err(|error: ProviderNameError| error.to_string())?,
            issuer: issuer.ok_or_else(|| missing("issuer"))?,
            client: client.ok_or_else(|| missing("client-id"))?,
            secret_file: secret_file.map(PathBuf::from),
            scopes: scopes.map(|scopes| scopes.split('+').map(str::to_owned).collect()).unwrap_or_default(),
        })
    }
}

impl NamedProvider {
    /// Where its secret is looked for, when it has no file for it.
    fn secret_variable(&self) -> String {
        format!("CORELLA_OIDC_CLIENT_SECRET_{}", self.name.as_str().to_uppercase().replace('-', "_"))
    }
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
            providers: self.providers()?,
        }))
    }

    fn provider(&self) -> Result<Option<ProviderOptions>, Failure> {
        let Some((issuer, client)) = self.oidc_issuer.as_ref().zip(self.oidc_client_id.as_ref()) else {
            return Ok(None);
        };
        let secret = secret(self.oidc_client_secret_file.as_deref(), "CORELLA_OIDC_CLIENT_SECRET")?;
        let provider = ProviderOptions::new(issuer, client.clone(), secret, self.oidc_scopes.clone());
        provider.map(Some).map_err(Failure::Provider)
    }

    fn providers(&self) -> Result<BTreeMap<ProviderName, ProviderOptions>, Failure> {
        let mut providers = BTreeMap::new();
        for named in &self.oidc {
            let NamedProvider { name, issuer, client, secret_file, scopes } = named;
            let secret = secret(secret_file.as_deref(), &named.secret_variable())?;
            let provider = ProviderOptions::new(issuer, client.clone(), secret, scopes.clone());
            if providers.insert(name.clone(), provider.map_err(Failure::Provider)?).is_some() {
                let what = format!("--oidc: expected names that differ, found {:?} twice", name.as_str());
                return Err(Failure::Account(what));
            }
        }
        Ok(providers)
    }
}

/// The secret that a provider gave this server, in a file or in a variable of the environment.
fn secret(file: Option<&Path>, variable: &str) -> Result<Option<String>, Failure> {
    let secret = match file {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|source| Failure::Secret { path: path.to_owned(), source })?;
            Some(text.trim().to_owned())
        }
        None => std::env::var(variable).ok(),
    };
    Ok(secret.filter(|secret| !secret.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_told_in_parts() {
        let read: NamedProvider =
            "name=my-corp,issuer=https://id.example.com,client-id=app,scope=email+profile"
                .parse()
                .expect("it is one");
        assert_eq!((read.name.as_str(), &*read.client), ("my-corp", "app"));
        assert_eq!(read.scopes, ["email", "profile"]);
        assert_eq!(read.secret_variable(), "CORELLA_OIDC_CLIENT_SECRET_MY_CORP");
        for (wrong, about) in [
            ("corp", "found \"corp\" in it"),
            ("name=corp,issuer=x", "found no \"client-id\""),
            ("name=corp,name=corp", "\"name\" in it twice"),
            ("name=corp,colour=red", "found \"colour\""),
            ("name=callback,issuer=x,client-id=y", "other than \"callback\""),
            ("name=My Corp,issuer=x,client-id=y", "found \"My Corp\""),
        ] {
            let error = wrong.parse::<NamedProvider>().expect_err("it is none");
            assert!(error.contains(about), "{error}");
        }
    }
}
