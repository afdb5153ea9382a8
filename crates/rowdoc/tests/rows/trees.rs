//! Trees: nodes with parents, places and data.

use loro::{TreeID, TreeParentId};
use serde_json::{Value as Json, json};

use crate::support::{Client, json, kinds_refused, meet, new_kinds, patch_refused, patched, replica};

/// The tree as names: `a(b c) d`.
fn names(tree: &Json) -> String {
    let node = |node: &Json| {
        let below = names(&node["children"]);
        let name = node["data"]["name"].as_str().unwrap_or("?");
        if below.is_empty() { name.to_owned() } else { format!("{name}({below})") }
    };
    tree.as_array().unwrap().iter().map(node).collect::<Vec<_>>().join(" ")
}

/// The id of the node of that name.
fn id(tree: &Json, name: &str) -> Json {
    fn find(nodes: &Json, name: &str) -> Option<Json> {
        nodes.as_array()?.iter().find_map(|node| {
            if node["data"]["name"] == name {
                Some(node["id"].clone())
            } else {
                find(&node["children"], name)
            }
        })
    }
    find(tree, name).unwrap_or_else(|| panic!("no node {name} in {tree}"))
}

fn node(name: &str, children: Json) -> Json {
    json!({"data": {"name": name}, "children": children})
}

fn start() -> (corella_rowdoc::RowDoc, Json) {
    let mut row = new_kinds();
    assert_eq!(json(&row, "outline"), json!([]));
    let tree = json!([node("a", json!([node("b", json!([])), node("c", json!([]))])), node("d", Json::Null)]);
    let tree = patched(&mut row, "outline", tree);
    assert_eq!(names(&tree), "a(b c) d");
    (row, tree)
}

#[test]
fn operations() {
    let (mut row, tree) = start();
    let mut check = |asked: Json, expected: &str| {
        let tree = patched(&mut row, "outline", asked.clone());
        assert_eq!(names(&tree), expected, "{asked}");
        tree
    };
    check(json!({"$create": {"parent": id(&tree, "a"), "index": 1, "data": {"name": "x"}}}), "a(b x c) d");
    check(json!({"$create": {"data": {"name": "y"}, "children": [node("z", json!([]))]}}), "a(b x c) d y(z)");
    check(json!({"$move": {"id": id(&tree, "d"), "parent": id(&tree, "b")}}), "a(b(d) x c) y(z)");
    check(json!({"$move": {"id": id(&tree, "c"), "index": 0}}), "c a(b(d) x) y(z)");
    check(json!({"$move": {"id": id(&tree, "c"), "index": 2}}), "a(b(d) x) y(z) c");
    check(json!({"$delete": id(&tree, "b")}), "a(x) y(z) c");
    let tree =
        check(json!({"$set": {"id": id(&tree, "c"), "data": {"name": "C", "done": true}}}), "a(x) y(z) C");
    assert_eq!(tree[2]["data"], json!({"name": "C", "done": true}));
    let tree = check(json!({"$merge": {"id": id(&tree, "C"), "data": {"done": false}}}), "a(x) y(z) C");
    assert_eq!(tree[2]["data"], json!({"name": "C", "done": false}));
    check(
        json!({"$ops": [
            {"$delete": id(&tree, "y")},
            {"$move": {"id": id(&tree, "a"), "parent": id(&tree, "C")}},
            {"$create": {"index": 0, "data": {"name": "n"}}},
        ]}),
        "n C(a(x))",
    );
    check(json!([]), "");
}

#[test]
fn a_whole_value_matches_nodes_by_id() {
    let (mut row, tree) = start();
    let (a, b, c, d) = (id(&tree, "a"), id(&tree, "b"), id(&tree, "c"), id(&tree, "d"));
    let kept = |id: &Json, name: &str, children: Json| json!({"id": id, "data": {"name": name}, "children": children});
    // What lay below lies above, one is new, one is gone, one has another name.
    let wanted = json!([
        kept(&b, "b", json!([kept(&a, "A", json!([])), node("n", json!([]))])),
        kept(&d, "d", json!([]))
    ]);
    let read = patched(&mut row, "outline", wanted);
    assert_eq!(names(&read), "b(A n) d");
    assert_eq!((id(&read, "A"), id(&read, "b"), id(&read, "d")), (a, b.clone(), d.clone()));
    assert!(!read.to_string().contains(c.as_str().unwrap()));
    // What reads the same makes no operation; one move of many siblings is one operation.
    let version = row.version();
    patched(&mut row, "outline", read.clone());
    assert_eq!(row.version(), version);
    let many: Vec<Json> = (0..300).map(|i| node(&i.to_string(), json!([]))).collect();
    let mut many = patched(&mut row, "outline", json!(many));
    let version = row.version();
    let first = many.as_array_mut().unwrap().remove(0);
    many.as_array_mut().unwrap().push(first);
    assert_eq!(patched(&mut row, "outline", many.clone()), many);
    assert!(row.export_since(&version).unwrap().len() < 250);
}

