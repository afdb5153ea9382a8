//! Who keeps documents hears of every change of them; nobody else hears more for it.

use corella_wire::control::{Difference, Upsert};
use serde_json::{Map, json};

use crate::house::House;

#[tokio::test(flavor = "multi_thread")]
async fn marks_alone_reach_those_who_keep_documents() {
    let house = House::sqlite().await;
    house.insert("a", json!({"body": "bold words", "state": "open"})).await;
    house.insert("b", json!({"body": "other words", "state": "done"})).await;
    let query = json!({"from": "Item", "where": {"state": "open"}});
    let (mut rows, mut documents) = (house.connect(), house.connect());
    rows.subscribe("q", &query).await;
    rows.settle(0).await;
    documents.subscribe_documents("q", &query, None).await;
    documents.settle(0).await;
    documents.check().await;
    let counts = || house.hub.queries().counters().counts();

    let before = counts();
    let bold = json!({"body": {"$delta": [{"retain": 4, "attributes": {"bold": true}}]}});
    let seq = house.patch("a", bold).await;
    rows.settle(seq).await;
    documents.settle(seq).await;
    let told = Upsert { id: "a".into(), at: None, row: Map::new(), parts: Default::default() };
    let changes: Vec<Difference> =
        documents.changes.iter().map(|told| told.answers[0].difference.clone()).collect();
    assert_eq!(changes, [Difference { upsert: vec![told], remove: Vec::new() }]);
    assert!(rows.changes.is_empty(), "{:?}", rows.changes);
    let after = counts();
    assert_eq!((after.messages - before.messages, after.encodings - before.encodings), (1, 1));

    // A row that is not in the answer.
    let bold = json!({"body": {"$delta": [{"retain": 5, "attributes": {"bold": true}}]}});
    let seq = house.patch("b", bold).await;
    documents.settle(seq).await;
    assert_eq!(documents.changes.len(), 1);

    // Both are told the same of what shows.
    let seq = house.patch("a", json!({"stars": 3})).await;
    rows.settle(seq).await;
    documents.settle(seq).await;
    assert_eq!(rows.changes[0].answers, documents.changes[1].answers);

    // While nobody of this kind was there.
    let kept = documents.answers["q"].clone();
    documents.unsubscribe("q");
    let italic = json!({"body": {"$delta": [{"retain": 4, "attributes": {"italic": true}}]}});
    let seq = house.patch("a", italic).await;
    documents.subscribe_documents("q", &query, Some(&kept)).await;
    documents.settle(seq).await;
    documents.check().await;
    let answer = &documents.answers["q"];
    assert_eq!((answer.snapshots, answer.differences), (0, 1), "it goes on from its cursor");
    let Difference { upsert, remove } = &documents.changes[2].answers[0].difference;
    assert_eq!((upsert.len(), upsert[0].id.as_str(), remove.len()), (1, "a", 0));

    // Who kept the rows alone may lack changes that none of them showed.
    let rows_kept = rows.answers["q"].clone();
    documents.unsubscribe("q");
    documents.subscribe_documents("q", &query, Some(&rows_kept)).await;
    documents.settle(seq).await;
    assert_eq!(documents.answers["q"].snapshots, 1, "the whole answer");
    house.close().await;
}
