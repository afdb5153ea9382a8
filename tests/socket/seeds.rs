//! Documents that are filled once, whoever opens them.

use corella_testkit::{
    Peer, SAMPLE, Stage,
    row::{append, read, set},
};
use corella_wire::{
    AckStatus, BatchId, Envelope, ErrorCode, Frame, Magic, RoomName,
    control::{ClientMessage, Seed, ServerMessage},
    encode,
};
use loro::{ExportMode, LoroDoc};

const ROOM: &str = "Note/n1";
const FIRST: BatchId = BatchId([0, 0, 0, 0, 0, 0, 0, 1]);
const SECOND: BatchId = BatchId([0, 0, 0, 0, 0, 0, 0, 2]);

/// A document with `words` in it.
fn filled(words: &str) -> LoroDoc {
    let doc = LoroDoc::new();
    set(&doc, "title", "fresh");
    append(&doc, "body", words);
    doc.commit();
    doc
}

fn update(doc: &LoroDoc) -> Vec<u8> {
    doc.export(ExportMode::all_updates()).expect("a document can be exported")
}

async fn announce(peer: &Peer, batch: BatchId) {
    let seed = ClientMessage::Seed(Seed { room: ROOM.into(), batch });
    peer.send_text(&seed.encode()).await;
}

async fn send(peer: &Peer, batch: BatchId, updates: Vec<Vec<u8>>) -> AckStatus {
    let updates = updates.into_iter().map(Into::into).collect();
    let frame = Frame::DocUpdate { updates, batch };
    let room = RoomName::new(ROOM).expect("a short name");
    peer.send(encode(&Envelope { magic: Magic::Document, room, frame })).await;
    peer.acked(batch).await
}

async fn seed(peer: &Peer, batch: BatchId, doc: &LoroDoc) -> AckStatus {
    announce(peer, batch).await;
    send(peer, batch, vec![update(doc)]).await
}

/// The code of the only message that came.
async fn code(peer: &Peer) -> (ErrorCode, Option<BatchId>) {
    let message = peer.message().await;
    let ServerMessage::Error(error) = message else { unreachable!("expected an error, found {message:?}") };
    (error.code, error.batch)
}

async fn body(stage: &Stage) -> String {
    let row = stage.ada().get("/api/entities/Note/n1").await.expect(200);
    row["row"]["body"].as_str().expect("a text").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_seeds_one_is_taken() {
    let stage = Stage::new(SAMPLE).await;
    let (ada, bea) = (stage.connect().await, stage.connect().await);
    ada.join(ROOM).await;
    bea.join(ROOM).await;
    assert_eq!(seed(&ada, FIRST, &filled("template")).await, AckStatus::Ok);
    bea.until(ROOM, "the seed", |doc| read(doc, "body") == "template").await;
    assert_eq!(seed(&bea, SECOND, &filled("template")).await, AckStatus::App);
    assert_eq!(code(&bea).await, (ErrorCode::AlreadySeeded, Some(SECOND)));
    assert_eq!(body(&stage).await, "template");
    // The refusal concerned the batch alone: the connection edits on.
    assert_eq!(bea.change(ROOM, |doc| append(doc, "body", "!")).await, AckStatus::Ok);
    assert_eq!(body(&stage).await, "template!");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_seeds_at_once_leave_one() {
    let stage = Stage::new(SAMPLE).await;
    let mut peers = Vec::new();
    for _ in 0..8 {
        let peer = stage.connect().await;
        peer.join(ROOM).await;
        peers.push(peer);
    }
    let tasks: Vec<_> = peers
        .into_iter()
        .map(|peer| tokio::spawn(async move { seed(&peer, FIRST, &filled("template")).await }))
        .collect();
    let mut statuses = Vec::new();
    for task in tasks {
        statuses.push(task.await.expect("the task ends"));
    }
    let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!((count(AckStatus::Ok), count(AckStatus::App)), (1, 7));
    assert_eq!(body(&stage).await, "template");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seed_that_is_sent_again_is_acknowledged_again() {
    let stage = Stage::new(SAMPLE).await;
    let ada = stage.connect().await;
    ada.join(ROOM).await;
    let doc = filled("template");
    assert_eq!(seed(&ada, FIRST, &doc).await, AckStatus::Ok);
    let seq = stage.seq().await;
    drop(ada);
    let back = stage.connect().await;
    back.join(ROOM).await;
    assert_eq!(seed(&back, SECOND, &doc).await, AckStatus::Ok);
    assert_eq!((stage.seq().await, body(&stage).await), (seq, "template".to_owned()));
    // With edits on top of it, it is no longer what is stored.
    append(&doc, "body", ", and more");
    doc.commit();
    announce(&back, FIRST).await;
    let room = RoomName::new(ROOM).expect("a short name");
    let frame = Frame::DocUpdate { updates: vec![update(&doc).into()], batch: FIRST };
    back.send(encode(&Envelope { magic: Magic::Document, room, frame })).await;
    assert_eq!(code(&back).await, (ErrorCode::AlreadySeeded, Some(FIRST)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_json_made_is_not_empty() {
    let stage = Stage::new(SAMPLE).await;
    let fields = serde_json::json!({ "id": "n1", "title": "by JSON", "body": "written" });
    stage.ada().post("/api/entities/Note", fields).await.expect(201);
    let ada = stage.connect().await;
    ada.join(ROOM).await;
    assert_eq!(seed(&ada, FIRST, &filled("template")).await, AckStatus::App);
    assert_eq!(body(&stage).await, "written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_announcement_says_what_is_wrong() {
    let stage = Stage::new(SAMPLE).await;
    let ada = stage.connect().await;
    announce(&ada, FIRST).await;
    assert_eq!(code(&ada).await, (ErrorCode::NotJoined, Some(FIRST)));
    ada.join(ROOM).await;
    announce(&ada, FIRST).await;
    let two = vec![update(&filled("one")), update(&filled("two"))];
    assert_eq!(send(&ada, FIRST, two).await, AckStatus::InvalidUpdate);
    assert_eq!(code(&ada).await, (ErrorCode::InvalidUpdate, Some(FIRST)));
    for number in 0..=256_u64 {
        announce(&ada, BatchId(number.to_be_bytes())).await;
    }
    assert_eq!(code(&ada).await, (ErrorCode::RateLimited, Some(BatchId(256_u64.to_be_bytes()))));
    // Leaving the room forgets them.
    ada.leave(ROOM).await;
    ada.join(ROOM).await;
    assert_eq!(seed(&ada, SECOND, &filled("template")).await, AckStatus::Ok);
}
