//! Rows as document bytes.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use bytes::Bytes;
use corella_testkit::{
    Answer, Http, SAMPLE, Stage,
    row::{append, read, set},
};
use loro::{ExportMode, LoroDoc, VersionVector};
use serde_json::json;

const DOC: &str = "/api/entities/Note/n1/doc";

async fn send(http: &Http, update: impl Into<Bytes>) -> Answer {
    http.send("POST".parse().expect("a method"), DOC, &[], update).await
}

fn version(answer: &Answer) -> VersionVector {
    let bytes = BASE64.decode(answer.header("corella-version")).expect("base64url");
    VersionVector::decode(&bytes).expect("a version")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_goes_up_and_comes_down() {
    let stage = Stage::new(SAMPLE).await;
    let ada = stage.ada();
    let doc = LoroDoc::new();
    set(&doc, "title", "By bytes");
    append(&doc, "body", "hello");
    doc.commit();
    let written = send(&ada, doc.export(ExportMode::all_updates()).unwrap()).await;
    let body = written.expect(200);
    assert_eq!(
        (&body["id"], &body["row"]["title"], &body["row"]["body"]),
        (&json!("n1"), &json!("By bytes"), &json!("hello"))
    );
    // The server has put in the defaults.
    let stored = version(&written);
    assert!(stored.includes_vv(&doc.oplog_vv()) && stored != doc.oplog_vv());

    let whole = ada.get(DOC).await;
    assert_eq!((whole.status.as_u16(), whole.header("content-type")), (200, "application/octet-stream"));
    let copy = LoroDoc::new();
    copy.import(&whole.body).unwrap();
    assert_eq!((read(&copy, "title"), read(&copy, "body")), ("By bytes".into(), "hello".into()));
    assert_eq!((version(&whole), copy.oplog_vv()), (stored.clone(), stored));

    ada.patch("/api/entities/Note/n1", json!({ "body": "hello there" })).await.expect(200);
    let since = BASE64.encode(copy.oplog_vv().encode());
    let rest = ada.get(&format!("{DOC}?since={since}")).await;
    assert!(rest.body.len() < 200, "{} bytes", rest.body.len());
    copy.import(&rest.body).unwrap();
    assert_eq!(read(&copy, "body"), "hello there");
    assert_eq!(version(&rest), copy.oplog_vv());

    let since = BASE64.encode(copy.oplog_vv().encode());
    let nothing = ada.get(&format!("{DOC}?since={since}")).await;
    assert_eq!((nothing.status.as_u16(), nothing.body.len()), (204, 0));
    assert_eq!(version(&nothing), copy.oplog_vv());
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_over_http_reach_watchers() {
    let stage = Stage::new(SAMPLE).await;
    let watcher = stage.connect().await;
    watcher.join("Note/n1").await;
    let doc = LoroDoc::new();
    set(&doc, "title", "By bytes");
    doc.commit();
    send(&stage.ada(), doc.export(ExportMode::all_updates()).unwrap()).await.expect(200);
    watcher.until("Note/n1", "the row", |doc| read(doc, "title") == "By bytes").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_and_versions_that_are_none() {
    let stage = Stage::new(SAMPLE).await;
    let ada = stage.ada();
    let doc = LoroDoc::new();
    set(&doc, "title", "t");
    doc.commit();
    let before = doc.oplog_vv();
    set(&doc, "pinned", true);
    doc.commit();
    let undeclared = LoroDoc::new();
    set(&undeclared, "nope", true);
    undeclared.commit();
    for (what, update, problem) in [
        ("nothing", Vec::new(), "422 invalid_update"),
        ("noise", vec![7; 100], "422 invalid_update"),
        ("a snapshot", doc.export(ExportMode::Snapshot).unwrap(), "422 snapshot_refused"),
        ("a gap", doc.export(ExportMode::updates(&before)).unwrap(), "409 missing_dependencies"),
        ("an undeclared field", undeclared.export(ExportMode::all_updates()).unwrap(), "422 unknown_field"),
        ("too much", vec![0; 17 * 1024 * 1024], "413 too_large"),
    ] {
        // A connection of its own, because the server closes one whose body it did not read.
        assert_eq!(send(&stage.ada(), update).await.problem(), problem, "{what}");
    }
    assert_eq!(ada.get(DOC).await.problem(), "404 row_not_found");
    for since in ["%21", "AAA!", "_____w", "AQ"] {
        assert_eq!(
            ada.get(&format!("{DOC}?since={since}")).await.problem(),
            "400 version_unknown",
            "{since}"
        );
    }
    assert_eq!(stage.seq().await, 0, "something was stored");
    let text = "x".repeat(1_200_000);
    append(&doc, "body", &text);
    doc.commit();
    let answer = send(&ada, doc.export(ExportMode::all_updates()).unwrap()).await;
    assert_eq!(answer.problem(), "422 too_many_operations");
    assert_eq!(stage.seq().await, 0, "something was stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_filled_once() {
    let stage = Stage::new(SAMPLE).await;
    let ada = stage.ada();
    let fill = async |words: &str, condition: &str| {
        let doc = LoroDoc::new();
        set(&doc, "title", "fresh");
        append(&doc, "body", words);
        doc.commit();
        let update = doc.export(ExportMode::all_updates()).unwrap();
        ada.send("POST".parse().expect("a method"), DOC, &[("if-none-match", condition)], update).await
    };
    fill("first", "*").await.expect(200);
    let refused = fill("second", "*").await;
    assert_eq!(refused.expect(412)["code"], "already_seeded");
    let unclear = fill("third", "\"abc\"").await;
    assert_eq!(unclear.expect(400)["code"], "invalid_query");
    let row = ada.get("/api/entities/Note/n1").await.expect(200);
    assert_eq!(row["row"]["body"], "first");
}
