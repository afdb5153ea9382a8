//! Sessions: how they begin, go on and end.

use corella_testkit::{Database, on_both};
use serde_json::json;

use super::{House, NOTES, PASSWORD, Tokens};

on_both!(a_session_begins_goes_on_and_ends);

#[cfg(test)]
async fn a_session_begins_goes_on_and_ends(database: Database) {
    let house = House::with(database, crate::stage::TEAM, &[], &[("CORELLA_LOG", "trace")]).await;
    let stranger = house.server.stranger();
    let asked = |email: &str, password: &str| json!({ "email": email, "password": password });
    let closed = stranger.post("/auth/sign-up", asked("eve@example.com", PASSWORD)).await;
    assert_eq!(closed.problem(), "403 forbidden");
    let id = house.add("Ada", &["--id", "ada", "--role", "boss"]).await;
    assert_eq!(id, "ada");
    let taken = house.user(&["add", "ADA@example.com"]).await;
    assert_eq!(taken.code, Some(1), "{}", taken.stderr);

    // Nobody learns whether there is such an account.
    let wrong = stranger.post("/auth/sign-in", asked("ada@example.com", "not the password")).await;
    let nobody = stranger.post("/auth/sign-in", asked("eve@example.com", PASSWORD)).await;
    assert_eq!(wrong.problem(), "401 unauthorized");
    assert_eq!(wrong.body, nobody.body);

    let first =
        Tokens::of(&stranger.post("/auth/sign-in", asked(" ADA@example.com", PASSWORD)).await.expect(200));
    assert_eq!(first.user, "ada");
    let ada = house.http(&first);
    ada.post(NOTES, json!({ "id": "n1", "title": "mine" })).await.expect(201);
    let me = ada.get("/auth/user").await.expect(200);
    assert_eq!(
        (&me["id"], &me["roles"], &me["session"]),
        (&json!("ada"), &json!(["boss"]), &json!(first.session))
    );

    // Whoever refreshes has the roles that there are now.
    let changed = house.user(&["roles", "ada@example.com", "--role", "clerk"]).await;
    assert_eq!(changed.code, Some(0), "{}", changed.stderr);
    let refresh = async |token: &str| stranger.post("/auth/refresh", json!({ "refreshToken": token })).await;
    let second = Tokens::of(&refresh(&first.refresh).await.expect(200));
    assert_eq!(second.session, first.session);
    assert_ne!(second.refresh, first.refresh);
    assert_eq!(house.http(&second).get("/auth/user").await.expect(200)["roles"], json!(["clerk"]));
    assert_eq!(refresh("x.y.z").await.problem(), "401 unauthorized");

    let other = house.sign_in("ada").await;
    let sessions = ada.get("/auth/sessions").await.expect(200);
    let told: Vec<_> = sessions["sessions"].as_array().unwrap().iter().map(|one| &one["current"]).collect();
    assert_eq!(told, [&json!(false), &json!(true)], "{sessions}");
    // A changed password ends the others.
    let asked = json!({ "current": "no", "new": "another password" });
    assert_eq!(ada.post("/auth/password", asked).await.problem(), "403 forbidden");
    let asked = json!({ "current": PASSWORD, "new": "short" });
    assert_eq!(ada.post("/auth/password", asked).await.problem(), "422 invalid_value");
    let asked = json!({ "current": PASSWORD, "new": "another password" });
    assert_eq!(ada.post("/auth/password", asked).await.expect(200)["sessionsEnded"], 1);
    assert_eq!(house.http(&other).get(NOTES).await.problem(), "401 unauthorized");
    assert_eq!(refresh(&other.refresh).await.problem(), "401 unauthorized");
    ada.get(NOTES).await.expect(200);

    ada.post("/auth/sign-out", json!({})).await.expect(200);
    assert_eq!(ada.get(NOTES).await.problem(), "401 unauthorized");
    assert_eq!(refresh(&second.refresh).await.problem(), "401 unauthorized");

    let list = house.user(&["list"]).await;
    assert_eq!(list.stdout, "ada\tada@example.com\tclerk\n", "{}", list.stderr);
    // Nothing of it is in the log, however much is logged.
    let logged = house.server.stop().await.stderr;
    let mut secrets = vec![PASSWORD.to_owned(), "another password".to_owned(), "not the password".to_owned()];
    for tokens in [first, second, other] {
        secrets.extend([tokens.access, tokens.refresh.rsplit('.').next().unwrap_or_default().to_owned()]);
    }
    for secret in secrets {
        assert!(!logged.contains(&secret), "the log has {secret}");
    }
    assert!(!logged.contains("$argon2id"), "the log has a password's hash");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_that_comes_again_ends_its_session() {
    let house = House::new(Database::Sqlite, &[]).await;
    house.add("ada", &[]).await;
    let stolen = house.sign_in("ada").await;
    let stranger = house.server.stranger();
    let refresh = async |token: &str| stranger.post("/auth/refresh", json!({ "refreshToken": token })).await;
    let honest = Tokens::of(&refresh(&stolen.refresh).await.expect(200));
    // Two tabs may come with the same one in one moment.
    Tokens::of(&refresh(&stolen.refresh).await.expect(200));
    // Long ago, as the database has it: the time follows the hash of 32 bytes.
    let database = rusqlite::Connection::open(house.installation.database()).unwrap();
    let chain: Vec<u8> =
        database.query_row("SELECT chain FROM corella_sessions", [], |row| row.get(0)).unwrap();
    let aged = [&chain[..33], &1_000_000_i64.to_be_bytes(), &chain[41..]].concat();
    database.execute("UPDATE corella_sessions SET chain = ?1", [aged]).unwrap();
    let refused = refresh(&stolen.refresh).await;
    assert_eq!(refused.problem(), "401 unauthorized");
    assert!(refused.text().contains("used before"), "{}", refused.text());
    assert_eq!(refresh(&honest.refresh).await.problem(), "401 unauthorized");
    assert_eq!(house.http(&honest).get(NOTES).await.problem(), "401 unauthorized");
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_are_tried_a_few_times_only() {
    let house = House::new(Database::Sqlite, &[]).await;
    house.add("ada", &[]).await;
    let try_it = async |email: &str, password: &str| {
        house.server.stranger().post("/auth/sign-in", json!({ "email": email, "password": password })).await
    };
    house.sign_in("ada").await;
    let mut refusals = Vec::new();
    for email in ["ada@example.com", "nobody@example.com"] {
        for _ in 0..10 {
            assert_eq!(try_it(email, "a wrong one").await.problem(), "401 unauthorized");
        }
        let refused = try_it(email, PASSWORD).await;
        assert_eq!(refused.problem(), "429 rate_limited");
        let wait: u64 = refused.header("retry-after").parse().expect("a number of seconds");
        assert!((1..=31).contains(&wait), "{wait}");
        refusals.push(refused.json()["code"].clone());
    }
    assert_eq!(refusals[0], refusals[1]);
    // Others can still sign in, until the address has had its share of thirty.
    house.add("bob", &[]).await;
    let mut answers = Vec::new();
    for _ in 0..12 {
        answers.push(try_it("bob@example.com", PASSWORD).await.status.as_u16());
    }
    assert!(answers.contains(&200) && answers.last() == Some(&429), "{answers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn anybody_may_sign_up_where_that_is_open() {
    let house = House::new(Database::Sqlite, &["--sign-up", "open"]).await;
    let stranger = house.server.stranger();
    let asked = |email: &str, password: &str| json!({ "email": email, "password": password });
    let made =
        Tokens::of(&stranger.post("/auth/sign-up", asked("Ada@example.com", PASSWORD)).await.expect(201));
    house.http(&made).post(NOTES, json!({ "title": "mine" })).await.expect(201);
    let taken = stranger.post("/auth/sign-up", asked("ada@example.com", PASSWORD)).await;
    assert_eq!(taken.problem(), "409 unique_violation");
    for (wrong, expected) in [
        (asked("no e-mail", PASSWORD), "422 invalid_value"),
        (asked("eve@example.com", "short"), "422 invalid_value"),
        (json!({ "email": "eve@example.com" }), "422 invalid_value"),
        (json!({ "email": 5, "password": PASSWORD }), "422 invalid_value"),
        (json!({ "email": "eve@example.com", "password": PASSWORD, "tenant": "acme" }), "422 invalid_value"),
    ] {
        let refused = stranger.post("/auth/sign-up", wrong.clone()).await;
        assert_eq!(refused.problem(), expected, "{wrong}");
        assert!(!refused.text().contains(PASSWORD), "{}", refused.text());
    }
}

on_both!(accounts_are_their_tenants);

#[cfg(test)]
async fn accounts_are_their_tenants(database: Database) {
    let manifest =
        crate::stage::TEAM.replacen("\"entities\"", "\"tenancy\": { \"claim\": \"org\" }, \"entities\"", 1);
    let house = House::with(database, &manifest, &["--sign-up", "open"], &[]).await;
    let lacking = house.user(&["add", "ada@example.com"]).await;
    assert!(lacking.stderr.contains("expected --tenant"), "{}", lacking.stderr);
    for tenant in ["acme", "zeta"] {
        house.add("ada", &["--tenant", tenant, "--id", "ada"]).await;
    }
    let stranger = house.server.stranger();
    let asked = |tenant: &str| json!({ "email": "ada@example.com", "password": PASSWORD, "tenant": tenant });
    assert_eq!(stranger.post("/auth/sign-up", asked("acme")).await.problem(), "403 forbidden");
    assert_eq!(stranger.post("/auth/sign-in", asked("other")).await.problem(), "401 unauthorized");
    let acme = Tokens::of(&stranger.post("/auth/sign-in", asked("acme")).await.expect(200));
    let zeta = Tokens::of(&stranger.post("/auth/sign-in", asked("zeta")).await.expect(200));
    house.http(&acme).post(NOTES, json!({ "id": "n1", "title": "Acme's" })).await.expect(201);
    assert_eq!(house.http(&zeta).get("/api/entities/Note/n1").await.problem(), "404 row_not_found");
    // Who is disabled in one house is not in the other.
    let disabled = house.user(&["disable", "ada@example.com", "--tenant", "acme"]).await;
    assert_eq!(disabled.code, Some(0), "{}", disabled.stderr);
    house.http(&zeta).get(NOTES).await.expect(200);
    assert_eq!(stranger.post("/auth/sign-in", asked("acme")).await.problem(), "401 unauthorized");
    let path = format!("/auth/sessions/{}", acme.session);
    assert_eq!(house.http(&zeta).delete(&path).await.problem(), "404 not_found");
}
