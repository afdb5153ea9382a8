//! A row as it was: each version reads as it was recorded, differs as it should, and is reached again by a revert.

use corella_manifest::{FieldType, Value};
use corella_rowdoc::{Difference, DocFault, PeerId, Projection, RowDoc, Version, merge_stored};
use proptest::{prelude::*, sample::Index};
use serde_json::{Value as Json, json};

use crate::{
    script::{act, perform},
    support::{Client, Room, board, json, meet, new_kinds, new_note, object, patched, replica},
};

/// What a field reads as when it is not there and when it is empty: a revert empties what was not there yet. Nodes of a
/// tree that are made anew have new ids.
fn settled(json: &Json) -> Json {
    match json {
        Json::String(text) if text.is_empty() => Json::Null,
        Json::Array(items) if items.is_empty() => Json::Null,
        Json::Object(entries) if entries.is_empty() => Json::Null,
        Json::Number(number) if number.as_f64() == Some(0.0) => Json::Null,
        Json::Array(items) => items.iter().map(without_id).collect(),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Object(_) => json.clone(),
    }
}

fn without_id(item: &Json) -> Json {
    match item {
        Json::Object(node) if node.contains_key("children") => json!({
            "data": node["data"],
            "children": node["children"].as_array().unwrap().iter().map(without_id).collect::<Vec<_>>(),
        }),
        Json::Null | Json::Bool(_) | Json::Number(_) => item.clone(),
        Json::String(_) | Json::Array(_) | Json::Object(_) => item.clone(),
    }
}

fn assert_reverted(row: &RowDoc, then: &Projection, rich: &Option<Json>) {
    let now = row.project().unwrap();
    assert_eq!(now.deleted, then.deleted);
    for (field, (now, then)) in row.shape().fields().iter().zip(now.values.iter().zip(&then.values)) {
        if field.ty == FieldType::Float {
            // Floats add up to what is nearest.
            let float = |value: &Value| value.to_json().as_f64().unwrap_or(0.0);
            assert!((float(now) - float(then)).abs() < 1e-9, "{}: {now:?} {then:?}", field.name);
            continue;
        }
        assert_eq!(settled(&now.to_json()), settled(&then.to_json()), "{}", field.name);
    }
    let settled_rich = |rich: &Option<Json>| rich.as_ref().map_or(Json::Null, settled);
    assert_eq!(settled_rich(&row.rich_json("body").unwrap()), settled_rich(rich));
}

/// Applies a delta in UTF-16 code units.
fn applied(text: &str, delta: &Json) -> String {
    let units: Vec<u16> = text.encode_utf16().collect();
    let (mut at, mut out) = (0, Vec::new());
    for piece in delta.as_array().unwrap() {
        if let Some(count) = piece["retain"].as_u64() {
            let count = usize::try_from(count).unwrap();
            out.extend_from_slice(&units[at..at + count]);
            at += count;
        } else if let Some(insert) = piece["insert"].as_str() {
            out.extend(insert.encode_utf16());
        } else {
            at += usize::try_from(piece["delete"].as_u64().unwrap()).unwrap();
        }
    }
    out.extend_from_slice(&units[at..]);
    String::from_utf16(&out).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn each_version_reads_as_it_was_recorded_and_is_reached_again(
        steps in prop::collection::vec((0..3_usize, act(), prop::option::of(0..3_usize)), 1..25),
        pick in any::<Index>(),
        other in any::<Index>(),
    ) {
        let start = new_kinds();
        let mut room = Room::of(&start, 3);
        let mut recorded = Vec::new();
        let mut record = |row: &RowDoc| {
            recorded.push((row.version(), row.project().unwrap(), row.rich_json("body").unwrap()));
        };
        for (who, act, from) in steps {
            room.act(who, |row| perform(row, act));
            room.take_in(who, from);
            record(&room.replicas[who]);
        }
        prop_assume!(!room.updates.is_empty());
        room.meets_everywhere(pick, 0);
        let row = &mut room.replicas[0];
        let mut past = row.past().unwrap();
        for (version, projection, rich) in &recorded {
            past.go_to(version).unwrap();
            prop_assert_eq!(&past.project().unwrap(), projection);
            prop_assert_eq!(&past.rich_json("body").unwrap(), rich);
        }

        let (from, to) = (&recorded[pick.index(recorded.len())], &recorded[other.index(recorded.len())]);
        let diff = past.diff(&from.0, &to.0).unwrap();
        prop_assert_eq!((diff.deleted_before, diff.deleted_after), (from.1.deleted, to.1.deleted));
        for (index, field) in start.shape().fields().iter().enumerate() {
            let (before, after) = (from.1.values[index].to_json(), to.1.values[index].to_json());
            let found = diff.fields.iter().find(|found| found.field == field.name);
            match found.map(|found| &found.difference) {
                Some(Difference::Text(delta)) => {
                    prop_assert_eq!(applied(before.as_str().unwrap_or_default(), delta), after.as_str().unwrap());
                }
                // Documents and texts may differ in more than their columns show.
                Some(Difference::Value { .. }) => {}
                None => prop_assert_eq!(before, after),
            }
        }

        // And back: once, from where the row is now, and once more from there.
        for (version, projection, rich) in [from, to] {
            let before = (row.version(), row.project().unwrap());
            let change = row.revert(version).unwrap();
            assert_reverted(row, projection, rich);
            prop_assert_eq!(&row.project_changed(&before.1, &change).unwrap(), &row.project().unwrap());
            prop_assert!(row.version().includes(&before.0), "nothing is taken back");
        }
        // What another one makes of it is the same.
        let mut reader = RowDoc::new(std::sync::Arc::clone(row.shape()), PeerId(77));
        reader.import(&row.export_since(&Version::empty()).unwrap()).unwrap();
        prop_assert_eq!(reader.project().unwrap(), row.project().unwrap());
    }
}

