//! Somebody who issues tokens: keys, and an address that tells the public ones.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use rsa::{
    RsaPrivateKey,
    pkcs1::EncodeRsaPrivateKey as _,
    pkcs8::{EncodePublicKey as _, LineEnding},
};
use serde_json::{Value as Json, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinHandle,
};
use uuid::Uuid;

/// A key that tokens are signed with.
pub struct IssuerKey {
    algorithm: Algorithm,
    encoding: EncodingKey,
    jwk: Json,
    pem: String,
}

/// 32 bytes that nobody knows before.
fn random_bytes() -> Vec<u8> {
    [Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat()
}

fn pem(der: &[u8]) -> String {
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
}

impl IssuerKey {
    /// A key of Ed25519.
    #[must_use]
    pub fn ed25519() -> Self {
        const PRIVATE: [u8; 16] = [48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 112, 4, 34, 4, 32];
        const PUBLIC: [u8; 12] = [48, 42, 48, 5, 6, 3, 43, 101, 112, 3, 33, 0];
        let encoding = EncodingKey::from_ed_der(&[&PRIVATE[..], &random_bytes()].concat());
        Self::of(Algorithm::EdDSA, encoding, |jwk| pem(&[&PUBLIC[..], &part(jwk, "x")].concat()))
    }

    /// A key of P-256.
    #[must_use]
    pub fn p256() -> Self {
        const PRIVATE: [u8; 35] = [
            48, 65, 2, 1, 0, 48, 19, 6, 7, 42, 134, 72, 206, 61, 2, 1, 6, 8, 42, 134, 72, 206, 61, 3, 1, 7,
            4, 39, 48, 37, 2, 1, 1, 4, 32,
        ];
        const PUBLIC: [u8; 27] = [
            48, 89, 48, 19, 6, 7, 42, 134, 72, 206, 61, 2, 1, 6, 8, 42, 134, 72, 206, 61, 3, 1, 7, 3, 66, 0,
            4,
        ];
        let encoding = EncodingKey::from_ec_der(&[&PRIVATE[..], &random_bytes()].concat());
        Self::of(Algorithm::ES256, encoding, |jwk| {
            pem(&[&PUBLIC[..], &part(jwk, "x"), &part(jwk, "y")].concat())
        })
    }

    /// A key of RSA with that many bits.
    ///
    /// # Panics
    /// When there is none of that size.
    #[must_use]
    pub fn rsa(bits: usize) -> Self {
        let key = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, bits).expect("a key can be made");
        let der = key.to_pkcs1_der().expect("a key can be written");
        let text = key.to_public_key().to_public_key_pem(LineEnding::LF).expect("a key can be written");
        Self::of(Algorithm::RS256, EncodingKey::from_rsa_der(der.as_bytes()), |_| text)
    }

    fn of(algorithm: Algorithm, encoding: EncodingKey, pem: impl FnOnce(&Json) -> String) -> Self {
        let jwk = Jwk::from_encoding_key(&encoding, algorithm).expect("a key has a public half");
        let jwk = serde_json::to_value(jwk).expect("a key can be written");
        let pem = pem(&jwk);
        Self { algorithm, encoding, jwk, pem }
    }

    /// The public half as PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The public half as it stands in a JWKS, with this name.
    #[must_use]
    pub fn jwk(&self, id: &str) -> Json {
        let mut jwk = self.jwk.clone();
        jwk["kid"] = id.into();
        jwk
    }

    /// A token with these claims, which names its key or does not.
    ///
    /// # Panics
    /// When it cannot be signed.
    #[must_use]
    pub fn token(&self, id: Option<&str>, claims: &Json) -> String {
        let mut header = Header::new(self.algorithm);
        header.kid = id.map(str::to_owned);
        jsonwebtoken::encode(&header, claims, &self.encoding).expect("claims can be signed")
    }
}

fn part(jwk: &Json, name: &str) -> Vec<u8> {
    let text = jwk[name].as_str().expect("a key has this part");
    URL_SAFE_NO_PAD.decode(text).expect("it is in base64url")
}

/// An address that tells public keys, as an identity provider does; dropping it ends it.
pub struct KeyServer {
    address: SocketAddr,
    /// A plain lock, held to replace or copy the text.
    text: Arc<Mutex<String>>,
    asked: Arc<AtomicUsize>,
    serving: JoinHandle<()>,
}

impl KeyServer {
    /// One that tells these keys.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn start(keys: &[Json]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let text = Arc::new(Mutex::new(String::new()));
        let asked = Arc::new(AtomicUsize::new(0));
        let (told, count) = (Arc::clone(&text), Arc::clone(&asked));
        let serving = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = stream.read_u8().await else { break };
                    request.push(byte);
                }
                count.fetch_add(1, Ordering::SeqCst);
                let body = told.lock().expect("nobody panics with it").clone();
                let status = if body.is_empty() { "503 Service Unavailable" } else { "200 OK" };
                let length = body.len();
                let head =
                    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
                stream.write_all(format!("{head}{body}").as_bytes()).await.ok();
            }
        });
        let server = Self { address, text, asked, serving };
        server.tell(keys);
        server
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/jwks.json", self.address)
    }

    /// Tells these keys from now on; without any it answers as one that is out of order.
    ///
    /// # Panics
    /// When another test's thread has panicked within it.
    pub fn tell(&self, keys: &[Json]) {
        let text = if keys.is_empty() { String::new() } else { json!({ "keys": keys }).to_string() };
        *self.text.lock().expect("nobody panics with it") = text;
    }

    /// How often it was asked.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for KeyServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
