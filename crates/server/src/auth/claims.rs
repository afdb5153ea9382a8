//! What a token has to say, and what its claims are called.

use std::{fmt, sync::Arc, time::Duration};

use corella_policy::Caller;
use corella_rowdoc::Tenant;
use corella_store::port::Rights;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, Validation, errors::ErrorKind};
use serde_json::{Map, Value as Json};

use super::{AuthError, Carrier, Principal};

/// Longest user id and tenant of a token, in bytes.
const MOST_NAME: usize = 255;

/// The claim with the session that a token of an account goes back to.
pub(super) const SESSION_CLAIM: &str = "corella_session";

/// What a claim is called: its name, or the names that lead to it with dots between them.
///
/// A claim of the whole name comes first, so that names such as `https://example.com/roles` are found too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimPath(String);

impl ClaimPath {
    /// A claim of this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// What the claims say of it.
    fn read<'a>(&self, claims: &'a Map<String, Json>) -> Option<&'a Json> {
        if let Some(found) = claims.get(&self.0) {
            return Some(found);
        }
        let mut names = self.0.split('.');
        let first = claims.get(names.next()?)?;
        names.try_fold(first, |value, name| value.as_object()?.get(name))
    }

    /// Puts it among the claims, where [`ClaimPath::read`] finds it.
    pub(super) fn write(&self, claims: &mut Map<String, Json>, value: Json) {
        claims.insert(self.0.clone(), value);
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What tokens have to say, whoever signs them.
#[derive(Debug, Clone)]
pub struct TokenRules {
    /// Who may have issued them; anybody when there is none.
    pub issuers: Vec<String>,
    /// For whom they have to be, one of these; for anybody when there is none.
    pub audiences: Vec<String>,
    /// By how much clocks may differ.
    pub leeway: Duration,
    /// The claim with the user's id.
    pub user: ClaimPath,
    /// The claim with the user's roles: a list of names, or one text with spaces between them.
    pub roles: ClaimPath,
    /// The claim with the tenant, where it is not the one that the manifest names.
    pub tenant: Option<ClaimPath>,
    /// The role whose bearers are administrators, beside those with the claim `admin: true`.
    pub admin_role: Option<String>,
}

impl Default for TokenRules {
    fn default() -> Self {
        Self {
            issuers: Vec::new(),
            audiences: Vec::new(),
            leeway: Duration::from_secs(30),
            user: ClaimPath::new("sub"),
            roles: ClaimPath::new("roles"),
            tenant: None,
            admin_role: None,
        }
    }
}

impl TokenRules {
    /// What the library is to look at in a token that is signed by this algorithm.
    pub(super) fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.leeway = self.leeway.as_secs();
        validation.validate_nbf = true;
        validation.validate_aud = !self.audiences.is_empty();
        // The library takes a token that says nothing of its issuer for any issuer's, unless the claim is required.
        let mut required = vec!["exp"];
        if !self.issuers.is_empty() {
            validation.set_issuer(&self.issuers);
            required.push("iss");
        }
        if !self.audiences.is_empty() {
            validation.set_audience(&self.audiences);
            required.push("aud");
        }
        validation.set_required_spec_claims(&required);
        validation
    }

    /// Says why the library refuses a token.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the library's kinds may grow; the rest says itself what it is"
    )]
    pub(super) fn refusal(&self, error: &jsonwebtoken::errors::Error) -> AuthError {
        match error.kind() {
            ErrorKind::ExpiredSignature => AuthError::Expired,
            ErrorKind::ImmatureSignature => AuthError::invalid("it is not good yet (nbf)"),
            ErrorKind::InvalidSignature => AuthError::invalid("its signature does not fit the key"),
            ErrorKind::InvalidIssuer => {
                AuthError::invalid(format!("expected the issuer {}", self.issuers.join(" or ")))
            }
            ErrorKind::InvalidAudience => {
                AuthError::invalid(format!("expected the audience {}", self.audiences.join(" or ")))
            }
            ErrorKind::MissingRequiredClaim(name) => {
                AuthError::invalid(format!("expected the claim {name:?}, found none"))
            }
            _ => AuthError::invalid(error.to_string()),
        }
    }

    /// The claim with the tenant, where the manifest has tenants.
    pub(super) fn tenant_claim(&self, manifests: Option<&str>) -> Option<ClaimPath> {
        let manifests = ClaimPath::new(manifests?);
        Some(self.tenant.clone().unwrap_or(manifests))
    }

    /// Whom these claims speak of; `tenant_claim` is the claim that the manifest's tenancy names.
    pub(super) fn principal(
        &self,
        claims: Map<String, Json>,
        tenant_claim: Option<&str>,
    ) -> Result<Principal, AuthError> {
        let user: Arc<str> = name("user", &self.user, &claims)?.into();
        let tenant = match self.tenant_claim(tenant_claim) {
            None => None,
            Some(path) => Some(name("tenant", &path, &claims)?),
        };
        let roles = self.roles(&claims)?;
        let has_admin_role = self.makes_admin(&roles);
        let end = claims.get("exp").and_then(Json::as_f64).unwrap_or_default();
        let end = (end + self.leeway.as_secs_f64()).ceil();
        // A time beyond all calendars is no end.
        let expires = whole_seconds(end).and_then(|end| Timestamp::from_second(end).ok());
        let session = claims.get(SESSION_CLAIM).and_then(Json::as_str).map(Arc::from);
        let caller = Caller {
            user: Some(Arc::clone(&user)),
            roles,
            tenant: tenant.as_deref().map(Arc::from),
            is_admin: has_admin_role || claims.get("admin") == Some(&Json::Bool(true)),
            claims,
        };
        let tenant = tenant.map_or_else(Tenant::none, |tenant| Tenant::new(&tenant));
        Ok(Principal { user, tenant, caller: Arc::new(caller), expires, session, carrier: Carrier::Caller })
    }

    /// As `principal` with the rights that its account gives now; nothing where these are the ones that its token names.
    pub(super) fn entitled(&self, principal: &Principal, rights: &Rights) -> Option<Principal> {
        let roles: Vec<Arc<str>> = rights.roles.iter().map(|role| role.as_str().into()).collect();
        let is_admin = rights.admin || self.makes_admin(&roles);
        let before = &principal.caller;
        if before.roles == roles && before.is_admin == is_admin {
            return None;
        }
        let mut claims = before.claims.clone();
        self.roles.write(&mut claims, rights.roles.clone().into());
        claims.insert("admin".to_owned(), Json::Bool(rights.admin));
        let caller = Arc::new(Caller { roles, is_admin, claims, ..(**before).clone() });
        Some(Principal { caller, ..principal.clone() })
    }

    fn makes_admin(&self, roles: &[Arc<str>]) -> bool {
        self.admin_role.as_ref().is_some_and(|admin| roles.iter().any(|role| **role == **admin))
    }

    /// The tenant that claims name; `tenant_claim` is the claim that the manifest's tenancy names.
    pub(super) fn tenant_in(
        &self,
        claims: &Map<String, Json>,
        tenant_claim: &str,
    ) -> Result<Tenant, AuthError> {
        let path = self.tenant.clone().unwrap_or_else(|| ClaimPath::new(tenant_claim));
        name("tenant", &path, claims).map(|tenant| Tenant::new(&tenant))
    }

    fn roles(&self, claims: &Map<String, Json>) -> Result<Vec<Arc<str>>, AuthError> {
        let wrong = || {
            let what = "a list of texts, or one text with spaces between the roles";
            AuthError::invalid(format!("expected the roles in its claim {:?} as {what}", self.roles.0))
        };
        match self.roles.read(claims) {
            None | Some(Json::Null) => Ok(Vec::new()),
            Some(Json::String(roles)) => Ok(roles.split_whitespace().map(Arc::from).collect()),
            Some(Json::Array(roles)) => {
                roles.iter().map(|role| role.as_str().map(Arc::from).ok_or_else(wrong)).collect()
            }
            Some(Json::Bool(_) | Json::Number(_) | Json::Object(_)) => Err(wrong()),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "it is compared with the bounds of what fits before")]
