//! Rows changed by control messages.

use corella_testkit::{Peer, SAMPLE, Stage, row::read};
use corella_wire::{
    ErrorCode,
    control::{MutateReply, ServerMessage},
};
use serde_json::{Value as Json, json};

/// Sends a `mutate` and waits for its answer.
async fn mutate(peer: &Peer, message: Json) -> Result<MutateReply, ErrorCode> {
    let mut message = message;
    message["type"] = json!("mutate");
    message["ref"] = json!("r");
    peer.send_text(&message.to_string()).await;
    match peer.message().await {
        ServerMessage::Result(reply) => Ok(reply),
        ServerMessage::Error(error) => Err(error.code),
        other @ (ServerMessage::Hello(_)
        | ServerMessage::Auth(_)
        | ServerMessage::Snapshot(_)
        | ServerMessage::Changes(_)
        | ServerMessage::Reached(_)) => unreachable!("a mutation was answered with {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_is_made_changed_deleted_and_restored() {
    let stage = Stage::new(SAMPLE).await;
    let (ada, watcher) = (stage.connect().await, stage.connect().await);
    watcher.join("Note/n1").await;
    let made = json!({ "entity": "Note", "id": "n1", "op": "insert", "fields": { "title": "one" } });
    let made = mutate(&ada, made).await.unwrap();
    assert_eq!((made.id.as_str(), made.seq, &made.row.unwrap()["title"]), ("n1", 1, &json!("one")));
    watcher.until("Note/n1", "the row", |doc| read(doc, "title") == "one").await;
    let patched = json!({ "entity": "Note", "id": "n1", "op": "patch", "fields": { "title": "two" } });
    assert_eq!(mutate(&ada, patched).await.unwrap().row.unwrap()["title"], "two");
    watcher.until("Note/n1", "the patch", |doc| read(doc, "title") == "two").await;
    let deleted = mutate(&ada, json!({ "entity": "Note", "id": "n1", "op": "delete" })).await.unwrap();
    assert_eq!((deleted.seq, deleted.row), (3, None));
    let again = mutate(&ada, json!({ "entity": "Note", "id": "n1", "op": "delete" })).await;
    assert_eq!(again, Err(ErrorCode::RowNotFound));
    let restored = mutate(&ada, json!({ "entity": "Note", "id": "n1", "op": "restore" })).await.unwrap();
    assert_eq!((restored.seq, &restored.row.unwrap()["title"]), (4, &json!("two")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_change_under_the_same_key_is_made_once() {
    let stage = Stage::new(SAMPLE).await;
    let ada = stage.connect().await;
    for (seq, message) in (1..).zip([
        json!({ "entity": "Note", "op": "insert", "fields": { "title": "named by the server" }, "key": "k1" }),
        json!({ "entity": "Note", "id": "n1", "op": "insert", "fields": { "title": "one" }, "key": "k2" }),
        json!({ "entity": "Note", "id": "n1", "op": "patch", "fields": { "title": "two" }, "key": "k3" }),
        json!({ "entity": "Note", "id": "n1", "op": "delete", "key": "k4" }),
        json!({ "entity": "Note", "id": "n1", "op": "restore", "key": "k5" }),
    ]) {
        let first = mutate(&ada, message.clone()).await.unwrap();
        assert_eq!(first.seq, seq, "{message}");
        for _ in 0..2 {
            assert_eq!(mutate(&ada, message.clone()).await.as_ref(), Ok(&first), "{message}");
        }
    }
    let other =
        json!({ "entity": "Note", "id": "n1", "op": "patch", "fields": { "title": "three" }, "key": "k3" });
    assert_eq!(mutate(&ada, other).await, Err(ErrorCode::IdempotencyConflict));
    assert_eq!(stage.seq().await, 5);
    assert_eq!(stage.installation.check_clean().await, 2);
}
