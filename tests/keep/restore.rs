//! A database brought back to a backup, and those who know more than it.

use std::fs;

use corella_testkit::{
    Finished, Installation, NOTES, SAMPLE, Stage,
    row::{append, read, set},
};
use corella_wire::AckStatus;
use serde_json::json;

use crate::{database, done, file, meta, table};

const ROWS: &str = "/api/entities/Note";

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_ahead_hands_in_what_the_backup_lacks() {
    let stage = Stage::new(SAMPLE).await;
    stage.ada().post(ROWS, json!({ "id": "n1", "title": "first", "slug": "one" })).await.expect(201);
    let peer = stage.connect().await;
    peer.join("Note/n1").await;
    assert_eq!(peer.change("Note/n1", |doc| append(doc, "body", "before;")).await, AckStatus::Ok);
    let backup = file(&stage.installation, "backup.zst");
    done(&stage.installation, &["backup", &backup]).await;

    // After the backup the server itself writes, and the client does.
    stage.ada().patch(&format!("{ROWS}/n1"), json!({ "title": "second", "stars": 5 })).await.expect(200);
    stage.ada().post(ROWS, json!({ "id": "lost", "title": "nobody has it" })).await.expect(201);
    assert_eq!(peer.change("Note/n1", |doc| append(doc, "body", "after;")).await, AckStatus::Ok);
    peer.until("Note/n1", "the server's write", |doc| read(doc, "title") == "second").await;
    let ahead = peer.doc("Note/n1");
    let Stage { installation, server, .. } = stage;
    let token = installation.token("ada").await;
    server.stop().await;
    let before = (meta(&installation, "epoch"), meta(&installation, "server_peer"));

    done(&installation, &["restore", &backup, "--replace"]).await;
    let after = (meta(&installation, "epoch"), meta(&installation, "server_peer"));
    assert!(before.0 != after.0 && before.1 != after.1, "{before:?} and {after:?}");
    assert_eq!(installation.check_clean().await, 1);

    let server = installation.serve().await;
    let http = server.http(&token);
    let row = http.get(&format!("{ROWS}/n1")).await.expect(200)["row"].clone();
    assert_eq!(
        (&row["title"], &row["body"], &row["stars"]),
        (&json!("first"), &json!("before;"), &json!(null))
    );
    // The server writes before the client is back: under its old peer id these would be operations that it made
    // before, with other contents.
    http.patch(&format!("{ROWS}/n1"), json!({ "color": "red", "summary": "since" })).await.expect(200);

    let back = server.peer(&token).await;
    back.adopt("Note/n1", &ahead);
    let joined = back.join("Note/n1").await;
    assert_eq!(back.acked(joined.handed_in.expect("it has more than the server")).await, AckStatus::Ok);
    assert_eq!(back.change("Note/n1", |doc| set(doc, "pinned", true)).await, AckStatus::Ok);
    let fresh = server.peer(&token).await;
    fresh.join("Note/n1").await;
    fresh.until_equal("Note/n1", &back).await;
    back.until_equal("Note/n1", &fresh).await;
    let row = http.get(&format!("{ROWS}/n1")).await.expect(200)["row"].clone();
    for (field, value) in [
        ("title", json!("second")),
        ("stars", json!(5)),
        ("body", json!("before;after;")),
        ("color", json!("red")),
        ("summary", json!("since")),
        ("pinned", json!(true)),
    ] {
        assert_eq!(row[field], value, "{field}");
        if let Some(text) = value.as_str() {
            assert_eq!(read(&fresh.doc("Note/n1"), field), text);
        }
    }
    assert_eq!(http.get(&format!("{ROWS}/lost")).await.problem(), "404 row_not_found");
    assert_eq!(server.stop().await.status.code(), Some(0));
    assert_eq!(installation.check_clean().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_answers_and_their_promises() {
    let stage = Stage::new(SAMPLE).await;
    let body = json!({ "title": "once" }).to_string();
    let headers = [("idempotency-key", "k1")];
    let ask = async |http: &corella_testkit::Http| {
        let answer = http.try_send("POST".parse().unwrap(), ROWS, &headers, body.clone()).await;
        answer.unwrap().expect(201)["id"].clone()
    };
    let id = ask(&stage.ada()).await;
    let backup = file(&stage.installation, "backup.zst");
    done(&stage.installation, &["backup", &backup]).await;
    let other = Installation::new(SAMPLE);
    done(&other, &["restore", &backup]).await;
    let token = other.token("ada").await;
    let server = other.serve().await;
    assert_eq!(ask(&server.http(&token)).await, id, "the same key, the same row");
    assert_eq!(table(&other, "Note").len(), 1);
}

fn told(installation: &Installation, finished: &Finished) -> String {
    let folder = installation.folder().to_str().expect("a path in UTF-8");
    format!("exit code {}\n{}", finished.code.unwrap_or(-1), finished.stderr.replace(folder, "DIR"))
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_what_would_do_harm() {
    let stage = Stage::new(SAMPLE).await;
    stage.ada().post(ROWS, json!({ "id": "n1", "title": "kept" })).await.expect(201);
    let backup = file(&stage.installation, "backup.ndjson");
    done(&stage.installation, &["backup", &backup]).await;
    let installation = &stage.installation;
    let in_use = installation.run(&["restore", &backup, "--replace"]).await;
    insta::assert_snapshot!(told(installation, &in_use), @r"
    exit code 4
    corella: the data folder DIR/data is in use by another Corella process; stop that one first
    ");
    let Stage { installation, server, .. } = stage;
    server.stop().await;
    let before = table(&installation, "corella_tail");

    let rows = installation.run(&["restore", &backup]).await;
    insta::assert_snapshot!(told(&installation, &rows), @r"
    exit code 4
    corella: failed to restore: DIR/data has rows already; restore into an empty one, or add --replace to let go of them
    ");
    let text = fs::read_to_string(&backup).unwrap();
    let cut = file(&installation, "cut.ndjson");
    fs::write(&cut, &text[..text.len() - 30]).unwrap();
    let cut_off = installation.run(&["restore", &cut, "--replace"]).await;
    insta::assert_snapshot!(told(&installation, &cut_off), @r"
    exit code 6
    corella: failed to read the rows of DIR/cut.ndjson: the file is cut off after line 2: expected more rows or the end line, found neither
    ");
    let changed = file(&installation, "changed.ndjson");
    fs::write(&changed, text.replace("\"id\":\"n1\"", "\"id\":\"n2\"")).unwrap();
    let wrong = installation.run(&["restore", &changed, "--replace"]).await;
    assert_eq!(wrong.code, Some(6), "{wrong:?}");
    assert!(wrong.stderr.contains("line 2: expected a line that fits its checksum"), "{wrong:?}");
    installation.write_manifest(NOTES);
    let other_app = installation.run(&["restore", &backup, "--replace"]).await;
    insta::assert_snapshot!(told(&installation, &other_app), @r#"
    exit code 6
    corella: failed to restore: expected a backup of the app "notes", which the manifest names, found one of "sample"
    "#);
    installation.write_manifest(SAMPLE);
    assert_eq!(table(&installation, "corella_tail"), before, "nothing has changed");
    assert_eq!(installation.check_clean().await, 1);
    let missing = installation.run(&["restore", "nowhere.zst"]).await;
    assert_eq!(missing.code, Some(6), "{missing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_kept_as_it_is_and_told() {
    let stage = Stage::new(SAMPLE).await;
    for id in ["hurt", "sound"] {
        stage.ada().post(ROWS, json!({ "id": id, "title": id })).await.expect(201);
    }
    let Stage { installation, server, .. } = stage;
    server.stop().await;
    let sql = "update corella_tail set delta = zeroblob(length(delta)) where row_id = 'hurt'";
    database(&installation).execute(sql, []).unwrap();
    let backup = file(&installation, "backup.zst");
    let finished = installation.run(&["backup", &backup]).await;
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(finished.stderr.contains("1 of the rows are damaged"), "{finished:?}");
    let other = Installation::new(SAMPLE);
    done(&other, &["restore", &backup]).await;
    assert_eq!(table(&other, "corella_tail"), table(&installation, "corella_tail"));
    let check = other.check().await;
    assert_eq!((check.code, check.stdout.contains("Note/hurt")), (Some(1), true), "{check:?}");
}
