//! Open documents, and rooms of the default entity.

use corella_testkit::{OPEN, Peer, Stage, row::set};
use corella_wire::AckStatus;
use loro::{LoroDoc, TreeParentId};
use serde_json::{Value as Json, json};

/// Makes an edit of the room's own shape.
async fn change(peer: &Peer, room: &str, edit: impl FnOnce(&LoroDoc)) {
    assert_eq!(peer.change(room, edit).await, AckStatus::Ok, "{:?}", peer.messages());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_without_a_slash_is_a_row_of_the_default_entity() {
    let stage = Stage::new(OPEN).await;
    let (one, other) = (stage.connect().await, stage.connect().await);
    one.join("plan").await;
    other.join("plan").await;
    change(&one, "plan", |doc| doc.get_text("text").insert(0, "hello").unwrap()).await;
    other.until_equal("plan", &one).await;
    let row = stage.ada().get("/api/entities/Board/plan").await.expect(200);
    assert_eq!(row["row"]["value"]["text"], "hello");
    // The row has a longer name, too, and those under it see the same.
    let third = stage.connect().await;
    third.join("Board/plan").await;
    change(&one, "plan", |doc| doc.get_text("text").insert(5, " all").unwrap()).await;
    third.until("Board/plan", "the edit", |doc| doc.get_text("text").to_string() == "hello all").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_trees_and_maps_appear_in_the_column_value() {
    let stage = Stage::new(OPEN).await;
    let (one, other) = (stage.connect().await, stage.connect().await);
    one.join("b1").await;
    other.join("b1").await;
    change(&one, "b1", |doc| {
        let list = doc.get_list("list");
        list.push("milk").unwrap();
        list.push(2).unwrap();
    })
    .await;
    change(&one, "b1", |doc| {
        let movable = doc.get_movable_list("steps");
        movable.push("b").unwrap();
        movable.push("a").unwrap();
        movable.mov(1, 0).unwrap();
    })
    .await;
    change(&one, "b1", |doc| doc.get_map("settings").insert("depth", 1.5).unwrap()).await;
    change(&one, "b1", |doc| {
        let tree = doc.get_tree("tree");
        let root = tree.create(TreeParentId::Root).unwrap();
        let child = tree.create(root).unwrap();
        tree.get_meta(child).unwrap().insert("name", "leaf").unwrap();
    })
    .await;
    change(&one, "b1", |doc| set(doc, "title", "Board one")).await;
    other.until_equal("b1", &one).await;

    let row = stage.ada().get("/api/entities/Board/b1").await.expect(200)["row"].clone();
    assert_eq!(row["title"], "Board one");
    let value = &row["value"];
    assert_eq!(value["list"], json!(["milk", 2]));
    assert_eq!(value["steps"], json!(["a", "b"]));
    assert_eq!(value["settings"], json!({ "depth": 1.5 }));
    assert!(value["tree"].to_string().contains("leaf"), "{value}");

    let database = rusqlite::Connection::open(stage.installation.database()).unwrap();
    let stored: String =
        database.query_row("SELECT value FROM Board WHERE id = 'b1'", [], |row| row.get(0)).unwrap();
    assert_eq!(&serde_json::from_str::<Json>(&stored).unwrap(), value);
    assert_eq!(stage.installation.check_clean().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_edit_a_list_and_a_tree_at_once_come_to_the_same() {
    let stage = Stage::new(OPEN).await;
    let (one, other) = (stage.connect().await, stage.connect().await);
    one.join("b2").await;
    other.join("b2").await;
    for number in 0..20 {
        let first = one.edit("b2", |doc| doc.get_list("list").insert(0, number).unwrap()).await;
        let second = other.edit("b2", |doc| {
            doc.get_list("list").push(format!("n{number}")).unwrap();
            doc.get_tree("tree").create(TreeParentId::Root).unwrap();
        });
        let second = second.await;
        assert_eq!((one.acked(first).await, other.acked(second).await), (AckStatus::Ok, AckStatus::Ok));
    }
    let lists = |doc: &LoroDoc| doc.get_list("list").len() == 40;
    one.until("b2", "all items", lists).await;
    other.until("b2", "all items", lists).await;
    assert_eq!(one.doc("b2").get_deep_value(), other.doc("b2").get_deep_value());
    assert_eq!(stage.installation.check_clean().await, 1);
}
