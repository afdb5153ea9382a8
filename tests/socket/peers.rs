//! Peer ids belong to their first users.

use corella_testkit::{
    Database, Peer, SAMPLE, Stage,
    row::{append, read, set},
};
use corella_wire::{AckStatus, ErrorCode, control::ServerMessage};
use loro::{ExportMode, LoroDoc};

const ROOM: &str = "Note/n1";

/// What `edit` makes of a copy of the row, under a peer id.
fn edited(from: &Peer, id: u64, edit: impl FnOnce(&LoroDoc)) -> Vec<u8> {
    let doc = from.doc(ROOM).fork();
    let before = doc.oplog_vv();
    doc.set_peer_id(id).expect("an id that clients may have");
    edit(&doc);
    doc.commit();
    doc.export(ExportMode::updates(&before)).expect("a document can be exported")
}

/// The peer is refused an update because of its peer id, and nothing else is wrong.
async fn is_refused(peer: &Peer, update: Vec<u8>) {
    let batch = peer.send_bytes(ROOM, update).await;
    assert_eq!(peer.acked(batch).await, AckStatus::PermissionDenied);
    let ServerMessage::Error(error) = peer.message().await else { unreachable!("an error was expected") };
    assert_eq!((error.code, error.batch), (ErrorCode::PeerTaken, Some(batch)), "{}", error.message);
}

async fn bound(database: Database) {
    let stage = Stage::on(database, SAMPLE).await;
    let ada = stage.connect().await;
    let mallory = stage.peer(&stage.installation.token("mallory").await).await;
    ada.join(ROOM).await;
    mallory.join(ROOM).await;
    let first = edited(&ada, 77, |doc| set(doc, "title", "Ada's"));
    let batch = ada.send_bytes(ROOM, first.clone()).await;
    assert_eq!(ada.acked(batch).await, AckStatus::Ok);
    mallory.until(ROOM, "what Ada wrote", |doc| read(doc, "title") == "Ada's").await;

    // Under another's id nothing new comes in, neither further operations nor others in the place of the known ones.
    is_refused(&mallory, edited(&mallory, 77, |doc| set(doc, "title", "Mallory's"))).await;
    // What the document has already may be sent by anybody, alone or with one's own.
    let batch = mallory.send_bytes(ROOM, first).await;
    assert_eq!(mallory.acked(batch).await, AckStatus::Ok);
    let status = mallory.change(ROOM, |doc| append(doc, "body", "and more")).await;
    assert_eq!(status, AckStatus::Ok);
    // Nor does anything under the server's own.
    let vector = mallory.doc(ROOM).oplog_vv();
    let is_known = |peer: u64| peer == 77 || peer == mallory.doc(ROOM).peer_id();
    let server = vector.keys().copied().find(|peer| !is_known(*peer));
    let server = server.expect("the defaults are the server's");
    is_refused(&mallory, edited(&mallory, server, |doc| set(doc, "title", "the server's"))).await;

    // It is remembered over a restart, and Ada goes on under her id.
    let stage = stage.crash().await;
    let mallory = stage.peer(&stage.installation.token("mallory").await).await;
    mallory.join(ROOM).await;
    mallory.until(ROOM, "the row", |doc| read(doc, "title") == "Ada's").await;
    is_refused(&mallory, edited(&mallory, 77, |doc| set(doc, "title", "Mallory's"))).await;
    let ada = stage.connect().await;
    ada.join(ROOM).await;
    ada.until(ROOM, "the row", |doc| read(doc, "title") == "Ada's").await;
    let batch = ada.send_bytes(ROOM, edited(&ada, 77, |doc| set(doc, "title", "Ada's still"))).await;
    assert_eq!(ada.acked(batch).await, AckStatus::Ok);
    mallory.until(ROOM, "what Ada wrote", |doc| read(doc, "title") == "Ada's still").await;
    assert_eq!(stage.installation.check_clean().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_id_is_its_first_users() {
    bound(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_id_is_its_first_users_on_postgres() {
    bound(Database::Postgres).await;
}
