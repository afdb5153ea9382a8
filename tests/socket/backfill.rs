//! What a joiner is sent: what it lacks, and nothing else.

use corella_testkit::{
    Peer, SAMPLE, Stage,
    row::{append, read, text},
};
use corella_wire::AckStatus;

const ROOM: &str = "Note/n1";

/// A peer that has written this text into the row.
async fn author(stage: &Stage, content: &str) -> Peer {
    let author = stage.connect().await;
    author.join(ROOM).await;
    let status = author.change(ROOM, |doc| append(doc, "body", content)).await;
    assert_eq!(status, AckStatus::Ok);
    author
}

/// Another connection with the author's copy as it is now.
async fn copy_of(stage: &Stage, author: &Peer) -> Peer {
    let peer = stage.connect().await;
    peer.adopt(ROOM, &author.doc(ROOM).fork());
    peer
}

#[tokio::test(flavor = "multi_thread")]
async fn one_character_in_a_long_text_is_few_bytes() {
    let stage = Stage::new(SAMPLE).await;
    let author = author(&stage, &"lorem ipsum ".repeat(4_167)).await;
    let watcher = stage.connect().await;
    watcher.join(ROOM).await;
    watcher.until_equal(ROOM, &author).await;
    let before = watcher.received(ROOM);
    author.change(ROOM, |doc| text(doc, "body").insert(25_000, "x").unwrap()).await;
    watcher.until_equal(ROOM, &author).await;
    let after = watcher.received(ROOM);
    assert!(after.bytes - before.bytes < 200, "{before:?} {after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_current_is_sent_nothing() {
    let stage = Stage::new(SAMPLE).await;
    let author = author(&stage, &"lorem ipsum ".repeat(4_167)).await;
    let joiner = copy_of(&stage, &author).await;
    joiner.join(ROOM).await;
    joiner.ping().await;
    assert_eq!(joiner.received(ROOM).frames, 0);
    // The same from stored bytes, when the row is not in memory.
    let stage = stage.crash().await;
    let joiner = copy_of(&stage, &author).await;
    joiner.join(ROOM).await;
    joiner.ping().await;
    assert_eq!(joiner.received(ROOM).frames, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lacks_the_last_edit_is_sent_that() {
    let stage = Stage::new(SAMPLE).await;
    let author = author(&stage, &"lorem ipsum ".repeat(4_167)).await;
    let (warm, cold) = (copy_of(&stage, &author).await, author.doc(ROOM).fork());
    author.change(ROOM, |doc| text(doc, "body").insert(30_000, "the last edit").unwrap()).await;
    warm.join(ROOM).await;
    warm.until_equal(ROOM, &author).await;
    let received = warm.received(ROOM);
    assert!(received.bytes < 300, "{received:?}");

    let stage = stage.crash().await;
    let joiner = stage.connect().await;
    joiner.adopt(ROOM, &cold);
    joiner.join(ROOM).await;
    joiner.until_equal(ROOM, &author).await;
    let received = joiner.received(ROOM);
    assert!(received.bytes < 300, "{received:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_of_a_megabyte_goes_up_in_fragments_and_comes_down_again() {
    let stage = Stage::new(SAMPLE).await;
    let watcher = stage.connect().await;
    watcher.join(ROOM).await;
    // Two bytes for each character, so that the operations stay below the bound of one update.
    let author = author(&stage, &"äöüß".repeat(131_072)).await;
    watcher.until_equal(ROOM, &author).await;
    let received = watcher.received(ROOM);
    assert!(received.bytes > 1_000_000 && received.frames > 4, "{received:?}");
    assert_eq!(received.updates, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_joiner_of_five_megabytes_gets_it_all() {
    let stage = Stage::new(SAMPLE).await;
    let author = author(&stage, &"0".repeat(900_000)).await;
    for digit in 1..6 {
        let part = digit.to_string().repeat(900_000);
        assert_eq!(author.change(ROOM, |doc| append(doc, "body", &part)).await, AckStatus::Ok);
    }
    let joiner = stage.connect().await;
    joiner.join(ROOM).await;
    joiner.until_equal(ROOM, &author).await;
    assert_eq!(read(&joiner.doc(ROOM), "body").len(), 5_400_000);
    // The other connections are served on by a server that has such documents.
    author.ping().await;
    assert_eq!(stage.installation.check_clean().await, 1);
}
