//! Random histories of writes: after every commit each answer is what a fresh query finds.
//!
//! `CORELLA_HISTORIES` says how many histories are tried on each database; 200 without it.

use corella_rowdoc::{PeerId, RowDoc, RowShape, Version};
use corella_store::RowChange;
use proptest::{
    collection::vec,
    prelude::*,
    sample::select,
    test_runner::{Config, TestError, TestRunner},
};
use serde_json::{Map, Value as Json, json};

use crate::house::{House, object};

const IDS: [&str; 9] = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];

/// A row that is no item: its entity and its id.
type Row = (&'static str, &'static str);

const ROWS: [Row; 9] = [
    ("Team", "t0"),
    ("Team", "t1"),
    ("Team", "t2"),
    ("Member", "m0"),
    ("Member", "m1"),
    ("Member", "m2"),
    ("Note", "n0"),
    ("Note", "n1"),
    ("Note", "n2"),
];

#[derive(Debug, Clone)]
enum Step {
    Write(&'static str, Map<String, Json>),
    /// An edit of the document, as a client with a replica makes it.
    Edit(&'static str, Map<String, Json>),
    Delete(&'static str),
    Restore(&'static str),
    /// A change of a team, a membership or a note.
    Elsewhere(Row, Map<String, Json>),
    DeleteElsewhere(Row),
    RestoreElsewhere(Row),
    /// Several writes that may be committed together.
    Burst(Vec<(&'static str, Map<String, Json>)>),
    Subscribe(Json),
    Unsubscribe(prop::sample::Index),
    /// The connection breaks, a write happens meanwhile, and it comes back with what it had.
    Reconnect(&'static str, Map<String, Json>),
}

fn id() -> impl Strategy<Value = &'static str> {
    select(&IDS[..])
}

fn value(field: &'static str) -> BoxedStrategy<Json> {
    let some = match field {
        "title" => select(vec!["", "a", "A", "ab", "b", "ä", "%", "a\u{10000}"]).prop_map(Json::from).boxed(),
        "body" => prop_oneof![
            4 => select(vec!["", "plan", "long plan"]).prop_map(Json::from),
            // Long enough for its line to be written late.
            1 => select(vec!["x", "y"]).prop_map(|text| Json::from(text.repeat(4_200))),
        ]
        .boxed(),
        "state" => select(vec!["open", "busy", "done"]).prop_map(Json::from).boxed(),
        "stars" => prop_oneof![4 => -1..4_i64, 1 => Just(i64::MAX), 1 => Just((1 << 53) + 1)]
            .prop_map(|int| json!(int.to_string()))
            .boxed(),
        "votes" => (0..3_i64).prop_map(Json::from).boxed(),
        "place" => select(vec![0.0, -0.0, 0.5, 1.0, -3.25, 1e300]).prop_map(Json::from).boxed(),
        "pinned" => any::<bool>().prop_map(Json::from).boxed(),
        "due" => {
            select(vec!["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000001Z", "1999-12-31T23:59:59+02:00"])
                .prop_map(Json::from)
                .boxed()
        }
        "owner" => select(vec!["p1", "p2", "P1"]).prop_map(Json::from).boxed(),
        "team" => select(vec!["t0", "t1", "t2"]).prop_map(Json::from).boxed(),
        "tags" => select(vec![json!([]), json!(["x"]), json!([1, {"a": null}])]).boxed(),
        other => unreachable!("{other}"),
    };
    if matches!(field, "title" | "body" | "tags" | "votes") {
        return some;
    }
    prop_oneof![5 => some, 1 => Just(Json::Null)].boxed()
}

const FIELDS: [&str; 11] =
    ["title", "state", "stars", "votes", "place", "pinned", "due", "owner", "tags", "body", "team"];

fn fields() -> impl Strategy<Value = Map<String, Json>> {
    let field = select(&FIELDS[..])
        .prop_flat_map(|field| value(field).prop_map(move |value| (field.to_owned(), value)));
    vec(field, 1..4).prop_map(|fields| fields.into_iter().collect())
}

fn row() -> impl Strategy<Value = Row> {
    select(&ROWS[..])
}

/// Fields of a row that is no item.
fn fields_elsewhere(entity: &'static str) -> BoxedStrategy<Map<String, Json>> {
    let team = || select(vec![json!("t0"), json!("t1"), json!("t2"), Json::Null]);
    let user = || select(vec!["ada", "bob"]).prop_map(Json::from);
    let some = prop::option::weighted(0.6, any::<bool>());
    let fields = match entity {
        "Team" => (select(vec!["x", "y"]), some, prop::option::weighted(0.4, team()))
            .prop_map(|(name, secret, parent)| json!({"name": name, "secret": secret, "parent": parent}))
            .boxed(),
        "Member" => (team(), user()).prop_map(|(team, user)| json!({"team": team, "user": user})).boxed(),
        _ => (prop::option::weighted(0.9, id()), user(), some, select(vec!["", "plan"]))
            .prop_map(|(item, author, hidden, text)| {
                json!({"item": item, "author": author, "hidden": hidden, "text": text})
            })
            .boxed(),
    };
    fields.prop_map(object).boxed()
}

/// Something asked about rows that belong to those of an entity.
fn related(entity: &'static str) -> impl Strategy<Value = Json> {
    let conditions = match entity {
        "Item" => vec![
            json!({"team.name": "x"}),
            json!({"group.name": {"$ne": "x"}}),
            json!({"team.parent.name": {"$in": ["x", "y"]}}),
            json!({"team.members.user": "ada"}),
            json!({"team": {"$exists": {"secret": true}}}),
            json!({"group": {"$exists": true}}),
            json!({"group": {"$exists": false}}),
            json!({"notes": {"$exists": true}}),
            json!({"notes": {"$exists": false}}),
            json!({"notes.author": "ada"}),
            json!({"notes.text": {"$like": "p%"}}),
            json!({"notes": {"$exists": {"author": "bob", "hidden": {"$ne": true}}}}),
            json!({"notes": {"$exists": {"item.group.members.user": "bob"}}}),
            json!({"group": {"$exists": {"members": {"$exists": false}}}}),
        ],
        "Team" => vec![
            json!({"members": {"$exists": {"user": "ada"}}}),
            json!({"items.state": "open"}),
            json!({"items.notes.author": "ada"}),
            json!({"parent.name": "x"}),
        ],
        _ => vec![
            json!({"item.team.name": "x"}),
            json!({"item.state": "open"}),
            json!({"item.stars": {"$gt": 0}}),
        ],
    };
    select(conditions)
}

fn test(field: &'static str) -> BoxedStrategy<Json> {
    if field == "tags" {
        return any::<bool>().prop_map(|exists| json!({"$exists": exists})).boxed();
    }
    let ordinary = (select(vec!["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"]), value(field))
        .prop_map(|(operator, value)| json!({operator: value}));
    let list = (select(vec!["$in", "$nin"]), vec(value(field), 0..3))
        .prop_map(|(operator, values)| json!({operator: values}));
    let range = (value(field), value(field)).prop_map(|(from, to)| json!({"$gte": from, "$lt": to}));
    let all = prop_oneof![4 => value(field), 3 => ordinary, 2 => list, 2 => range];
    if !matches!(field, "title" | "body") {
        return all.boxed();
    }
    let like = (select(vec!["$like", "$ilike"]), select(vec!["a%", "%b", "A", "_", "%", "%x%"]))
        .prop_map(|(operator, pattern)| json!({operator: pattern}));
    let contains = select(vec!["", "a", "plan", "x"]).prop_map(|part| json!({"$contains": part}));
    prop_oneof![2 => all, 2 => like, 1 => contains].boxed()
}

fn condition() -> impl Strategy<Value = Json> {
    let leaf =
        select(&FIELDS[..]).prop_flat_map(|field| test(field).prop_map(move |test| json!({field: test})));
    let by_id = id().prop_map(|id| json!({"id": id}));
    prop_oneof![8 => leaf, 1 => by_id, 4 => related("Item")].prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(|all| json!({"$and": all})),
            vec(inner.clone(), 0..3).prop_map(|any| json!({"$or": any})),
            inner.prop_map(|not| json!({"$not": not})),
        ]
    })
}

/// Something counted or added up, of all rows or by groups.
fn aggregate() -> impl Strategy<Value = Json> {
    let measures = json!({
        "rows": {"$count": true}, "owned": {"$count": "owner"}, "stars": {"$sum": "stars"}, "place": {"$sum": "place"},
        "mean": {"$avg": "stars"}, "middle": {"$avg": "place"}, "first": {"$min": "due"}, "last": {"$max": "title"},
    });
    let groups = select(vec![
        json!([]),
        json!("state"),
        json!(["owner", "pinned"]),
        json!([{"due": "month"}]),
        json!(["stars", {"due": "day"}]),
    ]);
    (prop::option::weighted(0.6, condition()), groups).prop_map(move |(filter, groups)| {
        let mut query = json!({"from": "Item", "aggregate": measures});
        // A name of the answer may not be that of a column to group by.
        if groups.to_string().contains("stars") {
            query["aggregate"].as_object_mut().expect("it is one").remove("stars");
        }
        query["groupBy"] = groups;
        if let Some(filter) = filter {
            query["where"] = filter;
        }
        query
    })
}

fn query() -> impl Strategy<Value = Json> {
    prop_oneof![4 => rows_query(), 2 => aggregate(), 1 => query_elsewhere(), 3 => including()]
}

/// A query of items, or of teams, that bring others with them.
fn including() -> impl Strategy<Value = Json> {
    let of_items = select(vec![
        json!(["group", "notes"]),
        json!({"group": {"include": {"members": {"orderBy": "user"}}}}),
        json!({"notes": {"where": {"author": "ada"}, "orderBy": {"text": "desc"}, "limit": 1}}),
        json!({"notes": {"where": {"item.group.name": "x"}, "select": ["text"]}, "group": {"select": []}}),
        json!({"group": {"where": {"secret": {"$ne": true}}, "include": ["items"]}}),
    ]);
    let of_teams = select(vec![
        json!("items"),
        json!({"items": {"limit": 2, "orderBy": {"stars": "desc"}, "include": {"notes": {"limit": 1}}}}),
        json!({"members": true, "items": {"where": {"state": "open"}, "select": ["title"], "include": ["group"]}}),
        json!({"items": {"where": {"notes": {"$exists": true}}, "include": "notes"}}),
    ]);
    let items = (rows_query(), of_items).prop_map(|(mut query, include)| {
        query["include"] = include;
        query
    });
    let teams =
        (prop::option::weighted(0.5, related("Team")), prop::option::weighted(0.3, 1..3_u32), of_teams)
            .prop_map(|(filter, limit, include)| {
                let mut query = json!({"from": "Team", "orderBy": "name", "include": include});
                if let Some(filter) = filter {
                    query["where"] = filter;
                }
                if let Some(limit) = limit {
                    query["limit"] = json!(limit);
                }
                query
            });
    prop_oneof![items, teams]
}

/// A query of rows that are no items.
fn query_elsewhere() -> impl Strategy<Value = Json> {
    select(vec!["Team", "Note"]).prop_flat_map(|entity| {
        (prop::option::weighted(0.8, related(entity)), prop::option::weighted(0.5, 1..3_u32)).prop_map(
            move |(filter, limit)| {
                let mut query = json!({"from": entity});
                if let Some(filter) = filter {
                    query["where"] = filter;
                }
                if let Some(limit) = limit {
                    query["limit"] = json!(limit);
                }
                query
            },
        )
    })
}

fn rows_query() -> impl Strategy<Value = Json> {
    let columns = prop::sample::subsequence(
        vec!["title", "state", "stars", "votes", "place", "pinned", "due", "owner"],
        0..3,
    );
    let order = (columns, vec(any::<bool>(), 3)).prop_map(|(columns, down)| {
        let terms = columns
            .into_iter()
            .zip(down)
            .map(|(column, down)| json!({column: if down { "desc" } else { "asc" }}));
        Json::Array(terms.collect())
    });
    let select = prop::option::weighted(0.5, prop::sample::subsequence(FIELDS.to_vec(), 0..4));
    (prop::option::weighted(0.8, condition()), order, prop::option::weighted(0.7, 1..5_u32), select).prop_map(
        |(filter, order, limit, select)| {
            let mut query = json!({"from": "Item", "orderBy": order});
            for (key, part) in [
                ("where", filter),
                ("limit", limit.map(Json::from)),
                ("select", select.map(|names| json!(names))),
            ] {
                if let Some(part) = part {
                    query[key] = part;
                }
            }
            query
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (id(), fields()).prop_map(|(id, fields)| Step::Write(id, fields)),
        3 => (id(), fields()).prop_map(|(id, fields)| Step::Edit(id, fields)),
        4 => id().prop_map(Step::Delete),
        2 => id().prop_map(Step::Restore),
        2 => vec((id(), fields()), 2..6).prop_map(Step::Burst),
        8 => row().prop_flat_map(|row| fields_elsewhere(row.0).prop_map(move |fields| Step::Elsewhere(row, fields))),
        2 => row().prop_map(Step::DeleteElsewhere),
        1 => row().prop_map(Step::RestoreElsewhere),
        3 => query().prop_map(Step::Subscribe),
        1 => any::<prop::sample::Index>().prop_map(Step::Unsubscribe),
        1 => (id(), fields()).prop_map(|(id, fields)| Step::Reconnect(id, fields)),
    ]
}

#[derive(Debug, Clone)]
struct History {
    before: Vec<(&'static str, Map<String, Json>)>,
    queries: Vec<Json>,
    steps: Vec<Step>,
}

fn history() -> impl Strategy<Value = History> {
    (vec((id(), fields()), 0..8), vec(query(), 1..5), vec(step(), 1..16))
        .prop_map(|(before, queries, steps)| History { before, queries, steps })
}

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
