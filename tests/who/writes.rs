//! What may not be written is refused whole, and leaves nothing behind.

use corella_testkit::{
    Database, on_both,
    row::{append, read, set},
};
use corella_wire::AckStatus;
use serde_json::json;

use crate::stage::Team;

const NOTES: &str = "/api/entities/Note";
const TASK: &str = "/api/entities/Task/t1";
const ROOM: &str = "Task/t1";

#[tokio::test(flavor = "multi_thread")]
async fn nobody_may_do_what_no_policy_allows_but_administrators() {
    let team = Team::new(Database::Sqlite).await;
    let locked = json!({ "id": "l1", "title": "mine" });
    let refused = team.user("ada").post("/api/entities/Locked", locked.clone()).await;
    assert_eq!(refused.problem(), "403 forbidden");
    team.admin().post("/api/entities/Locked", locked).await.expect(201);
    let path = "/api/entities/Locked/l1";
    assert_eq!(team.user("ada").patch(path, json!({ "title": "x" })).await.problem(), "404 row_not_found");
    assert_eq!(team.user("ada").delete(path).await.problem(), "404 row_not_found");
    team.admin().delete(path).await.expect(200);
    let restore = format!("{path}/restore");
    assert_eq!(team.user("ada").post(&restore, json!({})).await.problem(), "404 row_not_found");
    team.admin().post(&restore, json!({})).await.expect(200);
}

on_both!(rows_before_and_after_are_asked);

#[cfg(test)]
async fn rows_before_and_after_are_asked(database: Database) {
    let team = Team::new(database).await;
    let (ada, bob) = (team.user("ada"), team.user("bob"));
    ada.post(NOTES, json!({ "id": "n1", "title": "Hers", "public": true })).await.expect(201);
    let for_bob = ada.post(NOTES, json!({ "id": "n2", "title": "His", "author": "bob" })).await;
    assert_eq!(for_bob.problem(), "403 forbidden", "nobody makes rows in another's name");
    let note = format!("{NOTES}/n1");
    assert_eq!(bob.patch(&note, json!({ "title": "x" })).await.problem(), "403 forbidden");
    assert_eq!(bob.patch(&note, json!({ "author": "bob" })).await.problem(), "403 forbidden");
    let away = ada.patch(&note, json!({ "author": "bob" })).await;
    assert_eq!(away.problem(), "403 forbidden", "a row is not carried out of a rule's reach");
    assert_eq!(bob.delete(&note).await.problem(), "403 forbidden");
    let row = ada.patch(&note, json!({ "title": "Still hers" })).await.expect(200);
    assert_eq!((&row["row"]["author"], &row["seq"]), (&json!("ada"), &json!(2)), "nothing else was stored");
    ada.delete(&note).await.expect(200);
    assert_eq!(bob.post(&format!("{note}/restore"), json!({})).await.problem(), "403 forbidden");
    ada.post(&format!("{note}/restore"), json!({})).await.expect(200);
    assert_eq!(team.stage.installation.check_clean().await, 1);
}

on_both!(memberships_count_at_once);

#[cfg(test)]
async fn memberships_count_at_once(database: Database) {
    let team = Team::with_project(database).await;
    let (olga, ed, rita) = (team.user("olga"), team.user("ed"), team.user("rita"));
    assert_eq!(rita.patch(TASK, json!({ "title": "no" })).await.problem(), "403 forbidden");
    assert_eq!(team.user("eve").patch(TASK, json!({ "title": "no" })).await.problem(), "404 row_not_found");
    olga.patch("/api/entities/Member/m-rita", json!({ "role": "editor" })).await.expect(200);
    rita.patch(TASK, json!({ "title": "yes" })).await.expect(200);
    olga.delete("/api/entities/Member/m-ed").await.expect(200);
    assert_eq!(ed.patch(TASK, json!({ "title": "no" })).await.problem(), "404 row_not_found");
    let elsewhere = rita.patch(TASK, json!({ "project": "p2" })).await;
    assert_eq!(elsewhere.problem(), "403 forbidden", "nor into a project that is not one's own");
}

