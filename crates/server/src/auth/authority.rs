//! Who the bearer of a token is.

use std::{sync::Arc, time::Duration};

use corella_rowdoc::Tenant;
use corella_store::port::Rights;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode_header};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value as Json};
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use super::{
    AuthError, Carrier, Grant, KeyError, KeyLocation, Principal, Signer, TokenRules, keys::Key,
    places::KeyPlace,
};

/// Longest token that is looked at, in bytes.
const MOST_TOKEN: usize = 16 * 1024;

/// Whose tokens are good, and what they have to say.
#[derive(Debug, Clone)]
pub struct TokenOptions {
    /// The secret that tokens of our own are signed with (HS256); without it none are.
    pub secret: Option<Vec<u8>>,
    /// Where the public keys of those come from who issue tokens besides.
    pub keys: Vec<KeyLocation>,
    /// How often an address of keys is asked again.
    pub refresh: Duration,
    /// What tokens have to say.
    pub rules: TokenRules,
    /// A caller without a token is the user `anonymous`.
    pub allow_anonymous: bool,
}

impl Default for TokenOptions {
    fn default() -> Self {
        Self {
            secret: None,
            keys: Vec::new(),
            refresh: Duration::from_secs(300),
            rules: TokenRules::default(),
            allow_anonymous: false,
        }
    }
}

/// Checks tokens, and makes them.
pub struct Authority {
    signer: Option<Signer>,
    own: Option<Key>,
    /// Signs what browsers keep for us while they are elsewhere; no access token is good that it signs.
    keeping: Option<(EncodingKey, DecodingKey)>,
    places: Vec<Arc<KeyPlace>>,
    refresh: Duration,
    rules: TokenRules,
    allows_anonymous: bool,
}

impl Authority {
    /// An authority by these options, whose public keys are read. An address of keys that does not answer is asked again
    /// later; until then its tokens are refused.
    ///
    /// # Errors
    /// [`KeyError`] when a file of keys is not right.
    pub async fn open(options: TokenOptions) -> Result<Self, KeyError> {
        let TokenOptions { secret, keys, refresh, rules, allow_anonymous } = options;
        let mut places = Vec::with_capacity(keys.len());
        for location in keys {
            places.push(Arc::new(KeyPlace::open(location).await?));
        }
        let signer = secret.as_ref().map(|secret| Signer::new(secret, rules.clone()));
        let own = secret.as_ref().map(|secret| Key::secret(secret));
        let keeping = secret.as_ref().map(|secret| {
            let derived = Sha256::new().chain_update(b"corella keeping\0").chain_update(secret).finalize();
            (EncodingKey::from_secret(&derived), DecodingKey::from_secret(&derived))
        });
        Ok(Self { signer, own, keeping, places, refresh, rules, allows_anonymous: allow_anonymous })
    }

    /// Keeps the public keys fresh until `stop`.
    pub(crate) fn follow(&self, stop: &CancellationToken) {
        for place in &self.places {
            tokio::spawn(Arc::clone(place).follow(self.refresh, stop.child_token()));
        }
    }

    /// A token that says `grant`; `tenant_claim` is the claim that the manifest's tenancy names.
    ///
    /// # Errors
    /// [`AuthError::Invalid`] when it cannot be made.
    pub fn token(&self, grant: &Grant, tenant_claim: Option<&str>) -> Result<String, AuthError> {
        let signer = self.signer.as_ref().ok_or_else(|| {
            AuthError::invalid("none can be made without a secret of our own; set CORELLA_JWT_SECRET")
        })?;
        signer.token(grant, tenant_claim)
    }

