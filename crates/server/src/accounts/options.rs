//! How accounts are set.

use std::{borrow::Borrow, collections::BTreeMap, fmt, str::FromStr, time::Duration};

use axum::http::Uri;

use super::ProviderOptions;
use crate::auth::is_near;

/// Who may make an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SignUp {
    /// Whoever has the database, with `corella user add`.
    #[default]
    Closed,
    /// Anybody, in apps without tenants.
    Open,
}

/// How accounts are set.
#[derive(Debug, Clone)]
pub struct AccountOptions {
    /// Who may make an account.
    pub sign_up: SignUp,
    /// How long an access token is good for.
    pub access: Duration,
    /// How long a session lasts that is not refreshed.
    pub session: Duration,
    /// Times that an address may try a password a minute; 0 for any number.
    pub sign_ins_per_minute: u32,
    /// Where browsers find the server.
    pub public_url: Option<PublicUrl>,
    /// Who else says who somebody is, where there is one that needs no name.
    pub provider: Option<ProviderOptions>,
    /// Others who do, by their names.
    pub providers: BTreeMap<ProviderName, ProviderOptions>,
}

impl Default for AccountOptions {
    fn default() -> Self {
        Self {
            sign_up: SignUp::Closed,
            access: Duration::from_secs(15 * 60),
            session: Duration::from_secs(30 * 24 * 60 * 60),
            sign_ins_per_minute: 30,
            public_url: None,
            provider: None,
            providers: BTreeMap::new(),
        }
    }
}

/// An address that is none of those that are needed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an address such as {example}, found {found:?}: {why}")]
pub struct OptionError {
    pub(super) example: &'static str,
    pub(super) found: String,
    pub(super) why: &'static str,
}

/// What a provider is called in paths: 1 to 32 of `a-z 0-9 -`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProviderName(String);

/// A text that cannot name a provider.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a name of 1 to 32 of `a-z 0-9 -`, other than \"callback\", found {0:?}")]
pub struct ProviderNameError(String);

impl ProviderName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for ProviderName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProviderName {
    type Err = ProviderNameError;

    fn from_str(text: &str) -> Result<Self, ProviderNameError> {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        // Of this one is the path under which the provider without a name sends browsers back.
        let is_name = (1..=32).contains(&text.len()) && text.bytes().all(is_plain) && text != "callback";
        if is_name { Ok(Self(text.to_owned())) } else { Err(ProviderNameError(text.to_owned())) }
    }
}

/// The origin under which browsers find the server: `https://app.example.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl(String);

impl PublicUrl {
    /// The origin, without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether browsers come by TLS.
    pub(super) fn is_secure(&self) -> bool {
        self.0.starts_with("https://")
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for PublicUrl {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<Self, OptionError> {
        let wrong = |why| OptionError { example: "https://app.example.com", found: text.to_owned(), why };
        let uri: Uri = text.parse().map_err(|_| wrong("it is no address"))?;
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(wrong("it has more than a scheme, a host and a port"));
        }
        let Some((scheme, authority)) = uri.scheme_str().zip(uri.authority()) else {
            return Err(wrong("it lacks the scheme or the host"));
        };
        match scheme {
            "https" => {}
            "http" if is_near(&uri) => {}
            _ => return Err(wrong("cookies need https, except on the same machine")),
        }
        Ok(Self(format!("{scheme}://{authority}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_an_origin() {
        for (text, expected) in [
            ("https://app.example.com", Some("https://app.example.com")),
            ("https://app.example.com:8443/", Some("https://app.example.com:8443")),
            ("http://127.0.0.1:4400", Some("http://127.0.0.1:4400")),
            ("http://app.example.com", None),
            ("https://app.example.com/x", None),
            ("app.example.com", None),
            ("", None),
        ] {
            assert_eq!(text.parse::<PublicUrl>().ok().as_ref().map(PublicUrl::as_str), expected, "{text}");
        }
    }
}
