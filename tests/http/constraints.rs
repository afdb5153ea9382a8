//! What every row must have, what must be unique, and what must be there, whichever way a write comes.

use corella_testkit::{
    Database, Stage, on_both,
    row::{read, set},
};
use corella_wire::{AckStatus, ErrorCode, control::ServerMessage};
use loro::{ExportMode, LoroDoc, LoroValue};
use serde_json::{Value as Json, json};

/// Projects with tasks, which may lie below one another, and invoices, which keep their project.
pub(crate) const PROJECTS: &str = r#"{
  "manifest_version": 1, "name": "projects", "version": "1",
  "entities": [
    { "name": "Project", "fields": [
      { "name": "name", "type": "string" },
      { "name": "code", "type": "string", "optional": true, "unique": true },
      { "name": "made", "type": "datetime", "default": "now" },
      { "name": "owner", "type": "string", "default": "auth.userId" },
      { "name": "token", "type": "string", "default": "uuid" },
      { "name": "votes", "type": "int", "crdt": "counter", "default": 3 },
      { "name": "state", "type": "enum(open,done)", "default": "open" }
    ] },
    { "name": "Task", "fields": [
      { "name": "title", "type": "string", "optional": true },
      { "name": "project", "type": "id(Project)", "onDelete": "cascade" },
      { "name": "parent", "type": "id(Task)", "optional": true, "onDelete": "cascade" },
      { "name": "reviewer", "type": "id(Person)", "optional": true, "onDelete": "setNull" }
    ] },
    { "name": "Person", "fields": [{ "name": "friend", "type": "id(Person)", "optional": true }] },
    { "name": "Invoice", "fields": [{ "name": "project", "type": "id(Project)" }] }
  ],
  "policies": [
    { "name": "Project", "entity": "Project", "allow": "true" },
    { "name": "Task", "entity": "Task", "allow": "true" },
    { "name": "Person", "entity": "Person", "allow": "true" },
    { "name": "Invoice", "entity": "Invoice", "allow": "true" }
  ]
}"#;

pub(crate) fn path(entity: &str) -> String {
    format!("/api/entities/{entity}")
}

/// The update that makes a document with these fields.
fn update(fields: &[(&str, LoroValue)]) -> Vec<u8> {
    let doc = LoroDoc::new();
    for (name, value) in fields {
        set(&doc, name, value.clone());
    }
    doc.commit();
    doc.export(ExportMode::all_updates()).expect("a document can be exported")
}

async fn send(stage: &Stage, path: &str, update: Vec<u8>) -> corella_testkit::Answer {
    stage.ada().send("POST".parse().expect("a method"), &format!("{path}/doc"), &[], update).await
}

on_both!(a_document_that_makes_a_row_needs_what_is_required);

#[cfg(test)]
async fn a_document_that_makes_a_row_needs_what_is_required(database: Database) {
    let stage = Stage::on(database, PROJECTS).await;
    let refused = send(&stage, "/api/entities/Project/p1", update(&[("code", "c".into())])).await;
    assert_eq!(refused.problem(), "422 required_field");
    let peer = stage.connect().await;
    peer.join("Project/p1").await;
    assert_eq!(peer.change("Project/p1", |doc| set(doc, "code", "c")).await, AckStatus::App);
    let told = peer.messages().into_iter().any(|message| {
        matches!(message, ServerMessage::Error(error) if error.code == ErrorCode::RequiredField && error.message.contains("name"))
    });
    assert!(told, "the reason was not told");
    assert_eq!(stage.seq().await, 0);

    // Once it is there, only a write that empties the field is refused.
    let made = send(&stage, "/api/entities/Project/p1", update(&[("name", "one".into())])).await.expect(200);
    let version = made["seq"].clone();
    assert_eq!(version, 1);
    for body in [json!({ "name": null }), json!({ "state": null })] {
        let emptied = stage.ada().patch("/api/entities/Project/p1", body).await;
        assert_eq!(emptied.problem(), "422 required_field");
    }
    let peer = stage.connect().await;
    peer.join("Project/p1").await;
    peer.until("Project/p1", "the name", |doc| read(doc, "name") == "one").await;
    let removed = peer.change("Project/p1", |doc| doc.get_map("row").delete("name").unwrap()).await;
    assert_eq!(removed, AckStatus::App);
    assert_eq!(stage.seq().await, 1);
    assert_eq!(stage.installation.check_clean().await, 1);
}

