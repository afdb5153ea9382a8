//! Who is where.

use corella_testkit::{SAMPLE, Stage, presence_store};
use corella_wire::{AckStatus, ErrorCode, control::ServerMessage};
use loro::{LoroValue, awareness::EphemeralStore};

const ROOM: &str = "Note/n1";

/// An update that sets one key.
fn saying(key: &str, value: &str) -> Vec<u8> {
    let store = presence_store();
    store.set(key, value);
    store.encode_all()
}

fn says(store: &EphemeralStore, key: &str, value: &str) -> bool {
    store.get(key) == Some(LoroValue::from(value))
}

#[tokio::test(flavor = "multi_thread")]
async fn others_are_seen_until_they_go() {
    let stage = Stage::new(SAMPLE).await;
    let (ada, bob) = (stage.connect().await, stage.connect().await);
    ada.join_presence(ROOM).await;
    bob.join_presence(ROOM).await;
    let batch = ada.send_presence(ROOM, saying("ada", "at 7")).await;
    assert_eq!(ada.acked(batch).await, AckStatus::Ok);
    bob.until_present(ROOM, "ada's cursor", |store| says(store, "ada", "at 7")).await;
    let batch = ada.send_presence(ROOM, saying("ada", "at 8")).await;
    assert_eq!(ada.acked(batch).await, AckStatus::Ok);
    bob.until_present(ROOM, "ada's next cursor", |store| says(store, "ada", "at 8")).await;

    let late = stage.connect().await;
    late.join_presence(ROOM).await;
    late.until_present(ROOM, "ada's cursor", |store| says(store, "ada", "at 8")).await;

    drop(ada);
    bob.until_present(ROOM, "ada's absence", |store| store.get("ada").is_none()).await;
    late.until_present(ROOM, "ada's absence", |store| store.get("ada").is_none()).await;
    assert_eq!(stage.seq().await, 0, "presence is not stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_the_room_is_going() {
    let stage = Stage::new(SAMPLE).await;
    let (ada, bob) = (stage.connect().await, stage.connect().await);
    ada.join_presence(ROOM).await;
    bob.join_presence(ROOM).await;
    ada.send_presence(ROOM, saying("ada", "here")).await;
    bob.until_present(ROOM, "ada", |store| says(store, "ada", "here")).await;
    ada.send(super::wrong::bytes("25455048 07 4e6f74652f6e31 07")).await;
    bob.until_present(ROOM, "ada's absence", |store| store.get("ada").is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_speaks_for_another() {
    let stage = Stage::new(SAMPLE).await;
    let ada = stage.connect().await;
    let mallory = stage.peer(&stage.installation.token("mallory").await).await;
    ada.join_presence(ROOM).await;
    mallory.join_presence(ROOM).await;
    for _ in 0..2 {
        let batch = ada.send_presence(ROOM, saying("ada", "herself")).await;
        assert_eq!(ada.acked(batch).await, AckStatus::Ok);
    }
    // In the first update after a join, keys of others are passed over: stock clients repeat all that they know then.
    let batch = mallory.send_presence(ROOM, saying("ada", "somebody else")).await;
    assert_eq!(mallory.acked(batch).await, AckStatus::Ok);
    let batch = mallory.send_presence(ROOM, saying("ada", "somebody else")).await;
    assert_eq!(mallory.acked(batch).await, AckStatus::PermissionDenied);
    let ServerMessage::Error(error) = mallory.message().await else { unreachable!("an error was expected") };
    assert_eq!((error.code, error.batch), (ErrorCode::Forbidden, Some(batch)));
    let late = stage.connect().await;
    late.join_presence(ROOM).await;
    late.until_present(ROOM, "ada's own word", |store| says(store, "ada", "herself")).await;
    ada.ping().await;
    assert!(!says(&ada.presence(ROOM), "ada", "somebody else"));
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_presence_are_refused() {
    let stage = Stage::new(SAMPLE).await;
    let (ada, bob) = (stage.connect().await, stage.connect().await);
    ada.join_presence(ROOM).await;
    bob.join_presence(ROOM).await;
    let batch = ada.send_presence(ROOM, vec![0xff; 40]).await;
    assert_eq!(ada.acked(batch).await, AckStatus::InvalidUpdate);
    let batch = ada.send_presence(ROOM, saying("ada", &"x".repeat(20_000))).await;
    assert_eq!(ada.acked(batch).await, AckStatus::TooLarge);
    let batch = ada.send_presence("Note/n2", saying("ada", "elsewhere")).await;
    assert_eq!(ada.acked(batch).await, AckStatus::Unknown);
    bob.ping().await;
    assert_eq!(bob.presence(ROOM).keys().len(), 0);
}
