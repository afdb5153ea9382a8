//! Lists and movable lists.

use loro::{ContainerTrait as _, LoroMap, LoroText};
use serde_json::{Value as Json, json};

use crate::support::{Client, json, kinds_refused, meet, new_kinds, patch_refused, patched, replica};

#[test]
fn values_and_operations() {
    for field in ["tags", "tasks"] {
        let mut row = new_kinds();
        let mut check = |asked: Json, expected: Json| {
            assert_eq!(patched(&mut row, field, asked.clone()), expected, "{field}: {asked}");
        };
        check(json!({"$push": "a"}), json!(["a"]));
        check(json!({"$insert": [0, {"n": 1}]}), json!([{"n": 1}, "a"]));
        check(json!({"$insert": [2, null]}), json!([{"n": 1}, "a", null]));
        check(json!({"$set": [1, "b"]}), json!([{"n": 1}, "b", null]));
        check(json!({"$move": [0, 2]}), json!(["b", null, {"n": 1}]));
        check(json!({"$move": [2, 0]}), json!([{"n": 1}, "b", null]));
        check(json!({"$remove": 2}), json!([{"n": 1}, "b"]));
        check(
            json!({"$ops": [{"$push": 1}, {"$push": 2}, {"$move": [3, 0]}, {"$remove": 1}]}),
            json!([2, "b", 1]),
        );
        check(json!([1, [2, 3], 2.5]), json!([1, [2, 3], 2.5]));
        check(json!({"$value": [{"$push": 1}]}), json!([{"$push": 1}]));
        check(json!([]), json!([]));
    }
}

#[test]
fn a_whole_value_is_the_smallest_edit() {
    for field in ["tags", "tasks"] {
        let mut row = new_kinds();
        let mut items: Vec<Json> =
            (0..2_000).map(|i| json!({"id": i, "text": format!("item {i}")})).collect();
        patched(&mut row, field, json!(items));
        let mut check = |items: &[Json], most: usize| {
            let version = row.version();
            assert_eq!(patched(&mut row, field, json!(items)), json!(items));
            let bytes = row.export_since(&version).unwrap().len();
            assert!(bytes < most, "{field}: {bytes} bytes");
        };
        items.insert(700, json!("new"));
        check(&items, 140);
        items.remove(3);
        check(&items, 140);
        items[1_500] = json!("other");
        check(&items, 160);
        check(&items, 30);
        let last = items.pop().unwrap();
        items.insert(0, last);
        check(&items, 240);
    }
}

#[test]
fn concurrent_edits_of_both_stay() {
    for field in ["tags", "tasks"] {
        let mut one = new_kinds();
        patched(&mut one, field, json!(["a", "b", "c"]));
        let mut two = replica(&one, 2);
        patched(&mut one, field, json!(["a", "x", "b", "c"]));
        patched(&mut two, field, json!(["a", "b", "c", "y"]));
        meet(&mut one, &mut two);
        assert_eq!(json(&one, field), json!(["a", "x", "b", "c", "y"]));
    }
}

#[test]
fn an_item_moved_and_set_at_once_is_one_item() {
    let mut one = new_kinds();
    patched(&mut one, "tasks", json!(["a", "b", "c"]));
    let mut two = replica(&one, 2);
    patched(&mut one, "tasks", json!(["c", "a", "b"]));
    patched(&mut two, "tasks", json!(["a", "b", "C"]));
    meet(&mut one, &mut two);
    assert_eq!(json(&one, "tasks"), json!(["C", "a", "b"]));
}

#[test]
fn first_writes_at_once_stay() {
    for field in ["tags", "tasks"] {
        let mut one = new_kinds();
        let mut two = replica(&one, 2);
        patched(&mut one, field, json!(["a"]));
        patched(&mut two, field, json!(["b"]));
        meet(&mut one, &mut two);
        assert_eq!(json(&one, field).as_array().unwrap().len(), 2);
    }
}

