//! Random histories of writes: after every commit each answer is what a fresh query finds.
//!
//! Manifests are random as well, and move on within a history. In the end somebody comes back with the answers of each
//! moment, and is told what is missing from them. `CORELLA_HISTORIES` says how many histories are tried on SQLite, 200
//! without it; on PostgreSQL it is an eighth of that.

use std::cell::{Cell, RefCell};

use corella_live::LiveLimits;
use corella_manifest::Manifest;
use corella_rowdoc::{PeerId, RowDoc, RowShape, Version};
use corella_store::RowChange;
use corella_testkit::Random;
use proptest::{
    prelude::*,
    test_runner::{Config, TestError, TestRunner},
};
use serde_json::{Map, Value as Json, json};

use crate::{
    follower::{Answer, Follower},
    histories::{History, Step, history},
    house::{House, object},
    manifests::App,
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

/// A connection, and what it was told at each moment.
struct Witness {
    follower: Follower,
    past: Vec<Answer>,
}

/// Answers of the past with which somebody comes back in the end.
const MOST_PAST: usize = 40;

impl Witness {
    fn new(follower: Follower) -> Self {
        Self { follower, past: Vec::new() }
    }

    /// Compares all answers with fresh ones, and remembers them.
    async fn check(&mut self) {
        self.follower.check().await;
        for answer in self.follower.answers.values() {
            let is_known = |past: &Answer| past.query == answer.query && past.seq == answer.seq;
            if self.past.len() < MOST_PAST && !self.past.iter().any(is_known) {
                self.past.push(answer.clone());
            }
        }
    }

    /// Asks again for what has ended because another manifest is served.
    async fn ask_again(&mut self) {
        for (reference, answer) in std::mem::take(&mut self.follower.ended) {
            self.follower.resume(&reference, &answer).await;
        }
    }

    /// Comes back with what was told at each moment of the past, and compares what that becomes.
    async fn come_back(self, house: &House, seq: i64) {
        let mut again = house.connect();
        again.access = self.follower.access.clone();
        for (at, answer) in self.past.iter().enumerate() {
            again.resume(&format!("past{at}"), answer).await;
        }
        again.settle(seq).await;
        again.check().await;
        assert!(
            again.errors.is_empty() && self.follower.errors.is_empty(),
            "{:?} {:?}",
            again.errors,
            self.follower.errors
        );
        house.hub.queries().leave(again.outbox.source());
        house.hub.queries().leave(self.follower.outbox.source());
    }
}

async fn live(place: &mut Place, house: &House, history: History) {
    place.serve(history.turn, 0).await;
    let teams = ["t0", "t1"].map(|id| house.insert_of("Team", id, json!({"name": "x"})));
    futures_util::future::join_all(teams).await;
    let before = history.before.into_iter().map(|(id, fields)| write(house, id, fields));
    futures_util::future::join_all(before).await;
    let mut one = Witness::new(house.connect());
    let mut other = Witness::new(house.connect_as("ada"));
    let mut next = 0;
    let mut name = || {
        next += 1;
        format!("q{next}")
    };
    for query in &history.queries {
        one.follower.try_subscribe(&name(), query).await;
        other.follower.try_subscribe(&name(), query).await;
    }
    for (at, step) in history.steps.into_iter().enumerate() {
        let mut has_moved = false;
        match step {
            Step::Write(id, fields) => write(house, id, fields).await,
            Step::Edit(id, fields) => edit(house, id, fields).await,
            Step::Delete(id) => drop(house.try_write(id, RowChange::Delete).await),
            Step::Restore(id) => drop(house.try_write(id, RowChange::Restore).await),
            Step::Burst(writes) => {
                let writes = writes.into_iter().map(|(id, fields)| write(house, id, fields));
                futures_util::future::join_all(writes).await;
            }
            Step::Together(writes) => {
                let changes = writes.into_iter().map(|(id, fields)| (id, RowChange::Patch(fields)));
                house.transact(changes.collect()).await.ok();
            }
            Step::Elsewhere(row, fields) => write_of(house, row, fields).await,
            Step::DeleteElsewhere((entity, id)) => {
                drop(house.try_write_of(entity, id, RowChange::Delete).await);
            }
            Step::RestoreElsewhere((entity, id)) => {
                drop(house.try_write_of(entity, id, RowChange::Restore).await);
            }
            Step::Subscribe(query) => {
                one.follower.try_subscribe(&name(), &query).await;
                other.follower.try_subscribe(&name(), &query).await;
            }
            Step::Unsubscribe(which) => {
                let names: Vec<String> = one.follower.answers.keys().cloned().collect();
                if !names.is_empty() {
                    one.follower.unsubscribe(&names[which.index(names.len())]);
                }
            }
            Step::Migrate(turn) => has_moved = place.serve(turn, 1).await,
            Step::Reconnect(id, fields) => {
                one.follower.settle(0).await;
                write(house, id, fields).await;
                let source = 1_000_000 + u64::try_from(at).unwrap() + house.connect().outbox.source().0 * 100;
                one.follower.reconnect(source).await;
            }
        }
        let seq = house.store.last_seq().await.unwrap().0;
        if has_moved {
            // All answers have ended, and are asked for again.
            one.follower.settle(seq).await;
            other.follower.settle(seq).await;
            assert!(one.follower.answers.is_empty() && other.follower.answers.is_empty(), "all have ended");
            one.ask_again().await;
            other.ask_again().await;
        }
        one.follower.settle(seq).await;
        other.follower.settle(seq).await;
        futures_util::future::join(one.check(), other.check()).await;
    }
    let seq = house.store.last_seq().await.unwrap().0;
    one.come_back(house, seq).await;
    other.come_back(house, seq).await;
}

fn histories() -> u32 {
    std::env::var("CORELLA_HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(200)
}

/// A house under one of the apps, in which histories are tried, each of a tenant of its own.
pub(crate) struct Place {
    app: App,
    house: House,
    /// Which of the app's manifests is served, and how many fields have come.
    turn: u8,
    fields: u8,
    tenants: u32,
}

impl Place {
    /// Serves the manifest of this turn, with a field more if that was asked for; says whether that is another one.
    async fn serve(&mut self, turn: u8, more: u8) -> bool {
        /// Fields that may come while a house stands.
        const MOST: u8 = 8;
        let fields = (self.fields + more).min(MOST);
        if (turn, fields) == (self.turn, self.fields) {
            return false;
        }
        (self.turn, self.fields) = (turn, fields);
        self.house.store.replace_manifest(self.app.manifest(turn, fields).into()).await.unwrap();
        true
    }

    pub(crate) fn tenant(&mut self) -> House {
        self.tenants += 1;
        self.house.of(&format!("t{}", self.tenants))
    }
}

/// Tries random cases, each in a tenant of its own, in houses under random manifests, each for so many cases.
pub(crate) fn try_cases<S: Strategy>(
    cases: u32,
    each: u32,
    strategy: &S,
    open: impl AsyncFn(Manifest) -> House,
    attempt: impl AsyncFn(&mut Place, &House, S::Value),
) where
    S::Value: std::fmt::Debug,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let of_apps = RefCell::new(Random::new());
    let config = Config { cases, max_shrink_iters: 400, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let place: RefCell<Option<Place>> = RefCell::new(None);
    let has_failed = Cell::new(false);
    let tried = runner.run(strategy, |case| {
        let mut place = place.borrow_mut();
        // What has failed is made smaller under the manifest under which it did.
        if let Some(full) = place.take_if(|place| place.tenants >= each && !has_failed.get()) {
            runtime.block_on(full.house.close());
        }
        let place = place.get_or_insert_with(|| {
            let app = App(of_apps.borrow_mut().number());
            let house = runtime.block_on(open(app.manifest(0, 0)));
            Place { app, house, turn: 0, fields: 0, tenants: 0 }
        });
        let house = place.tenant();
        let app = place.app;
        // A panic becomes a failure that can be made smaller.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            runtime.block_on(attempt(place, &house, case));
        }));
        outcome.map_err(|panic| {
            has_failed.set(true);
            let text = panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "a panic".into());
            TestCaseError::fail(format!("{app:?}: {text}"))
        })
    });
    if let Some(place) = place.take() {
        runtime.block_on(place.house.close());
    }
    match tried {
        Ok(()) => {}
        Err(TestError::Fail(reason, history)) => unreachable!("{reason}\n{history:#?}"),
        Err(TestError::Abort(reason)) => unreachable!("{reason}"),
    }
}

#[test]
fn every_answer_is_what_a_fresh_query_finds_on_sqlite() {
    let open = async |manifest| House::sqlite_of(manifest, LiveLimits::default()).await;
    try_cases(histories(), 25, &history(), open, live);
}

#[test]
fn every_answer_is_what_a_fresh_query_finds_on_postgres() {
    let open = async |manifest| House::postgres_of(&House::database(), manifest).await;
    // Each step waits for the database, and each manifest has a database of its own, which takes room.
    let cases = histories() / 8;
    try_cases(cases, 25.max(cases / 20), &history(), open, live);
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
