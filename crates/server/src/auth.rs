//! Who is calling: tokens, and what they say.

use std::{sync::Arc, time::Duration};

use corella_policy::Caller;
use corella_rowdoc::Tenant;
use corella_store::{Access, Author, SourceId};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, errors::ErrorKind};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

/// Seconds by which clocks may differ.
const LEEWAY_SECONDS: u64 = 30;

/// Somebody who calls.
#[derive(Debug, Clone, PartialEq)]
pub struct Principal {
    /// The user's id, as rows and histories name it.
    pub user: Arc<str>,
    /// The tenant whose rows the user sees.
    pub tenant: Tenant,
    /// As policies see the user.
    pub caller: Arc<Caller>,
    /// When the token is over, the leeway included; `None` for callers without one.
    pub expires: Option<Timestamp>,
}

impl Principal {
    /// The user as the author of a write that comes by `source`.
    pub(crate) fn author(&self, source: Option<SourceId>) -> Author {
        Author { user: Arc::clone(&self.user), access: self.access(), source }
    }

    /// How far the user's access goes.
    pub(crate) fn access(&self) -> Access {
        Access::Caller(Arc::clone(&self.caller))
    }
}

/// What a token is to say.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The user's id.
    pub user: String,
    /// The user's roles.
    pub roles: Vec<String>,
    /// Whether the user may do everything.
    pub admin: bool,
    /// How long the token is good for.
    pub lifetime: Duration,
}

/// Why a caller is not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// There is no token.
    #[error("expected a token (Authorization: Bearer …, ?token=…, or the join's auth bytes), found none")]
    Missing,
    /// The token is over.
    #[error("the token has expired; ask for a fresh one")]
    Expired,
    /// The token is none of ours.
    #[error("the token is not valid: {0}")]
    Invalid(String),
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    sub: String,
    exp: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    roles: Vec<String>,
    #[serde(default)]
    admin: bool,
    #[serde(flatten)]
    more: Map<String, Json>,
}

impl Claims {
    /// All of them, as they stand in the token.
    fn all(&self) -> Map<String, Json> {
        match serde_json::to_value(self) {
            Ok(Json::Object(claims)) => claims,
            Ok(_) | Err(_) => Map::new(),
        }
    }
}

/// Checks tokens, and makes them.
#[derive(Clone)]
pub struct Authority {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    allows_anonymous: bool,
}

impl Authority {
    /// An authority whose tokens are signed with `secret` (HS256).
    ///
    /// With `allow_anonymous` a caller without a token is the user `anonymous`.
    #[must_use]
    pub fn new(secret: &[u8], allow_anonymous: bool) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = LEEWAY_SECONDS;
        validation.set_required_spec_claims(&["exp", "sub"]);
        validation.validate_aud = false;
        Self {
            encoding: EncodingKey::from_secret(secret),
            decoding: DecodingKey::from_secret(secret),
            validation,
            allows_anonymous: allow_anonymous,
        }
    }

    /// A token that says `grant`.
    ///
    /// # Errors
    /// [`AuthError::Invalid`] when it cannot be signed.
    pub fn token(&self, grant: &Grant) -> Result<String, AuthError> {
        let now = Timestamp::now().as_second();
        let exp = u64::try_from(now).unwrap_or(0).saturating_add(grant.lifetime.as_secs());
        let claims = Claims {
            sub: grant.user.clone(),
            exp,
            roles: grant.roles.clone(),
            admin: grant.admin,
            more: Map::new(),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)
            .map_err(|error| AuthError::Invalid(error.to_string()))
    }

    /// Who calls with this token, or with none; `tenant_claim` is the claim that the manifest's tenancy names.
    ///
    /// # Errors
    /// [`AuthError`] says why the caller is not let in.
    pub fn caller(&self, token: Option<&str>, tenant_claim: Option<&str>) -> Result<Principal, AuthError> {
        let Some(token) = token else {
            if !self.allows_anonymous || tenant_claim.is_some() {
                return Err(AuthError::Missing);
            }
            let (user, caller) = ("anonymous".into(), Arc::default());
            return Ok(Principal { user, tenant: Tenant::none(), caller, expires: None });
        };
        let claims = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation)
            .map_err(|error| {
                let expired = *error.kind() == ErrorKind::ExpiredSignature;
                if expired { AuthError::Expired } else { AuthError::Invalid(error.to_string()) }
            })?
            .claims;
        let all = claims.all();
        if claims.sub.is_empty() {
            return Err(AuthError::Invalid("its subject is empty".into()));
        }
        let tenant = match tenant_claim {
            None => Tenant::none(),
            Some(claim) => match claims.more.get(claim) {
                Some(Json::String(tenant)) if !tenant.is_empty() => Tenant::new(tenant),
                Some(_) | None => {
                    return Err(AuthError::Invalid(format!("expected the tenant in its claim {claim:?}")));
                }
            },
        };
        let user: Arc<str> = claims.sub.into();
        let caller = Caller {
            user: Some(Arc::clone(&user)),
            roles: claims.roles.into_iter().map(Arc::from).collect(),
            tenant: tenant_claim.map(|_| tenant.as_str().into()),
            is_admin: claims.admin,
            claims: all,
        };
        let end = i64::try_from(claims.exp.saturating_add(LEEWAY_SECONDS)).unwrap_or(i64::MAX);
        // A time beyond all calendars is no end.
        let expires = Timestamp::from_second(end).ok();
        Ok(Principal { user, tenant, caller: Arc::new(caller), expires })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(lifetime: u64) -> Grant {
        Grant {
            user: "ada".into(),
            roles: vec!["editor".into()],
            admin: false,
            lifetime: Duration::from_secs(lifetime),
        }
    }

    #[test]
    fn a_token_says_what_was_granted() {
        let authority = Authority::new(b"a secret", false);
        let token = authority.token(&grant(60)).unwrap();
        let caller = authority.caller(Some(&token), None).unwrap();
        assert_eq!(&*caller.user, "ada");
        assert_eq!(caller.caller.roles, ["editor".into()]);
        assert_eq!((caller.caller.is_admin, &caller.caller.claims["sub"]), (false, &Json::from("ada")));
    }

    #[test]
    fn others_are_not_let_in() {
        let authority = Authority::new(b"a secret", false);
        let foreign = Authority::new(b"another", false).token(&grant(60)).unwrap();
        let token = authority.token(&grant(60)).unwrap();
        let unsigned = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJhZGEiLCJleHAiOjk5OTk5OTk5OTl9.";
        assert_eq!(authority.caller(None, None), Err(AuthError::Missing));
        for token in [&foreign, "", "garbage", unsigned, &token[..token.len() - 2]] {
            assert!(matches!(authority.caller(Some(token), None), Err(AuthError::Invalid(_))), "{token}");
        }
    }

    #[test]
    fn a_tenant_must_be_named_where_there_are_tenants() {
        let authority = Authority::new(b"a secret", true);
        let token = authority.token(&grant(60)).unwrap();
        assert!(authority.caller(Some(&token), Some("org")).is_err());
        assert_eq!(authority.caller(None, Some("org")), Err(AuthError::Missing));
        assert_eq!(&*authority.caller(None, None).unwrap().user, "anonymous");
    }
}
