//! Random histories of writes: after every commit each answer is what a fresh query finds.
//!
//! `CORELLA_HISTORIES` says how many histories are tried on each database; 200 without it.

use corella_rowdoc::{PeerId, RowDoc, RowShape, Version};
use corella_store::RowChange;
use proptest::{
    prelude::*,
    test_runner::{Config, TestError, TestRunner},
};
use serde_json::{Map, Value as Json, json};

use crate::{
    histories::{History, Step, history},
    house::{House, object},
};

/// Writes fields, in a new row where there is none.
async fn write(house: &House, id: &str, fields: Map<String, Json>) {
    write_of(house, ("Item", id), fields).await;
}

async fn write_of(house: &House, (entity, id): (&str, &str), fields: Map<String, Json>) {
    if house.try_write_of(entity, id, RowChange::Patch(fields.clone())).await.is_err() {
        house.try_write_of(entity, id, RowChange::Insert(fields)).await.ok();
    }
}

/// Writes fields as bytes of a document, made by a replica.
async fn edit(house: &House, id: &str, fields: Map<String, Json>) {
    let key = house.key("Item", id);
    let export = house
        .store
        .lock(&key)
        .await
        .export(&Version::empty(), &corella_store::Access::Everything)
        .await
        .unwrap();
    let manifest = house.store.manifest();
    let shape = std::sync::Arc::new(RowShape::new(manifest.entity("Item").unwrap()).unwrap());
    let peer = PeerId(uuid::Uuid::new_v4().as_u64_pair().0 >> 1);
    let deltas: Vec<&[u8]> = export.update.iter().map(|update| &update[..]).collect();
    let mut doc = RowDoc::load(shape, peer, None, &deltas).unwrap();
    let before = doc.version();
    if doc.patch(&fields).is_err() {
        return;
    }
    let update = doc.export_since(&before).unwrap();
    house.try_write(id, RowChange::Update(update.into())).await.ok();
}

async fn live(house: &House, history: History) {
    let teams = ["t0", "t1"].map(|id| house.insert_of("Team", id, json!({"name": "x"})));
    futures_util::future::join_all(teams).await;
    let before = history.before.into_iter().map(|(id, fields)| write(house, id, fields));
    futures_util::future::join_all(before).await;
    let mut one = house.connect();
    let mut other = house.connect_as("ada");
    let mut next = 0;
    let mut name = || {
        next += 1;
        format!("q{next}")
    };
    for query in &history.queries {
        one.subscribe(&name(), query).await;
        other.subscribe(&name(), query).await;
    }
    for (at, step) in history.steps.into_iter().enumerate() {
        match step {
            Step::Write(id, fields) => write(house, id, fields).await,
            Step::Edit(id, fields) => edit(house, id, fields).await,
            Step::Delete(id) => drop(house.try_write(id, RowChange::Delete).await),
            Step::Restore(id) => drop(house.try_write(id, RowChange::Restore).await),
            Step::Burst(writes) => {
                let writes = writes.into_iter().map(|(id, fields)| write(house, id, fields));
                futures_util::future::join_all(writes).await;
            }
            Step::Elsewhere(row, fields) => write_of(house, row, fields).await,
            Step::DeleteElsewhere((entity, id)) => {
                drop(house.try_write_of(entity, id, RowChange::Delete).await);
            }
            Step::RestoreElsewhere((entity, id)) => {
                drop(house.try_write_of(entity, id, RowChange::Restore).await);
            }
            Step::Subscribe(query) => {
                one.subscribe(&name(), &query).await;
                other.subscribe(&name(), &query).await;
            }
            Step::Unsubscribe(which) => {
                let names: Vec<String> = one.answers.keys().cloned().collect();
                if !names.is_empty() {
                    one.unsubscribe(&names[which.index(names.len())]);
                }
            }
            Step::Reconnect(id, fields) => {
                one.settle(0).await;
                write(house, id, fields).await;
                one.reconnect(
                    1_000_000 + u64::try_from(at).unwrap() + house.connect().outbox.source().0 * 100,
                )
                .await;
            }
        }
        let seq = house.store.last_seq().await.unwrap().0;
        one.settle(seq).await;
        other.settle(seq).await;
        futures_util::future::join(one.check(), other.check()).await;
    }
    assert!(one.errors.is_empty() && other.errors.is_empty(), "{:?} {:?}", one.errors, other.errors);
    house.hub.queries().leave(one.outbox.source());
    house.hub.queries().leave(other.outbox.source());
}

