//! Damaged rows, their neighbours, and the repair.

use corella_testkit::{
    Installation, SAMPLE, Stage,
    row::{append, read},
};
use corella_wire::AckStatus;
use serde_json::json;

use crate::{database, meta, table};

const ROWS: &str = "/api/entities/Note";

fn quarantined(metrics: &str) -> Option<f64> {
    let line = metrics.lines().find_map(|line| line.strip_prefix("corella_rows_quarantined_total "))?;
    line.parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_set_aside_is_counted_and_its_neighbour_served() {
    let stage = Stage::new(SAMPLE).await;
    for id in ["hurt", "sound"] {
        stage.ada().post(ROWS, json!({ "id": id, "title": id })).await.expect(201);
    }
    let metrics = stage.stranger().get("/metrics").await.text();
    assert_eq!(quarantined(&metrics), Some(0.0), "an alert needs a line to start from");
    let Stage { installation, server, .. } = stage;
    let token = installation.token("ada").await;
    server.stop().await;
    let sql = "update corella_tail set checksum = checksum + 1 where row_id = 'hurt'";
    assert_eq!(database(&installation).execute(sql, []).unwrap(), 1);
    let server = installation.serve().await;
    let http = server.http(&token);
    assert_eq!(http.get(&format!("{ROWS}/hurt/doc")).await.problem(), "500 row_quarantined");
    let peer = server.peer(&token).await;
    peer.join("Note/sound").await;
    assert_eq!(peer.change("Note/sound", |doc| append(doc, "body", "served on")).await, AckStatus::Ok);
    http.patch(&format!("{ROWS}/sound"), json!({ "stars": 1 })).await.expect(200);
    let metrics = server.stranger().get("/metrics").await.text();
    assert!(quarantined(&metrics).is_some_and(|count| count >= 1.0), "{metrics}");
    let refused = installation.run(&["repair"]).await;
    assert_eq!(refused.code, Some(4), "a server runs: {refused:?}");
    server.stop().await;
    // The checksum alone was wrong: nothing is lost.
    let repaired = installation.run(&["repair"]).await;
    assert_eq!(repaired.code, Some(0), "{repaired:?}");
    insta::assert_snapshot!(repaired.stdout, @r"
    Note/hurt: the checksum of its change 1 does not match; it is whole again
      nothing was lost
    2 documents: 1 rows and 0 table lines mended, 0 left as they are.
    ");
    installation.check_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_lost_is_told_and_comes_back_from_those_who_have_it() {
    let stage = Stage::new(SAMPLE).await;
    stage.ada().post(ROWS, json!({ "id": "hurt", "title": "kept" })).await.expect(201);
    let peer = stage.connect().await;
    peer.join("Note/hurt").await;
    for text in ["one;", "two;", "three;"] {
        assert_eq!(peer.change("Note/hurt", |doc| append(doc, "body", text)).await, AckStatus::Ok);
    }
    stage.ada().patch(&format!("{ROWS}/hurt"), json!({ "stars": 4 })).await.expect(200);
    peer.until("Note/hurt", "the server's write", |doc| read(doc, "stars") == "4").await;
    let ahead = peer.doc("Note/hurt");
    let Stage { installation, server, .. } = stage;
    let token = installation.token("ada").await;
    server.stop().await;
    let harm = |sql: &str| assert!(database(&installation).execute(sql, []).unwrap() > 0, "{sql}");
    harm("update corella_tail set delta = zeroblob(length(delta)) where seq = 3");
    harm("insert into Note (corella_tenant, id, title) values ('', 'orphan', 'alone')");
    let tail = table(&installation, "corella_tail");
    let before = meta(&installation, "server_peer");

    let repaired = installation.run(&["repair"]).await;
    assert_eq!(repaired.code, Some(0), "{repaired:?}");
    let lines: Vec<&str> = repaired.stdout.lines().collect();
    assert_eq!(lines[0], "Note/hurt: the checksum of its change 3 does not match; it is whole again");
    assert!(lines[1].starts_with("  lost: its change 3 by ada of 2"), "{lines:?}");
    assert!(
        lines[2].starts_with("  lost: its change 4 by ada of 2")
            && lines[2].ends_with("it builds on operations that are lost"),
        "{lines:?}"
    );
    assert!(lines.contains(&"Note/orphan: stood in the table without a document; mended"), "{lines:?}");
    assert_ne!(meta(&installation, "server_peer"), before);
    assert_eq!(installation.check_clean().await, 1);
    let aside = table(&installation, "corella_damaged");
    assert_eq!(aside.len(), tail.len() + 1, "every piece that was replaced, and the line: {aside:?}");
    let again = installation.run(&["repair"]).await;
    assert!(
        again.stdout.ends_with("1 documents: 0 rows and 0 table lines mended, 0 left as they are.\n"),
        "{again:?}"
    );

    let server = installation.serve().await;
    let http = server.http(&token);
    let row = http.get(&format!("{ROWS}/hurt")).await.expect(200)["row"].clone();
    assert_eq!((&row["title"], &row["body"]), (&json!("kept"), &json!("one;")));
    http.patch(&format!("{ROWS}/hurt"), json!({ "color": "red" })).await.expect(200);
    let back = server.peer(&token).await;
    back.adopt("Note/hurt", &ahead);
    let joined = back.join("Note/hurt").await;
    assert_eq!(back.acked(joined.handed_in.expect("it has more than the server")).await, AckStatus::Ok);
    let fresh = server.peer(&token).await;
    fresh.join("Note/hurt").await;
    fresh.until_equal("Note/hurt", &back).await;
    let row = http.get(&format!("{ROWS}/hurt")).await.expect(200)["row"].clone();
    assert_eq!(
        (&row["body"], &row["stars"], &row["color"]),
        (&json!("one;two;three;"), &json!(4), &json!("red"))
    );
    server.stop().await;
    installation.check_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_brought_back_to_their_documents() {
    let stage = Stage::new(SAMPLE).await;
    for id in ["sound", "changed", "missing", "deleted", "holder"] {
        stage.ada().post(ROWS, json!({ "id": id, "title": id, "slug": id })).await.expect(201);
    }
    stage.ada().delete(&format!("{ROWS}/deleted")).await.expect(200);
    let Stage { installation, server, .. } = stage;
    server.stop().await;
    let before = table(&installation, "Note");
    let harm = |sql: &str| assert!(database(&installation).execute(sql, []).unwrap() > 0, "{sql}");
    harm("delete from Note where id in ('missing', 'holder')");
    // One wrong line holds what a right one needs, and a column holds what is not of its type.
    harm("update Note set slug = 'holder', stars = 'many' where id = 'changed'");
    harm("insert into Note (corella_tenant, id, title, slug) values ('', 'deleted', 'back', 'missing')");
    assert_eq!(installation.check().await.stdout.lines().count(), 4);
    let repaired = installation.run(&["repair"]).await;
    assert_eq!(repaired.code, Some(0), "{repaired:?}");
    assert!(
        repaired.stdout.ends_with("5 documents: 0 rows and 4 table lines mended, 0 left as they are.\n"),
        "{repaired:?}"
    );
    assert_eq!(table(&installation, "Note"), before);
    assert_eq!(installation.check_clean().await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_of_words_is_made_anew() {
    let manifest = r#"{"manifest_version":1,"name":"words","version":"1",
        "entities":[{"name":"Note","fields":[{"name":"title","type":"string"}],"search":{"text":["title"]}}],
        "policies":[{"name":"notes","entity":"Note","allow":"true"}]}"#;
    let stage = Stage::new(manifest).await;
    for (id, title) in [("a", "blue plan"), ("b", "red plan"), ("c", "")] {
        stage.ada().post(ROWS, json!({ "id": id, "title": title })).await.expect(201);
    }
    let Stage { installation, server, .. } = stage;
    let token = installation.token("ada").await;
    server.stop().await;
    installation.check_clean().await;
    let index: String = database(&installation)
        .query_row("select name from sqlite_schema where sql like 'create virtual table%fts5%'", [], |row| {
            row.get(0)
        })
        .unwrap();
    let harm = |sql: &str| assert!(database(&installation).execute(sql, []).is_ok(), "{sql}");
    // The words of a row are gone from it, and there are some of a row that never was.
    harm(&format!(r#"insert into "{index}" ("{index}", rowid, words) values ('delete', 1, 'blue plan')"#));
    harm(&format!(r#"insert into "{index}" (rowid, words) values (77, 'strange')"#));
    let checked = installation.check().await;
    assert_eq!(checked.code, Some(1), "{checked:?}");
    insta::assert_snapshot!(checked.stdout, @"Note: its index has other words than the texts of Note/a; `corella repair` makes it anew");
    let repaired = installation.run(&["repair"]).await;
    assert_eq!(repaired.code, Some(0), "{repaired:?}");
    insta::assert_snapshot!(repaired.stdout, @r"
    Note: its index has other words than the texts of Note/a; made anew
    3 documents: 0 rows and 0 table lines mended, 0 left as they are.
    ");
    assert_eq!(installation.check_clean().await, 3);
    let server = installation.serve().await;
    let found = server
        .http(&token)
        .post("/api/query", json!({ "from": "Note", "match": "plan", "orderBy": "id" }))
        .await;
    assert_eq!(found.expect(200)["rows"].as_array().unwrap().len(), 2);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_nothing_to_repair_where_nothing_is() {
    let installation = Installation::new(SAMPLE);
    let finished = installation.run(&["repair"]).await;
    assert_eq!(finished.code, Some(4), "{finished:?}");
    assert!(!installation.data().exists(), "a repair makes nothing");
}
