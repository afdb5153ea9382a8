//! Changes that do not bring their rows: large texts, and those of other servers.

use serde_json::json;

use crate::house::House;

#[tokio::test(flavor = "multi_thread")]
async fn a_large_text_is_told_at_every_change() {
    let house = House::sqlite().await;
    house.insert("a", json!({"body": "x".repeat(5_000), "stars": 1})).await;
    let mut ada = house.connect();
    ada.subscribe("body", &json!({"from": "Item", "select": ["body"]}));
    ada.subscribe(
        "found",
        &json!({"from": "Item", "where": {"body": {"$contains": "needle"}}, "select": ["stars"]}),
    );
    ada.subscribe("stars", &json!({"from": "Item", "where": {"stars": 1}, "select": ["stars"]}));
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
    );
    ada.subscribe("all", &json!({"from": "Item"}));
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
