//! Work follows what matches, not what is followed.

use corella_store::RowChange;
use corella_wire::control::Upsert;
use serde_json::json;

use crate::house::{House, object};

#[tokio::test(flavor = "multi_thread")]
async fn no_query_wakes_that_is_not_concerned() {
    let house = House::sqlite().await;
    let mut followers = Vec::new();
    for at in 0..300 {
        let mut follower = house.connect();
        let filter = json!({"owner": format!("p{at}"), "state": "open", "stars": {"$gte": at}});
        let query = json!({"from": "Item", "where": filter, "orderBy": {"stars": "desc"}, "limit": 50});
        follower.subscribe("mine", &query).await;
        follower.settle(0).await;
        followers.push(follower);
    }
    let counts = || house.hub.queries().counters().counts();
    let before = counts();
    assert_eq!(before.reads, 300);

    let seq = house.insert("a", json!({"owner": "p7", "state": "open", "stars": 7})).await;
    followers[7].settle(seq).await;
    let after = counts();
    assert_eq!(after.candidates - before.candidates, 1, "one query is looked at");
    assert_eq!((after.matches - before.matches, after.messages - before.messages), (1, 1));
    assert_eq!(followers[7].answers["mine"].rows.len(), 1);

    for fields in [
        json!({"owner": "p7", "state": "open", "stars": 6}),
        json!({"owner": "p7", "state": "done", "stars": 9}),
        json!({"owner": "nobody", "state": "open", "stars": 9}),
        json!({"state": "open", "stars": 9}),
    ] {
        let id = format!("x{}", counts().changes);
        let seq = house.insert(&id, fields).await;
        followers[7].settle(seq).await;
    }
    let others = counts();
    assert_eq!(others.changes - after.changes, 4);
    assert_eq!((others.candidates, others.messages), (after.candidates, after.messages), "nobody else wakes");

    // Out of one answer, into another: both are told, nobody else.
    let seq = house.patch("a", json!({"owner": "p3"})).await;
    followers[3].settle(seq).await;
    followers[7].settle(seq).await;
    let moved = counts();
    assert_eq!((moved.candidates - others.candidates, moved.messages - others.messages), (2, 2));
    assert_eq!((followers[3].answers["mine"].rows.len(), followers[7].answers["mine"].rows.len()), (1, 0));
    assert_eq!((moved.refills, moved.loads), (0, 0), "nothing was read again");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_query_is_kept_and_written_once_for_all() {
    let house = House::sqlite().await;
    let query = json!({"from": "Item", "where": {"state": "open"}, "orderBy": "stars", "limit": 10});
    let mut followers: Vec<_> = (0..20).map(|_| house.connect()).collect();
    for follower in &mut followers {
        follower.subscribe("open", &query).await;
        follower.subscribe("again", &query).await;
        follower.settle(0).await;
    }
    let before = house.hub.queries().counters().counts();
    assert_eq!(before.reads, 1);
    let seq = house.insert("a", json!({"state": "open", "title": "A"})).await;
    for follower in &mut followers {
        follower.settle(seq).await;
        follower.check().await;
        assert_eq!(follower.changes.len(), 1, "one message for both");
        assert_eq!(follower.changes[0].answers.len(), 2);
    }
    let after = house.hub.queries().counters().counts();
    assert_eq!((after.encodings - before.encodings, after.messages - before.messages), (1, 20));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_difference_names_what_changed_and_no_more() {
    let house = House::sqlite().await;
    for (id, stars) in [("a", 1), ("b", 2), ("c", 3)] {
        house.insert(id, json!({"stars": stars, "title": "T", "state": "open"})).await;
    }
    let mut ada = house.connect();
    ada.subscribe(
        "q",
        &json!({"from": "Item", "orderBy": "stars", "select": ["stars", "state"], "where": {"pinned": null}}),
    )
    .await;
    ada.settle(0).await;
    let row = |json| object(json);
    let steps = [
        (
            json!({"state": "done"}),
            Some(Upsert {
                id: "b".into(),
                at: None,
                row: row(json!({"state": "done"})),
                parts: Default::default(),
            }),
        ),
        (
            json!({"stars": 9}),
            Some(Upsert {
                id: "b".into(),
                at: Some(2),
                row: row(json!({"stars": 9})),
                parts: Default::default(),
            }),
        ),
        // Nothing that is shown.
        (json!({"title": "Another"}), None),
    ];
    for (fields, expected) in steps {
        let told = ada.changes.len();
        let seq = house.patch("b", fields).await;
        ada.settle(seq).await;
        ada.check().await;
        let upserts: Vec<Upsert> =
            ada.changes[told..].iter().flat_map(|told| told.answers[0].difference.upsert.clone()).collect();
        assert_eq!(upserts, expected.into_iter().collect::<Vec<_>>());
    }
    // It leaves the answer, not the table.
    let seq = house.patch("b", json!({"pinned": true})).await;
    ada.settle(seq).await;
    ada.check().await;
    assert_eq!(ada.changes.last().unwrap().answers[0].difference.remove, ["b"]);
    assert_eq!(ada.changes.last().unwrap().seq, u64::try_from(seq).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_together_is_told_together() {
    let house = House::sqlite().await;
    house.insert("a", json!({"stars": 5})).await;
    house.insert("b", json!({"stars": 1})).await;
    let mut ada = house.connect();
    ada.subscribe("rows", &json!({"from": "Item", "orderBy": "stars", "select": ["stars"]})).await;
    ada.subscribe("sum", &json!({"from": "Item", "aggregate": {"sum": {"$sum": "stars"}}})).await;
    ada.settle(0).await;
    for stars in 0..20 {
        let patch = |stars: i64| RowChange::Patch(object(json!({ "stars": stars })));
        let seq = house.transact(vec![("a", patch(stars)), ("b", patch(6 - stars))]).await.unwrap();
        ada.settle(seq).await;
        ada.check().await;
    }
    // The sum is never another one, and both rows always come in one message.
    for changes in &ada.changes {
        assert_eq!(changes.answers.len(), 1, "{changes:?}");
        assert_eq!(changes.answers[0].difference.upsert.len(), 2, "{changes:?}");
    }
    assert!(ada.changes.len() >= 19, "{}", ada.changes.len());
}