on_both!(defaults_are_put_into_rows_that_come_as_documents);

#[cfg(test)]
async fn defaults_are_put_into_rows_that_come_as_documents(database: Database) {
    let stage = Stage::on(database, PROJECTS).await;
    let (peer, watcher) = (stage.connect().await, stage.connect().await);
    peer.join("Project/p1").await;
    watcher.join("Project/p1").await;
    let made = peer.change("Project/p1", |doc| {
        set(doc, "name", "one");
        set(doc, "state", "done");
    });
    assert_eq!(made.await, AckStatus::Ok);
    // Whoever made the row gets what the server added, as everybody does.
    for peer in [&peer, &watcher] {
        peer.until("Project/p1", "the owner", |doc| read(doc, "owner") == "ada").await;
        peer.until("Project/p1", "the time", |doc| read(doc, "made").ends_with('Z')).await;
    }
    let row = stage.ada().get("/api/entities/Project/p1").await.expect(200)["row"].clone();
    assert_eq!((&row["owner"], &row["state"], &row["votes"]), (&json!("ada"), &json!("done"), &json!(3)));
    assert_eq!(row["token"].as_str().unwrap().len(), 36);
    // In one change, and once.
    assert_eq!(stage.seq().await, 1);
    assert_eq!(peer.change("Project/p1", |doc| set(doc, "name", "renamed")).await, AckStatus::Ok);
    let again = stage.ada().get("/api/entities/Project/p1").await.expect(200)["row"].clone();
    assert_eq!((&again["made"], &again["token"], &again["votes"]), (&row["made"], &row["token"], &json!(3)));
    assert_eq!(stage.installation.check_clean().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_were_there_stay_writable() {
    const BEFORE: &str = r#"{ "manifest_version": 1, "name": "projects", "version": "1", "entities": [
        { "name": "Task", "fields": [{ "name": "title", "type": "string", "optional": true }] },
        { "name": "Project", "fields": [{ "name": "name", "type": "string" }] }],
        "policies": [{ "name": "tasks", "entity": "Task", "allow": "true" },
            { "name": "projects", "entity": "Project", "allow": "true" }] }"#;
    const AFTER: &str = r#"{ "manifest_version": 1, "name": "projects", "version": "2", "entities": [
        { "name": "Task", "fields": [
            { "name": "title", "type": "string", "optional": true }, { "name": "due", "type": "string" },
            { "name": "project", "type": "id(Project)", "optional": true }] },
        { "name": "Project", "fields": [{ "name": "name", "type": "string" }] }],
        "policies": [{ "name": "tasks", "entity": "Task", "allow": "true" },
            { "name": "projects", "entity": "Project", "allow": "true" }] }"#;
    let stage = Stage::new(BEFORE).await;
    stage.ada().post(&path("Task"), json!({ "id": "t1", "title": "old" })).await.expect(201);
    stage.installation.write_manifest(AFTER);
    let stage = stage.crash().await;
    let ada = stage.ada();
    assert_eq!(ada.get("/api/entities/Task/t1").await.expect(200)["row"]["due"], Json::Null);
    ada.patch("/api/entities/Task/t1", json!({ "title": "new" })).await.expect(200);
    let peer = stage.connect().await;
    peer.join("Task/t1").await;
    assert_eq!(peer.change("Task/t1", |doc| set(doc, "title", "newer")).await, AckStatus::Ok);
    ada.delete("/api/entities/Task/t1").await.expect(200);
    let restored = ada.post("/api/entities/Task/t1/restore", json!({})).await.expect(200);
    assert_eq!(restored["row"]["title"], "newer");
    assert_eq!(ada.post(&path("Task"), json!({ "title": "x" })).await.problem(), "422 required_field");
}

