//! Bounds are said, not met in silence; those who are slow or come back are made good.

use std::time::Duration;

use corella_live::{LiveLimits, OutboxLimits};
use corella_wire::ErrorCode;
use serde_json::json;

use crate::{follower::Follower, house::House, manifests::App};

#[tokio::test(flavor = "multi_thread")]
async fn what_exceeds_a_limit_is_refused_with_the_number() {
    let limits = LiveLimits { subscriptions: 3, rows: 5, queries: 4, scanned: 1, ..LiveLimits::default() };
    let house = House::sqlite_with(limits).await;
    for at in 0..5 {
        house.insert(&format!("r{at}"), json!({"stars": at, "state": "open"})).await;
    }
    let mut ada = house.connect();
    let all = json!({"from": "Item"});
    ada.subscribe("all", &all).await;
    ada.settle(0).await;
    ada.check().await;
    // It outgrows its limit.
    let seq = house.insert("r5", json!({"stars": 5, "state": "open"})).await;
    ada.settle(seq).await;
    let error = ada.errors.pop_front().unwrap();
    assert_eq!((error.code, error.reference.as_deref()), (ErrorCode::AnswerTooLarge, Some("all")));
    assert!(error.message.contains("more than 5 rows"), "{}", error.message);
    // It is too large from the start.
    ada.subscribe("all", &all).await;
    ada.settle(0).await;
    assert_eq!(ada.errors.pop_front().unwrap().code, ErrorCode::AnswerTooLarge);
    // With a limit of its own it is a window.
    ada.subscribe("some", &json!({"from": "Item", "limit": 5})).await;
    ada.subscribe("some", &json!({"from": "Item", "limit": 4})).await;
    ada.settle(0).await;
    assert_eq!(ada.errors.pop_front().unwrap().code, ErrorCode::InvalidValue, "a ref names one query");
    // No index finds it, and there may be one such query.
    ada.answers.clear();
    ada.subscribe("scanned", &json!({"from": "Item", "where": {"title": {"$like": "a%"}}})).await;
    ada.settle(0).await;
    let error = ada.errors.pop_front().unwrap();
    assert_eq!(error.code, ErrorCode::TooManyQueries);
    assert!(error.message.contains("1 such queries of Item"), "{}", error.message);
    // One more than a connection may have.
    for (name, state) in [("one", "open"), ("two", "busy"), ("three", "done")] {
        ada.subscribe(name, &json!({"from": "Item", "where": {"state": state}})).await;
    }
    ada.settle(0).await;
    let mut codes: Vec<ErrorCode> = ada.errors.iter().map(|error| error.code).collect();
    codes.sort();
    assert_eq!(codes, [ErrorCode::AnswerTooLarge, ErrorCode::TooManyQueries]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_slow_gets_one_whole_answer_in_the_end() {
    let house = House::sqlite().await;
    let small = OutboxLimits { bytes: 600, frames: 100 };
    let mut slow = Follower::with(&house, 77, small);
    slow.subscribe("q", &json!({"from": "Item", "orderBy": "stars"})).await;
    slow.subscribe("done", &json!({"from": "Item", "where": {"state": "done"}})).await;
    slow.settle(0).await;
    for at in 0..50 {
        house.insert(&format!("r{at}"), json!({"stars": at, "title": "a title of some length"})).await;
    }
    let mut quick = house.connect();
    quick.subscribe("q", &json!({"from": "Item", "orderBy": "stars"})).await;
    let seq = house.store.last_seq().await.unwrap().0;
    quick.settle(seq).await;
    slow.settle(seq).await;
    slow.settle(seq).await;
    slow.check().await;
    assert_eq!(slow.answers["q"].snapshots, 2, "the first, and one to catch up");
    assert!(slow.answers["q"].differences < 10);
    assert_eq!(slow.answers["done"].snapshots, 1, "only what fell behind is sent again");
    // From then on it hears of each change again.
    let seq = house.patch("r1", json!({"stars": 100})).await;
    slow.settle(seq).await;
    slow.check().await;
    assert_eq!(slow.answers["q"].snapshots, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_gets_what_changed() {
    let house = House::sqlite().await;
    for at in 0..30 {
        house.insert(&format!("r{at:02}"), json!({"stars": at, "state": "open"})).await;
    }
    let mut ada = house.connect();
    ada.subscribe("q", &json!({"from": "Item", "orderBy": "stars", "where": {"state": "open"}, "limit": 20}))
        .await;
    ada.settle(0).await;
    house.hub.queries().leave(ada.outbox.source());
    house.patch("r03", json!({"stars": 15})).await;
    house.patch("r04", json!({"state": "done"})).await;
    let seq = house.delete("r05").await;
    ada.reconnect(500).await;
    ada.settle(seq).await;
    ada.check().await;
    let answer = &ada.answers["q"];
    assert_eq!((answer.snapshots, answer.differences), (1, 1));
    let difference = &ada.changes.last().unwrap().answers[0].difference;
    let ids: Vec<&str> = difference.upsert.iter().map(|upsert| upsert.id.as_str()).collect();
    assert_eq!(ids, ["r03", "r20", "r21"], "what moved, and what moved up");
    assert_eq!(difference.remove, ["r04", "r05"]);

    // Of another epoch nothing is believed.
    ada.answers.get_mut("q").unwrap().epoch = "another".into();
    ada.reconnect(501).await;
    ada.settle(seq).await;
    assert_eq!(ada.answers["q"].snapshots, 2);
    ada.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_is_told_what_rows_bring_where_that_has_changed() {
    let house = House::sqlite().await;
    for at in 0..5 {
        house.insert(&format!("r{at}"), json!({"stars": at})).await;
    }
    house.insert_of("Note", "n0", json!({"item": "r0", "text": "a"})).await;
    let mut ada = house.connect();
    ada.subscribe("q", &json!({"from": "Item", "orderBy": "stars", "include": "notes"})).await;
    ada.settle(0).await;
    house.hub.queries().leave(ada.outbox.source());
    let seq = house.patch("r3", json!({"stars": -1})).await;
    ada.reconnect(500).await;
    ada.settle(seq).await;
    ada.check().await;
    let answer = &ada.answers["q"];
    assert_eq!(
        (answer.snapshots, answer.differences),
        (1, 1),
        "one row has changed, and nothing that rows bring"
    );

    // The log does not say which row had brought a note that moves on.
    house.hub.queries().leave(ada.outbox.source());
    let seq = house.patch_of("Note", "n0", json!({"item": "r1"})).await;
    ada.reconnect(501).await;
    ada.settle(seq).await;
    ada.check().await;
    assert_eq!(ada.answers["q"].snapshots, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_another_manifest_comes_whole() {
    let app = App(7);
    let house = House::sqlite_of(app.manifest(0, 0), LiveLimits::default()).await;
    let seq = house.insert("a", json!({"stars": "1"})).await;
    let mut ada = house.connect();
    ada.subscribe("q", &json!({"from": "Item"})).await;
    ada.settle(seq).await;
    house.store.replace_manifest(app.manifest(0, 1).into()).await.unwrap();
    ada.settle(seq).await;
    let kept = ada.ended.remove("q").unwrap();
    // The row has not changed, yet it has a column more.
    ada.resume("q", &kept).await;
    ada.settle(seq).await;
    ada.check().await;
    assert_eq!(ada.answers["q"].snapshots, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_follows_is_forgotten_in_time() {
    let limits = LiveLimits { idle: Duration::ZERO, queries: 1, ..LiveLimits::default() };
    let house = House::sqlite_with(limits).await;
    let mut ada = house.connect();
    // Each takes the place of the one before, which nobody follows any more.
    for state in ["open", "busy", "done"] {
        ada.subscribe("q", &json!({"from": "Item", "where": {"state": state}})).await;
        ada.settle(0).await;
        ada.unsubscribe("q");
    }
    assert!(ada.errors.is_empty(), "{:?}", ada.errors);
    ada.subscribe("q", &json!({"from": "Item", "where": {"state": "open"}})).await;
    ada.subscribe("r", &json!({"from": "Item", "where": {"state": "done"}})).await;
    ada.settle(0).await;
    assert_eq!(ada.errors.pop_front().unwrap().code, ErrorCode::TooManyQueries);
}
