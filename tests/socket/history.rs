//! Rows that keep only a part of their history, and whoever comes with an older copy.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use corella_testkit::{
    Peer, Stage,
    row::{append, read, text},
    within,
};
use corella_wire::{AckStatus, ErrorCode, JoinErrorCode, Magic, RoomName, control::ServerMessage};
use loro::{ExportMode, LoroDoc};
use rusqlite::Connection;

const MANIFEST: &str = r#"{
  "manifest_version": 1, "name": "history", "version": "1",
  "entities": [
    { "name": "Note", "history": { "keep": "latest" },
      "fields": [{ "name": "body", "type": "richtext", "optional": true }] }
  ],
  "policies": [{ "name": "everybody", "entity": "Note", "allow": "true" }]
}"#;

const ROOM: &str = "Note/n1";
const DOC: &str = "/api/entities/Note/n1/doc";

fn room() -> (Magic, RoomName) {
    (Magic::Document, RoomName::new(ROOM).expect("a room name"))
}

/// Writes until the row has been folded once more.
async fn fold(stage: &Stage, author: &Peer) {
    let database = Connection::open(stage.installation.database()).expect("the database can be opened");
    let folded = || -> i64 {
        let sql = "select snapshot_seq from corella_rows where row_id = 'n1'";
        database.query_row(sql, [], |row| row.get(0)).expect("the row is there")
    };
    let before = folded();
    for _ in 0..90 {
        assert_eq!(author.change(ROOM, |doc| append(doc, "body", "lorem ")).await, AckStatus::Ok);
    }
    let done = async {
        while folded() == before {
            tokio::task::yield_now().await;
        }
    };
    within("the fold", done).await;
}

/// A row whose beginnings are gone, its author, and a copy from back then.
async fn trimmed() -> (Stage, Peer, LoroDoc) {
    let stage = Stage::new(MANIFEST).await;
    let author = stage.connect().await;
    author.join(ROOM).await;
    author.change(ROOM, |doc| append(doc, "body", "first ")).await;
    let old = author.doc(ROOM).fork();
    fold(&stage, &author).await;
    let database = Connection::open(stage.installation.database()).expect("the database can be opened");
    let aged = database.execute("update corella_rows set mark_at = mark_at - 3600000000", []);
    assert_eq!(aged.expect("the mark can be made older"), 1);
    fold(&stage, &author).await;
    (stage, author, old)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_too_old_is_told_to_start_afresh() {
    let (mut stage, author, old) = trimmed().await;
    // From the document in memory, and from stored bytes.
    for restart in [false, true] {
        if restart {
            stage = stage.crash().await;
        }
        let late = stage.connect().await;
        let version = old.oplog_vv().encode();
        let refusal = late.try_join(room(), &[], &version).await.expect_err("it is too old");
        assert_eq!(
            refusal.code,
            JoinErrorCode::App { code: "history_trimmed".into() },
            "{}",
            refusal.message
        );
        // With no version it is let in, and gets all there is.
        let late = stage.connect().await;
        late.join(ROOM).await;
        let whole = read(&author.doc(ROOM), "body");
        late.until(ROOM, "the whole row", |doc| read(doc, "body") == whole).await;
    }
    // And it writes on.
    let late = stage.connect().await;
    late.join(ROOM).await;
    let whole = read(&author.doc(ROOM), "body");
    late.until(ROOM, "the whole row", |doc| read(doc, "body") == whole).await;
    assert_eq!(late.change(ROOM, |doc| append(doc, "body", "afresh")).await, AckStatus::Ok);
    stage.ada().get("/api/entities/Note/n1").await.expect(200)["row"]["body"]
        .as_str()
        .is_some_and(|body| body.ends_with("afresh"))
        .then_some(())
        .expect("the edit is in the table");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_on_top_of_what_is_gone_is_refused_with_its_reason() {
    let (stage, author, old) = trimmed().await;
    let before = old.oplog_vv();
    text(&old, "body").insert(0, "too late ").expect("the start of a text is within it");
    old.commit();
    let late = stage.connect().await;
    late.join(ROOM).await;
    let update = old.export(ExportMode::updates(&before)).expect("an export");
    let batch = late.send_bytes(ROOM, update.clone()).await;
    assert_eq!(late.acked(batch).await, AckStatus::App);
    let told = late.messages().into_iter().any(|message| {
        matches!(message, ServerMessage::Error(error)
            if error.code == ErrorCode::HistoryTrimmed && error.batch == Some(batch))
    });
    assert!(told, "{:?}", late.messages());
    // Nothing of it is there, and the row goes on.
    assert_eq!(author.change(ROOM, |doc| append(doc, "body", "!")).await, AckStatus::Ok);
    let written = read(&author.doc(ROOM), "body");
    late.until(ROOM, "the author's edit", |doc| read(doc, "body") == written).await;
    assert!(!read(&late.doc(ROOM), "body").contains("too late"));

    let ada = stage.ada();
    let posted = ada.send("POST".parse().expect("a method"), DOC, &[], update).await;
    assert_eq!(posted.problem(), "410 history_trimmed");
    let since = |version: &loro::VersionVector| format!("{DOC}?since={}", BASE64.encode(version.encode()));
    assert_eq!(ada.get(&since(&before)).await.problem(), "410 history_trimmed");
    assert_eq!(ada.get(&since(&author.doc(ROOM).oplog_vv())).await.status.as_u16(), 204);
    let whole = ada.get(DOC).await;
    let copy = LoroDoc::new();
    assert_eq!(copy.import(&whole.body).expect("a blob").pending, None);
    assert_eq!(read(&copy, "body"), read(&author.doc(ROOM), "body"));
}