fn histories() -> u32 {
    std::env::var("CORELLA_HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(200)
}

/// Tries random histories, each of a tenant of its own.
fn try_histories(open: impl AsyncFnOnce() -> House) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let house = runtime.block_on(open());
    let config =
        Config { cases: histories(), max_shrink_iters: 400, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let tenants = std::cell::Cell::new(0);
    let tried = runner.run(&history(), |history| {
        tenants.set(tenants.get() + 1);
        let house = house.of(&format!("t{}", tenants.get()));
        // A panic becomes a failure that can be made smaller.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            runtime.block_on(live(&house, history));
        }));
        outcome.map_err(|panic| {
            let text = panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "a panic".into());
            TestCaseError::fail(text)
        })
    });
    match tried {
        Ok(()) => {}
        Err(TestError::Fail(reason, history)) => unreachable!("{reason}\n{history:#?}"),
        Err(TestError::Abort(reason)) => unreachable!("{reason}"),
    }
}

#[test]
fn every_answer_is_what_a_fresh_query_finds_on_sqlite() {
    try_histories(House::sqlite);
}

#[test]
fn every_answer_is_what_a_fresh_query_finds_on_postgres() {
    try_histories(async || House::postgres(&House::database()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_and_sums_follow_what_is_counted() {
    let house = House::sqlite().await;
    let mut ada = house.connect();
    let measures = json!({"rows": {"$count": true}, "sum": {"$sum": "place"}, "most": {"$max": "stars"}});
    ada.subscribe(
        "by",
        &json!({"from": "Item", "aggregate": measures, "groupBy": ["state", {"due": "month"}]}),
    )
    .await;
    ada.subscribe("all", &json!({"from": "Item", "aggregate": measures})).await;
    ada.settle(0).await;
    assert_eq!(json!(ada.answers["all"].rows), json!([{"id": "[]", "rows": 0, "sum": 0, "most": null}]));
    for (id, place, stars) in [("a", 0.1, 3), ("b", 0.2, 9), ("c", 1e300, 1)] {
        let row = json!({"state": "open", "due": "2026-02-03T04:05:06Z", "place": place, "stars": stars});
        house.insert(id, row).await;
    }
    let mut seq = house.delete("c").await;
    ada.settle(seq).await;
    ada.check().await;
    let id = r#"["open","2026-02-01T00:00:00.000000Z"]"#;
    let group = json!({"id": id, "state": "open", "due": "2026-02-01T00:00:00.000000Z", "rows": 2, "sum": 0.1 + 0.2, "most": 9});
    assert_eq!(json!(ada.answers["by"].rows), json!([group]));
    seq = seq.max(house.patch("b", json!({"state": "done"})).await);
    ada.settle(seq).await;
    ada.check().await;
    assert_eq!(ada.answers["by"].rows.len(), 2);
    seq = seq.max(house.delete("a").await);
    ada.settle(seq).await;
    ada.check().await;
    assert_eq!(
        ada.changes
            .last()
            .unwrap()
            .answers
            .iter()
            .find(|told| told.reference == "by")
            .unwrap()
            .difference
            .remove,
        [id]
    );
}

#[test]
fn a_known_history() {
    // A row leaves a full window, and the row behind the spare ones moves up.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let house = House::sqlite().await;
        for at in 0..60 {
            house.insert(&format!("r{at:02}"), json!({"stars": at})).await;
        }
        let mut ada = house.connect();
        ada.subscribe(
            "q",
            &json!({"from": "Item", "orderBy": {"stars": "desc"}, "limit": 3, "select": ["stars"]}),
        )
        .await;
        for at in (0..60).rev() {
            let seq = house.delete(&format!("r{at:02}")).await;
            ada.settle(seq).await;
            ada.check().await;
        }
        assert_eq!(ada.answers["q"].snapshots, 1);
        let counts = house.hub.queries().counters().counts();
        assert!((2..=6).contains(&counts.refills), "{counts:?}");
        let seq = house.insert("z", Json::Object(object(json!({"stars": 1})))).await;
        ada.settle(seq).await;
        ada.check().await;
    });
}
