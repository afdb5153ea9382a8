//! Random scripts over every kind of field: any order of delivery, with repeats, ends the same everywhere.

use corella_rowdoc::{Change, Refusal, RowDoc};
use proptest::{prelude::*, sample::Index};
use serde_json::{Value as Json, json};

use crate::support::{Room, new_kinds, object};

/// What one replica does; places are taken by the length of what is there.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    Count(i64),
    Score(f64),
    Push(&'static str, u8),
    Insert(&'static str, Index, u8),
    Remove(&'static str, Index),
    Move(&'static str, Index, Index),
    Set(&'static str, Index, u8),
    Items(&'static str, Vec<u8>),
    Key(u8, Option<u8>),
    Entries(Vec<(u8, u8)>),
    Create(Option<Index>, u8),
    Shift(Index, Option<Index>),
    Cut(Index),
    Name(Index, u8),
    Text(String),
    Mark(Index, Index, &'static str),
    Value(Json),
    Delete(bool),
}

pub(crate) fn act() -> impl Strategy<Value = Act> {
    let list = || prop::sample::select(&["tags", "tasks"][..]);
    let place = any::<Index>;
    prop_oneof![
        (-1_000..1_000_i64).prop_map(Act::Count),
        (-10.0..10.0_f64).prop_map(Act::Score),
        (list(), 0..9_u8).prop_map(|(f, v)| Act::Push(f, v)),
        (list(), place(), 0..9_u8).prop_map(|(f, i, v)| Act::Insert(f, i, v)),
        (list(), place()).prop_map(|(f, i)| Act::Remove(f, i)),
        (list(), place(), place()).prop_map(|(f, i, j)| Act::Move(f, i, j)),
        (list(), place(), 0..9_u8).prop_map(|(f, i, v)| Act::Set(f, i, v)),
        (list(), prop::collection::vec(0..6_u8, 0..7)).prop_map(|(f, v)| Act::Items(f, v)),
        (0..4_u8, prop::option::of(0..9_u8)).prop_map(|(k, v)| Act::Key(k, v)),
        prop::collection::vec((0..4_u8, 0..9_u8), 0..4).prop_map(Act::Entries),
        (prop::option::of(place()), 0..9_u8).prop_map(|(p, v)| Act::Create(p, v)),
        (place(), prop::option::of(place())).prop_map(|(i, p)| Act::Shift(i, p)),
        place().prop_map(Act::Cut),
        (place(), 0..9_u8).prop_map(|(i, v)| Act::Name(i, v)),
        "[ab😀\n]{0,8}".prop_map(Act::Text),
        (place(), place(), prop::sample::select(&["bold", "link"][..]))
            .prop_map(|(i, j, m)| Act::Mark(i, j, m)),
        (0..9_u8).prop_map(|v| Act::Value(json!({"v": v}))),
        any::<bool>().prop_map(Act::Delete),
    ]
}

fn ids(nodes: &Json) -> Vec<Json> {
    let nodes = nodes.as_array().into_iter().flatten();
    nodes.flat_map(|node| [vec![node["id"].clone()], ids(&node["children"])].concat()).collect()
}

/// The patch that an act is in this row; nothing where it has no place.
fn patch(row: &RowDoc, act: Act) -> Option<Json> {
    let fields = row.to_json().unwrap();
    let length = |field: &str| fields[field].as_array().map_or(0, Vec::len);
    let nodes = ids(&fields["outline"]);
    let any = |index: Index| (!nodes.is_empty()).then(|| nodes[index.index(nodes.len())].clone());
    Some(match act {
        Act::Count(step) => json!({"likes": {"$inc": step}}),
        Act::Score(step) => json!({"score": {"$inc": step}}),
        Act::Push(field, value) => json!({field: {"$push": value}}),
        Act::Insert(field, at, value) => json!({field: {"$insert": [at.index(length(field) + 1), value]}}),
        Act::Remove(field, _) | Act::Move(field, ..) | Act::Set(field, ..) if length(field) == 0 => {
            json!({ field: [] })
        }
        Act::Remove(field, at) => json!({field: {"$remove": at.index(length(field))}}),
        Act::Move(field, from, to) => {
            json!({field: {"$move": [from.index(length(field)), to.index(length(field))]}})
        }
        Act::Set(field, at, value) => json!({field: {"$set": [at.index(length(field)), value]}}),
        Act::Items(field, items) => json!({ field: items }),
        Act::Key(key, Some(value)) => json!({"settings": {"$set": [key.to_string(), value]}}),
        Act::Key(key, None) => json!({"settings": {"$remove": key.to_string()}}),
        Act::Entries(entries) => {
            let entries: serde_json::Map<_, _> =
                entries.into_iter().map(|(key, value)| (key.to_string(), json!(value))).collect();
            json!({ "settings": entries })
        }
        Act::Create(parent, name) => {
            let parent = parent.and_then(any);
            json!({"outline": {"$create": {"parent": parent, "data": {"name": name}}}})
        }
        Act::Shift(id, parent) => {
            json!({"outline": {"$move": {"id": any(id)?, "parent": parent.and_then(any), "index": 0}}})
        }
        Act::Cut(id) => json!({"outline": {"$delete": any(id)?}}),
        Act::Name(id, name) => json!({"outline": {"$merge": {"id": any(id)?, "data": {"name": name}}}}),
        Act::Text(text) => json!({"body": text, "summary": text, "page": text}),
        Act::Mark(start, end, mark) => {
            let units: Vec<usize> =
                fields["body"].as_str().unwrap_or_default().chars().map(char::len_utf16).collect();
            if units.is_empty() {
                return None;
            }
            let start = start.index(units.len());
            let end = start + 1 + end.index(units.len() - start);
            let (before, within): (usize, usize) =
                (units[..start].iter().sum(), units[start..end].iter().sum());
            let mut delta = vec![json!({"retain": within, "attributes": {mark: "x"}})];
            if before > 0 {
                delta.insert(0, json!({ "retain": before }));
            }
            json!({"body": {"$delta": delta}})
        }
        Act::Value(value) => json!({ "data": value }),
        Act::Delete(_) => return None,
    })
}

/// Does what the act says; nothing where it has no place.
pub(crate) fn perform(row: &mut RowDoc, act: Act) -> Option<Change> {
    if let Act::Delete(deleted) = &act {
        return Some(row.set_deleted(*deleted).unwrap());
    }
    let before = row.version();
    match row.patch(&object(patch(row, act)?)) {
        // A node cannot be moved below itself.
        Err(Refusal::InvalidValue { field, .. }) if field.ends_with("parent") => {
            assert_eq!(row.version(), before);
            None
        }
        done => Some(done.unwrap()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn replicas_converge(
        steps in prop::collection::vec((0..4_usize, act(), prop::option::of(0..4_usize)), 1..30),
        order in any::<Index>(),
        rotate in 0..40_usize,
    ) {
        let start = new_kinds();
        let mut room = Room::of(&start, 4);
        let mut counted = 0;
        for (who, act, from) in steps {
            if let Act::Count(step) = &act {
                counted += step;
            }
            room.act(who, |row| perform(row, act));
            room.take_in(who, from);
        }
        prop_assume!(!room.updates.is_empty());
        let projection = room.meets_everywhere(order, rotate);
        prop_assert_eq!(&projection.values[0], &corella_manifest::Value::Int(counted));
        let bodies: Vec<_> = room.replicas.iter().map(|row| row.rich_json("body").unwrap()).collect();
        prop_assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]));
    }
}
