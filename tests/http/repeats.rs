//! The same request under the same key is made once.

use std::collections::BTreeSet;

use corella_testkit::{Answer, Database, Http, SAMPLE, Stage, on_both};
use serde_json::{Value as Json, json};

const NOTES: &str = "/api/entities/Note";

async fn under(http: &Http, key: &str, method: &str, path: &str, body: &Json) -> Answer {
    let method = method.parse().expect("a method");
    http.send(method, path, &[("idempotency-key", key)], body.to_string()).await
}

on_both!(a_repeated_request_is_answered_as_the_first);

#[cfg(test)]
async fn a_repeated_request_is_answered_as_the_first(database: Database) {
    let stage = Stage::on(database, SAMPLE).await;
    let ada = stage.ada();
    let body = json!({ "title": "once" });
    let first = under(&ada, "k1", "POST", NOTES, &body).await.expect(201);
    assert_eq!(under(&ada, "k1", "POST", NOTES, &body).await.expect(201), first);
    // Also after the row has changed, after a crash, and when the first answer was never seen.
    ada.patch(&format!("{NOTES}/{}", first["id"].as_str().unwrap()), json!({ "title": "twice" }))
        .await
        .expect(200);
    assert_eq!(under(&ada, "k1", "POST", NOTES, &body).await.expect(201), first);
    let stage = stage.crash().await;
    assert_eq!(under(&stage.ada(), "k1", "POST", NOTES, &body).await.expect(201), first);
    assert_eq!(stage.seq().await, 2);
    assert_eq!(stage.ada().get(NOTES).await.expect(200)["rows"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_request_under_a_used_key_is_refused() {
    let stage = Stage::new(SAMPLE).await;
    let ada = stage.ada();
    under(&ada, "k1", "POST", NOTES, &json!({ "id": "n1", "title": "once" })).await.expect(201);
    for (method, path, body) in [
        ("POST", NOTES, json!({ "id": "n1", "title": "other" })),
        ("POST", "/api/entities/User", json!({ "name": "once" })),
        ("PATCH", "/api/entities/Note/n1", json!({ "title": "other" })),
        ("DELETE", "/api/entities/Note/n1", json!({})),
    ] {
        assert_eq!(
            under(&ada, "k1", method, path, &body).await.problem(),
            "422 idempotency_conflict",
            "{method} {path}"
        );
    }
    assert_eq!(stage.seq().await, 1);
    // A key belongs to its user.
    let bob = stage.http(&stage.installation.token("bob").await);
    under(&bob, "k1", "POST", NOTES, &json!({ "title": "bob's" })).await.expect(201);
    for key in ["", &"k".repeat(256)] {
        let answer = under(&ada, key, "POST", NOTES, &json!({ "title": "t" })).await;
        assert_eq!(answer.problem(), "422 invalid_value", "{} bytes", key.len());
    }
    assert_eq!(stage.seq().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_request_uses_no_key_up() {
    let stage = Stage::new(SAMPLE).await;
    let ada = stage.ada();
    assert_eq!(under(&ada, "k1", "POST", NOTES, &json!({ "title": 7 })).await.problem(), "422 invalid_value");
    under(&ada, "k1", "POST", NOTES, &json!({ "title": "seven" })).await.expect(201);
    assert_eq!(stage.seq().await, 1);
}

/// The answers to the same request sent twelve times at once.
async fn at_once(
    http: &Http,
    key: &'static str,
    method: &'static str,
    path: &'static str,
    body: Json,
) -> Vec<Answer> {
    let sent: Vec<_> = (0..12)
        .map(|_| {
            let (http, body) = (http.clone(), body.clone());
            tokio::spawn(async move { under(&http, key, method, path, &body).await })
        })
        .collect();
    let mut answers = Vec::new();
    for answer in sent {
        answers.push(answer.await.expect("the request was sent"));
    }
    answers
}

fn distinct(answers: &[Answer]) -> BTreeSet<String> {
    answers.iter().map(|answer| format!("{} {}", answer.status.as_u16(), answer.text())).collect()
}

on_both!(duplicates_at_the_same_moment_make_one_row);

#[cfg(test)]
async fn duplicates_at_the_same_moment_make_one_row(database: Database) {
    let stage = Stage::on(database, SAMPLE).await;
    let answers = at_once(&stage.ada(), "k1", "POST", NOTES, json!({ "title": "once" })).await;
    let distinct = distinct(&answers);
    assert!(distinct.len() == 1 && answers[0].status == 201, "{distinct:#?}");
    assert_eq!(stage.ada().get(NOTES).await.expect(200)["rows"].as_array().unwrap().len(), 1);
    assert_eq!(stage.installation.check_clean().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicates_that_name_the_row_are_answered_alike() {
    let stage = Stage::new(SAMPLE).await;
    let ada = stage.ada();
    let answers = at_once(&ada, "k1", "POST", NOTES, json!({ "id": "n1", "title": "once" })).await;
    let found = distinct(&answers);
    assert!(found.len() == 1 && answers[0].status == 201, "{found:#?}");
    let answers = at_once(&ada, "k2", "PATCH", "/api/entities/Note/n1", json!({ "title": "changed" })).await;
    let found = distinct(&answers);
    assert!(found.len() == 1 && answers[0].status == 200, "{found:#?}");
    let answers = at_once(&ada, "k3", "DELETE", "/api/entities/Note/n1", json!({})).await;
    let found = distinct(&answers);
    assert!(found.len() == 1 && answers[0].status == 200, "{found:#?}");
    assert_eq!(stage.seq().await, 3);
}