#[test]
fn a_revert_keeps_what_others_write_meanwhile() {
    let mut row = new_note();
    row.patch(&object(json!({"title": "One", "body": "The quick fox"}))).unwrap();
    let then = row.version();
    row.patch(&object(json!({"title": "Two", "body": "The quick red fox", "count": 5}))).unwrap();
    let mut other = replica(&row, 7);
    other.patch(&object(json!({"body": "The quick red fox jumps"}))).unwrap();
    row.revert(&then).unwrap();
    assert_eq!((json(&row, "title"), json(&row, "count")), (json!("One"), Json::Null));
    assert_eq!(json(&row, "body"), json!("The quick fox"));
    meet(&mut row, &mut other);
    assert_eq!(json(&row, "body"), json!("The quick fox jumps"));
    // Nothing differs any more, so that there is nothing to do.
    let version = other.version();
    row.patch(&object(json!({"body": "The quick fox"}))).unwrap();
    let before = row.version();
    row.revert(&then).unwrap();
    assert_eq!(row.version(), before);
    assert!(before.includes(&version));
}

#[test]
fn deleting_and_coming_back() {
    let mut row = new_note();
    let then = row.version();
    row.set_deleted(true).unwrap();
    let deleted = row.version();
    let change = row.revert(&then).unwrap();
    assert!(change.liveness && !row.is_deleted());
    row.revert(&deleted).unwrap();
    assert!(row.is_deleted());
}

#[test]
fn containers_of_others_in_open_rows_come_back() {
    let mut row = RowDoc::new(board(), PeerId(1));
    let mut client = Client::of(&row, 7);
    let text = client.doc.get_text("free");
    text.insert(0, "hello").unwrap();
    client.doc.get_map("shapes").insert("a", 1).unwrap();
    row.import(&client.update()).unwrap();
    row.patch(&object(json!({"title": "One"}))).unwrap();
    let (then, before) = (row.version(), row.project().unwrap());
    client.pull(&row);
    text.delete(1, 3).unwrap();
    client.doc.get_map("shapes").insert("b", 2).unwrap();
    client.doc.get_map("shapes").delete("a").unwrap();
    row.import(&client.update()).unwrap();
    row.patch(&object(json!({"title": "Two"}))).unwrap();
    assert_ne!(row.project().unwrap(), before);
    let change = row.revert(&then).unwrap();
    assert!(change.open);
    assert_eq!(row.project().unwrap(), before);
}

#[test]
fn versions_that_never_were_and_that_are_gone() {
    let mut row = new_note();
    let then = row.version();
    patched(&mut replica(&row, 8), "count", json!(1));
    let mut other = replica(&row, 9);
    other.patch(&object(json!({"count": 2}))).unwrap();
    let mut past = row.past().unwrap();
    assert_eq!(past.go_to(&other.version()), Err(DocFault::NoSuchVersion));
    assert_eq!(row.revert(&other.version()).unwrap_err().code(), "version_unknown");
    // A vector that leaves out what its operations build on.
    let mut third = replica(&row, 11);
    third.import(&other.export_since(&third.version()).unwrap()).unwrap();
    third.patch(&object(json!({"count": 3}))).unwrap();
    let alone = third.version().since(&other.version());
    let mut past = third.past().unwrap();
    assert_eq!(past.go_to(&alone), Err(DocFault::NoSuchVersion));
    past.go_to(&other.version()).unwrap();

    let deltas: Vec<Vec<u8>> = (0..3)
        .map(|count| {
            let before = row.version();
            row.patch(&object(json!({"count": 10 + count}))).unwrap();
            row.export_since(&before).unwrap()
        })
        .collect();
    let first = replica(&new_note(), 9);
    let shape = std::sync::Arc::clone(row.shape());
    let snapshot = {
        let mut start = row.past().unwrap();
        start.go_to(&then).unwrap();
        drop(first);
        row.snapshot().unwrap()
    };
    let trimmed = merge_stored(&shape, Some(&snapshot), &deltas, Some(&row.version())).unwrap();
    let row = RowDoc::load(shape, PeerId(5), Some(&trimmed.snapshot), &[] as &[Vec<u8>]).unwrap();
    assert!(!row.history_start().is_empty());
    let mut past = row.past().unwrap();
    assert_eq!(past.go_to(&then), Err(DocFault::HistoryTrimmed));
    past.go_to(&row.version()).unwrap();
    assert_eq!(past.project().unwrap(), row.project().unwrap());
    past.go_to(&row.history_start()).unwrap();
}

#[test]
fn each_character_has_its_writer() {
    let mut row = new_note();
    row.patch(&object(json!({"body": "ac😀"}))).unwrap();
    let mut client = Client::of(&row, 7);
    let body = client.row().ensure_mergeable_text("body").unwrap();
    body.insert(1, "b").unwrap();
    row.import(&client.update()).unwrap();
    let runs = row.text_runs("body", 0, 10).unwrap().unwrap();
    let told: Vec<(u64, &str)> = runs.runs.iter().map(|run| (run.peer.0, run.text.as_str())).collect();
    assert_eq!((told, runs.rest), (vec![(1, "a"), (7, "b"), (1, "c😀")], 0));
    let some = row.text_runs("body", 1, 2).unwrap().unwrap();
    assert_eq!((some.runs.len(), some.rest), (2, 1));
    assert_eq!(some.runs[1].counter, runs.runs[2].counter);
    assert_eq!(row.text_runs("title", 0, 10).unwrap(), None);
    assert_eq!(row.text_runs("summary", 0, 10).unwrap(), None);
}
