//! Tokens that others have signed: whose keys are good, how they change, and what is no key.

use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use corella_testkit::{Installation, IssuerKey, KeyServer, Server, signed_with, within};
use serde_json::{Value as Json, json};

use crate::stage::TEAM;

const NOTES: &str = "/api/entities/Note";

fn claims(user: &str) -> Json {
    json!({ "sub": user, "exp": 4_000_000_000_u64 })
}

async fn answer(server: &Server, token: &str) -> String {
    let answer = server.http(token).get(NOTES).await;
    if answer.status == 200 { "200".to_owned() } else { answer.problem() }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_every_kind_are_good_and_others_are_not() {
    let installation = Installation::new(TEAM);
    let (rsa, p256, ed, stranger) =
        (IssuerKey::rsa(2048), IssuerKey::p256(), IssuerKey::ed25519(), IssuerKey::ed25519());
    let pem = [rsa.pem(), p256.pem(), ed.pem()].concat();
    fs::write(installation.folder().join("keys.pem"), &pem).unwrap();
    let jwks = json!({ "keys": [
        { "kty": "oct", "k": "c2VjcmV0", "kid": "secret" },
        { "kty": "RSA", "use": "enc", "kid": "for letters", "n": "AQAB", "e": "AQAB" },
        { "kty": "XYZ" },
        p256.jwk("by name"),
    ] });
    fs::write(installation.folder().join("keys.json"), jwks.to_string()).unwrap();
    let settings = ["--jwt-keys", "keys.pem", "--jwt-keys", "keys.json", "--jwt-admin-role", "root"];
    let server = installation.start("serve", &settings).await;
    for key in [&rsa, &p256, &ed] {
        let token = key.token(None, &claims("ada"));
        assert_eq!(answer(&server, &token).await, "200");
        let (rest, signature) = token.rsplit_once('.').unwrap();
        let other = if signature.starts_with('A') { "B" } else { "A" };
        assert_eq!(answer(&server, &format!("{rest}.{other}{}", &signature[1..])).await, "401 unauthorized");
    }
    assert_eq!(answer(&server, &stranger.token(None, &claims("ada"))).await, "401 unauthorized");
    assert_eq!(answer(&server, &p256.token(Some("by name"), &claims("ada"))).await, "200");
    let expired = json!({ "sub": "ada", "exp": 1_000_000_000 });
    let early = json!({ "sub": "ada", "exp": 4_000_000_000_u64, "nbf": 3_900_000_000_u64 });
    for claims in [expired, early, json!({ "sub": "ada" })] {
        assert_eq!(answer(&server, &ed.token(None, &claims)).await, "401 unauthorized", "{claims}");
    }
    // What is signed with the secret of the installation is good beside them.
    assert_eq!(answer(&server, &installation.token("ada").await).await, "200");
    // A public key is no secret: nobody gets in who signs with its bytes, or not at all.
    for secret in [rsa.pem(), p256.pem(), ed.pem(), pem.as_str(), rsa.pem().trim_end(), "secret"] {
        let forged = signed_with(secret.as_bytes(), &claims("ada"));
        assert_eq!(answer(&server, &forged).await, "401 unauthorized");
    }
    let body = URL_SAFE_NO_PAD.encode(claims("ada").to_string());
    for algorithm in ["none", "None", "HS512", "ES512", ""] {
        let header = URL_SAFE_NO_PAD.encode(json!({ "alg": algorithm, "typ": "JWT" }).to_string());
        for signature in ["", "AAAA"] {
            let token = format!("{header}.{body}.{signature}");
            assert_eq!(answer(&server, &token).await, "401 unauthorized", "{algorithm}");
        }
    }
    let root = json!({ "sub": "root", "exp": 4_000_000_000_u64, "roles": ["root"] });
    let note = json!({ "id": "n1", "title": "of Ada", "author": "ada" });
    server.http(&ed.token(None, &root)).post(NOTES, note).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_are_what_the_installation_calls_them() {
    let manifest = TEAM.replacen('{', r#"{ "tenancy": { "claim": "org" }, "#, 1);
    let installation = Installation::new(&manifest);
    let key = IssuerKey::ed25519();
    fs::write(installation.folder().join("keys.pem"), key.pem()).unwrap();
    let settings = [
        "--jwt-keys=keys.pem",
        "--jwt-issuer=https://id.example.com/",
        "--jwt-audience=notes,boards",
        "--jwt-user-claim=identity.id",
        "--jwt-roles-claim=https://example.com/roles",
        "--jwt-tenant-claim=identity.team",
        "--jwt-leeway=2s",
    ];
    let server = installation.start("dev", &settings).await;
    let good = json!({
        "exp": 4_000_000_000_u64, "iss": "https://id.example.com/", "aud": ["mail", "notes"],
        "identity": { "id": 7, "team": "acme" }, "https://example.com/roles": ["boss"], "org": "zeta",
    });
    let boss = server.http(&key.token(None, &good));
    let slip = json!({ "id": "s1", "user": "ada", "month": 1, "amount": 5 });
    boss.post("/api/entities/Payslip", slip).await.expect(201);
    let note = boss.post(NOTES, json!({ "title": "t" })).await.expect(201);
    assert_eq!(note["row"]["author"], "7");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs();
    for (claim, value) in [
        ("iss", json!("https://evil.example.com/")),
        ("iss", Json::Null),
        ("aud", json!("mail")),
        ("aud", Json::Null),
        ("identity", json!({ "id": 7 })),
        ("identity", json!({ "team": "acme" })),
        ("exp", json!(now - 10)),
    ] {
        let mut wrong = good.clone();
        let claims = wrong.as_object_mut().expect("claims are an object");
        if value.is_null() {
            claims.remove(claim)
        } else {
            claims.insert(claim.to_owned(), value)
        };
        assert_eq!(answer(&server, &key.token(None, &wrong)).await, "401 unauthorized", "{wrong}");
    }
    // Tokens of its own making say the same.
    let asked = json!({ "user": "7", "roles": ["boss"], "tenant": "acme" });
    let token = server.stranger().post("/dev/token", asked).await.expect(200)["token"].clone();
    let found = server.http(token.as_str().unwrap()).get("/api/entities/Payslip/s1").await.expect(200);
    assert_eq!(found["row"]["amount"], 5);
    let other = json!({ "user": "7", "tenant": "zeta" });
    let token = server.stranger().post("/dev/token", other).await.expect(200)["token"].clone();
    let other = server.http(token.as_str().unwrap()).get("/api/entities/Payslip/s1").await;
    assert_eq!(other.problem(), "404 row_not_found");
    for wrong in [json!({ "user": "7", "roles": "boss" }), json!({ "user": "7", "tenant": 5 })] {
        let refused = server.stranger().post("/dev/token", wrong).await;
        assert!(refused.problem().ends_with(" invalid_value"), "{}", refused.text());
    }
    let made = ["token", "--user", "7", "--role", "boss", "--tenant", "acme"];
    let made = installation.run(&[&made[..], &settings[1..]].concat()).await;
    assert_eq!(answer(&server, made.stdout.trim()).await, "200", "{}", made.stderr);
}

/// Asks until the answer is another.
async fn until(server: &Server, token: &str, expected: &str) {
    let asked = async {
        while answer(server, token).await != expected {
            tokio::task::yield_now().await;
        }
    };
    within(&format!("the answer {expected}"), asked).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_at_an_address_change_without_a_restart() {
    let (first, second) = (IssuerKey::p256(), IssuerKey::ed25519());
    let keys = KeyServer::start(&[]).await;
    let installation = Installation::new(TEAM);
    let server = installation.start("serve", &["--jwt-keys", &keys.url(), "--jwt-refresh", "1s"]).await;
    let (old, new) = (first.token(Some("1"), &claims("ada")), second.token(Some("2"), &claims("ada")));
    // The provider is out of order while the server starts, and is asked again.
    assert_eq!(answer(&server, &old).await, "401 unauthorized");
    assert!(server.logged().contains("failed to fetch the keys"), "{}", server.logged());
    keys.tell(&[first.jwk("1")]);
    until(&server, &old, "200").await;
    // It goes on with the keys that it has while the provider is out of order again.
    keys.tell(&[]);
    let asked = keys.asked();
    let more = async {
        while keys.asked() < asked + 2 {
            tokio::task::yield_now().await;
        }
    };
    within("two more questions", more).await;
    assert_eq!(answer(&server, &old).await, "200");
    // A key that was taken away is no longer good.
    keys.tell(&[second.jwk("2")]);
    until(&server, &new, "200").await;
    until(&server, &old, "401 unauthorized").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_key_has_the_address_asked_at_once_but_not_for_ever() {
    let (first, second) = (IssuerKey::p256(), IssuerKey::p256());
    let keys = KeyServer::start(&[first.jwk("1")]).await;
    let installation = Installation::new(TEAM);
    let server = installation.start("serve", &["--jwt-keys", &keys.url(), "--jwt-refresh", "1h"]).await;
    assert_eq!(answer(&server, &first.token(Some("1"), &claims("ada"))).await, "200");
    assert_eq!(keys.asked(), 1);
    keys.tell(&[first.jwk("1"), second.jwk("2")]);
    let peer = server.peer(&second.token(Some("2"), &claims("ada"))).await;
    peer.join("Note/n1").await;
    assert_eq!(keys.asked(), 2);
    for number in 0..30 {
        let token = second.token(Some(&format!("made up {number}")), &claims("ada"));
        assert_eq!(answer(&server, &token).await, "401 unauthorized");
    }
    // Four of a fresh allowance of five are left, and one more comes every ten seconds.
    assert!((6..=9).contains(&keys.asked()), "{}", keys.asked());
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_in_a_file_change_without_a_restart() {
    let (first, second) = (IssuerKey::ed25519(), IssuerKey::ed25519());
    let installation = Installation::new(TEAM);
    let path = installation.folder().join("keys.pem");
    fs::write(&path, first.pem()).unwrap();
    let mut server = installation.start("serve", &["--jwt-keys", "keys.pem"]).await;
    let (old, new) = (first.token(None, &claims("ada")), second.token(None, &claims("ada")));
    assert_eq!(answer(&server, &old).await, "200");
    assert_eq!(answer(&server, &new).await, "401 unauthorized");
    fs::write(&path, "half a file").unwrap();
    server.until_printed("failed to use the keys").await;
    assert_eq!(answer(&server, &old).await, "200");
    fs::write(&path, second.pem()).unwrap();
    server.until_printed("the keys were read again").await;
    assert_eq!(answer(&server, &old).await, "401 unauthorized");
    assert_eq!(answer(&server, &new).await, "200");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_place_of_keys_stops_the_start_and_says_why() {
    const PRIVATE: &str =
        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----\n";
    let installation = Installation::new(TEAM);
    let folder = installation.folder();
    fs::write(folder.join("short.pem"), IssuerKey::rsa(1024).pem()).unwrap();
    fs::write(folder.join("private.pem"), PRIVATE).unwrap();
    fs::write(folder.join("empty.json"), r#"{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}"#).unwrap();
    fs::write(folder.join("words.txt"), "no key at all").unwrap();
    for (place, about) in [
        ("none.pem", "failed to read the keys of none.pem: No such file"),
        ("short.pem", "at least 2048 bits"),
        ("private.pem", "found a private one"),
        ("empty.json", "it is a secret"),
        ("words.txt", "-----BEGIN PUBLIC KEY-----"),
        ("http://id.example.com/jwks.json", "without TLS"),
    ] {
        let ended = installation.run(&["serve", "--listen", "127.0.0.1:0", "--jwt-keys", place]).await;
        assert_eq!(ended.code, Some(4), "{place}: {}", ended.stderr);
        assert!(ended.stderr.contains(about), "{place}: {}", ended.stderr);
    }
}
