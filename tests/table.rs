//! The SQL tables, as somebody else's tools read them.

use corella_testkit::{
    Installation, Random, SAMPLE, Stage,
    row::{append, set},
};
use corella_wire::AckStatus;
use rusqlite::Connection;
use serde_json::{Value as Json, json};

const NOTES: &str = "/api/entities/Note";

fn open(installation: &Installation) -> Connection {
    Connection::open(installation.database()).expect("the database can be opened")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_reads_what_people_see() {
    let stage = Stage::new(SAMPLE).await;
    stage.ada().post(NOTES, json!({ "id": "n1", "title": "first", "pinned": true })).await.expect(201);
    let peer = stage.connect().await;
    peer.join("Note/n2").await;
    let status = peer.change("Note/n2", |doc| {
        set(doc, "title", "second");
        set(doc, "stars", 5);
        append(doc, "body", "plain text");
    });
    assert_eq!(status.await, AckStatus::Ok);
    stage.ada().post(NOTES, json!({ "id": "n3", "title": "gone" })).await.expect(201);
    stage.ada().delete("/api/entities/Note/n3").await.expect(200);

    let database = open(&stage.installation);
    let rows: Vec<String> = database
        .prepare("select title || '|' || ifnull(pinned, '-') || '|' || ifnull(stars, '-') || '|' || ifnull(body, '-') from Note order by id")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(rows, ["first|1|-|-", "second|0|5|plain text"]);
    // Declared types, and the indexes that were asked for.
    let columns: String = database
        .query_row(
            "select group_concat(name || ' ' || type, ', ') from pragma_table_info('Note')",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(
        columns,
        "corella_tenant TEXT, id TEXT, title TEXT, body TEXT, summary TEXT, pinned INTEGER, color TEXT, \
         stars INTEGER, position REAL, due TEXT, author TEXT, slug TEXT, page TEXT"
    );
    let plan: String = database
        .query_row(
            "explain query plan select * from Note where corella_tenant = '' and position > 1",
            [],
            |row| row.get(3),
        )
        .unwrap();
    assert!(plan.contains("USING INDEX"), "{plan}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_finds_what_was_tampered_with() {
    let stage = Stage::new(SAMPLE).await;
    for id in ["sound", "changed", "missing", "deleted"] {
        stage.ada().post(NOTES, json!({ "id": id, "title": id })).await.expect(201);
    }
    stage.ada().delete("/api/entities/Note/deleted").await.expect(200);
    let Stage { installation, server, .. } = stage;
    server.stop().await;
    assert_eq!(installation.check_clean().await, 4);
    let database = open(&installation);
    database.execute("update Note set title = 'tampered', stars = 9 where id = 'changed'", []).unwrap();
    database.execute("delete from Note where id = 'missing'", []).unwrap();
    database
        .execute("insert into Note (corella_tenant, id, title) values ('', 'deleted', 'back')", [])
        .unwrap();
    database
        .execute("insert into Note (corella_tenant, id, title) values ('', 'orphan', 'alone')", [])
        .unwrap();
    drop(database);
    let found = installation.check().await;
    assert_eq!(found.code, Some(1), "{found:?}");
    let mut lines: Vec<&str> = found.stdout.lines().collect();
    lines.sort_unstable();
    let row = |title: &str, stars: &str| {
        format!(
            r#"{{"id":"changed","title":"{title}","body":null,"summary":null,"pinned":false,"color":"none","stars":{stars},"position":0.0,"due":null,"author":null,"slug":null,"page":""}}"#
        )
    };
    let changed = format!(
        "Note/changed: the document says {}, the table {}",
        row("changed", "null"),
        row("tampered", "9")
    );
    assert_eq!(
        lines,
        [
            changed.as_str(),
            "Note/deleted: is deleted, but stands in the table",
            "Note/missing: is missing from the table",
            "Note/orphan: stands in the table, but has no document",
        ]
    );
    assert!(found.stderr.contains("4 of 4"), "{}", found.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_bytes_harm_their_own_row_alone() {
    let stage = Stage::new(SAMPLE).await;
    for id in ["hurt", "sound"] {
        stage.ada().post(NOTES, json!({ "id": id, "title": id })).await.expect(201);
    }
    let Stage { installation, server, .. } = stage;
    let token = installation.token("ada").await;
    server.stop().await;
    let database = open(&installation);
    let changed = database
        .execute("update corella_tail set delta = zeroblob(length(delta)) where row_id = 'hurt'", [])
        .unwrap();
    assert_eq!(changed, 1);
    drop(database);
    let server = installation.serve().await;
    let http = server.http(&token);
    assert_eq!(
        http.patch("/api/entities/Note/hurt", json!({ "title": "x" })).await.problem(),
        "500 row_quarantined"
    );
    assert_eq!(http.get("/api/entities/Note/hurt/doc").await.problem(), "500 row_quarantined");
    http.patch("/api/entities/Note/sound", json!({ "title": "served on" })).await.expect(200);
    let peer = server.peer(&token).await;
    let room = |name: &str| (corella_wire::Magic::Document, corella_wire::RoomName::new(name).unwrap());
    let refusal = peer.try_join(room("Note/hurt"), &[], &[]).await.expect_err("its bytes are damaged");
    assert_eq!(refusal.code, corella_wire::JoinErrorCode::App { code: "row_quarantined".to_owned() });
    peer.join("Note/sound").await;
    let found = installation.check().await;
    assert_eq!((found.code, found.stdout.lines().count()), (Some(1), 1), "{found:?}");
    assert!(found.stdout.contains("Note/hurt"), "{found:?}");
}

/// The sample with another set of `Note`'s fields.
fn reshaped(change: impl FnOnce(&mut Vec<Json>)) -> String {
    let mut manifest: Json = serde_json::from_str(SAMPLE).expect("the sample is JSON");
    let note = &mut manifest["entities"][0];
    change(note["fields"].as_array_mut().expect("fields"));
    manifest.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_shape_fills_the_table_again_from_the_documents() {
    let stage = Stage::new(SAMPLE).await;
    for number in 0..700 {
        let note = json!({ "id": format!("n{number}"), "title": format!("t{number}"), "stars": number, "body": "text" });
        stage.ada().post(NOTES, note).await.expect(201);
    }
    let Stage { installation, server, .. } = stage;
    let token = installation.token("ada").await;
    server.stop().await;

    // A column less, one more, and one of another type.
    installation.write_manifest(&reshaped(|fields| {
        fields.retain(|field| field["name"] != "summary" && field["name"] != "stars");
        fields.push(json!({ "name": "stars", "type": "float", "optional": true }));
        fields.push(json!({ "name": "mood", "type": "string", "optional": true }));
    }));
    // A server does not let go of a column by itself.
    let refused = installation.run(&["serve", "--listen", "127.0.0.1:0"]).await;
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.stderr.contains("remove the field Note.summary"), "{refused:?}");
    assert!(refused.stderr.contains("corella migrate apply --allow-destructive"), "{refused:?}");
    let applied = installation.run(&["migrate", "apply", "--allow-destructive"]).await;
    assert_eq!(applied.code, Some(0), "{applied:?}");
    let server = installation.serve().await;
    assert_eq!(installation.check_clean().await, 700);
    let row = server.http(&token).get("/api/entities/Note/n699").await.expect(200)["row"].clone();
    assert_eq!((&row["stars"], &row["mood"], row.get("summary")), (&json!(699.0), &json!(null), None));
    server.stop().await;
    let kind: String = open(&installation)
        .query_row("select typeof(stars) from Note where id = 'n1'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(kind, "real");

    // And back: nothing was lost meanwhile.
    installation.write_manifest(SAMPLE);
    let applied = installation.run(&["migrate", "apply", "--allow-destructive"]).await;
    assert_eq!(applied.code, Some(0), "{applied:?}");
    let server = installation.serve().await;
    assert_eq!(installation.check_clean().await, 700);
    let row = server.http(&token).get("/api/entities/Note/n699").await.expect(200)["row"].clone();
    assert_eq!((&row["stars"], &row["body"]), (&json!(699), &json!("text")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_that_was_cut_short_is_made_at_the_next_start() {
    let stage = Stage::new(SAMPLE).await;
    stage.ada().post(NOTES, json!({ "id": "n1", "title": "t", "stars": 1 })).await.expect(201);
    let Stage { installation, server, .. } = stage;
    server.kill().await;
    let database = open(&installation);
    database.execute("delete from Note", []).unwrap();
    database.execute("update corella_tables set stale = 1, missing = 1 where entity = 'Note'", []).unwrap();
    drop(database);
    let server = installation.serve().await;
    assert_eq!(installation.check_clean().await, 1);
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_small_saves_of_a_text_stay_small() {
    let stage = Stage::new(SAMPLE).await;
    let mut text: Vec<char> = "lorem ipsum dolor sit amet, consectetur ".repeat(50).chars().collect();
    let whole = |text: &[char]| json!({ "body": text.iter().collect::<String>() });
    let mut note = whole(&text);
    note["id"] = json!("n1");
    note["title"] = json!("saved");
    stage.ada().post(NOTES, note).await.expect(201);
    let ada = stage.ada();
    // Letter after letter is overtyped, with a jump to another place now and then, as people write.
    let mut random = Random::of(7);
    let mut cursor = 0;
    for (save, letter) in (0..1_000).zip(('a'..='z').cycle()) {
        if save % 50 == 0 {
            cursor = usize::try_from(random.within(0..2_000)).unwrap();
        }
        text[cursor] = letter;
        cursor = (cursor + 1) % text.len();
        ada.patch("/api/entities/Note/n1", whole(&text)).await.expect(200);
    }
    let row = ada.get("/api/entities/Note/n1").await.expect(200);
    assert_eq!(row["row"]["body"], text.iter().collect::<String>());
    let Stage { installation, server, .. } = stage;
    // A fold may still be under way; a server that has stopped has none.
    server.stop().await;
    let stored: i64 = open(&installation)
        .query_row(
            "select (select coalesce(sum(length(snapshot)), 0) from corella_snapshots) \
             + (select coalesce(sum(length(delta)), 0) from corella_tail)",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert!(stored < 10_000, "{stored} bytes are stored for a text of {}", text.len());
    assert_eq!(installation.check_clean().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_follows_the_budget_and_not_the_rows() {
    let arguments = ["--cache-bytes", "16777216", "--durability", "relaxed"];
    let stage = Stage::with(SAMPLE, &arguments).await;
    let before = stage.resident_bytes();
    let makers: Vec<_> = (0..8)
        .map(|maker| {
            let ada = stage.ada();
            tokio::spawn(async move {
                for number in 0..2_500 {
                    let note = json!({ "id": format!("n{maker}-{number}"), "title": "one of many", "stars": number });
                    ada.post(NOTES, note).await.expect(201);
                }
            })
        })
        .collect();
    for maker in makers {
        maker.await.unwrap();
    }
    let grown = stage.resident_bytes().saturating_sub(before);
    // 20,000 rows of 18 KB and more would be 360 MB.
    assert!(grown < 120 * 1024 * 1024, "the server has grown by {grown} bytes");
    let metrics = stage.stranger().get("/metrics").await.text();
    let held = metrics
        .lines()
        .find_map(|line| line.strip_prefix("corella_cache_bytes "))
        .expect("the gauge is there");
    assert!(held.parse::<f64>().unwrap() <= 16_777_216.0, "the cache holds {held} bytes");
    assert_eq!(stage.installation.check_clean().await, 20_000);
}
