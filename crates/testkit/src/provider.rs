//! An identity provider as OpenID Connect describes it, on this machine.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use uuid::Uuid;

use crate::IssuerKey;

/// What the provider calls the server.
const CLIENT: &str = "corella";
/// The secret that it gave it.
const SECRET: &str = "a secret of the provider's";
/// What it calls its key.
const KEY: &str = "k1";

/// What the provider does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Its token has the nonce of another sign-in.
    WrongNonce,
    /// Its token has no nonce.
    NoNonce,
    /// Its token is for somebody else.
    WrongAudience,
    /// Its token is over.
    Expired,
    /// Its token names another issuer.
    WrongIssuer,
    /// Its token is signed with a key that it does not tell.
    WrongKey,
    /// It answers nothing but that it is out of order.
    Away,
}

/// Somebody who has said yes, and whose code was not used yet.
struct Consent {
    subject: String,
    nonce: String,
    challenge: String,
    redirect: String,
}

struct State {
    fault: Fault,
    consents: HashMap<String, Consent>,
    /// What its tokens say besides.
    claims: Json,
}

/// An identity provider; dropping it ends it.
pub struct Provider {
    issuer: String,
    state: Arc<Mutex<State>>,
    serving: JoinHandle<()>,
}

impl Provider {
    /// Starts one with a key of its own.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let state = State { fault: Fault::None, consents: HashMap::new(), claims: json!({}) };
        let state = Arc::new(Mutex::new(state));
        let desk = Arc::new(Desk {
            address,
            state: Arc::clone(&state),
            key: IssuerKey::p256(),
            stranger: IssuerKey::p256(),
        });
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let desk = Arc::clone(&desk);
                tokio::spawn(async move { desk.serve(stream).await });
            }
        });
        Self { issuer: issuer(address), state, serving }
    }

    /// The arguments that have a server ask it.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        ["--accounts", "--oidc-issuer", &self.issuer, "--oidc-client-id", CLIENT].map(str::to_owned).to_vec()
    }

    /// The secret that it gave the server.
    #[must_use]
    pub fn secret(&self) -> &'static str {
        SECRET
    }

    /// Its issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Does this wrong from now on.
    pub fn fail(&self, fault: Fault) {
        self.state().fault = fault;
    }

    /// Has its tokens say this besides.
    pub fn tell(&self, claims: Json) {
        self.state().claims = claims;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics with it")
    }

    /// Somebody who was sent here by this address says yes; what comes back is where the browser is sent to.
    ///
    /// # Panics
    /// When the address lacks what it has to have.
    #[must_use]
    pub fn consent(&self, address: &str, subject: &str) -> String {
        let (place, asked) = address.split_once('?').expect("a query string");
        assert_eq!(place, format!("{}/authorize", self.issuer));
        let asked = pairs(asked);
        let expected = [("client_id", CLIENT), ("response_type", "code"), ("code_challenge_method", "S256")];
        for (name, value) in expected {
            assert_eq!(asked.get(name).map(String::as_str), Some(value), "{asked:?}");
        }
        assert!(asked["scope"].split(' ').any(|scope| scope == "openid"), "{asked:?}");
        let code = Uuid::new_v4().simple().to_string();
        let consent = Consent {
            subject: subject.to_owned(),
            nonce: asked["nonce"].clone(),
            challenge: asked["code_challenge"].clone(),
            redirect: asked["redirect_uri"].clone(),
        };
        let back = format!("{}?code={code}&state={}", consent.redirect, asked["state"]);
        self.state().consents.insert(code, consent);
        back
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn issuer(address: SocketAddr) -> String {
    format!("http://{address}")
}

/// The pairs of a query string or form.
fn pairs(text: &str) -> HashMap<String, String> {
    text.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (plain(name), plain(value)))
        .collect()
}

fn plain(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next(), rest.next()].map(|digit| char::from(digit.unwrap_or_default()));
                u8::from_str_radix(&String::from_iter(digits), 16).expect("two hexadecimal digits")
            }
            other => other,
        });
    }
    String::from_utf8(bytes).expect("text")
}