#[test]
fn concurrent_edits_of_both_stay() {
    let (mut one, tree) = start();
    let mut two = replica(&one, 2);
    patched(&mut one, "outline", json!({"$move": {"id": id(&tree, "b"), "parent": id(&tree, "d")}}));
    patched(&mut two, "outline", json!({"$merge": {"id": id(&tree, "b"), "data": {"done": true}}}));
    patched(&mut two, "outline", json!({"$create": {"parent": id(&tree, "a"), "data": {"name": "x"}}}));
    meet(&mut one, &mut two);
    let read = json(&one, "outline");
    assert_eq!(names(&read), "a(c x) d(b)");
    assert_eq!(read[1]["children"][0]["data"]["done"], true);
}

#[test]
fn moves_that_cross_make_no_ring() {
    let (mut one, tree) = start();
    let mut two = replica(&one, 2);
    patched(&mut one, "outline", json!({"$move": {"id": id(&tree, "a"), "parent": id(&tree, "d")}}));
    patched(&mut two, "outline", json!({"$move": {"id": id(&tree, "d"), "parent": id(&tree, "a")}}));
    meet(&mut one, &mut two);
    let names = names(&json(&one, "outline"));
    assert!(["d(a(b c))", "a(b c d)"].contains(&&*names), "{names}");
}

#[test]
fn mistakes_are_told_before_anything_changes() {
    let (mut row, tree) = start();
    let (a, b) = (id(&tree, "a"), id(&tree, "b"));
    let deep = (0..40).fold(json!([]), |below, _| json!([node("x", below)]));
    let mut told = Vec::new();
    for asked in [
        json!({"a": 1}),
        json!([{"id": "5@5"}]),
        json!([{"id": a}, {"id": a}]),
        json!([{"name": "a"}]),
        json!({"$create": {"parent": "nobody"}}),
        json!({"$create": {"parent": "9@9"}}),
        json!({"$create": {"index": 3}}),
        json!({"$create": {"data": [1]}}),
        json!({"$create": {"id": a}}),
        json!({"$create": {"children": [{"id": a}]}}),
        json!({"$move": {"id": a, "parent": b}}),
        json!({"$move": {"parent": b}}),
        json!({"$delete": 1}),
        json!({"$ops": [{"$delete": a}, {"$merge": {"id": b, "data": {}}}]}),
        json!({"$set": {"id": b}}),
        json!({"$insert": [0, {}]}),
        json!({"$create": {"parent": b, "children": deep[0]["children"]}}),
    ] {
        told.push(patch_refused(&mut row, "outline", asked));
    }
    insta::assert_snapshot!(told.join("\n"), @r#"
    expected a list of nodes, or an operation ($create, $move, $delete, $set, $merge) in outline, found an object of 1 key
    expected the id of a node of this tree in outline[0].id, found 5@5, which there is none of
    expected each node once in outline[1].id, found 12@1 a second time
    expected a node such as {"id": "…", "data": {…}, "children": […]}, all of them optional in outline[0], found the key "name"
    expected the id of a node, such as "0@1" in outline.$create.parent, found "nobody"
    expected the id of a node of this tree in outline.$create.parent, found 9@9, which there is none of
    expected a place from 0 to 2 among the children in outline.$create.index, found 3
    expected an object in outline.$create.data, found a list of 1 item
    expected an object with the keys parent, index, data, children in outline.$create, found the key "id"
    expected new nodes, which have no ids yet in outline.$create, found the id 12@1
    expected a parent that does not lie below the node in outline.$move.parent, found one that does
    expected the id of a node, such as "0@1" in outline.$move.id, found null
    expected the id of a node, such as "0@1" in outline.$delete, found 1
    expected the id of a node of this tree in outline.$ops[1].$merge.id, found 14@1, which there is none of
    expected an object in outline.$set.data, found null
    expected one of $create, $move, $delete, $set, $merge, $ops (a value of this shape is written {"$value": …}) in outline.$insert, found $insert
    expected nodes at most 40 levels below one another in outline.$create, found 42
    "#);
}

#[test]
fn clients_edit_trees() {
    let (mut row, tree) = start();
    let mut client = Client::of(&row, 7);
    let outline = client.row().ensure_mergeable_tree("outline").unwrap();
    let d = TreeID::try_from(id(&tree, "d").as_str().unwrap()).unwrap();
    let new = outline.create(d).unwrap();
    outline.get_meta(new).unwrap().insert("name", "mine").unwrap();
    let change = row.import(&client.update()).unwrap();
    assert_eq!(change.fields.len(), 1);
    assert_eq!(names(&json(&row, "outline")), "a(b c) d(mine)");
}

#[test]
fn clients_that_break_a_tree_are_refused() {
    let tree = |client: &Client| client.row().ensure_mergeable_tree("outline").unwrap();
    insta::assert_snapshot!(kinds_refused(|c| {
        let tree = tree(c);
        let node = tree.create(TreeParentId::Root).unwrap();
        tree.get_meta(node).unwrap().insert("x", f64::NAN).unwrap();
    }), @"expected finite numbers, since JSON has no others in outline, found NaN or an infinity");
    insta::assert_snapshot!(kinds_refused(|c| {
        let tree = tree(c);
        let mut at = TreeParentId::Root;
        for _ in 0..5_000 {
            at = TreeParentId::Node(tree.create(at).unwrap());
        }
    }), @"expected values nested at most 100 levels deep, found deeper ones");
}
