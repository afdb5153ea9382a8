//! Rows that are no documents.

use corella_testkit::{Database, Installation, Stage, on_both, row::set};
use serde_json::{Value as Json, json};

const LOG: &str = r#"{
  "manifest_version": 1, "name": "log", "version": "1",
  "entities": [
    { "name": "Entry", "crdt": false, "fields": [
      { "name": "what", "type": "string" },
      { "name": "at", "type": "datetime", "default": "now" },
      { "name": "by", "type": "string", "default": "auth.userId" },
      { "name": "times", "type": "int", "default": 1 },
      { "name": "weight", "type": "float", "optional": true },
      { "name": "note", "type": "id(Note)", "optional": true, "onDelete": "setNull" },
      { "name": "number", "type": "string", "optional": true, "unique": true },
      { "name": "more", "type": "json", "optional": true },
      { "name": "seal", "type": "bytes", "optional": true }
    ] },
    { "name": "Note", "fields": [{ "name": "title", "type": "string", "optional": true }] }
  ],
  "policies": [
    { "name": "Entry", "entity": "Entry", "allow": "true" },
    { "name": "Note", "entity": "Note", "allow": "true" }
  ]
}"#;
const ENTRIES: &str = "/api/entities/Entry";
const ENTRY: &str = "/api/entities/Entry/e1";

on_both!(a_plain_row_is_written_and_read_like_any_other);

