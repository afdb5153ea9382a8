//! `corella dev`: signing in, and the manifest that is read again.

use corella_testkit::{
    Installation, SAMPLE, Server,
    row::{read, set},
};
use corella_wire::AckStatus;
use serde_json::{Value as Json, json};

async fn sign_in(server: &Server) -> String {
    let answer = server.stranger().post("/dev/token", json!({ "user": "ada" })).await.expect(200);
    assert_eq!(answer["user"], "ada");
    answer["token"].as_str().expect("a token").to_owned()
}

/// The sample with one more column of `Note` and one more entity.
fn grown() -> String {
    let mut manifest: Json = serde_json::from_str(SAMPLE).expect("the sample is JSON");
    let entities = manifest["entities"].as_array_mut().expect("entities");
    let note = entities[0]["fields"].as_array_mut().expect("fields");
    note.push(json!({ "name": "mood", "type": "string", "optional": true, "default": "calm" }));
    entities.push(json!({ "name": "Tag", "fields": [{ "name": "label", "type": "string" }] }));
    let policies = manifest["policies"].as_array_mut().expect("policies");
    policies.push(json!({ "name": "tags", "entity": "Tag", "allow": "true" }));
    manifest.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn anybody_signs_in_by_name() {
    let installation = Installation::new(SAMPLE);
    let server = installation.start("dev", &[]).await;
    let token = sign_in(&server).await;
    server.http(&token).post("/api/entities/Note", json!({ "title": "t" })).await.expect(201);
    for wrong in [json!({}), json!({ "user": "" }), json!({ "user": 7 }), json!({ "user": "x".repeat(65) })] {
        assert_eq!(server.stranger().post("/dev/token", wrong).await.problem(), "422 invalid_value");
    }
    assert_eq!(server.stranger().get("/dev/token").await.problem(), "405 method_not_allowed");
    assert_eq!(server.stranger().get("/api/entities/Note").await.problem(), "401 unauthorized");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_manifest_is_served_while_people_work() {
    let installation = Installation::new(SAMPLE);
    let mut server = installation.start("dev", &[]).await;
    let token = sign_in(&server).await;
    let http = server.http(&token);
    http.post("/api/entities/Note", json!({ "id": "n1", "title": "before" })).await.expect(201);
    let peer = server.peer(&token).await;
    peer.join("Note/n1").await;
    assert_eq!(http.post("/api/entities/Tag", json!({ "label": "x" })).await.problem(), "404 unknown_entity");

    installation.write_manifest(&grown());
    server.until_printed("The manifest was read again.").await;
    let row = http.get("/api/entities/Note/n1").await.expect(200)["row"].clone();
    assert_eq!((&row["title"], &row["mood"]), (&json!("before"), &json!(null)));
    assert_eq!(peer.change("Note/n1", |doc| set(doc, "mood", "glad")).await, AckStatus::Ok);
    assert_eq!(http.get("/api/entities/Note/n1").await.expect(200)["row"]["mood"], "glad");
    http.post("/api/entities/Tag", json!({ "id": "t1", "label": "x" })).await.expect(201);
    let made = http.post("/api/entities/Note", json!({ "title": "after" })).await.expect(201);
    assert_eq!(made["row"]["mood"], "calm");
    peer.until("Note/n1", "its own edit", |doc| read(doc, "mood") == "glad").await;
    installation.check_clean().await;

    // A wrong manifest is reported, and the last good one stays.
    installation.write_manifest("{ \"name\": ");
    server.until_printed("The last good manifest is still served.").await;
    http.post("/api/entities/Tag", json!({ "label": "y" })).await.expect(201);
    assert_eq!(server.stop().await.status.code(), Some(0));
}