on_both!(a_value_is_unique_on_every_path);

#[cfg(test)]
async fn a_value_is_unique_on_every_path(database: Database) {
    let stage = Stage::on(database, PROJECTS).await;
    let ada = stage.ada();
    ada.post(&path("Project"), json!({ "id": "p1", "name": "one", "code": "c" })).await.expect(201);
    ada.post(&path("Project"), json!({ "id": "p2", "name": "two" })).await.expect(201);
    let names_the_holder = |answer: &corella_testkit::Answer| {
        assert_eq!(answer.problem(), "409 unique_violation");
        assert!(String::from_utf8_lossy(&answer.body).contains("p1"), "the holder is not named");
    };
    names_the_holder(&ada.post(&path("Project"), json!({ "name": "three", "code": "c" })).await);
    names_the_holder(&ada.patch("/api/entities/Project/p2", json!({ "code": "c" })).await);
    let bytes = update(&[("name", "three".into()), ("code", "c".into())]);
    names_the_holder(&send(&stage, "/api/entities/Project/p3", bytes).await);
    let changes = json!({ "changes": [{ "entity": "Project", "id": "p2", "patch": { "code": "c" } }] });
    names_the_holder(&ada.post("/api/transactions", changes).await);
    let peer = stage.connect().await;
    peer.join("Project/p2").await;
    assert_eq!(peer.change("Project/p2", |doc| set(doc, "code", "c")).await, AckStatus::App);
    // A row that comes back may find its value taken.
    ada.delete("/api/entities/Project/p1").await.expect(200);
    ada.patch("/api/entities/Project/p2", json!({ "code": "c" })).await.expect(200);
    let taken = ada.post("/api/entities/Project/p1/restore", json!({})).await;
    assert_eq!(taken.problem(), "409 unique_violation");
    assert_eq!(ada.get("/api/entities/Project/p2").await.expect(200)["row"]["code"], "c");
    assert_eq!(stage.installation.check_clean().await, 2);
}

on_both!(a_reference_names_a_row_that_is_there);

#[cfg(test)]
async fn a_reference_names_a_row_that_is_there(database: Database) {
    let stage = Stage::on(database, PROJECTS).await;
    let ada = stage.ada();
    let missing = ada.post(&path("Task"), json!({ "id": "t1", "project": "p1" })).await;
    assert_eq!(missing.problem(), "409 reference_missing");
    let bytes = || update(&[("project", "p1".into())]);
    assert_eq!(send(&stage, "/api/entities/Task/t1", bytes()).await.problem(), "409 reference_missing");
    // A copy that was made offline is refused whole, and can be sent again once the row is there.
    let peer = stage.connect().await;
    peer.join("Task/t1").await;
    assert_eq!(peer.change("Task/t1", |doc| set(doc, "project", "p1")).await, AckStatus::App);
    assert_eq!(stage.seq().await, 0);
    ada.post(&path("Project"), json!({ "id": "p1", "name": "one" })).await.expect(201);
    send(&stage, "/api/entities/Task/t1", bytes()).await.expect(200);
    let wrong = ada.patch("/api/entities/Task/t1", json!({ "parent": "t2" })).await;
    assert_eq!(wrong.problem(), "409 reference_missing");
    // A row may name itself.
    ada.patch("/api/entities/Task/t1", json!({ "parent": "t1" })).await.expect(200);
    // A row that comes back must find what it names.
    ada.post(&path("Person"), json!({ "id": "u1" })).await.expect(201);
    ada.post(&path("Person"), json!({ "id": "u2", "friend": "u1" })).await.expect(201);
    ada.delete("/api/entities/Person/u2").await.expect(200);
    ada.delete("/api/entities/Person/u1").await.expect(200);
    let restored = ada.post("/api/entities/Person/u2/restore", json!({})).await;
    assert_eq!(restored.problem(), "409 reference_missing");
    let both = json!({ "changes": [
        { "entity": "Person", "id": "u2", "restore": true }, { "entity": "Person", "id": "u1", "restore": true }] });
    ada.post("/api/transactions", both).await.expect(200);
    let held = ada.delete("/api/entities/Person/u1").await;
    assert_eq!(held.problem(), "409 reference_held");
    assert!(String::from_utf8_lossy(&held.body).contains("u2"), "the holder is not named");
    assert_eq!(stage.installation.check_clean().await, 4);
}

