//! Making tokens.

use std::time::Duration;

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Map, Value as Json};

use super::{AuthError, ClaimPath, TokenRules, claims::SESSION_CLAIM};

/// What a token is to say.
#[derive(Debug, Clone, Default)]
pub struct Grant {
    /// The user's id.
    pub user: String,
    /// The user's roles.
    pub roles: Vec<String>,
    /// The tenant whose rows the user sees.
    pub tenant: Option<String>,
    /// Whether the user may do everything.
    pub admin: bool,
    /// How long the token is good for.
    pub lifetime: Duration,
    /// The session of an account that the token goes back to: when that ends, the token does.
    pub session: Option<String>,
}

/// Makes tokens that are signed with a secret (HS256).
#[derive(Clone)]
pub struct Signer {
    key: EncodingKey,
    rules: TokenRules,
}

impl Signer {
    /// Signs with `secret` what `rules` let in.
    #[must_use]
    pub fn new(secret: &[u8], rules: TokenRules) -> Self {
        Self { key: EncodingKey::from_secret(secret), rules }
    }

    /// A token that says `grant`; `tenant_claim` is the claim that the manifest's tenancy names.
    ///
    /// # Errors
    /// [`AuthError::Invalid`] when it cannot be signed, or there is no claim for the tenant.
    pub fn token(&self, grant: &Grant, tenant_claim: Option<&str>) -> Result<String, AuthError> {
        let now = Timestamp::now().as_second();
        let exp = u64::try_from(now).unwrap_or(0).saturating_add(grant.lifetime.as_secs());
        let mut claims = Map::new();
        claims.insert("exp".to_owned(), exp.into());
        for (name, values) in [("iss", &self.rules.issuers), ("aud", &self.rules.audiences)] {
            if let Some(value) = values.first() {
                claims.insert(name.to_owned(), value.as_str().into());
            }
        }
        self.rules.user.write(&mut claims, grant.user.as_str().into());
        if !grant.roles.is_empty() {
            self.rules.roles.write(&mut claims, grant.roles.clone().into());
        }
        if let Some(tenant) = &grant.tenant {
            let claim = self.rules.tenant.clone().or_else(|| tenant_claim.map(ClaimPath::new)).ok_or_else(|| {
                let what = "expected a manifest with tenancy.claim, or --jwt-tenant-claim, to name the tenant in";
                AuthError::invalid(format!("{what}, found neither"))
            })?;
            claim.write(&mut claims, tenant.as_str().into());
        }
        if let Some(session) = &grant.session {
            claims.insert(SESSION_CLAIM.to_owned(), session.as_str().into());
        }
        if grant.admin {
            claims.insert("admin".to_owned(), Json::Bool(true));
        }
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.key)
            .map_err(|error| AuthError::invalid(error.to_string()))
    }
}
