//! The steps from one manifest to the next, in words.

use corella_manifest::{Manifest, Step, StepClass};
use insta::assert_snapshot;
use serde_json::{Value as Json, json};

fn manifest(entities: &Json) -> Manifest {
    let text = json!({ "manifest_version": 1, "name": "app", "version": "1", "entities": entities });
    Manifest::parse(&text.to_string()).expect("a manifest").manifest
}

fn with_fields(fields: &Json) -> Manifest {
    manifest(&json!([{ "name": "Note", "fields": fields }]))
}

fn told(new: &Manifest, old: &Manifest, earlier: &[Manifest]) -> String {
    let tell = |step: Step| {
        let clients = if step.ends_older_clients() { ", older clients end" } else { "" };
        format!("[{}{clients}] {step}", step.class())
    };
    new.steps_from(old, earlier).into_iter().map(tell).collect::<Vec<_>>().join("\n")
}

/// The steps from one list of fields to another.
fn of_fields(old: &Json, new: &Json) -> String {
    told(&with_fields(new), &with_fields(old), &[])
}

#[test]
fn nothing_leads_to_itself() {
    let text = include_str!("../../../schema/examples/kinds.json");
    let kinds = Manifest::parse(text).expect("a manifest").manifest;
    assert_eq!(told(&kinds, &kinds, &[]), "");
    let read = Manifest::parse(&kinds.record()).expect("what is kept is a manifest").manifest;
    assert_eq!(told(&kinds, &read, &[]), "");
    assert_eq!(read.fingerprint(), kinds.fingerprint());
}

#[test]
fn what_is_kept_says_everything_that_reaches_rows() {
    let all = manifest(&json!([
        { "name": "User" },
        {
            "name": "Note",
            "renamedFrom": "Memo",
            "open": true,
            "history": { "keep": "36h" },
            "fields": [
                { "name": "owner", "type": "id(User)", "unique": true },
                {
                    "name": "state",
                    "type": "enum(todo,done)",
                    "renamedFrom": "status",
                    "optional": true,
                    "convert": { "from": "string", "values": { "open": "todo" }, "otherwise": "done" },
                },
            ],
            "indexes": [{ "name": "by_owner", "fields": ["owner", "state"], "unique": true }],
            "relations": [{ "name": "writer", "target": "User", "field": "owner" }],
        },
        { "name": "Log", "crdt": false, "fields": [{ "name": "line", "type": "string" }] },
    ]));
    let read = Manifest::parse(&all.record()).expect("what is kept is a manifest").manifest;
    assert_eq!(read, all);
}

