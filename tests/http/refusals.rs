//! Every wrong request: its status, its stable code, and nothing stored.

use corella_testkit::{SAMPLE, Stage, query};
use serde_json::json;

const NOTES: &str = "/api/entities/Note";
const NOTE: &str = "/api/entities/Note/n1";

/// A request, and what it is refused with.
///
/// Each has a connection of its own, because the server closes one whose body it did not read.
async fn check(stage: &Stage, method: &str, path: &str, body: impl Into<String>) -> String {
    let body: String = body.into();
    let shown: String = body.chars().take(60).collect();
    let shown_path: String = path.chars().take(70).collect();
    let answer = stage.ada().send(method.parse().expect("a method"), path, &[], body).await;
    format!("{method} {shown_path} {shown} -> {}", answer.problem())
}

/// A server with one note.
async fn stage() -> Stage {
    let stage = Stage::new(SAMPLE).await;
    stage.ada().post(NOTES, json!({ "id": "n1", "title": "here" })).await.expect(201);
    stage
}

/// Nothing was stored, and the server runs on.
async fn stays_as_before(stage: &Stage) {
    assert_eq!(stage.seq().await, 1, "something was stored");
    assert_eq!(stage.ada().get(NOTE).await.expect(200)["row"]["title"], "here");
    assert_eq!(stage.installation.check_clean().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_and_methods() {
    let stage = stage().await;
    let long = format!("{NOTES}/{}", "x".repeat(65));
    let mut lines = Vec::new();
    for (method, path) in [
        ("GET", "/api/entities/Nope"),
        ("POST", "/api/entities/Nope"),
        ("GET", "/api/entities/Nope/n1"),
        ("GET", "/api/entities/note"),
        ("GET", "/api/entities/corella_rows"),
        ("GET", "/api/entities/Note/n2"),
        ("DELETE", "/api/entities/Note/n2"),
        ("POST", "/api/entities/Note/n2/restore"),
        ("GET", "/api/entities/Note/n2/doc"),
        ("GET", &long),
        ("GET", "/api/entities/Note/a%20b"),
        ("GET", "/api/entities/Note/%C3%A4"),
        ("GET", "/api/entities/Note/%FF"),
        ("GET", "/api/entities/%FF"),
        ("GET", "/api/entities/Note/n1/nope"),
        ("GET", "/api/entities/Note/"),
        ("GET", "/api/entities"),
        ("GET", "/api/nope"),
        ("POST", "/dev/token"),
        ("PUT", NOTE),
        ("DELETE", NOTES),
        ("GET", "/api/entities/Note/n1/restore"),
        ("PUT", "/api/entities/Note/n1/doc"),
        ("POST", "/health"),
        ("GET", "/ws"),
    ] {
        lines.push(check(&stage, method, path, if method == "POST" { "{}" } else { "" }).await);
    }
    insta::assert_snapshot!(lines.join("\n"));
    stays_as_before(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies() {
    let stage = stage().await;
    let mut lines = Vec::new();
    let deep = format!("{{\"title\":{}{}}}", "[".repeat(50_000), "]".repeat(50_000));
    for body in [
        "",
        "{",
        "null",
        "[]",
        "\"title\"",
        "{\"title\":\"a\"} {}",
        "{\"title\":\"\\ud800\"}",
        deep.as_str(),
        r#"{"title":7}"#,
        r#"{"title":{"a":1}}"#,
        r#"{"title":"t","titel":"t"}"#,
        r#"{"title":"t","corella_tenant":"x"}"#,
        r#"{"title":"t","pinned":"yes"}"#,
        r#"{"title":"t","pinned":1}"#,
        r#"{"title":"t","color":"mauve"}"#,
        r#"{"title":"t","stars":1.5}"#,
        r#"{"title":"t","position":"one"}"#,
        r#"{"title":"t","position":1e999}"#,
        r#"{"title":"t","due":"tomorrow"}"#,
        r#"{"title":"t","author":"a b"}"#,
        r#"{"title":"t","body":["x"]}"#,
        r#"{"id":7,"title":"t"}"#,
        r#"{"id":"","title":"t"}"#,
        r#"{"id":"a/b","title":"t"}"#,
        r#"{"id":"n1","title":"t"}"#,
    ] {
        lines.push(check(&stage, "POST", NOTES, body).await);
    }
    for body in [r#"{}"#, r#"{"name":null}"#] {
        lines.push(check(&stage, "POST", "/api/entities/User", body).await);
    }
    let long_id = json!({ "id": "x".repeat(65), "title": "t" }).to_string();
    lines.push(check(&stage, "POST", NOTES, long_id).await);
    let large = json!({ "title": "x".repeat(3 * 1024 * 1024) }).to_string();
    lines.push(check(&stage, "POST", NOTES, large).await);
    for body in ["", "[]", r#"{"nope":1}"#, r#"{"id":"n2"}"#, r#"{"title":null}"#, r#"{"pinned":"yes"}"#] {
        lines.push(check(&stage, "PATCH", NOTE, body).await);
    }
    insta::assert_snapshot!(lines.join("\n"));
    stays_as_before(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn questions() {
    let stage = stage().await;
    let ada = stage.ada();
    let mut lines = Vec::new();
    for (name, value) in [
        ("where", "{"),
        ("where", "[]"),
        ("where", r#"{"nope":1}"#),
        ("where", r#"{"title":{"$near":1}}"#),
        ("where", r#"{"title":7}"#),
        ("where", r#"{"$or":[]}"#),
        ("where", r#"{"author.nope":"x"}"#),
        ("orderBy", "title"),
        ("orderBy", r#""nope""#),
        ("orderBy", r#"{"title":"up"}"#),
        ("limit", "0"),
        ("limit", "-1"),
        ("limit", "many"),
        ("limit", "10001"),
        ("limit", "99999999999999999999"),
        ("cursor", "nonsense"),
        ("cursor", "e30"),
    ] {
        let path = format!("{NOTES}{}", query(&[(name, value)]));
        let answer = ada.get(&path).await;
        // Refused, or answered as it is said to be; never a failure of the server.
        let outcome = if answer.status == 200 { "200".to_owned() } else { answer.problem() };
        lines.push(format!("{name}={value} -> {outcome}"));
    }
    let twice = check(&stage, "GET", &format!("{NOTES}?limit=1&limit=2"), "").await;
    lines.push(twice);
    let bytes = check(&stage, "GET", &format!("{NOTES}?where=%FF%FE"), "").await;
    lines.push(bytes);
    insta::assert_snapshot!(lines.join("\n"));
    stays_as_before(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_of_another_query() {
    let stage = stage().await;
    let ada = stage.ada();
    let page = ada.get(&format!("{NOTES}{}", query(&[("limit", "1"), ("orderBy", r#""title""#)]))).await;
    assert_eq!(page.expect(200)["cursor"], json!(null));
    ada.post(NOTES, json!({ "id": "n2", "title": "second" })).await.expect(201);
    let page =
        ada.get(&format!("{NOTES}{}", query(&[("limit", "1"), ("orderBy", r#""title""#)]))).await.expect(200);
    let cursor = page["cursor"].as_str().expect("there is another page").to_owned();
    let other = ada.get(&format!("{NOTES}{}", query(&[("limit", "1"), ("cursor", &cursor)]))).await;
    assert_eq!(other.problem(), "400 invalid_query");
}

#[tokio::test(flavor = "multi_thread")]
async fn callers() {
    let stage = stage().await;
    let expired = stage.installation.expired_token("ada");
    let half = stage.token()[..stage.token().len() - 4].to_owned();
    let unsigned = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJhZGEiLCJleHAiOjk5OTk5OTk5OTl9.";
    let nobody = stage.installation.token_of(&json!({ "sub": "", "exp": 9_999_999_999_u64 }));
    let endless = stage.installation.token_of(&json!({ "sub": "ada" }));
    let stranger = stage.stranger();
    for token in [
        None,
        Some(""),
        Some("garbage"),
        Some(&*expired),
        Some(&*half),
        Some(unsigned),
        Some(&*nobody),
        Some(&*endless),
    ] {
        let caller = stranger.with_token(token);
        for (method, path, body) in [
            ("GET", NOTES, ""),
            ("GET", "/api/entities/Nope", ""),
            ("POST", NOTES, r#"{"title":"theirs"}"#),
            ("PATCH", NOTE, r#"{"title":"theirs"}"#),
            ("DELETE", NOTE, ""),
            ("GET", "/api/entities/Note/n1/doc", ""),
            ("POST", "/api/entities/Note/n1/doc", "bytes"),
        ] {
            let answer = caller.send(method.parse().unwrap(), path, &[], body).await;
            assert_eq!(answer.problem(), "401 unauthorized", "{token:?} {method} {path}");
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
    }
    let basic = stranger.send("GET".parse().unwrap(), NOTES, &[("authorization", "Basic YTpi")], "").await;
    assert_eq!(basic.problem(), "401 unauthorized");
    stranger.get(&format!("{NOTES}?token={}", stage.token())).await.expect(200);
    stays_as_before(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_let_in_where_that_was_asked_for() {
    let stage = Stage::with(SAMPLE, &["--allow-anonymous"]).await;
    stage.stranger().post(NOTES, json!({ "title": "anybody's" })).await.expect(201);
    // A wrong token is no missing one.
    let wrong = stage.stranger().with_token(Some("garbage")).get(NOTES).await;
    assert_eq!(wrong.problem(), "401 unauthorized");
}