#[test]
fn what_a_client_put_in_is_edited_in_place() {
    let mut row = new_kinds();
    let mut client = Client::of(&row, 7);
    let tasks = client.row().ensure_mergeable_movable_list("tasks").unwrap();
    let task = tasks.insert_container(0, LoroMap::new()).unwrap();
    task.insert("done", false).unwrap();
    task.insert_container("title", LoroText::new()).unwrap().insert(0, "Buy milk").unwrap();
    let tags = client.row().ensure_mergeable_list("tags").unwrap();
    tags.insert_container(0, LoroMap::new()).unwrap().insert("k", 1).unwrap();
    row.import(&client.update()).unwrap();
    assert_eq!(json(&row, "tasks"), json!([{"done": false, "title": "Buy milk"}]));
    patched(&mut row, "tasks", json!([{"done": true, "title": "Buy oat milk"}, "more"]));
    client.pull(&row);
    assert_eq!(
        task.get("title").unwrap().into_container().unwrap().into_text().unwrap().to_string(),
        "Buy oat milk"
    );
    assert!(!task.is_deleted());
    patched(&mut row, "tags", json!({"$push": 1}));
    insta::assert_snapshot!(patch_refused(&mut row, "tags", json!({"$move": [0, 1]})), @"expected an item that is a plain value (`crdt: movable-list` moves any) in tags.$move, found a container");
}

#[test]
fn mistakes_are_told_before_anything_changes() {
    let mut row = new_kinds();
    patched(&mut row, "tags", json!(["a", "b"]));
    let mut told = Vec::new();
    for asked in [
        json!("a"),
        json!({"$psuh": 1}),
        json!({"$inc": 1}),
        json!({"$push": 1, "$remove": 0}),
        json!({"$insert": [3, "x"]}),
        json!({"$insert": "x"}),
        json!({"$insert": [-1, "x"]}),
        json!({"$remove": 2}),
        json!({"$set": [2, 1]}),
        json!({"$move": [0, 2]}),
        json!({"$move": [0]}),
        json!({"$ops": [{"$remove": 0}, {"$remove": 0}, {"$remove": 0}]}),
        json!({"$ops": {"$push": 1}}),
        json!({"$push": "a\u{0}"}),
        json!(["ok", 18_446_744_073_709_551_615_u64]),
    ] {
        told.push(patch_refused(&mut row, "tags", asked));
    }
    insta::assert_snapshot!(told.join("\n"), @r#"
    expected a list, or an operation ($push, $insert, $move, $remove, $set) in tags, found "a"
    expected one of $push, $insert, $move, $remove, $set, $ops (a value of this shape is written {"$value": …}) in tags.$psuh, found $psuh
    expected one of $push, $insert, $move, $remove, $set, $ops (a value of this shape is written {"$value": …}) in tags.$inc, found $inc
    expected one operation in an object (several are written {"$ops": [{…}, {…}]}) in tags, found the keys $push, $remove
    expected a place from 0 to 2 in tags.$insert, found 3
    expected [place, value] in tags.$insert, found "x"
    expected a place in the list, counted from 0 in tags.$insert, found -1
    expected a place from 0 to 1 in tags.$remove, found 2
    expected a place from 0 to 1 in tags.$set, found 2
    expected a place from 0 to 1 in tags.$move, found 2
    expected [from, to] in tags.$move, found a list of 1 item
    expected an item, but the list is empty in tags.$ops[2].$remove, found 0
    expected a list of operations in tags.$ops, found an object of 1 key
    expected text without U+0000, which not every database holds in tags.$push, found "a\u0000"
    expected whole numbers of 64 bits (larger ones as strings) in tags[1], found 18446744073709551615
    "#);
}

#[test]
fn clients_that_break_a_list_are_refused() {
    let tags = |client: &Client| client.row().ensure_mergeable_list("tags").unwrap();
    insta::assert_snapshot!(kinds_refused(|c| tags(c).push(f64::NAN).unwrap()), @"expected finite numbers, since JSON has no others in tags, found NaN or an infinity");
    insta::assert_snapshot!(kinds_refused(|c| tags(c).push("\0").unwrap()), @"expected text without U+0000, which not every database holds in tags, found text with it");
    insta::assert_snapshot!(kinds_refused(|c| c.row().ensure_mergeable_movable_list("tags").unwrap().push(1).unwrap()), @"expected the mergeable list of that key (ensureMergeableList) in tags, found a container of type MovableList");
    insta::assert_snapshot!(kinds_refused(|c| tags(c).insert_container(0, loro::LoroCounter::new()).unwrap().increment(0.5).unwrap()), @"expected values, maps, lists, movable lists, texts and trees in tags, found a container of type Counter");
    insta::assert_snapshot!(kinds_refused(|c| { c.row().insert_container("tasks", loro::LoroMovableList::new()).unwrap(); }), @"expected the mergeable movable list of that key (ensureMergeableMovableList) in tasks, found a container of type MovableList");
}