on_both!(what_names_a_deleted_row_goes_or_is_emptied);

#[cfg(test)]
async fn what_names_a_deleted_row_goes_or_is_emptied(database: Database) {
    let stage = Stage::on(database, PROJECTS).await;
    let ada = stage.ada();
    ada.post(&path("Person"), json!({ "id": "u1" })).await.expect(201);
    for project in ["p1", "p2"] {
        ada.post(&path("Project"), json!({ "id": project, "name": project })).await.expect(201);
    }
    // A chain below t1 that crosses into another project, and a ring.
    for (id, project, parent) in
        [("t1", "p1", None), ("t2", "p2", Some("t1")), ("t3", "p2", Some("t2")), ("t4", "p2", None)]
    {
        let task = json!({ "id": id, "project": project, "parent": parent, "reviewer": "u1" });
        ada.post(&path("Task"), task).await.expect(201);
    }
    ada.patch("/api/entities/Task/t1", json!({ "parent": "t3" })).await.expect(200);
    let before = stage.seq().await;
    // Emptied: by a document update this time.
    let peer = stage.connect().await;
    peer.join("Person/u1").await;
    let deleted = peer.change("Person/u1", |doc| doc.get_map("meta").insert("deleted", true).unwrap());
    assert_eq!(deleted.await, AckStatus::Ok);
    let tasks = ada.get(&path("Task")).await.expect(200);
    assert!(tasks["rows"].as_array().unwrap().iter().all(|task| task["reviewer"].is_null()), "{tasks}");
    assert_eq!(stage.seq().await, before + 5, "the person and four tasks, once each");
    // An invoice keeps the project, and all that would have gone with it.
    ada.post(&path("Invoice"), json!({ "id": "i1", "project": "p1" })).await.expect(201);
    let held = ada.delete("/api/entities/Project/p1").await;
    assert_eq!(held.problem(), "409 reference_held");
    assert!(String::from_utf8_lossy(&held.body).contains("i1"), "the holder is not named");
    assert_eq!(ada.get(&path("Task")).await.expect(200)["rows"].as_array().unwrap().len(), 4);
    ada.delete("/api/entities/Invoice/i1").await.expect(200);
    // A watcher of a task hears that it went.
    peer.join("Task/t3").await;
    ada.delete("/api/entities/Project/p1").await.expect(200);
    peer.until("Task/t3", "the deletion", |doc| {
        doc.get_map("meta")
            .get("deleted")
            .is_some_and(|deleted| matches!(deleted.into_value(), Ok(LoroValue::Bool(true))))
    })
    .await;
    let tasks = ada.get(&path("Task")).await.expect(200);
    assert_eq!(tasks["rows"].as_array().unwrap().len(), 1, "{tasks}");
    assert_eq!(tasks["rows"][0]["id"], "t4");
    // What was deleted in consequence comes back when it is asked for.
    let back = json!({ "changes": [
        { "entity": "Project", "id": "p1", "restore": true }, { "entity": "Task", "id": "t1", "restore": true },
        { "entity": "Task", "id": "t2", "restore": true }, { "entity": "Task", "id": "t3", "restore": true }] });
    ada.post("/api/transactions", back).await.expect(200);
    assert_eq!(ada.get(&path("Task")).await.expect(200)["rows"].as_array().unwrap().len(), 4);
    assert_eq!(stage.installation.check_clean().await, 8);
}
