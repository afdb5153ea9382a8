//! Rows out of one database and into another.

use std::fs;

use corella_testkit::{Database, Finished, Installation, Random, SAMPLE, Stage, row::append};
use corella_wire::AckStatus;
use serde_json::{Value as Json, json};

use crate::{done, file, table};

const ROWS: &str = "/api/entities/Note";

/// Some rows of every kind, one of them deleted.
async fn furnished() -> Installation {
    let stage = Stage::new(SAMPLE).await;
    let ada = stage.ada();
    for number in 0..40 {
        let note = json!({
            "id": format!("n{number}"), "title": format!("title {number}"), "slug": format!("s{number}"),
            "body": "text ".repeat(number), "stars": number, "position": 0.5, "due": "2026-01-02T03:04:05Z"
        });
        ada.post(ROWS, note).await.expect(201);
    }
    ada.delete(&format!("{ROWS}/n7")).await.expect(200);
    ada.post("/api/entities/User", json!({ "id": "u1", "name": "Ada" })).await.expect(201);
    let peer = stage.connect().await;
    peer.join("b1").await;
    let draw = |doc: &loro::LoroDoc| {
        doc.get_list("shapes").push("circle").expect("a list takes a value");
    };
    assert_eq!(peer.change("b1", draw).await, AckStatus::Ok);
    let Stage { installation, server, .. } = stage;
    server.stop().await;
    installation
}

