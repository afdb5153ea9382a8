//! Acknowledged is durable.

use corella_testkit::{
    Database, SAMPLE, Stage, on_both,
    row::{append, read, set},
};
use corella_wire::AckStatus;
use loro::ExportMode;
use serde_json::json;

const ROOM: &str = "Note/n1";
const PATH: &str = "/api/entities/Note/n1";

on_both!(what_was_acknowledged_is_there_after_a_crash);

#[cfg(test)]
async fn what_was_acknowledged_is_there_after_a_crash(database: Database) {
    let stage = Stage::on(database, SAMPLE).await;
    let peer = stage.connect().await;
    peer.join(ROOM).await;
    let mut batches = Vec::new();
    for number in 0..200 {
        batches.push(peer.edit(ROOM, |doc| append(doc, "body", &format!("{number};"))).await);
    }
    let last = *batches.last().unwrap();
    assert_eq!(peer.acked(last).await, AckStatus::Ok);
    let stage = stage.crash().await;
    let body = stage.ada().get(PATH).await.expect(200)["row"]["body"].clone();
    assert_eq!(body, json!((0..200).map(|number| format!("{number};")).collect::<String>()));
    assert_eq!(stage.installation.check_clean().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_sent_twice_is_acknowledged_twice_and_stored_once() {
    let stage = Stage::new(SAMPLE).await;
    let peer = stage.connect().await;
    peer.join(ROOM).await;
    peer.change(ROOM, |doc| append(doc, "body", "once")).await;
    let seq = stage.seq().await;
    let update = peer.doc(ROOM).export(ExportMode::all_updates()).unwrap();
    for _ in 0..3 {
        let batch = peer.send_bytes(ROOM, update.clone()).await;
        assert_eq!(peer.acked(batch).await, AckStatus::Ok);
    }
    assert_eq!(stage.seq().await, seq);
    assert_eq!(stage.ada().get(PATH).await.expect(200)["row"]["body"], "once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_without_updates_is_acknowledged() {
    let stage = Stage::new(SAMPLE).await;
    let peer = stage.connect().await;
    peer.join(ROOM).await;
    let empty = "254c4f52 07 4e6f74652f6e31 03 00 0102030405060708";
    peer.send(super::wrong::bytes(empty)).await;
    assert_eq!(peer.acked(corella_wire::BatchId([1, 2, 3, 4, 5, 6, 7, 8])).await, AckStatus::Ok);
    assert_eq!(stage.seq().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_server_says_so_and_keeps_what_it_acknowledged() {
    let Stage { installation, server, .. } = Stage::new(SAMPLE).await;
    let token = installation.token("ada").await;
    let (writer, idle) = (server.peer(&token).await, server.peer(&token).await);
    writer.join(ROOM).await;
    let mut batches = Vec::new();
    for number in 0..500 {
        batches.push(writer.edit(ROOM, |doc| append(doc, "body", &format!("{number};"))).await);
    }
    let stopped = server.stop().await;
    assert_eq!(stopped.status.code(), Some(0), "{stopped:?}");
    assert_eq!(writer.ended().await.code, Some(1012));
    assert_eq!(idle.ended().await.code, Some(1012));

    let acknowledged = batches.iter().filter(|batch| writer.ack(**batch) == Some(AckStatus::Ok)).count();
    let server = installation.serve().await;
    let body = server.http(&token).get(PATH).await;
    let stored = if body.status == 404 {
        0
    } else {
        body.json()["row"]["body"].as_str().unwrap().matches(';').count()
    };
    assert!(stored >= acknowledged, "{acknowledged} acknowledged, {stored} stored");
    // The join tells what is there; the rest is handed in.
    let again = server.peer(&token).await;
    again.adopt(ROOM, &writer.doc(ROOM));
    if let Some(rest) = again.join(ROOM).await.handed_in {
        assert_eq!(again.acked(rest).await, AckStatus::Ok);
    }
    let body = server.http(&token).get(PATH).await.expect(200)["row"]["body"].clone();
    assert_eq!(body, json!(read(&again.doc(ROOM), "body")));
    assert_eq!(body.as_str().unwrap().matches(';').count(), 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_stops_in_good_order_too() {
    let Stage { installation, server, .. } = Stage::new(SAMPLE).await;
    let token = installation.token("ada").await;
    let peer = server.peer(&token).await;
    peer.join(ROOM).await;
    peer.change(ROOM, |doc| set(doc, "title", "kept")).await;
    let stopped = server.interrupt().await;
    assert_eq!(stopped.status.code(), Some(0), "{stopped:?}");
    assert_eq!(peer.ended().await.code, Some(1012));
}
