//! Signing in through an identity provider that runs here.

use corella_testkit::{Answer, Database, Fault, Provider, Server};
use serde_json::json;

use super::{House, NOTES};
use crate::stage::TEAM;

/// The cookies that an answer sets.
fn cookies(answer: &Answer) -> String {
    let lines = answer.headers.get_all("set-cookie").iter().map(|line| line.to_str().expect("a text"));
    let pairs: Vec<&str> =
        lines.filter_map(|line| line.split(';').next()).filter(|pair| !pair.ends_with('=')).collect();
    pairs.join("; ")
}

async fn get(server: &Server, path: &str, cookies: &str) -> Answer {
    server.stranger().send("GET".parse().expect("a method"), path, &[("cookie", cookies)], "").await
}

/// Goes to the provider, says yes as somebody, and comes back; what comes back is the path to come back to, and what the
/// browser keeps.
async fn consent(server: &Server, provider: &Provider, subject: &str) -> (String, String) {
    consent_under(server, "/auth/provider", provider, subject).await
}

async fn consent_under(server: &Server, path: &str, provider: &Provider, subject: &str) -> (String, String) {
    let away = get(server, &format!("{path}?then=/board"), "").await;
    assert_eq!(away.status, 303, "{}", away.text());
    let back = provider.consent(away.header("location"), subject);
    let path =
        back.strip_prefix(&format!("http://{}", server.address())).expect("it leads back here").to_owned();
    (path, cookies(&away))
}

