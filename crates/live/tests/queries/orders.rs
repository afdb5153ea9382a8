//! The same edits of documents, delivered in several orders: all who follow end with the same.

use std::{collections::BTreeMap, sync::Arc};

use corella_live::LiveLimits;
use corella_rowdoc::{PeerId, RowDoc, RowShape, Version};
use corella_store::RowChange;
use proptest::{collection::vec, prelude::*, sample::Index};
use serde_json::{Map, Value as Json, json};

use crate::{
    histories::{fields, id, query},
    house::House,
    oracle::{Place, try_cases},
};

/// Replicas that edit rows without knowing of each other.
#[derive(Debug, Clone)]
struct Edits {
    rows: BTreeMap<&'static str, Map<String, Json>>,
    /// What each replica writes, in its own order.
    replicas: Vec<Vec<(&'static str, Map<String, Json>)>>,
    queries: Vec<Json>,
    /// Whose next edit is delivered, in each of several places.
    orders: Vec<Vec<Index>>,
}

fn edits() -> impl Strategy<Value = Edits> {
    let rows = prop::collection::btree_map(id(), fields(), 1..4);
    let replicas = vec(vec((id(), fields()), 1..5), 2..4);
    (rows, replicas, vec(query(), 1..4), vec(vec(any::<Index>(), 16), 2..3))
        .prop_map(|(rows, replicas, queries, orders)| Edits { rows, replicas, queries, orders })
}

type Update = (&'static str, Vec<u8>);

/// The updates of a replica, in its own order, and of which rows they are.
fn updates(
    shape: &Arc<RowShape>,
    beginnings: &BTreeMap<&'static str, Vec<u8>>,
    writes: &[(&'static str, Map<String, Json>)],
    peer: PeerId,
) -> Vec<Update> {
    let mut docs: BTreeMap<&str, RowDoc> = BTreeMap::new();
    let mut updates = Vec::new();
    for (id, fields) in writes {
        let Some(beginning) = beginnings.get(id) else { continue };
        let doc = docs
            .entry(id)
            .or_insert_with(|| RowDoc::load(Arc::clone(shape), peer, None, &[beginning.as_slice()]).unwrap());
        let before = doc.version();
        if doc.patch(fields).is_ok() {
            updates.push((*id, doc.export_since(&before).unwrap().to_vec()));
        }
    }
    updates
}

async fn deliver(place: &mut Place, house: &House, edits: Edits) {
    let manifest = house.store.manifest();
    let shape = Arc::new(RowShape::new(manifest.entity("Item").unwrap()).unwrap());
    let mut beginnings = BTreeMap::new();
    for (number, (id, fields)) in (1..).zip(&edits.rows) {
        let mut doc = RowDoc::load(Arc::clone(&shape), PeerId(number), None, &[] as &[&[u8]]).unwrap();
        if doc.patch(fields).is_ok() {
            beginnings.insert(*id, doc.export_since(&Version::empty()).unwrap().to_vec());
        }
    }
    let replicas: Vec<Vec<Update>> = (100..)
        .zip(&edits.replicas)
        .map(|(number, writes)| updates(&shape, &beginnings, writes, PeerId(number)))
        .collect();
    let mut ends: Vec<Vec<Json>> = Vec::new();
    for order in &edits.orders {
        let house = place.tenant();
        let mut follower = house.connect_as("ada");
        futures_util::future::join_all(
            ["t0", "t1"].map(|id| house.insert_of("Team", id, json!({"name": "x"}))),
        )
        .await;
        for (id, beginning) in &beginnings {
            house.try_write(id, RowChange::Update(beginning.clone().into())).await.ok();
        }
        for (at, query) in edits.queries.iter().enumerate() {
            follower.try_subscribe(&format!("q{at}"), query).await;
        }
        let mut waiting: Vec<std::collections::VecDeque<Update>> =
            replicas.iter().map(|updates| updates.iter().cloned().collect()).collect();
        for next in order {
            waiting.retain(|updates| !updates.is_empty());
            if waiting.is_empty() {
                break;
            }
            let replica = next.index(waiting.len());
            if let Some((id, update)) = waiting[replica].pop_front() {
                house.try_write(id, RowChange::Update(update.into())).await.ok();
            }
            let seq = house.store.last_seq().await.unwrap().0;
            follower.settle(seq).await;
            follower.check().await;
        }
        assert!(waiting.iter().all(std::collections::VecDeque::is_empty), "everything was delivered");
        ends.push(follower.answers.values().map(|answer| json!(answer.rows)).collect());
        house.hub.queries().leave(follower.outbox.source());
    }
    let first = &ends[0];
    for end in &ends {
        assert_eq!(end, first, "the same edits end in the same answers");
    }
}

#[test]
fn edits_in_any_order_end_in_the_same_answers() {
    let open = async |manifest| House::sqlite_of(manifest, LiveLimits::default()).await;
    try_cases(60, 20, &edits(), open, deliver);
}
