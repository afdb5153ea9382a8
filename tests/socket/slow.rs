//! One who reads slowly harms nobody, and misses nothing.

use corella_testkit::{
    Peer, PeerOptions, SAMPLE, Stage,
    row::{append, set},
};
use corella_wire::AckStatus;

const ROOM: &str = "Note/n1";
const EDITS: usize = 3_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_watcher_is_caught_up_and_the_others_are_not_delayed() {
    let stage = Stage::new(SAMPLE).await;
    let options = PeerOptions { receive_buffer: Some(32 * 1024) };
    let slow = Peer::connect(stage.address(), Some(stage.token()), options).await;
    let (writer, quick) = (stage.connect().await, stage.connect().await);
    for peer in [&writer, &slow, &quick] {
        peer.join(ROOM).await;
    }
    writer.change(ROOM, |doc| append(doc, "body", "start")).await;
    slow.until_equal(ROOM, &writer).await;
    let before = stage.resident_bytes();

    slow.stop_reading();
    let mut batches = Vec::new();
    for number in 0..EDITS {
        let filling = format!("{number:08}").repeat(512);
        batches.push(writer.edit(ROOM, |doc| set(doc, "title", filling.as_str())).await);
    }
    for batch in &batches {
        assert_eq!(writer.acked(*batch).await, AckStatus::Ok);
    }
    quick.until_equal(ROOM, &writer).await;
    // Another row, and another caller, are served meanwhile.
    assert_eq!(stage.ada().get("/api/entities/Note/n1").await.status, 200);

    let queued = stage.ada().get("/metrics").await.text();
    assert!(queued.contains("corella_watchers_behind_total"), "the slow watcher was never behind:\n{queued}");
    slow.read_on();
    slow.until_equal(ROOM, &writer).await;
    let grown = stage.resident_bytes().saturating_sub(before);
    // The document itself has 12 MB of history; what may not be there is a queue of it for each watcher.
    assert!(grown < 160 * 1024 * 1024, "the server has grown by {grown} bytes");
    assert_eq!(stage.installation.check_clean().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_reads_no_acknowledgements_is_not_read_from_without_end() {
    let stage = Stage::new(SAMPLE).await;
    let options = PeerOptions { receive_buffer: Some(32 * 1024) };
    let deaf = Peer::connect(stage.address(), Some(stage.token()), options).await;
    let neighbour = stage.connect().await;
    deaf.join(ROOM).await;
    neighbour.join(ROOM).await;
    deaf.stop_reading();
    let mut last = None;
    for number in 0..2_000 {
        last = Some(deaf.edit(ROOM, |doc| set(doc, "stars", number)).await);
    }
    assert_eq!(neighbour.change("Note/n1", |doc| append(doc, "body", "on time")).await, AckStatus::Ok);
    deaf.read_on();
    assert_eq!(deaf.acked(last.unwrap()).await, AckStatus::Ok);
    deaf.until(ROOM, "the neighbour's edit", |doc| corella_testkit::row::read(doc, "body") == "on time")
        .await;
    neighbour.until_equal(ROOM, &deaf).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_does_not_read_does_not_hold_up_the_end() {
    let Stage { installation, server, .. } = Stage::new(SAMPLE).await;
    let token = installation.token("ada").await;
    let options = PeerOptions { receive_buffer: Some(4 * 1024) };
    let deaf = Peer::connect(server.address(), Some(&token), options).await;
    let writer = server.peer(&token).await;
    deaf.join(ROOM).await;
    writer.join(ROOM).await;
    deaf.stop_reading();
    let mut last = None;
    for number in 0..1_000 {
        let filling = format!("{number:08}").repeat(1_000);
        last = Some(writer.edit(ROOM, |doc| set(doc, "title", filling.as_str())).await);
    }
    assert_eq!(writer.acked(last.unwrap()).await, AckStatus::Ok);
    assert_eq!(server.stop().await.status.code(), Some(0));
    assert_eq!(writer.ended().await.code, Some(1012));
    assert_eq!(installation.check_clean().await, 1);
}
