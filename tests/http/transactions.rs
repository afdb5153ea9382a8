//! Several rows changed together.

use corella_testkit::{Database, Installation, Stage, on_both, row::read};
use serde_json::{Value as Json, json};

use crate::constraints::{PROJECTS, path};

const TRANSACTIONS: &str = "/api/transactions";

fn insert(entity: &str, id: &str, fields: Json) -> Json {
    json!({ "entity": entity, "id": id, "insert": fields })
}

on_both!(a_transaction_is_made_whole_or_not_at_all);

#[cfg(test)]
async fn a_transaction_is_made_whole_or_not_at_all(database: Database) {
    let stage = Stage::on(database, PROJECTS).await;
    let ada = stage.ada();
    let peer = stage.connect().await;
    peer.join("Project/p1").await;
    let changes = json!({ "changes": [
        insert("Task", "t1", json!({ "project": "p1", "title": "first" })),
        insert("Project", "p1", json!({ "name": "one" })),
        { "entity": "Project", "id": "p1", "patch": { "name": "renamed", "votes": { "$inc": 2 } } },
        { "entity": "Person", "insert": {} },
    ] });
    let made = ada.post(TRANSACTIONS, changes.clone()).await.expect(200);
    let rows = made["rows"].as_array().unwrap();
    assert_eq!((rows.len(), &made["seq"]), (4, &json!(3)));
    assert_eq!(
        (&rows[1]["entity"], &rows[1]["row"]["name"], &rows[1]["row"]["votes"]),
        (&json!("Project"), &json!("renamed"), &json!(5))
    );
    assert_eq!(rows[1]["row"], rows[2]["row"], "each answer is the row after all changes");
    peer.until("Project/p1", "the row", |doc| read(doc, "name") == "renamed").await;

    // One that cannot be made takes the others with it, and is named.
    for (wrong, problem, place) in [
        (insert("Project", "p1", json!({ "name": "again" })), "409 row_exists", "changes[1]"),
        (insert("Project", "p3", json!({})), "422 required_field", "changes[1]"),
        (insert("Project", "p3", json!({ "nane": "x" })), "422 unknown_field", "changes[1]"),
        (insert("Task", "t3", json!({ "project": "p3" })), "409 reference_missing", "p3"),
        (json!({ "entity": "Task", "id": "t9", "delete": true }), "404 row_not_found", "changes[1]"),
        (json!({ "entity": "Task", "id": "t1", "remove": true }), "400 invalid_json", "changes[1]"),
        (json!({ "entity": "Task", "id": "t1", "delete": false }), "400 invalid_json", "changes[1]"),
        (json!({ "entity": "Task", "delete": true }), "400 invalid_row_id", "changes[1]"),
        (json!({ "entity": "Nope", "insert": {} }), "404 unknown_entity", "changes[1]"),
        (
            json!({ "entity": "Task", "id": "t1", "patch": {}, "delete": true }),
            "400 invalid_json",
            "changes[1]",
        ),
    ] {
        let changes = json!({ "changes": [insert("Person", "u2", json!({})), wrong] });
        let answer = ada.post(TRANSACTIONS, changes).await;
        assert_eq!(answer.problem(), problem);
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(body.contains(place), "{body}");
    }
    for body in [json!({}), json!({ "changes": [] }), json!({ "changes": {} }), json!({ "changes": [1] })] {
        assert_eq!(ada.post(TRANSACTIONS, body).await.problem(), "400 invalid_json");
    }
    let many: Vec<Json> =
        (0..1_001).map(|number| insert("Person", &format!("m{number}"), json!({}))).collect();
    assert_eq!(ada.post(TRANSACTIONS, json!({ "changes": many })).await.problem(), "422 too_many_rows");
    assert_eq!(stage.seq().await, 3, "something was left behind");

    // Values that must be unique may change places.
    let codes = |p1: &str, p2: &str| {
        json!({ "changes": [
            { "entity": "Project", "id": "p1", "patch": { "code": p1 } },
            { "entity": "Project", "id": "p2", "patch": { "code": p2 } } ] })
    };
    ada.post(&path("Project"), json!({ "id": "p2", "name": "two" })).await.expect(201);
    ada.post(TRANSACTIONS, codes("a", "b")).await.expect(200);
    ada.post(TRANSACTIONS, codes("b", "a")).await.expect(200);
    assert_eq!(ada.get("/api/entities/Project/p1").await.expect(200)["row"]["code"], "b");
    assert_eq!(ada.post(TRANSACTIONS, codes("c", "c")).await.problem(), "409 unique_violation");
    let stage = stage.crash().await;
    assert_eq!(stage.ada().get("/api/entities/Project/p2").await.expect(200)["row"]["code"], "a");
    assert_eq!(stage.installation.check_clean().await, 4);
}

on_both!(a_repeated_transaction_is_made_once);

#[cfg(test)]
async fn a_repeated_transaction_is_made_once(database: Database) {
    let stage = Stage::on(database, PROJECTS).await;
    let ada = stage.ada();
    let changes =
        json!({ "changes": [{ "entity": "Person", "insert": {} }, { "entity": "Person", "insert": {} }] });
    let send = |body: &Json| {
        let (ada, body) = (ada.clone(), body.to_string());
        async move { ada.send("POST".parse().unwrap(), TRANSACTIONS, &[("idempotency-key", "k1")], body).await }
    };
    let first = send(&changes).await.expect(200);
    for _ in 0..2 {
        assert_eq!(send(&changes).await.expect(200), first);
    }
    assert_eq!(stage.seq().await, 2);
    let other = json!({ "changes": [{ "entity": "Person", "insert": {} }] });
    assert_eq!(send(&other).await.problem(), "422 idempotency_conflict");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_move_what_there_is_and_lose_nothing() {
    const ROUNDS: usize = 15;
    let installation = Installation::on(Database::Postgres, PROJECTS);
    let (one, other) = (installation.serve().await, installation.serve().await);
    let token = installation.token("ada").await;
    for id in ["p1", "p2"] {
        one.http(&token).post(&path("Project"), json!({ "id": id, "name": id })).await.expect(201);
    }
    // Votes wander between two rows, from both servers at once, in both directions.
    let wander = |http: corella_testkit::Http, from: &'static str, to: &'static str| async move {
        for _ in 0..ROUNDS {
            let changes = json!({ "changes": [
                { "entity": "Project", "id": from, "patch": { "votes": { "$inc": -1 } } },
                { "entity": "Project", "id": to, "patch": { "votes": { "$inc": 1 } } } ] });
            http.post(TRANSACTIONS, changes).await.expect(200);
        }
    };
    tokio::join!(
        wander(one.http(&token), "p1", "p2"),
        wander(other.http(&token), "p1", "p2"),
        wander(other.http(&token), "p2", "p1"),
    );
    let votes = |id: &str| {
        let (http, path) = (one.http(&token), format!("/api/entities/Project/{id}"));
        async move { http.get(&path).await.expect(200)["row"]["votes"].as_i64().unwrap() }
    };
    let rounds = i64::try_from(ROUNDS).unwrap();
    assert_eq!((votes("p1").await, votes("p2").await), (3 - rounds, 3 + rounds));
    assert_eq!(installation.check_clean().await, 2);
}
