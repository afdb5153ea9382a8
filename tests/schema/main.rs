//! A manifest that changes under rows that are there.

mod clients;
mod kill;
mod migrate;

use corella_testkit::{Database, Finished, Http, Installation};
use serde_json::{Value as Json, json};

/// The rows of the first entity.
pub(crate) const TASKS: &str = "/api/entities/Task";

/// A manifest with one entity.
pub(crate) fn manifest(entity: &Json) -> String {
    let policy = json!({ "name": "everybody", "entity": entity["name"], "allow": "true" });
    let manifest = json!({
        "manifest_version": 1, "name": "tasks", "version": "1", "entities": [entity], "policies": [policy],
    });
    manifest.to_string()
}

/// Tasks as they were first.
pub(crate) fn before() -> String {
    manifest(&json!({
        "name": "Task",
        "fields": [
            { "name": "title", "type": "string" },
            { "name": "body", "type": "richtext" },
            { "name": "state", "type": "string" },
            { "name": "effort", "type": "string", "optional": true },
            { "name": "votes", "type": "int", "default": 0 },
            { "name": "place", "type": "string", "optional": true },
        ],
        "indexes": [{ "name": "by_state", "fields": ["state"] }],
    }))
}

/// Tasks as they are later: fields renamed, converted, added and removed.
pub(crate) fn after() -> String {
    manifest(&json!({
        "name": "Todo",
        "renamedFrom": "Task",
        "fields": [
            { "name": "heading", "type": "string", "renamedFrom": "title" },
            { "name": "body", "type": "richtext" },
            {
                "name": "state",
                "type": "enum(open,done)",
                "convert": { "from": "string", "values": { "todo": "open" } },
            },
            { "name": "effort", "type": "int", "optional": true, "convert": { "from": "string" } },
            { "name": "votes", "type": "int", "crdt": "counter" },
            { "name": "notes", "type": "richtext" },
        ],
        "indexes": [{ "name": "by_heading", "fields": ["heading"], "unique": true }],
    }))
}

/// Makes `count` tasks; the first has values that do not convert.
pub(crate) async fn fill(http: &Http, count: usize) {
    for number in 0..count {
        let (state, effort) = if number == 0 { ("lost", "much") } else { ("todo", "3") };
        let task = json!({
            "id": format!("t{number:04}"), "title": format!("title {number}"), "body": "body", "state": state,
            "effort": effort, "votes": number, "place": "here",
        });
        http.post(TASKS, task).await.expect(201);
    }
}

/// A stopped installation with some tasks.
pub(crate) async fn with_tasks(database: Database, count: usize) -> Installation {
    let installation = Installation::on(database, &before());
    let server = installation.serve().await;
    let token = installation.token("ada").await;
    fill(&server.http(&token), count).await;
    server.stop().await;
    installation
}

/// What the tasks of [`before`] are under [`after`].
pub(crate) async fn check_after(installation: &Installation, count: usize) {
    let server = installation.serve().await;
    let token = installation.token("ada").await;
    let http = server.http(&token);
    let row = http.get("/api/entities/Todo/t0001").await.expect(200)["row"].clone();
    let expected = json!({
        "id": "t0001", "heading": "title 1", "body": "body", "state": "open", "effort": 3, "votes": 1, "notes": "",
    });
    assert_eq!(row, expected);
    let lost = http.get("/api/entities/Todo/t0000").await.expect(200)["row"].clone();
    assert_eq!((&lost["state"], &lost["effort"]), (&json!(null), &json!(null)));
    let todo = http.patch("/api/entities/Todo/t0001", json!({ "votes": { "$inc": 2 } })).await.expect(200);
    assert_eq!(todo["row"]["votes"], json!(3));
    server.stop().await;
    assert_eq!(installation.check_clean().await, count as u64);
}

#[track_caller]
pub(crate) fn done(finished: &Finished) {
    assert_eq!(finished.code, Some(0), "{finished:?}");
}