    /// A text that only this server, and others with its secret, can read back as what it is; its claim `exp` bounds it.
    pub(crate) fn keep<T: Serialize>(&self, what: &T) -> Result<String, AuthError> {
        let no_secret = || AuthError::invalid("nothing can be signed without a secret of our own");
        let (key, _) = self.keeping.as_ref().ok_or_else(no_secret)?;
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), what, key)
            .map_err(|error| AuthError::invalid(error.to_string()))
    }

    /// What was given to [`Authority::keep`], unless it is over or was changed.
    pub(crate) fn kept<T: DeserializeOwned>(&self, text: &str) -> Option<T> {
        let (_, key) = self.keeping.as_ref()?;
        jsonwebtoken::decode::<T>(text, key, &Validation::new(Algorithm::HS256)).ok().map(|data| data.claims)
    }

    /// As `principal` with the rights that its account gives now; nothing where they are as before.
    pub(crate) fn entitled(&self, principal: &Principal, rights: Option<&Rights>) -> Option<Principal> {
        self.rules.entitled(principal, rights?)
    }

    /// The claim of a token that names the tenant, where the manifest has tenants: `tenant_claim` names it there.
    pub(crate) fn tenant_in(
        &self,
        claims: &Map<String, Json>,
        tenant_claim: &str,
    ) -> Result<Tenant, AuthError> {
        self.rules.tenant_in(claims, tenant_claim)
    }

    /// Who calls without a token; `tenant_claim` is the claim that the manifest's tenancy names.
    ///
    /// # Errors
    /// [`AuthError::Missing`] where nobody may.
    pub(crate) fn stranger(&self, tenant_claim: Option<&str>) -> Result<Principal, AuthError> {
        if !self.allows_anonymous || tenant_claim.is_some() {
            return Err(AuthError::Missing);
        }
        let (user, caller) = ("anonymous".into(), Arc::default());
        Ok(Principal {
            user,
            tenant: Tenant::none(),
            caller,
            expires: None,
            session: None,
            carrier: Carrier::Caller,
        })
    }

    /// Who calls with this token, or with none; `tenant_claim` is the claim that the manifest's tenancy names.
    ///
    /// Waits, for a bounded time, for the keys of a token that names one which is not known yet.
    ///
    /// # Errors
    /// [`AuthError`] says why the caller is not let in.
    pub async fn caller(
        &self,
        token: Option<&str>,
        tenant_claim: Option<&str>,
    ) -> Result<Principal, AuthError> {
        let Some(token) = token else { return self.stranger(tenant_claim) };
        if token.len() > MOST_TOKEN {
            return Err(AuthError::invalid(format!(
                "expected at most {MOST_TOKEN} bytes, found {}",
                token.len()
            )));
        }
        let header = decode_header(token).map_err(|error| self.rules.refusal(&error))?;
        let claims = self.claims(token, header.alg, header.kid.as_deref()).await?;
        self.rules.principal(claims, tenant_claim)
    }

    /// What a token says that is signed with a key which may sign it.
    async fn claims(
        &self,
        token: &str,
        algorithm: Algorithm,
        id: Option<&str>,
    ) -> Result<Map<String, Json>, AuthError> {
        let mut refusal = None;
        if let Some(own) = self.own.as_ref().filter(|own| own.fits(algorithm, id)) {
            match self.read(token, algorithm, own) {
                Ok(claims) => return Ok(claims),
                Err(error) => refusal = Some(error),
            }
        }
        for place in &self.places {
            let mut keys = place.keys();
            if keys.fitting(algorithm, id).next().is_none() && algorithm != Algorithm::HS256 {
                place.ask_again(&keys).await;
                keys = place.keys();
            }
            for key in keys.fitting(algorithm, id) {
                match self.read(token, algorithm, key) {
                    Ok(claims) => return Ok(claims),
                    Err(error) => refusal = Some(error),
                }
            }
        }
        Err(refusal.unwrap_or_else(|| {
            let named = id.map(|id| format!(" by the key {id:.60?}")).unwrap_or_default();
            AuthError::invalid(format!(
                "it is signed{named} with {algorithm:?}, and no key here goes with that"
            ))
        }))
    }

    fn read(&self, token: &str, algorithm: Algorithm, key: &Key) -> Result<Map<String, Json>, AuthError> {
        jsonwebtoken::decode(token, &key.decoding, &self.rules.validation(algorithm))
            .map(|data| data.claims)
            .map_err(|error| self.rules.refusal(&error))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    async fn authority(secret: &[u8], allow_anonymous: bool) -> Authority {
        let options =
            TokenOptions { secret: Some(secret.to_vec()), allow_anonymous, ..TokenOptions::default() };
        Authority::open(options).await.unwrap()
    }

    fn grant() -> Grant {
        let lifetime = Duration::from_secs(60);
        Grant { user: "ada".into(), roles: vec!["editor".into()], lifetime, ..Grant::default() }
    }

    #[tokio::test]
    async fn a_token_says_what_was_granted() {
        let authority = authority(b"a secret", false).await;
        let token = authority.token(&Grant { tenant: Some("acme".into()), ..grant() }, Some("org")).unwrap();
        let caller = authority.caller(Some(&token), Some("org")).await.unwrap();
        assert_eq!((&*caller.user, caller.tenant.as_str()), ("ada", "acme"));
        assert_eq!(caller.caller.roles, ["editor".into()]);
        assert_eq!((caller.caller.is_admin, &caller.caller.claims["sub"]), (false, &Json::from("ada")));
    }

    #[tokio::test]
    async fn others_are_not_let_in() {
        let first = authority(b"a secret", false).await;
        let foreign = authority(b"another", false).await.token(&grant(), None).unwrap();
        let token = first.token(&grant(), None).unwrap();
        let unsigned = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJhZGEiLCJleHAiOjk5OTk5OTk5OTl9.";
        let long = "x".repeat(MOST_TOKEN + 1);
        assert_eq!(first.caller(None, None).await, Err(AuthError::Missing));
        for token in [&foreign, "", "garbage", unsigned, &token[..token.len() - 2], &long] {
            let refused = first.caller(Some(token), None).await;
            assert!(matches!(refused, Err(AuthError::Invalid(_))), "{token:.80}");
        }
    }

    /// Whose token it is, for whom, and when: each in what it says, and in that it says it.
    #[tokio::test]
    async fn issuer_audience_and_time_count() {
        let rules = TokenRules {
            issuers: vec!["https://id.example".into()],
            audiences: vec!["notes".into()],
            ..TokenRules::default()
        };
        let options = TokenOptions { secret: Some(b"a secret".to_vec()), rules, ..TokenOptions::default() };
        let authority = Authority::open(options).await.unwrap();
        let now = jiff::Timestamp::now().as_second();
        let key = EncodingKey::from_secret(b"a secret");
        let good =
            json!({ "sub": "ada", "iss": "https://id.example", "aud": ["others", "notes"], "exp": now + 60 });
        for (change, expected) in [
            (json!({}), Ok(())),
            // Clocks may differ by 30 seconds.
            (json!({ "exp": now - 15, "nbf": now + 15 }), Ok(())),
            (json!({ "exp": now - 45 }), Err("expired")),
            (json!({ "exp": null }), Err("exp")),
            (json!({ "nbf": now + 45 }), Err("not good yet")),
            (json!({ "iss": "https://id.example.evil" }), Err("expected the issuer https://id.example")),
            (json!({ "iss": null }), Err("iss")),
            (json!({ "aud": "others" }), Err("expected the audience notes")),
            (json!({ "aud": null }), Err("aud")),
        ] {
            let mut claims = good.as_object().cloned().unwrap();
            claims.extend(change.as_object().cloned().unwrap());
            claims.retain(|_, value| !value.is_null());
            let token = jsonwebtoken::encode(&Header::default(), &claims, &key).unwrap();
            let found =
                authority.caller(Some(&token), None).await.map(drop).map_err(|error| error.to_string());
            match (found, expected) {
                (Ok(()), Ok(())) => {}
                (Err(found), Err(expected)) if found.contains(expected) => {}
                (found, expected) => unreachable!("{change}: expected {expected:?}, found {found:?}"),
            }
        }
    }

    #[tokio::test]
    async fn a_tenant_must_be_named_where_there_are_tenants() {
        let authority = authority(b"a secret", true).await;
        let token = authority.token(&grant(), None).unwrap();
        assert!(authority.caller(Some(&token), Some("org")).await.is_err());
        assert_eq!(authority.caller(None, Some("org")).await, Err(AuthError::Missing));
        assert_eq!(&*authority.caller(None, None).await.unwrap().user, "anonymous");
    }
}