on_both!(an_update_with_a_field_that_is_not_the_authors_is_refused_whole);

#[cfg(test)]
async fn an_update_with_a_field_that_is_not_the_authors_is_refused_whole(database: Database) {
    let team = Team::with_project(database).await;
    let ed = team.peer("ed").await;
    ed.join(ROOM).await;
    assert_eq!(ed.change(ROOM, |doc| append(doc, "body", "mine")).await, AckStatus::Ok);
    let watcher = team.peer("rita").await;
    watcher.join(ROOM).await;
    watcher.until_equal(ROOM, &ed).await;
    let before = watcher.received(ROOM);
    let status = ed
        .change(ROOM, |doc| {
            append(doc, "body", " and more");
            set(doc, "approved", true);
        })
        .await;
    assert_eq!(status, AckStatus::PermissionDenied);
    let row = team.admin().get(TASK).await.expect(200)["row"].clone();
    assert_eq!((&row["body"], &row["approved"]), (&json!("mine"), &json!(false)));
    watcher.ping().await;
    assert_eq!(watcher.received(ROOM), before);
    // Whoever may not write at all is refused likewise, in the middle of the others' work.
    let rita_edit = watcher.edit(ROOM, |doc| append(doc, "body", "!")).await;
    let fresh = team.peer("ed").await;
    fresh.join(ROOM).await;
    fresh.until(ROOM, "the text", |doc| read(doc, "body") == "mine").await;
    let edits = futures_of(&fresh).await;
    assert_eq!(watcher.acked(rita_edit).await, AckStatus::PermissionDenied);
    assert_eq!(edits, [AckStatus::Ok; 8]);
    let row = team.admin().get(TASK).await.expect(200)["row"].clone();
    assert_eq!(row["body"], "mine........");
    let approved = team.boss().patch(TASK, json!({ "approved": true })).await;
    assert_eq!(approved.problem(), "404 row_not_found", "a field's rule takes away, and gives nothing");
    assert_eq!(team.stage.installation.check_clean().await, 4);
}

/// Eight edits, sent without waiting for one another.
async fn futures_of(peer: &corella_testkit::Peer) -> Vec<AckStatus> {
    let mut batches = Vec::new();
    for _ in 0..8 {
        batches.push(peer.edit(ROOM, |doc| append(doc, "body", ".")).await);
    }
    let mut statuses = Vec::new();
    for batch in batches {
        statuses.push(peer.acked(batch).await);
    }
    statuses
}

#[tokio::test(flavor = "multi_thread")]
async fn defaults_are_not_the_authors_words() {
    let team = Team::with_project(Database::Sqlite).await;
    let ed = team.user("ed");
    let tasks = "/api/entities/Task";
    ed.post(tasks, json!({ "project": "p1" })).await.expect(201);
    let refused = ed.post(tasks, json!({ "project": "p1", "approved": true })).await;
    assert_eq!(refused.problem(), "403 forbidden");
    assert!(refused.text().contains("Task.approved"), "{}", refused.text());
}

on_both!(an_answer_says_no_more_than_may_be_read);

#[cfg(test)]
async fn an_answer_says_no_more_than_may_be_read(database: Database) {
    let team = Team::new(database).await;
    let slips = "/api/entities/Payslip";
    let slip = json!({ "id": "s1", "user": "ada", "month": 1, "amount": 5 });
    let made = team.boss().post(slips, slip).await.expect(201);
    assert_eq!(made["row"]["amount"], 5);
    let refused = team.user("bob").patch(&format!("{slips}/s1"), json!({ "month": 2 })).await;
    assert_eq!(refused.problem(), "403 forbidden");
    // An empty update changes nothing, and shows nothing that is hidden.
    let empty = loro::LoroDoc::new().export(loro::ExportMode::all_updates()).expect("an export");
    let answer = team.user("bob").send("POST".parse().unwrap(), &format!("{slips}/s1/doc"), &[], empty).await;
    let row = answer.expect(200)["row"].clone();
    assert_eq!(row, json!({ "id": "s1", "user": "ada", "month": 1 }));
}
