//! What one writes, others see.

use corella_testkit::{
    Database, SAMPLE, Stage, on_both,
    row::{append, read, set, text},
};
use corella_wire::AckStatus;
use serde_json::json;

const ROOM: &str = "Note/n1";
const PATH: &str = "/api/entities/Note/n1";

on_both!(a_write_over_http_reaches_watchers);

#[cfg(test)]
async fn a_write_over_http_reaches_watchers(database: Database) {
    let stage = Stage::on(database, SAMPLE).await;
    let watcher = stage.connect().await;
    watcher.join(ROOM).await;
    stage
        .ada()
        .post("/api/entities/Note", json!({ "id": "n1", "title": "Plan", "body": "one" }))
        .await
        .expect(201);
    watcher
        .until(ROOM, "the new row", |doc| read(doc, "title") == "Plan" && read(doc, "body") == "one")
        .await;

    stage.ada().patch(PATH, json!({ "body": "one two", "pinned": true })).await.expect(200);
    watcher
        .until(ROOM, "the patch", |doc| read(doc, "body") == "one two" && read(doc, "pinned") == "true")
        .await;

    stage.ada().delete(PATH).await.expect(200);
    watcher.until(ROOM, "the deletion", |doc| doc.get_map("meta").get("deleted").is_some()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_on_the_socket_reaches_http_and_watchers() {
    let stage = Stage::new(SAMPLE).await;
    let (writer, watcher) = (stage.connect().await, stage.connect().await);
    writer.join(ROOM).await;
    watcher.join(ROOM).await;
    let status = writer
        .change(ROOM, |doc| {
            set(doc, "title", "From the socket");
            append(doc, "body", "hello");
        })
        .await;
    assert_eq!(status, AckStatus::Ok);
    let row = stage.ada().get(PATH).await.expect(200)["row"].clone();
    assert_eq!(
        (&row["title"], &row["body"], &row["pinned"]),
        (&json!("From the socket"), &json!("hello"), &json!(false))
    );
    watcher.until_equal(ROOM, &writer).await;
    // What the server puts into a new row is not the writer's own.
    writer.until(ROOM, "the defaults", |doc| read(doc, "pinned") == "false").await;
    let told = writer.received(ROOM).updates;
    assert_eq!(writer.change(ROOM, |doc| append(doc, "body", "!")).await, AckStatus::Ok);
    watcher.until_equal(ROOM, &writer).await;
    writer.ping().await;
    assert_eq!(writer.received(ROOM).updates, told, "nobody is sent what he wrote himself");
}

on_both!(those_who_type_at_once_come_to_the_same);

#[cfg(test)]
async fn those_who_type_at_once_come_to_the_same(database: Database) {
    let stage = Stage::on(database, SAMPLE).await;
    let peers = [stage.connect().await, stage.connect().await, stage.connect().await];
    for peer in &peers {
        peer.join(ROOM).await;
    }
    let mut batches = Vec::new();
    for round in 0..60 {
        for (peer, letter) in peers.iter().zip(["a", "b", "c"]) {
            batches.push((
                peer,
                peer.edit(ROOM, |doc| text(doc, "body").insert(round / 2, letter).unwrap()).await,
            ));
        }
    }
    for (peer, batch) in batches {
        assert_eq!(peer.acked(batch).await, AckStatus::Ok);
    }
    let row = stage.ada().get(PATH).await.expect(200)["row"]["body"].clone();
    let body = row.as_str().unwrap().to_owned();
    assert_eq!(body.len(), 180);
    for peer in &peers {
        peer.until(ROOM, "everybody's letters", |doc| read(doc, "body") == body).await;
    }
    assert_eq!(stage.installation.check_clean().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn first_writes_of_one_text_at_once_are_both_kept() {
    let stage = Stage::new(SAMPLE).await;
    let (one, other) = (stage.connect().await, stage.connect().await);
    one.join(ROOM).await;
    other.join(ROOM).await;
    one.stop_reading();
    other.stop_reading();
    let first = one.edit(ROOM, |doc| append(doc, "body", "left ")).await;
    let second = other.edit(ROOM, |doc| append(doc, "body", "right ")).await;
    one.read_on();
    other.read_on();
    assert_eq!((one.acked(first).await, other.acked(second).await), (AckStatus::Ok, AckStatus::Ok));
    let both = |text: &str| text.contains("left") && text.contains("right");
    one.until(ROOM, "both texts", |doc| both(&read(doc, "body"))).await;
    other.until_equal(ROOM, &one).await;
    let row = stage.ada().get(PATH).await.expect(200);
    assert!(both(row["row"]["body"].as_str().unwrap()), "{row}");
}

#[tokio::test(flavor = "multi_thread")]
async fn work_done_offline_is_handed_in_at_the_join() {
    let stage = Stage::new(SAMPLE).await;
    let before = stage.connect().await;
    before.join(ROOM).await;
    before.change(ROOM, |doc| append(doc, "body", "start. ")).await;
    let copy = before.doc(ROOM);
    before.close().await;

    append(&copy, "body", "offline. ");
    copy.commit();
    stage.ada().patch(PATH, json!({ "title": "meanwhile" })).await.expect(200);

    let after = stage.connect().await;
    after.adopt(ROOM, &copy);
    let handed_in = after.join(ROOM).await.handed_in.expect("the server lacks what was written offline");
    assert_eq!(after.acked(handed_in).await, AckStatus::Ok);
    after.until(ROOM, "what others wrote", |doc| read(doc, "title") == "meanwhile").await;
    let row = stage.ada().get(PATH).await.expect(200);
    assert_eq!(row["row"]["body"], "start. offline. ");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_left_hears_nothing_more() {
    let stage = Stage::new(SAMPLE).await;
    let (writer, leaver) = (stage.connect().await, stage.connect().await);
    writer.join(ROOM).await;
    leaver.join(ROOM).await;
    leaver.leave(ROOM).await;
    leaver.ping().await;
    writer.change(ROOM, |doc| set(doc, "title", "unheard")).await;
    leaver.ping().await;
    assert_eq!(leaver.received(ROOM).frames, 0);
    // A room that was left takes no edits either.
    assert_eq!(leaver.change(ROOM, |doc| set(doc, "title", "late")).await, AckStatus::Unknown);
    assert_eq!(stage.ada().get(PATH).await.expect(200)["row"]["title"], "unheard");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_goodbye_is_answered() {
    let stage = Stage::new(SAMPLE).await;
    let peer = stage.connect().await;
    peer.ping().await;
    let ended = peer.close().await;
    assert_ne!(ended.code, None, "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_of_a_deleted_row_are_there_when_it_comes_back() {
    let stage = Stage::new(SAMPLE).await;
    let peer = stage.connect().await;
    peer.join(ROOM).await;
    assert_eq!(peer.change(ROOM, |doc| append(doc, "body", "before")).await, AckStatus::Ok);
    stage.ada().delete(PATH).await.expect(200);
    assert_eq!(peer.change(ROOM, |doc| append(doc, "body", ", meanwhile")).await, AckStatus::Ok);
    assert_eq!(stage.ada().get(PATH).await.problem(), "404 row_not_found");
    let restored = stage.ada().post(&format!("{PATH}/restore"), json!({})).await.expect(200);
    assert_eq!(restored["row"]["body"], "before, meanwhile");
    assert_eq!(stage.installation.check_clean().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_keeps_no_document_in_memory_serves_alike() {
    let stage = Stage::with(SAMPLE, &["--cache-bytes", "1"]).await;
    let (one, other) = (stage.connect().await, stage.connect().await);
    let rooms: Vec<String> = (0..20).map(|number| format!("Note/n{number}")).collect();
    for room in &rooms {
        one.join(room).await;
        other.join(room).await;
    }
    let mut batches = Vec::new();
    for round in 0..20 {
        let peer = if round % 2 == 0 { &one } else { &other };
        for room in &rooms {
            batches.push((peer, peer.edit(room, |doc| append(doc, "body", "xy")).await));
        }
    }
    for (peer, batch) in batches {
        assert_eq!(peer.acked(batch).await, AckStatus::Ok);
    }
    for room in &rooms {
        one.until(room, "all edits", |doc| read(doc, "body").len() == 40).await;
        other.until_equal(room, &one).await;
    }
    assert_eq!(stage.installation.check_clean().await, 20);
}