#[cfg(test)]
async fn a_plain_row_is_written_and_read_like_any_other(database: Database) {
    let stage = Stage::on(database, LOG).await;
    let ada = stage.ada();
    let given =
        json!({ "id": "e1", "what": "made", "more": { "a": [1, null] }, "seal": "AAH/", "number": "1" });
    let made = ada.post(ENTRIES, given).await.expect(201)["row"].clone();
    assert_eq!((&made["by"], &made["times"], &made["weight"]), (&json!("ada"), &json!(1), &Json::Null));
    assert_eq!((&made["more"], &made["seal"]), (&json!({ "a": [1, null] }), &json!("AAH/")));
    assert_eq!(ada.get(ENTRY).await.expect(200)["row"], made);
    // The last writer of a field wins, numbers are added to, and what is equal is no change.
    let steps = json!({ "times": { "$inc": "9007199254740992" }, "weight": { "$ops": [{ "$inc": 0.5 }, { "$inc": 1 }] } });
    let patched = ada.patch(ENTRY, steps).await.expect(200)["row"].clone();
    assert_eq!((&patched["times"], &patched["weight"]), (&json!("9007199254740993"), &json!(1.5)));
    let same = ada.patch(ENTRY, json!({ "what": "made" })).await.expect(200);
    assert_eq!((&same["row"], &same["seq"]), (&patched, &json!(2)));
    for (body, problem) in [
        (json!({ "what": null }), "422 required_field"),
        (json!({ "wat": "x" }), "422 unknown_field"),
        (json!({ "times": 0.5 }), "422 invalid_value"),
        (json!({ "times": { "$inc": "9223372036854775807" } }), "422 invalid_value"),
        (json!({ "what": { "$push": 1 } }), "422 invalid_value"),
        (json!({ "note": "n1" }), "409 reference_missing"),
    ] {
        assert_eq!(ada.patch(ENTRY, body.clone()).await.problem(), problem, "{body}");
    }
    assert_eq!(ada.post(ENTRIES, json!({})).await.problem(), "422 required_field");
    let twice = ada.post(ENTRIES, json!({ "what": "again", "number": "1" })).await;
    assert_eq!(twice.problem(), "409 unique_violation");
    assert_eq!(ada.post(ENTRIES, json!({ "id": "e1", "what": "again" })).await.problem(), "409 row_exists");
    assert_eq!(stage.seq().await, 2);
    // Together with a document, and in consequence of its deletion.
    let both = json!({ "changes": [
        { "entity": "Note", "id": "n1", "insert": {} }, { "entity": "Entry", "id": "e1", "patch": { "note": "n1" } }] });
    ada.post("/api/transactions", both).await.expect(200);
    ada.delete("/api/entities/Note/n1").await.expect(200);
    assert_eq!(ada.get(ENTRY).await.expect(200)["row"]["note"], Json::Null);
    ada.delete(ENTRY).await.expect(200);
    assert_eq!(ada.get(ENTRY).await.problem(), "404 row_not_found");
    let restored = ada.post(&format!("{ENTRY}/restore"), json!({})).await.expect(200);
    assert_eq!(restored["row"], patched);
    assert_eq!(stage.installation.check_clean().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_row_is_no_document() {
    let stage = Stage::new(LOG).await;
    let ada = stage.ada();
    ada.post(ENTRIES, json!({ "id": "e1", "what": "made" })).await.expect(201);
    assert_eq!(ada.get(&format!("{ENTRY}/doc")).await.problem(), "422 no_document");
    let doc = loro::LoroDoc::new();
    set(&doc, "what", "changed");
    doc.commit();
    let update = doc.export(loro::ExportMode::all_updates()).unwrap();
    for path in [format!("{ENTRY}/doc"), format!("{ENTRIES}/e2/doc")] {
        let refused = ada.send("POST".parse().unwrap(), &path, &[], update.clone()).await;
        assert_eq!(refused.problem(), "422 no_document");
    }
    let peer = stage.connect().await;
    let room = (corella_wire::Magic::Document, corella_wire::RoomName::new("Entry/e1").unwrap());
    let refused = peer.try_join(room, &[], &[]).await.expect_err("no document");
    assert!(format!("{refused:?}").contains("no_document"), "{refused:?}");
    assert_eq!(ada.get(ENTRY).await.expect(200)["row"]["what"], "made");
}

on_both!(what_is_acknowledged_of_a_plain_row_stays);

#[cfg(test)]
async fn what_is_acknowledged_of_a_plain_row_stays(database: Database) {
    const WRITES: i64 = 200;
    let stage = Stage::on(database, LOG).await;
    let ada = stage.ada();
    ada.post(ENTRIES, json!({ "id": "e1", "what": "made", "times": 0 })).await.expect(201);
    // Enough to have what was written before replaced many times.
    let writes = (0..WRITES).map(|_| ada.patch(ENTRY, json!({ "times": { "$inc": 1 } })));
    for write in writes {
        write.await.expect(200);
    }
    let stage = stage.crash().await;
    let row = stage.ada().get(ENTRY).await.expect(200)["row"].clone();
    assert_eq!(row["times"], WRITES);
    stage.ada().patch(ENTRY, json!({ "times": { "$inc": 1 } })).await.expect(200);
    assert_eq!(stage.installation.check_clean().await, 1);
}

on_both!(plain_rows_are_kept_and_moved);

#[cfg(test)]
async fn plain_rows_are_kept_and_moved(database: Database) {
    let stage = Stage::on(database, LOG).await;
    for (id, what, more) in [("e1", "one", json!(["x", 1])), ("e2", "two", json!({ "0": "x" }))] {
        let entry = json!({ "id": id, "what": what, "more": more });
        stage.ada().post(ENTRIES, entry).await.expect(201);
    }
    stage.ada().patch(ENTRY, json!({ "what": "changed" })).await.expect(200);
    stage.ada().post(ENTRIES, json!({ "id": "e3", "what": "gone" })).await.expect(201);
    stage.ada().delete("/api/entities/Entry/e3").await.expect(200);
    for (item, ids) in [(json!("x"), &["e1"][..]), (json!(1.0), &["e1"]), (json!("1"), &[])] {
        let query = json!({ "from": "Entry", "where": { "more": { "$contains": item } }, "select": ["id"] });
        let rows = stage.ada().post("/api/query", query).await.expect(200)["rows"].clone();
        let found: Vec<_> = ids.iter().map(|id| json!({ "id": id })).collect();
        assert_eq!(rows, json!(found), "{item}");
    }
    let before = stage.ada().get(ENTRIES).await.expect(200)["rows"].clone();
    let file = |name: &str| stage.installation.folder().join(name).to_str().unwrap().to_owned();
    let (export, backup) = (file("rows.ndjson"), file("backup.zst"));
    let done = async |installation: &Installation, arguments: &[&str]| {
        let done = installation.run(arguments).await;
        assert_eq!(done.code, Some(0), "{done:?}");
    };
    done(&stage.installation, &["export", &export]).await;
    done(&stage.installation, &["backup", &backup]).await;
    let imported = Installation::on(database, LOG);
    for _ in 0..2 {
        done(&imported, &["import", &export]).await;
    }
    let restored = Installation::on(database, LOG);
    done(&restored, &["restore", &backup]).await;
    for other in [imported, restored] {
        assert_eq!(other.check_clean().await, 3);
        let server = other.serve().await;
        let http = server.http(&other.token("ada").await);
        assert_eq!(http.get(ENTRIES).await.expect(200)["rows"], before);
        http.post("/api/entities/Entry/e3/restore", json!({})).await.expect(200);
    }
    // A change of the columns fills the table again, and a change of a type converts what is there.
    let wider = LOG
        .replace(
            r#"{ "name": "more","#,
            r#"{ "name": "level", "type": "int", "optional": true }, { "name": "more","#,
        )
        .replace(
            r#"{ "name": "times", "type": "int", "default": 1 }"#,
            r#"{ "name": "times", "type": "string", "optional": true, "convert": { "from": "int" } }"#,
        );
    stage.installation.write_manifest(&wider);
    let stage = stage.crash().await;
    let row = stage.ada().get(ENTRY).await.expect(200)["row"].clone();
    assert_eq!((&row["what"], &row["times"]), (&json!("changed"), &json!("1")));
    stage.ada().patch(ENTRY, json!({ "level": 3 })).await.expect(200);
    assert_eq!(stage.installation.check_clean().await, 3);
}

on_both!(a_live_query_follows_plain_rows);

#[cfg(test)]
async fn a_live_query_follows_plain_rows(database: Database) {
    let stage = Stage::on(database, LOG).await;
    let ada = stage.ada();
    let peer = stage.connect().await;
    let query = json!({ "from": "Entry", "where": { "times": { "$gt": 1 } }, "select": ["times"] });
    peer.send_text(&json!({ "type": "subscribe", "ref": "q", "query": query }).to_string()).await;
    let next = async || -> Json { serde_json::from_str(&peer.message().await.encode()).unwrap() };
    assert_eq!(next().await["rows"], json!([]));
    ada.post(ENTRIES, json!({ "id": "e1", "what": "made" })).await.expect(201);
    ada.patch(ENTRY, json!({ "times": { "$inc": 2 } })).await.expect(200);
    let entered =
        json!([{ "ref": "q", "upsert": [{ "id": "e1", "at": 0, "row": { "id": "e1", "times": 3 } }] }]);
    assert_eq!(next().await["answers"], entered);
    ada.delete(ENTRY).await.expect(200);
    assert_eq!(next().await["answers"], json!([{ "ref": "q", "remove": ["e1"] }]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_plain_row_is_repaired() {
    let stage = Stage::new(LOG).await;
    for (id, what) in [("e1", "one"), ("e2", "two")] {
        stage.ada().post(ENTRIES, json!({ "id": id, "what": what })).await.expect(201);
    }
    stage.ada().patch(ENTRY, json!({ "what": "lost" })).await.expect(200);
    let Stage { installation, server, .. } = stage;
    let token = installation.token("ada").await;
    server.stop().await;
    let database = rusqlite::Connection::open(installation.database()).unwrap();
    let harm = "update corella_tail set delta = zeroblob(length(delta)) where row_id = 'e1' and seq = \
                (select max(seq) from corella_tail where row_id = 'e1')";
    assert_eq!(database.execute(harm, []).unwrap(), 1);
    drop(database);
    let repaired = installation.run(&["repair"]).await;
    assert_eq!(repaired.code, Some(0), "{repaired:?}");
    assert!(repaired.stdout.contains("Entry/e1: the checksum of its change"), "{repaired:?}");
    assert_eq!(installation.check_clean().await, 2);
    let server = installation.serve().await;
    let http = server.http(&token);
    assert_eq!(http.get(ENTRY).await.expect(200)["row"]["what"], "one");
    http.patch(ENTRY, json!({ "what": "again" })).await.expect(200);
    server.stop().await;
    assert_eq!(installation.check_clean().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_look_at_plain_rows_too() {
    const MANIFEST: &str = r#"{ "manifest_version": 1, "name": "log", "version": "1",
      "entities": [{ "name": "Entry", "crdt": false, "fields": [
        { "name": "by", "type": "string" }, { "name": "what", "type": "string", "optional": true } ] }],
      "policies": [{ "name": "own entries", "entity": "Entry", "allow": "data.by == auth.userId" }] }"#;
    let stage = Stage::new(MANIFEST).await;
    let (ada, bob) = (stage.ada(), stage.server.http(&stage.installation.token("bob").await));
    ada.post(ENTRIES, json!({ "id": "e1", "by": "ada" })).await.expect(201);
    let foreign = ada.post(ENTRIES, json!({ "id": "e2", "by": "bob" })).await;
    assert_eq!(foreign.problem(), "403 forbidden");
    ada.patch(ENTRY, json!({ "what": "mine" })).await.expect(200);
    assert_eq!(ada.patch(ENTRY, json!({ "by": "bob" })).await.problem(), "403 forbidden");
    assert_eq!(bob.patch(ENTRY, json!({ "what": "not mine" })).await.problem(), "404 row_not_found");
    assert_eq!(bob.get(ENTRY).await.problem(), "404 row_not_found");
    assert_eq!(ada.get(ENTRY).await.expect(200)["row"]["what"], "mine");
}
