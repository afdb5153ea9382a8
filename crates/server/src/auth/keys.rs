//! Keys that tokens may be signed with: a secret, public keys as PEM, sets of keys as JSON.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse},
};
use serde_json::Value as Json;
use spki::{ObjectIdentifier, SubjectPublicKeyInfoRef, der::Decode as _};

/// Shortest modulus of an RSA key, in bytes.
const LEAST_RSA: usize = 2048 / 8;

const RSA: &[Algorithm] = &[
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
];

/// A key, and the algorithms that tokens may be signed by with it.
///
/// A public key never takes part in HS256, whatever a token's header says: the algorithms are the key's own.
#[derive(Debug)]
pub(super) struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    pub(super) decoding: DecodingKey,
}

/// Keys that were read together.
#[derive(Debug, Default)]
pub(super) struct KeySet {
    keys: Vec<Key>,
    /// What was left out, and why.
    pub(super) skipped: Vec<String>,
}

impl Key {
    /// The secret that tokens of our own are signed with.
    pub(super) fn secret(secret: &[u8]) -> Self {
        Self { id: None, algorithms: vec![Algorithm::HS256], decoding: DecodingKey::from_secret(secret) }
    }

    /// Whether a token with this header may be signed with it. A token that names no key may be, and so may any token
    /// where the key has no name.
    pub(super) fn fits(&self, algorithm: Algorithm, id: Option<&str>) -> bool {
        let named = self.id.as_deref().zip(id);
        self.algorithms.contains(&algorithm) && named.is_none_or(|(own, asked)| own == asked)
    }

    fn from_pem(label: &str, der: &[u8]) -> Result<Self, String> {
        let (algorithms, decoding) = match label {
            "PUBLIC KEY" => public_key(der)?,
            "RSA PUBLIC KEY" => rsa(der)?,
            "CERTIFICATE" => {
                return Err("expected a public key, found a certificate; \
                            `openssl x509 -in FILE -pubkey -noout` prints its key"
                    .to_owned());
            }
            private if private.ends_with("PRIVATE KEY") => {
                return Err(
                    "expected a public key, found a private one, which belongs to who issues tokens alone; \
                            `openssl pkey -in FILE -pubout` prints its public key"
                        .to_owned(),
                );
            }
            other => return Err(format!("expected a PUBLIC KEY, found {other:.40}")),
        };
        Ok(Self { id: None, algorithms, decoding })
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the library's kinds may grow; all others are refused"
    )]
    fn from_jwk(value: &Json) -> Result<Self, String> {
        let jwk: Jwk = serde_json::from_value(value.clone()).map_err(|error| error.to_string())?;
        if let Some(usage) =
            jwk.common.public_key_use.as_ref().filter(|usage| **usage != PublicKeyUse::Signature)
        {
            return Err(format!("it is not for signatures, its use is {usage:?}"));
        }
        let fits = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => RSA.to_vec(),
            AlgorithmParameters::EllipticCurve(curve) => match &curve.curve {
                EllipticCurve::P256 => vec![Algorithm::ES256],
                EllipticCurve::P384 => vec![Algorithm::ES384],
                other => return Err(format!("expected the curve P-256 or P-384, found {other:?}")),
            },
            AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
                vec![Algorithm::EdDSA]
            }
            AlgorithmParameters::OctetKeyPair(pair) => {
                return Err(format!("expected the curve Ed25519, found {:?}", pair.curve));
            }
            AlgorithmParameters::OctetKey(_) => {
                return Err("it is a secret, which has no place in a set of public keys".to_owned());
            }
            _ => return Err("expected a key of RSA, EC or OKP".to_owned()),
        };
        let algorithms = match value.get("alg").and_then(Json::as_str) {
            None => fits,
            Some(named) => {
                let only: Vec<Algorithm> =
                    fits.into_iter().filter(|fit| format!("{fit:?}") == named).collect();
                if only.is_empty() {
                    return Err(format!("its kind does not go with its alg {named:.20}"));
                }
                only
            }
        };
        let decoding = DecodingKey::from_jwk(&jwk).map_err(|error| error.to_string())?;
        if let jsonwebtoken::DecodingKeyKind::RsaModulusExponent { n, .. } = decoding.kind() {
            long_enough(n.len())?;
        }
        Ok(Self { id: jwk.common.key_id, algorithms, decoding })
    }
}

type Algorithms = (Vec<Algorithm>, DecodingKey);