fn whole_seconds(seconds: f64) -> Option<i64> {
    const MOST: f64 = 1e15;
    (seconds.abs() < MOST).then_some(seconds as i64)
}

/// A name in a claim: a text, or a whole number as one.
fn name(what: &str, path: &ClaimPath, claims: &Map<String, Json>) -> Result<String, AuthError> {
    let text = match path.read(claims) {
        Some(Json::String(text)) => Some(text.clone()),
        Some(Json::Number(number)) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        Some(_) | None => None,
    };
    let fits = |text: &String| (1..=MOST_NAME).contains(&text.len()) && !text.chars().any(char::is_control);
    text.filter(fits).ok_or_else(|| {
        AuthError::invalid(format!("expected the {what} in its claim {:?}, 1 to {MOST_NAME} bytes", path.0))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn principal(rules: &TokenRules, claims: Json, tenant: Option<&str>) -> Result<Principal, String> {
        let Json::Object(claims) = claims else { unreachable!("claims are an object") };
        rules.principal(claims, tenant).map_err(|error| error.to_string())
    }

    #[test]
    fn claims_are_found_by_name_and_by_path() {
        let rules = TokenRules {
            user: ClaimPath::new("identity.id"),
            roles: ClaimPath::new("https://example.com/roles"),
            admin_role: Some("root".into()),
            ..TokenRules::default()
        };
        let claims = json!({
            "exp": 100, "identity": { "id": 17 }, "https://example.com/roles": ["editor", "root"], "org": { "name": "acme" },
        });
        let found = principal(&rules, claims, Some("org.name")).unwrap();
        assert_eq!((&*found.user, found.tenant.as_str()), ("17", "acme"));
        assert_eq!(found.caller.roles, ["editor".into(), "root".into()]);
        assert!(found.caller.is_admin);
        assert_eq!(found.expires, Some(Timestamp::from_second(130).unwrap()));
    }

    #[test]
    fn a_tenant_of_the_installation_comes_before_the_manifests() {
        let rules = TokenRules { tenant: Some(ClaimPath::new("tid")), ..TokenRules::default() };
        let claims = json!({ "exp": 1, "sub": "ada", "org": "acme", "tid": "zeta" });
        assert_eq!(principal(&rules, claims.clone(), Some("org")).unwrap().tenant.as_str(), "zeta");
        assert_eq!(principal(&rules, claims, None).unwrap().tenant, Tenant::none());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let rules = TokenRules::default();
        let long = "x".repeat(MOST_NAME + 1);
        for (claims, about) in [
            (json!({ "exp": 1 }), "\"sub\""),
            (json!({ "exp": 1, "sub": "" }), "\"sub\""),
            (json!({ "exp": 1, "sub": long }), "\"sub\""),
            (json!({ "exp": 1, "sub": "a\u{0}b" }), "\"sub\""),
            (json!({ "exp": 1, "sub": "ada", "org": "acme", "roles": [1] }), "\"roles\""),
            (json!({ "exp": 1, "sub": "ada", "org": "acme", "roles": true }), "\"roles\""),
            (json!({ "exp": 1, "sub": "ada" }), "\"org\""),
            (json!({ "exp": 1, "sub": "ada", "org": ["acme"] }), "\"org\""),
        ] {
            let refusal = principal(&rules, claims, Some("org")).unwrap_err();
            assert!(refusal.contains(about), "{refusal}");
        }
        let spoken = principal(&rules, json!({ "exp": 1e300, "sub": "ada", "roles": "a b" }), None).unwrap();
        assert_eq!((spoken.caller.roles.len(), spoken.expires), (2, None));
    }
}