#[test]
fn fields_come_and_go() {
    let title = json!({ "name": "title", "type": "string" });
    assert_snapshot!(of_fields(
        &json!([title, { "name": "stars", "type": "int" }]),
        &json!([
            title,
            { "name": "mood", "type": "string", "optional": true },
            { "name": "body", "type": "richtext" },
            { "name": "due", "type": "datetime" },
            { "name": "at", "type": "datetime", "default": "now" },
        ]),
    ), @"
    [destructive, older clients end] remove the field Note.stars (int): its column goes, its values stay in the documents and can come back with it
    [safe] add the field Note.mood (string)
    [rebuild] add the field Note.body (richtext): its column is filled from the documents
    [safe, older clients end] add the field Note.due (datetime): rows that are there lack it, new ones must have it
    [safe] add the field Note.at (datetime): rows that are there lack it, new ones must have it
    ");
}

#[test]
fn a_field_that_was_there_once_may_still_be_in_documents() {
    let stars = json!({ "name": "stars", "type": "int", "optional": true });
    let (with, without) = (with_fields(&json!([stars])), with_fields(&json!([])));
    assert_snapshot!(told(&with, &without, &[]), @"[safe] add the field Note.stars (int)");
    assert_snapshot!(told(&with, &without, std::slice::from_ref(&with)), @"[rebuild] add the field Note.stars (int): its column is filled from the documents");
    let none = manifest(&json!([]));
    assert_snapshot!(told(&with, &none, &[]), @"[safe] add the entity Note");
    assert_snapshot!(told(&with, &none, std::slice::from_ref(&with)), @"[rebuild] add the entity Note again: its table is filled from the documents that stayed");
}

#[test]
fn fields_take_other_names_and_keep_their_key() {
    let first = json!([{ "name": "title", "type": "string" }]);
    let second = json!([{ "name": "heading", "type": "string", "renamedFrom": "title" }]);
    let third = json!([{ "name": "caption", "type": "string", "renamedFrom": "title" }]);
    assert_snapshot!(of_fields(&first, &second), @"[safe, older clients end] rename the field Note.title to heading: its column takes the new name, documents keep the key that they have");
    assert_snapshot!(of_fields(&second, &third), @"[safe, older clients end] rename the field Note.heading to caption: its column takes the new name, documents keep the key that they have");
    assert_snapshot!(of_fields(&third, &first), @"[safe, older clients end] rename the field Note.caption to title: its column takes the new name, documents keep the key that they have");
    let forgotten = json!([{ "name": "heading", "type": "string" }]);
    assert_snapshot!(of_fields(&second, &forgotten), @r#"[destructive, older clients end] read the field Note.heading from the key "heading" of the documents: what lies under "title" is read no more (keep it with "renamedFrom": "title")"#);
    let chained = json!([{ "name": "caption", "type": "string", "renamedFrom": "heading" }]);
    assert_snapshot!(of_fields(&second, &chained), @"
    [destructive, older clients end] remove the field Note.heading (string): its column goes, its values stay in the documents and can come back with it
    [safe, older clients end] add the field Note.caption (string): rows that are there lack it, new ones must have it
    ");
}

#[test]
fn types_change_with_and_without_loss() {
    let one = |ty: &str| json!([{ "name": "x", "type": ty }]);
    let from = |ty: &str, convert: Json| json!([{ "name": "x", "type": ty, "convert": convert }]);
    let rule = |ty: &str, crdt: &str| json!([{ "name": "x", "type": ty, "crdt": crdt }]);
    let steps: Vec<String> = [
        (one("int"), one("float")),
        (one("float"), one("int")),
        (one("int"), one("string")),
        (one("int"), from("string", json!({ "from": "int" }))),
        (one("int"), from("string", json!({ "from": "bool" }))),
        (one("string"), one("json")),
        (one("string"), rule("string", "text")),
        (rule("string", "text"), one("string")),
        (rule("string", "text"), from("string", json!({ "from": "string", "crdt": "text" }))),
        (one("int"), rule("int", "counter")),
        (rule("json", "list"), rule("json", "movable-list")),
        (one("string"), one("enum(a,b)")),
        (one("string"), from("enum(a,b)", json!({ "from": "string", "otherwise": "a" }))),
        (one("enum(a,b)"), one("string")),
        (one("enum(a,b)"), one("enum(b,a,c)")),
        (one("enum(a,b)"), one("enum(b)")),
        (one("enum(a,b)"), from("enum(b)", json!({ "from": "enum(a,b)", "values": { "a": "b" } }))),
        (from("string", json!({ "from": "int" })), one("string")),
        (one("string"), from("string", json!({ "from": "int" }))),
        (from("string", json!({ "from": "int" })), from("bool", json!({ "from": "string" }))),
    ]
    .into_iter()
    .map(|(old, new)| of_fields(&old, &new))
    .collect();
    assert_snapshot!(steps.join("\n"), @"
    [rebuild, older clients end] make the field Note.x float, which was int: its values are read as they are
    [destructive, older clients end] make the field Note.x int, which was float: its values stay in the documents, but read as null (declare `convert` to read them)
    [destructive, older clients end] make the field Note.x string, which was int: its values stay in the documents, but read as null (declare `convert` to read them)
    [rebuild, older clients end] make the field Note.x string, which was int: its values are converted when they are read
    [destructive, older clients end] make the field Note.x string, which was int: its values stay in the documents, but read as null (declare `convert` to read them)
    [rebuild, older clients end] make the field Note.x json, which was string: its values are read as they are
    [rebuild, older clients end] make the field Note.x string with `crdt: text`, which was string: its values are read as they are
    [destructive, older clients end] make the field Note.x string, which was string with `crdt: text`: its values stay in the documents, but read as null (declare `convert` to read them)
    [rebuild, older clients end] make the field Note.x string, which was string with `crdt: text`: its values are converted when they are read
    [rebuild, older clients end] make the field Note.x int with `crdt: counter`, which was int: its values are read as they are
    [destructive, older clients end] make the field Note.x json with `crdt: movable-list`, which was json with `crdt: list`: its values stay in the documents, but read as null (declare `convert` to read them)
    [destructive, older clients end] make the field Note.x enum(a,b), which was string: its values stay in the documents, but read as null (declare `convert` to read them)
    [rebuild, older clients end] make the field Note.x enum(a,b), which was string: its values are converted when they are read
    [rebuild, older clients end] make the field Note.x string, which was enum(a,b): its values are read as they are
    [rebuild] let the field Note.x hold c too
    [destructive, older clients end] let the field Note.x hold a no more: where one stands it stays in the document, but reads as null (declare `convert` to read it)
    [rebuild, older clients end] let the field Note.x hold a no more: where one stands it is converted when it is read
    [destructive] convert former values of the field Note.x in another way: some may read as null that did not
    [rebuild] convert former values of the field Note.x
    [destructive, older clients end] make the field Note.x bool, which was string: its values stay in the documents, but read as null (declare `convert` to read them)
    ");
}

#[test]
fn what_else_a_field_says() {
    let field = |more: Json| {
        let mut field = json!({ "name": "x", "type": "string" });
        field.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        json!([field])
    };
    let (plain, all) = (field(json!({})), field(json!({ "optional": true, "unique": true })));
    assert_snapshot!(of_fields(&plain, &all), @"
    [safe] let rows of Note lack the field x
    [safe] let no two rows of Note hold the same x: refused while two of them do
    ");
    assert_snapshot!(of_fields(&all, &plain), @"
    [safe, older clients end] require the field Note.x: rows that lack it stay as they are, new ones must have it
    [safe] let rows of Note hold the same x
    ");
    let aside = field(json!({ "default": "y", "allowRead": "true", "allowWrite": "true" }));
    assert_eq!(of_fields(&plain, &aside), "");
}

#[test]
fn entities_and_what_they_say() {
    let fields = json!([{ "name": "a", "type": "string" }, { "name": "u", "type": "id(User)" }]);
    let old = manifest(&json!([
        { "name": "User" },
        { "name": "Gone" },
        { "name": "Memo", "fields": fields },
        {
            "name": "Task",
            "fields": fields,
            "open": true,
            "indexes": [{ "name": "by_a", "fields": ["a"] }, { "name": "by_u", "fields": ["u"] }],
            "relations": [{ "name": "r", "target": "User", "field": "u" }],
        },
        { "name": "Log", "fields": [] },
    ]));
    let renamed = json!([
        { "name": "b", "type": "string", "renamedFrom": "a" },
        { "name": "u", "type": "id(User)" },
    ]);
    let new = manifest(&json!([
        { "name": "User" },
        { "name": "Note", "fields": fields, "renamedFrom": "Memo" },
        {
            "name": "Task",
            "fields": renamed,
            "history": { "keep": "30d" },
            "indexes": [{ "name": "by_a", "fields": ["b"] }, { "name": "by_u", "fields": ["u"], "unique": true }],
            "relations": [{ "name": "s", "target": "User", "field": "u" }],
        },
        { "name": "Log", "fields": [], "crdt": false },
        { "name": "New", "fields": [], "open": true },
    ]));
    assert_snapshot!(told(&new, &old, &[]), @"
    [safe, older clients end] rename the entity Memo to Note: its rows and its table take the new name
    [destructive, older clients end] remove the entity Gone: its table goes, its documents stay and can come back with it
    [safe, older clients end] rename the field Task.a to b: its column takes the new name, documents keep the key that they have
    [safe] remove the index Task.by_u
    [safe] add the unique index Task.by_u over u: refused while two rows agree in them
    [destructive, older clients end] close the entity Task: what its documents hold beside the declared fields stays, but is read no more
    [safe] keep 30d of the history of Task, which was all
    [safe] remove the relation Task.r
    [safe] add the relation Task.s
    [destructive, older clients end] make the rows of Log plain: their documents stay, but are read no more
    [safe] add the entity New
    ");
    assert_snapshot!(told(&old, &new, &[]), @"
    [destructive, older clients end] remove the entity Note: its table goes, its documents stay and can come back with it
    [destructive, older clients end] remove the entity New: its table goes, its documents stay and can come back with it
    [safe] add the entity Gone
    [safe] add the entity Memo
    [safe, older clients end] rename the field Task.b to a: its column takes the new name, documents keep the key that they have
    [safe] remove the index Task.by_u
    [safe] add the index Task.by_u over u
    [rebuild] open the entity Task: its table gets a column with the whole document
    [safe] keep all of the history of Task, which was 30d
    [safe] remove the relation Task.s
    [safe] add the relation Task.r
    [destructive, older clients end] make the rows of Log documents: the plain rows that are there are lost
    ");
}

#[test]
fn classes_are_in_the_order_of_their_weight() {
    assert!(StepClass::Safe < StepClass::Rebuild && StepClass::Rebuild < StepClass::Destructive);
}

#[test]
fn who_names_rows_of_a_renamed_entity_goes_on_naming_them() {
    let old = manifest(&json!([
        { "name": "User" },
        {
            "name": "Task",
            "fields": [{ "name": "owner", "type": "id(User)" }],
            "relations": [{ "name": "by", "target": "User", "field": "owner" }],
        },
    ]));
    let new = manifest(&json!([
        { "name": "Person", "renamedFrom": "User" },
        {
            "name": "Task",
            "fields": [{ "name": "owner", "type": "id(Person)" }],
            "relations": [{ "name": "by", "target": "Person", "field": "owner" }],
        },
    ]));
    assert_snapshot!(told(&new, &old, &[]), @"[safe, older clients end] rename the entity User to Person: its rows and its table take the new name");
}

#[test]
fn a_field_is_remembered_from_before_its_entity_was_renamed() {
    let place = json!({ "name": "place", "type": "string", "optional": true });
    let task = manifest(&json!([{ "name": "Task", "fields": [place] }]));
    let todo = |fields: Json| manifest(&json!([{ "name": "Todo", "renamedFrom": "Task", "fields": fields }]));
    let (without, with) = (todo(json!([])), todo(json!([place])));
    let earlier = [without.clone(), task];
    assert_snapshot!(told(&with, &without, &earlier), @"[rebuild] add the field Todo.place (string): its column is filled from the documents");
}

#[test]
fn what_is_searched_comes_changes_and_goes() {
    let note = |title: &str, search: &Json| {
        let before = if title == "title" { Json::Null } else { json!("title") };
        manifest(&json!([{
            "name": "Note",
            "fields": [
                { "name": title, "type": "string", "renamedFrom": before },
                { "name": "body", "type": "richtext", "optional": true },
            ],
            "search": search,
        }]))
    };
    let none = note("title", &Json::Null);
    let simple = note("title", &json!({ "text": ["title"] }));
    let english = note("title", &json!({ "text": ["title", "body"], "language": "english" }));
    let renamed = note("heading", &json!({ "text": ["heading"] }));
    assert_snapshot!(told(&simple, &none, &[]), @"[safe] let the rows of Note be searched for words in title (simple)");
    assert_snapshot!(told(&english, &simple, &[]), @"[safe] search the rows of Note for words in title, body (english): the index of words is built anew");
    assert_snapshot!(told(&none, &english, &[]), @"[safe] search the rows of Note for words no more: the index of words goes");
    assert_snapshot!(told(&renamed, &simple, &[]), @"[safe, older clients end] rename the field Note.title to heading: its column takes the new name, documents keep the key that they have");
    let read = Manifest::parse(&english.record()).expect("what is kept is a manifest").manifest;
    assert_eq!(told(&english, &read, &[]), "");
    assert_eq!(read.fingerprint(), english.fingerprint());
    let all = [&none, &simple, &english].map(Manifest::fingerprint);
    assert!(all[0] != all[1] && all[1] != all[2], "{all:?}");
}