async fn house(database: Database, manifest: &str, provider: &Provider) -> House {
    let arguments = provider.arguments();
    let arguments: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    House::with(database, manifest, &arguments, &[("CORELLA_OIDC_CLIENT_SECRET", provider.secret())]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_signs_in_through_a_provider() {
    let provider = Provider::start().await;
    let house = house(Database::Sqlite, TEAM, &provider).await;
    let server = &house.server;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let (path, kept) = consent(server, &provider, "subject 7").await;
        let back = get(server, &path, &kept).await;
        assert_eq!((back.status.as_u16(), back.header("location")), (303, "/board"), "{}", back.text());
        let session = cookies(&back);
        get(server, NOTES, &session).await.expect(200);
        ids.push(get(server, "/auth/user", &session).await.expect(200)["id"].clone());
        // A code is good once.
        assert_eq!(get(server, &path, &kept).await.problem(), "401 unauthorized");
    }
    assert_eq!(ids[0], ids[1], "it is the same account");
    let listed = house.user(&["list"]).await.stdout;
    assert!(listed.contains(&format!("subject 7 at {}", provider.issuer())), "{listed}");
    // Whoever is disabled here is not let in, whatever the provider says.
    let disabled = house.user(&["disable", ids[0].as_str().unwrap()]).await;
    assert_eq!(disabled.code, Some(0), "{}", disabled.stderr);
    let (path, kept) = consent(server, &provider, "subject 7").await;
    assert_eq!(get(server, &path, &kept).await.problem(), "401 unauthorized");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_refused_and_told() {
    let provider = Provider::start().await;
    let house = house(Database::Sqlite, TEAM, &provider).await;
    let server = &house.server;
    // The provider is away at first, and is asked again.
    provider.fail(Fault::Away);
    let away = get(server, "/auth/provider", "").await;
    assert_eq!(away.problem(), "503 unavailable");
    assert!(away.text().contains(provider.issuer()), "{}", away.text());
    provider.fail(Fault::None);

    let (path, kept) = consent(server, &provider, "ada").await;
    let (_, others) = consent(server, &provider, "eve").await;
    for (kept, about) in
        [("", "no browser of ours"), (others.as_str(), "another state"), ("corella-pending=x", "made up")]
    {
        let refused = get(server, &path, kept).await;
        assert_eq!(refused.problem(), "403 forbidden", "{about}");
    }
    get(server, &path, &kept).await.headers.get("location").expect("its own browser is let in");
    let said_no = path.split('?').next().unwrap_or_default().to_owned() + "?error=access_denied&state=x";
    let (_, kept) = consent(server, &provider, "ada").await;
    let refused = get(server, &said_no, &kept).await;
    assert!(refused.problem() == "401 unauthorized" && refused.text().contains("access_denied"));

    for (fault, status, about) in [
        (Fault::WrongNonce, "401 unauthorized", "nonce"),
        (Fault::NoNonce, "401 unauthorized", "nonce"),
        (Fault::WrongAudience, "401 unauthorized", "audience"),
        (Fault::Expired, "401 unauthorized", "expired"),
        (Fault::WrongIssuer, "401 unauthorized", "issuer"),
        (Fault::WrongKey, "401 unauthorized", "ignature"),
        (Fault::Away, "503 unavailable", "asked now"),
    ] {
        let (path, kept) = consent(server, &provider, "ada").await;
        provider.fail(fault);
        let refused = get(server, &path, &kept).await;
        provider.fail(Fault::None);
        assert_eq!(refused.problem(), status, "{fault:?}: {}", refused.text());
        assert!(refused.text().contains(about), "{fault:?}: {}", refused.text());
        assert!(refused.headers.get("set-cookie").is_none(), "{fault:?}");
    }
    for elsewhere in ["https://evil.example/", "//evil.example", "%5C%5Cevil.example"] {
        let refused = get(server, &format!("/auth/provider?then={elsewhere}"), "").await;
        assert_eq!(refused.problem(), "422 invalid_value", "{elsewhere}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provider_names_the_tenant_where_there_are_tenants() {
    let manifest = TEAM.replacen("\"entities\"", "\"tenancy\": { \"claim\": \"org\" }, \"entities\"", 1);
    let provider = Provider::start().await;
    let house = house(Database::Postgres, &manifest, &provider).await;
    let server = &house.server;
    let (path, kept) = consent(server, &provider, "ada").await;
    let refused = get(server, &path, &kept).await;
    assert!(refused.problem() == "401 unauthorized" && refused.text().contains("org"), "{}", refused.text());
    provider.tell(json!({ "org": "acme" }));
    let (path, kept) = consent(server, &provider, "ada").await;
    let session = cookies(&get(server, &path, &kept).await);
    assert_eq!(get(server, "/auth/user", &session).await.expect(200)["tenant"], "acme");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_several_providers_has_its_own_path() {
    let (one, other) = (Provider::start().await, Provider::start().await);
    let named = |name: &str, provider: &Provider| {
        let client = provider.arguments().pop().expect("what it calls the server");
        format!("name={name},issuer={},client-id={client}", provider.issuer())
    };
    let arguments = ["--oidc".to_owned(), named("one", &one), "--oidc".to_owned(), named("other", &other)];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let secrets = [
        ("CORELLA_OIDC_CLIENT_SECRET_ONE", one.secret()),
        ("CORELLA_OIDC_CLIENT_SECRET_OTHER", other.secret()),
    ];
    let house = House::with(Database::Sqlite, TEAM, &arguments, &secrets).await;
    let server = &house.server;
    let told = get(server, "/auth/providers", "").await.expect(200);
    let expected = [("one", &one), ("other", &other)].map(|(name, provider)| {
        json!({ "name": name, "issuer": provider.issuer(), "path": format!("/auth/provider/{name}") })
    });
    assert_eq!(told["providers"], json!(expected));

    let mut ids = Vec::new();
    for (path, provider) in [("/auth/provider/one", &one), ("/auth/provider/other", &other)] {
        let (back, kept) = consent_under(server, path, provider, "subject 7").await;
        let session = cookies(&get(server, &back, &kept).await);
        ids.push(get(server, "/auth/user", &session).await.expect(200)["id"].clone());
    }
    assert_ne!(ids[0], ids[1], "what one calls somebody is not what the other does");

    // What was agreed with one is not taken from the other, nor from one that has no name here.
    let (back, kept) = consent_under(server, "/auth/provider/one", &one, "subject 7").await;
    let to_other = back.replacen("/one/", "/other/", 1);
    assert_eq!(get(server, &to_other, &kept).await.problem(), "403 forbidden");
    for none in ["/auth/provider", "/auth/provider/none", &back.replacen("/one/", "/none/", 1)] {
        assert_eq!(get(server, none, &kept).await.problem(), "404 not_found", "{none}");
    }
}
