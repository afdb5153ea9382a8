//! Changes that do not bring their rows: large texts, and those of other servers.

use serde_json::json;

use crate::house::House;

#[tokio::test(flavor = "multi_thread")]
async fn a_large_text_is_told_at_every_change() {
    let house = House::sqlite().await;
    house.insert("a", json!({"body": "x".repeat(5_000), "stars": 1})).await;
    let mut ada = house.connect();
    ada.subscribe("body", &json!({"from": "Item", "select": ["body"]})).await;
    ada.subscribe(
        "found",
        &json!({"from": "Item", "where": {"body": {"$contains": "needle"}}, "select": ["stars"]}),
    )
    .await;
    ada.subscribe("stars", &json!({"from": "Item", "where": {"stars": 1}, "select": ["stars"]})).await;
    ada.settle(0).await;
    for body in
        [format!("{} needle", "x".repeat(5_000)), "y".repeat(6_000), format!("needle {}", "z".repeat(5_000))]
    {
        let seq = house.patch("a", json!({"body": body})).await;
        ada.settle(seq).await;
        ada.check().await;
    }
    assert_eq!(ada.answers["stars"].differences, 0, "nobody else is told");
    assert!(house.hub.queries().counters().counts().loads >= 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_server_writes_is_told_here() {
    let database = House::database();
    let (here, there) = (House::postgres(&database).await, House::postgres(&database).await);
    let mut ada = here.connect();
    ada.subscribe(
        "open",
        &json!({"from": "Item", "where": {"state": "open"}, "orderBy": "stars", "limit": 2}),
    )
    .await;
    ada.subscribe("all", &json!({"from": "Item"})).await;
    ada.settle(0).await;
    let mut seq = 0;
    for (at, id) in ["a", "b", "c", "d"].into_iter().enumerate() {
        let house = if at % 2 == 0 { &there } else { &here };
        seq = house.insert(id, json!({"state": "open", "stars": at})).await;
    }
    ada.settle(seq).await;
    ada.check().await;
    there.patch("a", json!({"state": "done"})).await;
    here.patch("a", json!({"title": "A"})).await;
    let seq = there.delete("c").await;
    ada.settle(seq).await;
    ada.check().await;
    assert_eq!(ada.answers["all"].snapshots, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_follow_what_another_server_makes_of_others() {
    let database = House::database();
    let (here, there) = (House::postgres(&database).await, House::postgres(&database).await);
    here.insert_of("Team", "t1", json!({"name": "x"})).await;
    here.insert("a", json!({"team": "t1"})).await;
    here.insert("b", json!({"state": "done", "team": "t1"})).await;
    let (mut root, mut ada) = (here.connect(), here.connect_as("ada"));
    root.subscribe("named", &json!({"from": "Item", "where": {"team.name": "x"}, "limit": 5})).await;
    root.subscribe("noted", &json!({"from": "Item", "where": {"notes.author": "ada"}})).await;
    ada.subscribe("all", &json!({"from": "Item"})).await;
    for follower in [&mut root, &mut ada] {
        follower.settle(0).await;
    }
    assert_eq!((root.answers["named"].rows.len(), ada.answers["all"].rows.len()), (2, 1));
    there.insert_of("Note", "n1", json!({"item": "a", "author": "ada"})).await;
    there.insert_of("Member", "m1", json!({"team": "t1", "user": "ada"})).await;
    let seq = there.patch_of("Team", "t1", json!({"name": "y"})).await;
    for follower in [&mut root, &mut ada] {
        follower.settle(seq).await;
        follower.check().await;
    }
    let lengths = [&root.answers["named"], &root.answers["noted"], &ada.answers["all"]];
    assert_eq!(lengths.map(|answer| answer.rows.len()), [0, 1, 2]);
    there.patch_of("Note", "n1", json!({"item": "b"})).await;
    let seq = there.delete_of("Member", "m1").await;
    for follower in [&mut root, &mut ada] {
        follower.settle(seq).await;
        follower.check().await;
    }
    assert_eq!((&root.answers["noted"].rows[0]["id"], ada.answers["all"].rows.len()), (&json!("b"), 1));
}