/// Where requests are answered.
struct Desk {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    key: IssuerKey,
    /// Signs what it should not.
    stranger: IssuerKey,
}

impl Desk {
    async fn serve(&self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
            if line.trim().is_empty() {
                break;
            }
            head.push(line.trim().to_owned());
        }
        let header = |name: &str| {
            head.iter()
                .filter_map(|line| line.split_once(':'))
                .find_map(|(key, value)| key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned()))
        };
        let length = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        if stream.read_exact(&mut body).await.is_err() {
            return;
        }
        let body = String::from_utf8_lossy(&body).into_owned();
        let path = head[0].split(' ').nth(1).unwrap_or_default().to_owned();
        let (status, answer) = self.answer(&path, header("authorization"), &body);
        let text = answer.to_string();
        let head = format!(
            "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            text.len()
        );
        stream.write_all(format!("{head}{text}").as_bytes()).await.ok();
    }

    fn answer(&self, path: &str, authorization: Option<String>, body: &str) -> (&'static str, Json) {
        let issuer = issuer(self.address);
        let mut state = self.state.lock().expect("nobody panics with it");
        if state.fault == Fault::Away {
            return ("503 Service Unavailable", json!({ "error": "out of order" }));
        }
        match path {
            "/.well-known/openid-configuration" => (
                "200 OK",
                json!({
                    "issuer": issuer,
                    "authorization_endpoint": format!("{issuer}/authorize"),
                    "token_endpoint": format!("{issuer}/token"),
                    "jwks_uri": format!("{issuer}/jwks"),
                    "response_types_supported": ["code"],
                    "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": ["ES256"],
                }),
            ),
            "/jwks" => ("200 OK", json!({ "keys": [self.key.jwk(KEY)] })),
            "/token" => {
                let asked = pairs(body);
                let known = asked.get("code").and_then(|code| state.consents.remove(code));
                let fits = known.filter(|consent| {
                    let challenge = Sha256::digest(asked.get("code_verifier").map_or("", String::as_str));
                    let client = format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{}", form(SECRET))));
                    URL_SAFE_NO_PAD.encode(challenge) == consent.challenge
                        && asked.get("redirect_uri") == Some(&consent.redirect)
                        && asked.get("grant_type").map(String::as_str) == Some("authorization_code")
                        && authorization == Some(client)
                });
                match fits {
                    Some(consent) => (
                        "200 OK",
                        json!({
                            "access_token": "for nothing", "token_type": "Bearer",
                            "id_token": self.token(&consent, &state),
                        }),
                    ),
                    None => ("400 Bad Request", json!({ "error": "invalid_grant" })),
                }
            }
            _ => ("404 Not Found", json!({})),
        }
    }

    fn token(&self, consent: &Consent, state: &State) -> String {
        let now = jiff::Timestamp::now().as_second();
        let fault = state.fault;
        let mut claims = json!({
            "iss": if fault == Fault::WrongIssuer { "https://other.example".to_owned() } else { issuer(self.address) },
            "aud": if fault == Fault::WrongAudience { "somebody else" } else { CLIENT },
            "sub": consent.subject,
            "iat": now - 1,
            "exp": if fault == Fault::Expired { now - 60 } else { now + 60 },
            "nonce": if fault == Fault::WrongNonce { "another" } else { &consent.nonce },
        });
        let all = claims.as_object_mut().expect("an object");
        all.extend(state.claims.as_object().cloned().unwrap_or_default());
        if fault == Fault::NoNonce {
            all.remove("nonce");
        }
        let key = if fault == Fault::WrongKey { &self.stranger } else { &self.key };
        key.token(Some(KEY), &claims)
    }
}

/// A text as forms write it, which is how a client's secret goes into its header.
fn form(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b' ' => "+".to_owned(),
            byte if byte.is_ascii_alphanumeric() || b"-._*".contains(&byte) => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}
