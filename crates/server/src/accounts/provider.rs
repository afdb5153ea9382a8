//! Signing in through a provider: OpenID Connect, by an authorization code with PKCE, a state and a nonce.
//!
//! The provider is discovered when somebody first signs in, so that a server also starts while it is away.

use std::{error::Error, sync::Arc, time::Duration};

use axum::http::{Request, Response, Uri};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use corella_wire::ErrorCode;
use openidconnect::{
    AuthType, AuthenticationFlow, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret,
    CsrfToken, HttpRequest, HttpResponse, IssuerUrl, Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RequestTokenError, Scope, TokenResponse as _,
    core::{
        CoreClient, CoreClientAuthMethod, CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreResponseType,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use subtle::ConstantTimeEq as _;
use tokio::{sync::Mutex, time::Instant};

use super::OptionError;
use crate::{
    Failure,
    auth::{fetch, is_near},
};

/// How long what a provider says of itself is believed.
const FRESH: Duration = Duration::from_secs(60 * 60);
/// How soon it is asked again when one of its signatures fits none of its keys.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(10);
/// Signatures that a provider makes with a key of its own; not those with a secret that we have as well.
const SIGNATURES: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// Who else says who somebody is.
#[derive(Clone)]
pub struct ProviderOptions {
    issuer: IssuerUrl,
    client: ClientId,
    secret: Option<ClientSecret>,
    scopes: Vec<String>,
}

impl std::fmt::Debug for ProviderOptions {
    /// Without the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProviderOptions")
            .field("issuer", &self.issuer)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

impl ProviderOptions {
    /// The provider of this issuer, by whom the server is called `client`.
    ///
    /// # Errors
    /// [`OptionError`] when the issuer is no address by https, or http on the same machine.
    pub fn new(
        issuer: &str,
        client: String,
        secret: Option<String>,
        scopes: Vec<String>,
    ) -> Result<Self, OptionError> {
        let wrong = |why| OptionError { example: "https://id.example.com", found: issuer.to_owned(), why };
        let uri: Uri = issuer.parse().map_err(|_| wrong("it is no address"))?;
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if is_near(&uri) => {}
            Some(_) | None => return Err(wrong("it does not begin with https://")),
        }
        let issuer = IssuerUrl::new(issuer.to_owned()).map_err(|_| wrong("it is no address"))?;
        let secret = secret.map(ClientSecret::new);
        Ok(Self { issuer, client: ClientId::new(client), secret, scopes })
    }
}

/// What was agreed before the provider was asked; the browser keeps it meanwhile, signed.
#[derive(Serialize, Deserialize)]
pub(crate) struct Pending {
    /// The provider, where it has a name: another one's answer is none to this question.
    #[serde(default)]
    provider: Option<String>,
    state: String,
    nonce: String,
    verifier: String,
    /// Where on this site the browser is to go afterwards.
    pub(crate) then: String,
    /// Until when it is good, in seconds since 1970.
    pub(crate) exp: i64,
}

/// Who somebody is, as the provider says.
pub(crate) struct Identified {
    pub(crate) issuer: String,
    pub(crate) subject: String,
    /// All that the provider's ID token says.
    pub(crate) claims: Map<String, Json>,
}

/// What the provider says of itself, and when it said so.
#[derive(Clone)]
struct Known {
    metadata: Arc<CoreProviderMetadata>,
    at: Instant,
}

/// A provider.
pub(crate) struct Provider {
    options: ProviderOptions,
    /// An async mutex, held while the provider is asked, so that many who come at once ask once.
    known: Mutex<Option<Known>>,
}

/// A request to the provider that was not answered.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unanswered(String);

async fn ask(request: HttpRequest) -> Result<HttpResponse, Unanswered> {
    let (parts, body) = request.into_parts();
    let answer = fetch::send(Request::from_parts(parts, Bytes::from(body))).await.map_err(Unanswered)?;
    if answer.status().is_server_error() {
        return Err(Unanswered(format!("it answers {}", answer.status())));
    }
    let (parts, body): (_, Bytes) = Response::into_parts(answer);
    Ok(Response::from_parts(parts, body.into()))
}

fn with_causes(error: &dyn Error) -> String {
    fetch::with_causes(error)
}

/// How the provider wants to have the server's secret: in a header, as all have to take it, unless it says otherwise.
fn proof(metadata: &CoreProviderMetadata) -> AuthType {
    let methods = metadata.token_endpoint_auth_methods_supported().map(Vec::as_slice).unwrap_or_default();
    let takes = |method| methods.contains(&method);
    if takes(CoreClientAuthMethod::ClientSecretPost) && !takes(CoreClientAuthMethod::ClientSecretBasic) {
        AuthType::RequestBody
    } else {
        AuthType::BasicAuth
    }
}

impl Provider {
    pub(super) fn new(options: ProviderOptions) -> Self {
        Self { options, known: Mutex::default() }
    }

    fn away(&self, why: &str) -> Failure {
        tracing::warn!(issuer = self.options.issuer.as_str(), why, "the identity provider cannot be asked");
        let issuer = self.options.issuer.as_str();
        let detail =
            format!("the identity provider {issuer} cannot be asked now: {why}; try again in a moment");
        Failure::new(ErrorCode::Unavailable, detail)
    }

    fn refused(why: &str) -> Failure {
        let detail = format!("the sign-in did not succeed: {why}; begin again");
        Failure::new(ErrorCode::Unauthorized, detail)
    }

    /// What the provider says of itself, at most so old.
    async fn known(&self, at_most: Duration) -> Result<Known, Failure> {
        let mut slot = self.known.lock().await;
        if let Some(known) = slot.as_ref().filter(|known| known.at.elapsed() <= at_most) {
            return Ok(known.clone());
        }
        let asked = CoreProviderMetadata::discover_async(self.options.issuer.clone(), &ask).await;
        let metadata = Arc::new(asked.map_err(|error| self.away(&with_causes(&error)))?);
        let known = Known { metadata, at: Instant::now() };
        *slot = Some(known.clone());
        Ok(known)
    }

    /// Its issuer.
    pub(crate) fn issuer(&self) -> &str {
        self.options.issuer.as_str()
    }

    /// Where to send the browser, which is to come back to `redirect`, and what it is to keep meanwhile; `name` is what the
    /// provider is called here.
    pub(crate) async fn begin(
        &self,
        name: Option<&str>,
        redirect: String,
        then: String,
        exp: i64,
    ) -> Result<(String, Pending), Failure> {
        let known = self.known(FRESH).await?;
        let redirect = RedirectUrl::new(redirect).map_err(|error| self.away(&error.to_string()))?;
        let ProviderOptions { client, secret, scopes, .. } = self.options.clone();
        let client = CoreClient::from_provider_metadata((*known.metadata).clone(), client, secret)
            .set_redirect_uri(redirect);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (url, state, nonce) = client
            .authorize_url(
                AuthenticationFlow::<CoreResponseType>::AuthorizationCode,
                CsrfToken::new_random,
                Nonce::new_random,
            )
            .add_scopes(scopes.into_iter().map(Scope::new))
            .set_pkce_challenge(challenge)
            .url();
        let (state, nonce) = (state.into_secret(), nonce.secret().clone());
        let verifier = verifier.into_secret();
        let provider = name.map(str::to_owned);
        Ok((url.into(), Pending { provider, state, nonce, verifier, then, exp }))
    }

    /// Who has come back from the provider with a code, to `redirect` as before.
    pub(crate) async fn finish(
        &self,
        name: Option<&str>,
        redirect: String,
        state: &str,
        code: String,
        pending: &Pending,
    ) -> Result<Identified, Failure> {
        let is_same = pending.provider.as_deref() == name;
        if !is_same || !bool::from(state.as_bytes().ct_eq(pending.state.as_bytes())) {
            let detail =
                "expected the state that this browser's sign-in began with, found another one; begin again";
            return Err(Failure::new(ErrorCode::Forbidden, detail));
        }
        let known = self.known(FRESH).await?;
        let token = self.exchange(&known, redirect, code, pending).await?;
        let checked = match self.check(&known, &token, pending) {
            // It may have changed its keys since it was asked.
            Err(ClaimsVerificationError::SignatureVerification(_))
                if known.at.elapsed() > ASK_AGAIN_AFTER =>
            {
                let known = self.known(ASK_AGAIN_AFTER).await?;
                self.check(&known, &token, pending)
            }
            other => other,
        };
        checked.map_err(|error| {
            let why = format!("the provider's ID token is not good: {}", with_causes(&error));
            tracing::warn!(
                issuer = self.options.issuer.as_str(),
                why,
                "a sign-in through the provider was refused"
            );
            Self::refused(&why)
        })
    }

    async fn exchange(
        &self,
        known: &Known,
        redirect: String,
        code: String,
        pending: &Pending,
    ) -> Result<openidconnect::core::CoreIdToken, Failure> {
        let redirect = RedirectUrl::new(redirect).map_err(|error| self.away(&error.to_string()))?;
        let ProviderOptions { client, secret, .. } = self.options.clone();
        let client = CoreClient::from_provider_metadata((*known.metadata).clone(), client, secret)
            .set_redirect_uri(redirect)
            .set_auth_type(proof(&known.metadata));
        let request = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| self.away(&with_causes(&error)))?
            .set_pkce_verifier(PkceCodeVerifier::new(pending.verifier.clone()));
        let answer = request.request_async(&ask).await.map_err(|error| match &error {
            RequestTokenError::ServerResponse(refusal) => {
                Self::refused(&format!("the provider did not take the code ({})", refusal.error().as_ref()))
            }
            // What cannot be read may have secrets in it, and is not repeated.
            RequestTokenError::Parse(..) => self.away("its answer cannot be read"),
            RequestTokenError::Request(source) => self.away(&with_causes(source)),
            RequestTokenError::Other(what) => self.away(what),
        })?;
        answer.id_token().cloned().ok_or_else(|| Self::refused("the provider gave no ID token"))
    }

    fn check(
        &self,
        known: &Known,
        token: &openidconnect::core::CoreIdToken,
        pending: &Pending,
    ) -> Result<Identified, ClaimsVerificationError> {
        let ProviderOptions { client, secret, .. } = self.options.clone();
        let client = CoreClient::from_provider_metadata((*known.metadata).clone(), client, secret);
        let verifier = client.id_token_verifier().set_allowed_algs(SIGNATURES);
        let nonce = |found: Option<&Nonce>| match found {
            Some(found) if bool::from(found.secret().as_bytes().ct_eq(pending.nonce.as_bytes())) => Ok(()),
            Some(_) => Err("it is of another sign-in".to_owned()),
            None => Err("there is none".to_owned()),
        };
        let claims = token.claims(&verifier, nonce)?;
        let (issuer, subject) = (claims.issuer().to_string(), claims.subject().to_string());
        // The signature fits: what it signs can be read as it stands.
        let text = token.to_string();
        let payload = text.split('.').nth(1).and_then(|payload| URL_SAFE_NO_PAD.decode(payload).ok());
        let claims = payload.and_then(|payload| serde_json::from_slice(&payload).ok()).unwrap_or_default();
        Ok(Identified { issuer, subject, claims })
    }
}