fn public_key(der: &[u8]) -> Result<Algorithms, String> {
    const RSA_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
    const EC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
    const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
    const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
    const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
    let info =
        SubjectPublicKeyInfoRef::from_der(der).map_err(|error| format!("it does not read: {error}"))?;
    let bytes = info.subject_public_key.raw_bytes();
    match info.algorithm.oid {
        RSA_KEY => rsa(bytes),
        ED25519 => Ok((vec![Algorithm::EdDSA], DecodingKey::from_ed_der(bytes))),
        EC_KEY => {
            let algorithm = match info.algorithm.parameters_oid() {
                Ok(P256) => Algorithm::ES256,
                Ok(P384) => Algorithm::ES384,
                Ok(other) => return Err(format!("expected the curve P-256 or P-384, found {other}")),
                Err(error) => return Err(format!("its curve does not read: {error}")),
            };
            Ok((vec![algorithm], DecodingKey::from_ec_der(bytes)))
        }
        other => Err(format!("expected a key of RSA, P-256, P-384 or Ed25519, found {other}")),
    }
}

fn rsa(der: &[u8]) -> Result<Algorithms, String> {
    // Beside the modulus the bytes hold the exponent and their lengths.
    long_enough(der.len())?;
    Ok((RSA.to_vec(), DecodingKey::from_rsa_der(der)))
}

fn long_enough(bytes: usize) -> Result<(), String> {
    if bytes < LEAST_RSA {
        return Err(format!("expected an RSA key of at least {} bits, found a shorter one", LEAST_RSA * 8));
    }
    Ok(())
}

/// How a block of PEM begins, before its label.
const BEGIN: &str = "-----BEGIN ";
/// How its lines with the label end.
const DASHES: &str = "-----";

/// What a block is and its bytes; lines may be of any length.
fn block_of(block: &str) -> Result<(&str, Vec<u8>), String> {
    let broken = "it does not read: expected a line -----BEGIN …-----, base64, and a line -----END …-----";
    let (label, rest) = block.split_once(DASHES).ok_or(broken)?;
    let (body, _) = rest.split_once(&format!("-----END {label}{DASHES}")).ok_or(broken)?;
    let body: String = body.split_whitespace().collect();
    let der = BASE64.decode(body).map_err(|error| format!("it does not read: {error}"))?;
    Ok((label, der))
}

impl KeySet {
    /// Reads a set of keys: PEM with one or more public keys, or a JWKS.
    ///
    /// # Errors
    /// What was expected and what came. A key of a JWKS that is of no use is left out, a PEM file has to be right.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let set =
            if text.trim_start().starts_with('{') { Self::from_jwks(text) } else { Self::from_pem(text) }?;
        if set.keys.is_empty() {
            let why =
                if set.skipped.is_empty() { String::new() } else { format!(": {}", set.skipped.join("; ")) };
            return Err(format!("expected a key that tokens may be signed with, found none{why}"));
        }
        Ok(set)
    }

    fn from_pem(text: &str) -> Result<Self, String> {
        let mut keys = Vec::new();
        for block in text.split(BEGIN).skip(1) {
            let key = block_of(block).and_then(|(label, der)| Key::from_pem(label, &der));
            keys.push(key.map_err(|error| format!("key {}: {error}", keys.len() + 1))?);
        }
        if keys.is_empty() {
            return Err(
                "expected public keys as PEM (-----BEGIN PUBLIC KEY-----) or a JWKS ({\"keys\": […]}), \
                        found neither"
                    .to_owned(),
            );
        }
        Ok(Self { keys, skipped: Vec::new() })
    }

    fn from_jwks(text: &str) -> Result<Self, String> {
        let json: Json = serde_json::from_str(text).map_err(|error| format!("expected a JWKS: {error}"))?;
        let keys = json.get("keys").and_then(Json::as_array);
        let keys = keys.ok_or("expected a JWKS, an object with a list of keys under \"keys\"")?;
        let mut set = Self::default();
        for (number, value) in keys.iter().enumerate() {
            match Key::from_jwk(value) {
                Ok(key) => set.keys.push(key),
                Err(error) => set.skipped.push(format!("key {}: {error}", number + 1)),
            }
        }
        Ok(set)
    }

    /// The keys that a token with this header may be signed with.
    pub(super) fn fitting<'a>(
        &'a self,
        algorithm: Algorithm,
        id: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Key> {
        self.keys.iter().filter(move |key| key.fits(algorithm, id))
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }
}
