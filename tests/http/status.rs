//! How the server is.

use corella_testkit::{SAMPLE, Stage};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn health_and_readiness_and_metrics_need_no_token() {
    let stage = Stage::new(SAMPLE).await;
    let stranger = stage.stranger();
    assert_eq!(stranger.get("/health").await.expect(200)["status"], "ok");
    let ready = stranger.get("/ready").await.expect(200);
    assert_eq!((&ready["status"], &ready["seq"]), (&json!("ready"), &json!(0)));
    assert!(!ready["epoch"].as_str().unwrap().is_empty());

    let peer = stage.connect().await;
    peer.join("Note/n1").await;
    stage.ada().post("/api/entities/Note", json!({ "title": "t" })).await.expect(201);
    let metrics = stranger.get("/metrics").await;
    assert!(metrics.header("content-type").starts_with("text/plain"), "{}", metrics.header("content-type"));
    let text = metrics.text();
    for line in [
        "corella_connections 1",
        "corella_connections_total 1",
        "corella_rows_watched 1",
        "corella_commit_seconds",
    ] {
        assert!(text.lines().any(|found| found.starts_with(line)), "{line} is not in\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_epoch_is_the_databases_own() {
    let stage = Stage::new(SAMPLE).await;
    let first = stage.stranger().get("/ready").await.expect(200)["epoch"].clone();
    let stage = stage.crash().await;
    assert_eq!(stage.stranger().get("/ready").await.expect(200)["epoch"], first);
    let other = Stage::new(SAMPLE).await;
    assert_ne!(other.stranger().get("/ready").await.expect(200)["epoch"], first);
}
