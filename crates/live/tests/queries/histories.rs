//! Random histories: rows, what is asked of them, and what becomes of them.

use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Map, Value as Json, json};

use crate::{house::object, manifests::TURNS};

const IDS: [&str; 9] = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];

/// A row that is no item: its entity and its id.
pub(crate) type Row = (&'static str, &'static str);

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
pub(crate) enum Step {
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
    /// Several writes that are made together or not at all.
    Together(Vec<(&'static str, Map<String, Json>)>),
    Subscribe(Json),
    Unsubscribe(prop::sample::Index),
    /// Another manifest is served from now on: the one of this turn.
    Migrate(u8),
    /// The connection breaks, a write happens meanwhile, and it comes back with what it had.
    Reconnect(&'static str, Map<String, Json>),
}

pub(crate) fn id() -> impl Strategy<Value = &'static str> {
    select(&IDS[..])
}

fn value(field: &'static str) -> BoxedStrategy<Json> {
    let some = match field {
        "title" => select(vec!["", "a", "A", "ab", "b", "ä", "%", "a\u{10000}"]).prop_map(Json::from).boxed(),
        "body" => prop_oneof![
            4 => select(vec!["", "plan", "long plan", "plans: a plan b"]).prop_map(Json::from),
            // Long enough for its line to be written late.
            1 => select(vec!["x", "y", "plan "]).prop_map(|text| Json::from(text.repeat(4_200))),
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

pub(crate) fn fields() -> impl Strategy<Value = Map<String, Json>> {
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

pub(crate) fn query() -> impl Strategy<Value = Json> {
    prop_oneof![4 => rows_query(), 2 => aggregate(), 1 => query_elsewhere(), 3 => including(), 3 => words()]
}

/// A query of items that have some words in their texts.
fn words() -> impl Strategy<Value = Json> {
    let sought = select(vec![
        "plan",
        "plans",
        "long plan",
        "pl*",
        r#""long plan""#,
        "b",
        "ab",
        "x*",
        "plan b",
        "ä",
        "",
    ]);
    let of_items = prop_oneof![3 => rows_query(), 1 => aggregate(), 1 => including_items()];
    (sought, of_items, any::<bool>()).prop_map(|(sought, mut query, ranked)| {
        query["match"] = json!(sought);
        if ranked {
            query.as_object_mut().expect("it is one").remove("orderBy");
        }
        query
    })
}

/// A query of items, or of teams, that bring others with them.
fn including() -> impl Strategy<Value = Json> {
    prop_oneof![including_items(), including_teams()]
}

fn including_items() -> impl Strategy<Value = Json> {
    let of_items = select(vec![
        json!(["group", "notes"]),
        json!({"group": {"include": {"members": {"orderBy": "user"}}}}),
        json!({"notes": {"where": {"author": "ada"}, "orderBy": {"text": "desc"}, "limit": 1}}),
        json!({"notes": {"where": {"item.group.name": "x"}, "select": ["text"]}, "group": {"select": []}}),
        json!({"group": {"where": {"secret": {"$ne": true}}, "include": ["items"]}}),
    ]);
    (rows_query(), of_items).prop_map(|(mut query, include)| {
        query["include"] = include;
        query
    })
}

fn including_teams() -> impl Strategy<Value = Json> {
    let of_teams = select(vec![
        json!("items"),
        json!({"items": {"limit": 2, "orderBy": {"stars": "desc"}, "include": {"notes": {"limit": 1}}}}),
        json!({"members": true, "items": {"where": {"state": "open"}, "select": ["title"], "include": ["group"]}}),
        json!({"items": {"where": {"notes": {"$exists": true}}, "include": "notes"}}),
    ]);
    (prop::option::weighted(0.5, related("Team")), prop::option::weighted(0.3, 1..3_u32), of_teams).prop_map(
        |(filter, limit, include)| {
            let mut query = json!({"from": "Team", "orderBy": "name", "include": include});
            if let Some(filter) = filter {
                query["where"] = filter;
            }
            if let Some(limit) = limit {
                query["limit"] = json!(limit);
            }
            query
        },
    )
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
        2 => vec((id(), fields()), 2..5).prop_map(Step::Together),
        8 => row().prop_flat_map(|row| fields_elsewhere(row.0).prop_map(move |fields| Step::Elsewhere(row, fields))),
        2 => row().prop_map(Step::DeleteElsewhere),
        1 => row().prop_map(Step::RestoreElsewhere),
        3 => query().prop_map(Step::Subscribe),
        1 => any::<prop::sample::Index>().prop_map(Step::Unsubscribe),
        1 => (id(), fields()).prop_map(|(id, fields)| Step::Reconnect(id, fields)),
        1 => (0..TURNS).prop_map(Step::Migrate),
    ]
}

#[derive(Debug, Clone)]
pub(crate) struct History {
    /// Under which manifest of the app it begins.
    pub(crate) turn: u8,
    pub(crate) before: Vec<(&'static str, Map<String, Json>)>,
    pub(crate) queries: Vec<Json>,
    pub(crate) steps: Vec<Step>,
}

pub(crate) fn history() -> impl Strategy<Value = History> {
    let turn = prop_oneof![8 => Just(0), 1 => 0..TURNS];
    (turn, vec((id(), fields()), 0..8), vec(query(), 1..5), vec(step(), 1..16))
        .prop_map(|(turn, before, queries, steps)| History { turn, before, queries, steps })
}
