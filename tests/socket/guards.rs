//! Updates that end the process which decodes them.

use corella_testkit::{
    SAMPLE, Stage, deadly_update,
    row::{append, read},
};
use corella_wire::AckStatus;
use serde_json::json;

const ROOM: &str = "Note/n1";
/// A counter as `/metrics` shows it.
async fn counted(stage: &Stage, name: &str) -> u64 {
    let metrics = stage.stranger().get("/metrics").await.text();
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned));
    line.and_then(|count| count.trim().parse().ok()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadly_update_ends_a_guard_and_nothing_else() {
    let stage = Stage::new(SAMPLE).await;
    let ada = stage.ada();
    for id in ["n1", "n2"] {
        ada.post("/api/entities/Note", json!({ "id": id, "title": id })).await.expect(201);
    }
    let (hostile, honest) = (stage.connect().await, stage.connect().await);
    hostile.join(ROOM).await;
    for room in [ROOM, "Note/n2"] {
        honest.join(room).await;
    }
    assert_eq!(counted(&stage, "corella_guard_deaths_total").await, 0);
    for _ in 0..2 {
        let batch = hostile.send_bytes(ROOM, deadly_update()).await;
        // Somebody else, in the same row and in another one, goes on meanwhile.
        for room in [ROOM, "Note/n2"] {
            assert_eq!(honest.change(room, |doc| append(doc, "body", "word ")).await, AckStatus::Ok);
        }
        assert_eq!(hostile.acked(batch).await, AckStatus::InvalidUpdate);
    }
    assert!(
        counted(&stage, "corella_guard_deaths_total").await >= 4,
        "each is tried once more by a fresh guard"
    );
    // What was refused left nothing behind, and the connection may still do better.
    hostile.until(ROOM, "the words of others", |doc| read(doc, "body") == "word word ").await;
    assert_eq!(hostile.change(ROOM, |doc| append(doc, "body", "sorry")).await, AckStatus::Ok);
    hostile.send_bytes(ROOM, deadly_update()).await;
    let ended = hostile.ended().await;
    assert_eq!(ended.code, Some(1008), "{}", ended.reason);

    let answer = ada.send("POST".parse().unwrap(), "/api/entities/Note/n1/doc", &[], deadly_update()).await;
    assert_eq!(answer.problem(), "422 invalid_update");
    assert_eq!(ada.get("/api/entities/Note/n1").await.expect(200)["row"]["body"], "word word sorry");
    assert_eq!(stage.installation.check_clean().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_guards_honest_updates_come_in_as_well() {
    let stage = Stage::with(SAMPLE, &["--no-guard"]).await;
    let peer = stage.connect().await;
    peer.join(ROOM).await;
    assert_eq!(peer.change(ROOM, |doc| append(doc, "body", "word")).await, AckStatus::Ok);
    assert_eq!(counted(&stage, "corella_guard_updates_total").await, 0);
}