fn lines(text: &str) -> Vec<Json> {
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_exported_is_imported_once() {
    let installation = furnished().await;
    let export = file(&installation, "rows.ndjson.zst");
    done(&installation, &["export", &export]).await;
    let other = Installation::new(SAMPLE);
    let first = done(&other, &["import", &export]).await;
    assert!(first.stdout.contains("42 rows"), "{first:?}");
    for name in ["Note", "User", "Board"] {
        assert_eq!(table(&other, name), table(&installation, name), "{name}");
    }
    assert_eq!(other.check_clean().await, installation.check_clean().await);
    let tail = table(&other, "corella_changes");
    let again = done(&other, &["import", &export]).await;
    assert!(again.stdout.contains("; 0 of them changed something"), "{again:?}");
    assert_eq!(table(&other, "corella_changes"), tail);
    // Into where it came from, too, and out of a backup.
    let back = done(&installation, &["import", &export]).await;
    assert!(back.stdout.contains("; 0 of them changed something"), "{back:?}");
    let backup = file(&installation, "backup.zst");
    done(&installation, &["backup", &backup]).await;
    let again = done(&other, &["import", &backup]).await;
    assert!(again.stdout.contains("; 0 of them changed something"), "{again:?}");
}

/// Everything of every row, as lines that do not depend on where they lie.
async fn rows_of(installation: &Installation) -> Vec<Json> {
    let mut rows = lines(&done(installation, &["export"]).await.stdout);
    rows.retain(|line| line["kind"] == "row");
    rows.iter()
        .map(|row| json!([row["entity"], row["id"], row["version"], row["deleted"], row["fields"]]))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_move_to_postgres_and_back() {
    let installation = furnished().await;
    let export = file(&installation, "rows.ndjson");
    done(&installation, &["export", &export]).await;
    let postgres = Installation::on(Database::Postgres, SAMPLE);
    done(&postgres, &["import", &export]).await;
    assert_eq!(rows_of(&postgres).await, rows_of(&installation).await);
    postgres.check_clean().await;
    // A server on it is one too many for whoever wants to be alone.
    let server = postgres.serve().await;
    for command in [&["import", &export][..], &["restore", &export, "--replace"], &["repair"]] {
        let refused = postgres.run(command).await;
        assert_eq!(refused.code, Some(4), "{command:?}: {refused:?}");
        assert!(refused.stderr.contains("in use by another Corella process"), "{refused:?}");
    }
    let backup = file(&installation, "backup.zst");
    done(&postgres, &["backup", &backup]).await;
    server.stop().await;
    let back = Installation::new(SAMPLE);
    done(&back, &["restore", &backup]).await;
    assert_eq!(rows_of(&back).await, rows_of(&installation).await);
    assert_eq!(back.check_clean().await, installation.check_clean().await);
    let again = Installation::on(Database::Postgres, SAMPLE);
    done(&again, &["restore", &backup]).await;
    assert_eq!(rows_of(&again).await, rows_of(&installation).await);
    again.check_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_can_be_read_and_filtered() {
    let installation = furnished().await;
    let all = lines(&done(&installation, &["export"]).await.stdout);
    assert_eq!(all.len(), 44, "a header, 42 rows, the end");
    let row = all.iter().find(|line| line["id"] == "n3").expect("the row is there");
    assert_eq!(
        (&row["entity"], &row["fields"]["title"], &row["fields"]["stars"]),
        (&json!("Note"), &json!("title 3"), &json!(3))
    );
    assert_eq!(
        (&all[0]["kind"], &all[0]["app"], &all[43]["rows"]),
        (&json!("header"), &json!("sample"), &json!(42))
    );
    let gone = all.iter().find(|line| line["id"] == "n7").expect("a deleted row has its document");
    assert_eq!(gone["deleted"], json!(true));
    let users = lines(&done(&installation, &["export", "--entity", "User"]).await.stdout);
    let kinds: Vec<&Json> = users.iter().map(|line| &line["kind"]).collect();
    assert_eq!(kinds, ["header", "row", "end"]);
    let none = lines(&done(&installation, &["export", "--tenant", "acme"]).await.stdout);
    assert_eq!(none.len(), 2);
    let wrong = installation.run(&["export", "--entity", "no name"]).await;
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_on_both_sides_are_merged() {
    let random = Random::new();
    println!("CORELLA_SEED={}", random.seed());
    let stage = Stage::new(SAMPLE).await;
    stage.ada().post(ROWS, json!({ "id": "n1", "title": "common", "body": "one " })).await.expect(201);
    let common = file(&stage.installation, "common.zst");
    done(&stage.installation, &["export", &common]).await;
    let other = Installation::new(SAMPLE);
    done(&other, &["import", &common]).await;
    let token = other.token("bea").await;
    let server = other.serve().await;
    let peers = (stage.connect().await, server.peer(&token).await);
    for (peer, text) in [(&peers.0, "here "), (&peers.1, "there ")] {
        peer.join("Note/n1").await;
        let doc = peer.doc("Note/n1");
        peer.until("Note/n1", "the row", |doc| corella_testkit::row::read(doc, "body") == "one ").await;
        assert_eq!(peer.change("Note/n1", |doc| append(doc, "body", text)).await, AckStatus::Ok);
        drop(doc);
    }
    stage.ada().patch(&format!("{ROWS}/n1"), json!({ "stars": 1 })).await.expect(200);
    server.http(&token).patch(&format!("{ROWS}/n1"), json!({ "color": "red" })).await.expect(200);
    server.stop().await;
    let Stage { installation, server, .. } = stage;
    server.stop().await;
    for (from, to) in [(&installation, &other), (&other, &installation)] {
        let moved = file(from, "moved.zst");
        done(from, &["export", &moved]).await;
        done(to, &["import", &moved]).await;
    }
    assert_eq!(table(&installation, "Note"), table(&other, "Note"));
    let text = format!("{:?}", table(&installation, "Note"));
    for piece in ["here ", "there ", "red", "Integer(1)"] {
        assert!(text.contains(piece), "{piece:?} is missing in {text}");
    }
    other.check_clean().await;
}

fn told(installation: &Installation, from: &Installation, finished: &Finished) -> String {
    let folders = [installation, from].map(|one| one.folder().to_str().expect("a path in UTF-8"));
    let text = folders.iter().fold(finished.stderr.clone(), |text, folder| text.replace(folder, "DIR"));
    format!("exit code {}\n{text}", finished.code.unwrap_or(-1))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_line_refuses_all_or_is_skipped() {
    let installation = furnished().await;
    let good = file(&installation, "good.ndjson");
    done(&installation, &["export", &good]).await;
    let text = fs::read_to_string(&good).unwrap();
    let bad = file(&installation, "bad.ndjson");
    fs::write(&bad, text.replacen("\"id\":\"n10\"", "\"id\":\"n0\"", 1)).unwrap();
    let other = Installation::new(SAMPLE);
    let refused = other.run(&["import", &bad]).await;
    assert_eq!(refused.code, Some(6), "{refused:?}");
    assert!(refused.stderr.contains("line 5: expected a line that fits its checksum, found"), "{refused:?}");
    assert!(!other.database().exists(), "nothing was made");
    let skipped = other.run(&["import", "--skip-bad", &bad]).await;
    assert_eq!(skipped.code, Some(1), "{skipped:?}");
    assert!(
        skipped.stderr.contains("skipped: failed to read the rows of") && skipped.stderr.contains("line 5:"),
        "{skipped:?}"
    );
    assert_eq!(other.check_clean().await, 41);
    let cut = file(&installation, "cut.ndjson");
    fs::write(&cut, &text[..text.len() / 2]).unwrap();
    let cut_off = other.run(&["import", &cut]).await;
    assert!(cut_off.code == Some(6) && cut_off.stderr.contains("is cut off after line"), "{cut_off:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_manifest_lacks_is_named() {
    let installation = furnished().await;
    let export = file(&installation, "rows.ndjson");
    done(&installation, &["export", &export]).await;
    let mut manifest: Json = serde_json::from_str(SAMPLE).expect("the sample is JSON");
    let entities = manifest["entities"].as_array_mut().expect("entities");
    entities[0]["fields"].as_array_mut().expect("fields").retain(|field| field["name"] != "author");
    entities.retain(|entity| entity["name"] != "User");
    manifest["policies"].as_array_mut().expect("policies").retain(|policy| policy["entity"] != "User");
    let other = Installation::new(&manifest.to_string());
    let refused = other.run(&["import", &export]).await;
    insta::assert_snapshot!(told(&other, &installation, &refused), @r"
    exit code 6
    corella: failed to import the rows of DIR/rows.ndjson: the manifest lacks the entities User (1 rows); declare them, or choose others with --entity
    ");
    done(&other, &["import", &export, "--entity", "Note", "--entity", "Board"]).await;
    assert_eq!(other.check_clean().await, 41);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clash_names_the_line_and_the_holder() {
    let stage = Stage::new(SAMPLE).await;
    stage.ada().post(ROWS, json!({ "id": "mine", "title": "t", "slug": "taken" })).await.expect(201);
    let export = file(&stage.installation, "rows.ndjson");
    done(&stage.installation, &["export", &export]).await;
    let other = Stage::new(SAMPLE).await;
    other.ada().post(ROWS, json!({ "id": "yours", "title": "t", "slug": "taken" })).await.expect(201);
    let Stage { installation, server, .. } = other;
    let in_use = installation.run(&["import", &export]).await;
    assert_eq!(in_use.code, Some(4), "{in_use:?}");
    server.stop().await;
    let refused = installation.run(&["import", &export]).await;
    insta::assert_snapshot!(told(&installation, &stage.installation, &refused), @r"
    exit code 6
    corella: failed to import the rows of DIR/rows.ndjson: line 2: expected a row that fits the app, found Note/mine: another row holds this value of slug: yours
    ");
    assert_eq!(installation.check_clean().await, 1);
}
