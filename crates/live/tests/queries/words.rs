//! Queries that look for words: only changed rows are asked about.

use serde_json::json;

use crate::house::House;

#[tokio::test(flavor = "multi_thread")]
async fn only_changed_rows_are_asked_about() {
    follow_words(&House::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_changed_rows_are_asked_about_on_postgres() {
    follow_words(&House::postgres(&House::database()).await).await;
}

async fn follow_words(house: &House) {
    for (id, body) in [("a", "a plan"), ("b", "plans, plans and a plan"), ("c", "none")] {
        house.insert(id, json!({"body": body, "state": "open", "stars": 1})).await;
    }
    let mut ada = house.connect();
    let query = json!({"from": "Item", "match": "plan", "where": {"state": "open"}, "limit": 3});
    ada.subscribe("q", &query).await;
    ada.settle(0).await;
    let ids = |ada: &crate::follower::Follower| {
        let rows = &ada.answers["q"].rows;
        rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&ada).len(), 2);
    let counts = || house.hub.queries().counters().counts();
    let before = counts();

    // Nothing in the texts: how well the row fits is as it was.
    let seq = house.patch("b", json!({"stars": 2})).await;
    ada.settle(seq).await;
    ada.check().await;
    // No row of the answer, and none for what it lacks.
    let seq = house.patch("c", json!({"stars": 2})).await;
    ada.settle(seq).await;
    let seq = house.insert("d", json!({"body": "a plan", "state": "done"})).await;
    ada.settle(seq).await;
    ada.check().await;
    assert_eq!(counts().loads, before.loads, "nobody was asked");

    for (id, fields, expected) in [
        ("a", json!({"body": "plan plan plan plan plan"}), vec!["a", "b"]),
        ("c", json!({"title": "plan", "body": null}), vec!["a", "b", "c"]),
        ("b", json!({"body": "nothing"}), vec!["a", "c"]),
        ("d", json!({"state": "open"}), vec!["a", "d", "c"]),
        ("d", json!({"state": "busy"}), vec!["a", "c"]),
    ] {
        let seq = house.patch(id, fields.clone()).await;
        ada.settle(seq).await;
        ada.check().await;
        let mut found = ids(&ada);
        let mut expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
        assert_eq!(found.first(), expected.first(), "{id}: {fields}");
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{id}: {fields}");
    }
    let after = counts();
    assert_eq!(
        (after.refills, after.reads),
        (before.refills, before.reads),
        "the query is never asked again"
    );
    assert!(after.loads - before.loads <= 4, "{after:?}");
}
