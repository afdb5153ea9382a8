//! What the author of a manifest with mistakes is told.

use corella_manifest::{Manifest, ManifestErrors, Parsed};
use insta::assert_snapshot;
use serde_json::{Value as Json, json};

/// A manifest with these entities and a `User`.
fn with_entities(entities: Json) -> Json {
    let mut all = entities.as_array().expect("a list").clone();
    all.push(json!({ "name": "User", "fields": [{ "name": "email", "type": "string" }] }));
    json!({ "manifest_version": 1, "name": "app", "version": "1", "entities": all })
}

/// A manifest whose first entity has these fields.
fn with_fields(fields: Json) -> Json {
    with_entities(json!([{ "name": "Note", "fields": fields }]))
}

fn errors(manifest: &Json) -> String {
    told(&manifest.to_string())
}

fn told(text: &str) -> String {
    Manifest::parse(text).expect_err("a manifest with mistakes").to_string()
}

fn warnings(manifest: &Json) -> String {
    let Parsed { warnings, .. } = Manifest::parse(&manifest.to_string()).expect("a manifest");
    warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn types_that_are_none() {
    assert_snapshot!(errors(&with_fields(json!([
        { "name": "a", "type": "strng" },
        { "name": "b", "type": "text" },
        { "name": "c", "type": "ref(User)" },
        { "name": "d", "type": "geography" },
        { "name": "e", "type": "enum()" },
        { "name": "f", "type": "enum(red,red)" },
        { "name": "g", "type": "id(Usr)" },
        { "name": "h", "type": 7 },
        { "name": "i" },
    ]))), @r#"
    entities[0].fields[0].type: expected a type (string, datetime, int, float, bool, bytes, json, richtext, document, enum(a,b) or id(Entity)), found "strng"; did you mean "string"?
    entities[0].fields[1].type: expected a type (string, datetime, int, float, bool, bytes, json, richtext, document, enum(a,b) or id(Entity)), found "text"; did you mean "string"?
    entities[0].fields[2].type: expected a type (string, datetime, int, float, bool, bytes, json, richtext, document, enum(a,b) or id(Entity)), found "ref(User)"; did you mean "id(User)"?
    entities[0].fields[3].type: expected a type (string, datetime, int, float, bool, bytes, json, richtext, document, enum(a,b) or id(Entity)), found "geography"
    entities[0].fields[4].type: expected an enum whose variants have at least one character, such as enum(a,b), found "enum()"
    entities[0].fields[5].type: expected an enum that names each variant once, not "red" twice, found "enum(red,red)"
    entities[0].fields[6].type: expected id(Entity) with the name of a declared entity, found "id(Usr)"; did you mean "id(User)"?
    entities[0].fields[7].type: expected a type (string, datetime, int, float, bool, bytes, json, richtext, document, enum(a,b) or id(Entity)), found 7
    entities[0].fields[8].type: expected a type (string, datetime, int, float, bool, bytes, json, richtext, document, enum(a,b) or id(Entity)), found nothing
    "#);
}

#[test]
fn names_that_are_none() {
    assert_snapshot!(errors(&with_fields(json!([
        { "name": "my-field", "type": "int" },
        { "name": "", "type": "int" },
        { "name": "x".repeat(64), "type": "int" },
        { "name": "pg_class", "type": "int" },
        { "name": "2nd", "type": "int" },
        { "name": "a\"; drop table Note; --\n", "type": "int" },
        { "name": "ctid", "type": "int" },
        { "name": "ID", "type": "int" },
        { "name": "title", "type": "int" },
        { "name": "Title", "type": "int" },
        { "name": null, "type": "int" },
    ]))), @r#"
    entities[0].fields[0].name: expected a name: a letter or `_`, then letters, digits and `_`, found "my-field"; did you mean "my_field"?
    entities[0].fields[1].name: expected a name, found an empty text
    entities[0].fields[2].name: expected a name of at most 63 bytes, found one of 64
    entities[0].fields[3].name: expected a name that does not start with `corella_`, `sqlite_` or `pg_`, found "pg_class"
    entities[0].fields[4].name: expected a name: a letter or `_`, then letters, digits and `_`, found "2nd"; did you mean "_2nd"?
    entities[0].fields[5].name: expected a name: a letter or `_`, then letters, digits and `_`, found "a\"; drop table Note; --\n"; did you mean "a___drop_table_Note____"?
    entities[0].fields[6].name: expected another name, because databases have a column of that name in every table, found "ctid"
    entities[0].fields[7].name: expected another name, because every row has an id already, found "ID"
    entities[0].fields[9].name: expected a field name that is used once, letter case aside, found "Title", which entities[0].fields[8] has already
    entities[0].fields[10].name: expected a name, found nothing
    "#);
}

#[test]
fn entities_that_are_named_alike() {
    assert_snapshot!(errors(&with_entities(json!([{ "name": "user" }, { "name": "corella_rows" }]))), @r#"
    entities[1].name: expected a name that does not start with `corella_`, `sqlite_` or `pg_`, found "corella_rows"
    entities[2].name: expected an entity name that is used once, letter case aside, found "User", which entities[0] has already
    "#);
}

#[test]
fn merge_rules_that_do_not_fit() {
    assert_snapshot!(errors(&with_fields(json!([
        { "name": "a", "type": "string", "crdt": "counter" },
        { "name": "b", "type": "json", "crdt": "movablelist" },
        { "name": "c", "type": "bool", "crdt": "txt" },
        { "name": "d", "type": "int", "crdt": true },
    ]))), @r#"
    entities[0].fields[0].crdt: expected "lww" or "text" for a field of type string, found "counter"
    entities[0].fields[1].crdt: expected "lww" or "list" or "movable-list" or "map" or "tree" for a field of type json, found "movablelist"; did you mean "movable-list"?
    entities[0].fields[2].crdt: expected "lww" for a field of type bool, found "txt"
    entities[0].fields[3].crdt: expected a merge rule, found true
    "#);
    assert_snapshot!(errors(&with_entities(json!([{ "name": "Note", "crdt": false, "fields": [
        { "name": "a", "type": "string", "crdt": "text" },
        { "name": "b", "type": "document" },
        { "name": "c", "type": "richtext" },
    ] }]))), @r#"
    entities[0].fields[0].crdt: expected "lww" for a field of type string of plain rows, found "text"
    entities[0].fields[1].type: expected a type that a plain row can hold, because the entity says `crdt: false`, found "document"
    "#);
}

#[test]
fn defaults_that_do_not_fit() {
    assert_snapshot!(errors(&with_fields(json!([
        { "name": "a", "type": "string", "default": "now" },
        { "name": "b", "type": "datetime", "default": "uuid" },
        { "name": "c", "type": "int", "default": "auth.userId" },
        { "name": "d", "type": "int", "default": 1.5 },
        { "name": "e", "type": "enum(red,green)", "default": "gren" },
        { "name": "f", "type": "datetime", "default": "NOW" },
        { "name": "g", "type": "bool", "default": [1, 2, 3] },
        { "name": "h", "type": "id(User)", "default": "auth.userid" },
        { "name": "i", "type": "json", "crdt": "list", "default": {} },
        { "name": "j", "type": "json", "crdt": "map", "default": [] },
        { "name": "k", "type": "json", "crdt": "tree", "default": "x" },
    ]))), @r#"
    entities[0].fields[0].default: expected a default for a field of type string, found "now", which only datetime fields take
    entities[0].fields[1].default: expected a default for a field of type datetime, found "uuid", which only string and id fields take
    entities[0].fields[2].default: expected a default for a field of type int, found "auth.userId", which only string and id fields take
    entities[0].fields[3].default: expected a whole number of 64 bits (as a string beyond 2^53), found 1.5
    entities[0].fields[4].default: expected one of red, green, found "gren"; did you mean "green"?
    entities[0].fields[5].default: expected a time such as 2026-11-20T06:14:00Z, found "NOW"; did you mean "now"?
    entities[0].fields[6].default: expected true or false, found a list of 3 items
    entities[0].fields[7].default: expected the id of a row of User: 1 to 64 of A-Z a-z 0-9 _ -, found "auth.userid"; did you mean "auth.userId"?
    entities[0].fields[8].default: expected a list, as the merge rule of the field says, found an object of 0 keys
    entities[0].fields[9].default: expected an object, as the merge rule of the field says, found a list of 0 items
    entities[0].fields[10].default: expected a list of nodes, as the merge rule of the field says, found "x"
    "#);
}

#[test]
fn deletions_that_do_not_fit() {
    assert_snapshot!(errors(&with_fields(json!([
        { "name": "a", "type": "string", "onDelete": "cascade" },
        { "name": "b", "type": "id(User)", "onDelete": "setnull", "optional": true },
        { "name": "c", "type": "id(User)", "onDelete": "setNull" },
        { "name": "d", "type": "id(User)", "onDelete": true },
    ]))), @r#"
    entities[0].fields[0].onDelete: expected no such key for a field of type string, which names no row, found "cascade"
    entities[0].fields[1].onDelete: expected restrict, cascade or setNull, found "setnull"; did you mean "setNull"?
    entities[0].fields[2].onDelete: expected restrict or cascade for a field that is not optional, which cannot be emptied, found "setNull"
    entities[0].fields[3].onDelete: expected restrict, cascade or setNull, found true
    "#);
}

#[test]
fn indexes_that_do_not_fit() {
    assert_snapshot!(errors(&with_entities(json!([{
        "name": "Note",
        "fields": [
            { "name": "title", "type": "string" },
            { "name": "body", "type": "document", "unique": true },
            { "name": "bad", "type": "nonsense" },
        ],
        "indexes": [
            { "name": "a", "fields": ["titel"] },
            { "name": "A", "fields": ["title"] },
            { "name": "b", "fields": [] },
            { "name": "c" },
            { "name": "d", "fields": ["body", "bad", 3] },
            { "name": "e", "fields": ["title", "title"] },
            { "name": "f", "fields": "title" },
        ],
    }]))), @r#"
    entities[0].fields[1].unique: expected false for a field of type document, which has no comparable column, found true
    entities[0].fields[2].type: expected a type (string, datetime, int, float, bool, bytes, json, richtext, document, enum(a,b) or id(Entity)), found "nonsense"
    entities[0].indexes[0].fields[0]: expected the name of a declared field of Note, found "titel"; did you mean "title"?
    entities[0].indexes[1].name: expected an index name that is used once, letter case aside, found "A", which entities[0].indexes[0] has already
    entities[0].indexes[2].fields: expected a list of at least one field name, found an empty list
    entities[0].indexes[3].fields: expected a list of at least one field name, found nothing
    entities[0].indexes[4].fields[0]: expected a field with a comparable column, found "body", which is of type document
    entities[0].indexes[4].fields[2]: expected the name of a field, found 3
    entities[0].indexes[5].fields[1]: expected a field name that is used once, letter case aside, found "title", which entities[0].indexes[5].fields has already
    entities[0].indexes[6].fields: expected a list, each item the name of a field, found "title"
    "#);
}

#[test]
fn relations_that_do_not_fit() {
    assert_snapshot!(errors(&with_entities(json!([{
        "name": "Note",
        "fields": [{ "name": "title", "type": "string" }, { "name": "author", "type": "id(User)" }],
        "relations": [
            { "name": "writer", "target": "Usr", "field": "author" },
            { "name": "Writer", "target": "User", "field": "autor" },
            { "name": "author", "target": "User", "field": "author" },
            { "name": "reader", "target": "User", "field": "title" },
            { "name": "readers", "target": "User", "field": "author", "many": true },
            { "name": "none" },
        ],
    }]))), @r#"
    entities[0].relations[0].target: expected the name of a declared entity, found "Usr"; did you mean "User"?
    entities[0].relations[1].field: expected the name of a declared field of Note, found "autor"; did you mean "author"?
    entities[0].relations[1].name: expected a relation name that is used once, letter case aside, found "Writer", which entities[0].relations[0] has already
    entities[0].relations[2].name: expected a relation name that no field has, found "author", which is a field already
    entities[0].relations[3].field: expected a field of Note of type id(User), found "title", which is of type string
    entities[0].relations[4].field: expected the name of a declared field of User, found "author"
    entities[0].relations[5].field: expected the name of a field, found nothing
    entities[0].relations[5].target: expected the name of an entity, found nothing
    "#);
}

#[test]
fn everything_else_in_an_entity() {
    assert_snapshot!(errors(&with_entities(json!([
        { "name": "A", "history": { "keep": "30 days" } },
        { "name": "B", "history": "all" },
        { "name": "C", "open": true, "crdt": false, "fields": [{ "name": "value", "type": "json" }] },
        { "name": "D", "fields": [{ "name": "a", "type": "int", "optional": "yes", "allowRead": " " }] },
        { "name": "E", "fields": [{ "name": "a", "type": "int", "renamedFrom": "b" }, { "name": "b", "type": "int" }] },
        { "name": "F", "fields": { "a": "int" } },
        "G",
    ]))), @r#"
    entities[0].history.keep: expected "all", "latest", or a number of days or hours such as "30d" or "12h", found "30 days"
    entities[1].history: expected an object with the key `keep`, found "all"
    entities[2].crdt: expected true for an open entity, whose rows are always documents, found false
    entities[2].fields[0].name: expected another name, because the table of an open entity has a column `value` already, found "value"
    entities[3].fields[0].allowRead: expected a CEL expression, found " "
    entities[3].fields[0].optional: expected true or false, found "yes"
    entities[4].fields[0].renamedFrom: expected the name of a field that is no more, found "b", which is still a field
    entities[5].fields: expected a list, each item a field, found an object of 1 key
    entities[6]: expected an entity, found "G"
    "#);
}

#[test]
fn policies_tenancy_and_default_entity() {
    let mut manifest = with_entities(json!([]));
    manifest["policies"] = json!([
        { "name": "a", "entity": "Usr", "allow": "true" },
        { "name": "a", "entity": "User", "action": "send", "allow": "true" },
        { "name": "b", "allowRead": "" },
        { "entity": "User", "allowRead": true },
    ]);
    manifest["tenancy"] = json!({ "claim": "" });
    manifest["defaultEntity"] = json!("users");
    manifest["actions"] = json!({});
    assert_snapshot!(errors(&manifest), @r#"
    actions: expected a list, found an object of 0 keys
    defaultEntity: expected the name of a declared entity, found "users"; did you mean "User"?
    policies[0].entity: expected the name of a declared entity, found "Usr"; did you mean "User"?
    policies[1]: expected one of the keys `entity` and `action`, found both
    policies[1].name: expected a policy name that is used once, letter case aside, found "a", which policies[0] has already
    policies[2]: expected one of the keys `entity` and `action`, found neither
    policies[2].allowRead: expected a CEL expression, found ""
    policies[3].allowRead: expected a CEL expression as a text, found true
    policies[3].name: expected a name, found nothing
    tenancy.claim: expected the name of a claim, found ""
    "#);
}

#[test]
fn what_is_missing_at_the_top() {
    assert_snapshot!(told("{}"), @r#"
    entities: expected a list of entities, found nothing
    manifest_version: expected 1, found nothing
    name: expected the name of the app, found nothing
    version: expected the app's version, such as "0.1.0", found nothing
    "#);
    assert_snapshot!(told("[]"), @"expected a manifest, which is a JSON object, found a list of 0 items");
    assert_snapshot!(told(r#"{ "manifest_version": 2, "entities": "elsewhere" }"#), @"
    manifest_version: expected 1, the manifest format that this server reads, found 2
    ");
    assert_snapshot!(told(r#"{ "manifest_version": "1", "name": "", "version": 1, "entities": null }"#), @r#"
    entities: expected a list of entities, found nothing
    manifest_version: expected 1, the manifest format that this server reads, found "1"
    name: expected the name of the app, found ""
    version: expected the app's version, such as "0.1.0", found 1
    "#);
}

#[test]
fn a_misspelt_key_stands_beside_the_missing_one() {
    assert_snapshot!(errors(&with_fields(json!([{ "nmae": "a", "type": "int" }]))), @r#"
    entities[0].fields[0].name: expected a name, found nothing
    warning: entities[0].fields[0].nmae: unknown key, ignored; did you mean "name"?
    "#);
}

#[test]
fn malformed_json() {
    assert_snapshot!(told(""), @"line 1, column 1: expected a JSON value, found the end of the text");
    assert_snapshot!(told("{\n  \"name\": \"app\",\n}"), @r#"line 3, column 1: expected another item after the comma, found "}""#);
    assert_snapshot!(told("{\n  \"name\": \"é\" \"version\": 1\n}"), @r#"line 2, column 15: expected `,` or `}`, found "\"""#);
    assert_snapshot!(told("{\n  name: 1\n}"), @r#"line 2, column 3: expected a key in double quotes, found "n""#);
    assert_snapshot!(told("{ \"name\": \"app"), @"
    line 1, column 14: expected the closing quote of a text, found the end of the text
    ");
    assert_snapshot!(told("{ \"name\": \"a\nb\" }"), @r"
    line 2, column 1: expected line breaks and the like written as `\n` within a text, found one as it is
    ");
    assert_snapshot!(told("{ \"name\": 'app' }"), @r#"line 1, column 11: expected a JSON value, found "'""#);
    assert_snapshot!(told("{ \"name\": \"a\\qb\" }"), @r#"line 1, column 14: expected an escape such as `\n` or `\u00e9`, found "q""#);
    assert_snapshot!(told("{ \"name\" \"app\" }"), @r#"line 1, column 10: expected `:` after a key, found "\"""#);
    assert_snapshot!(told("{ \"name\": 1e999 }"), @"line 1, column 15: expected a number that a double can hold, found a larger one");
    assert_snapshot!(told("{} {}"), @r#"line 1, column 4: expected nothing after the end of the manifest, found "{""#);
    assert_snapshot!(told("// a comment\n{}"), @r#"line 1, column 1: expected a JSON value, found "/""#);
    assert_snapshot!(told("{ \"entities\": [],\n  \"entities\": [1] }"), @r#"
    line 2, column 12: expected each key of an object once, found "entities" a second time
    "#);
    assert_snapshot!(told(&"[".repeat(1000)), @"line 1, column 128: expected JSON nested less than 128 deep, found a deeper one");
}

#[test]
fn what_other_servers_read_is_passed_over_with_a_warning() {
    assert_snapshot!(warnings(&json!({
        "manifest_version": 1, "name": "app", "version": "1",
        "auth": { "providers": ["password"] },
        "jobs": [],
        "entities": [{
            "name": "Note",
            "fields": [{ "name": "title", "type": "string", "searchable": true }],
            "find": { "text": ["title"] },
        }],
        "policies": [{ "name": "own", "entity": "Note", "allow": "auth.userId != null", "description": "ours" }],
        "queries": [{ "name": "mine" }],
    })), @"
    auth: unknown key, ignored
    entities[0].fields[0].searchable: unknown key, ignored
    entities[0].find: unknown key, ignored
    jobs: unknown key, ignored
    policies[0].description: unknown key, ignored
    queries: accepted, but not served yet
    ");
}

#[test]
fn warnings_name_the_nearest_key() {
    let mut manifest = with_entities(json!([
        { "name": "Note", "feilds": [], "Open": false, "colour": "red", "odd key.": 1 },
        { "name": "Task", "fields": [{ "name": "a", "type": "int", "allow_read": "true" }] },
    ]));
    manifest["default_entity"] = json!("Note");
    manifest["queries"] = json!([{ "name": "mine" }]);
    assert_snapshot!(warnings(&manifest), @r#"
    default_entity: unknown key, ignored; did you mean "defaultEntity"?
    entities[0]["odd key."]: unknown key, ignored
    entities[0].Open: unknown key, ignored; did you mean "open"?
    entities[0].colour: unknown key, ignored
    entities[0].feilds: unknown key, ignored; did you mean "fields"?
    entities[1].fields[0].allow_read: unknown key, ignored; did you mean "allowRead"?
    queries: accepted, but not served yet
    "#);
}

#[test]
fn mistakes_can_be_read_by_a_program() {
    let text = with_fields(json!([{ "name": "a", "type": "strng" }])).to_string();
    let ManifestErrors { problems, warnings } = Manifest::parse(&text).expect_err("a mistake");
    assert_eq!(warnings, []);
    let [problem] = problems.as_slice() else { panic!("one problem") };
    assert_eq!(problem.path, "entities[0].fields[0].type");
    assert_eq!(problem.found, "\"strng\"");
    assert_eq!(problem.nearest.as_deref(), Some("string"));
}

#[test]
fn former_names_and_types_that_cannot_be() {
    assert_snapshot!(errors(&with_entities(json!([
        { "name": "A", "renamedFrom": "User" },
        { "name": "B", "renamedFrom": "Old" },
        { "name": "C", "renamedFrom": "old", "fields": [
            { "name": "a", "type": "int", "renamedFrom": "x" },
            { "name": "b", "type": "int", "renamedFrom": "X" },
            { "name": "c", "type": "datetime", "convert": { "from": "bool" } },
            { "name": "d", "type": "int", "convert": { "from": "int" } },
            { "name": "e", "type": "int", "convert": { "crdt": "counter" } },
            { "name": "f", "type": "int", "convert": { "from": "bool", "crdt": "counter" } },
            { "name": "g", "type": "int", "convert": { "from": "string", "values": { "one": "two", "3": 3 }, "otherwise": [] } },
            { "name": "h", "type": "json", "crdt": "tree", "convert": { "from": "json" } },
            { "name": "i", "type": "enum(a,b)", "convert": "string" },
        ] },
    ]))), @r#"
    entities[0].renamedFrom: expected the name of an entity that is no more, found "User", which is still an entity
    entities[2].fields[1].renamedFrom: expected a former name that is used once, letter case aside, found "X", which entities[2].fields[0] has already
    entities[2].fields[2].convert.from: expected string, json or richtext, from which a field of type datetime can be read, found "bool"
    entities[2].fields[3].convert: expected another type or merge rule than the field has now, found the same
    entities[2].fields[4].convert.from: expected a type (string, datetime, int, float, bool, bytes, json, richtext, document, enum(a,b) or id(Entity)), found nothing
    entities[2].fields[5].convert.crdt: expected "lww" for a field of type bool, found "counter"
    entities[2].fields[6].convert.otherwise: expected a whole number of 64 bits (as a string beyond 2^53), found a list of 0 items
    entities[2].fields[6].convert.values.one: expected a whole number of 64 bits (as a string beyond 2^53), found "two"
    entities[2].fields[6].convert.values.3: expected a value that a field of type int does not read by itself, found "3"
    entities[2].fields[7].convert.from: expected no type, from which a field of type json can be read, found "json"
    entities[2].fields[8].convert: expected an object with the key `from`, found "string"
    entities[2].renamedFrom: expected a former name that is used once, letter case aside, found "old", which entities[1] has already
    "#);
}

#[test]
fn searches_that_cannot_be() {
    let note = |search: Json| {
        with_entities(json!([{
            "name": "Note",
            "fields": [
                { "name": "title", "type": "string" },
                { "name": "page", "type": "document" },
                { "name": "stars", "type": "int" },
                { "name": "kind", "type": "enum(a,b)" },
            ],
            "search": search,
        }]))
    };
    Manifest::parse(&note(json!({ "text": ["title", "page"], "language": "german" })).to_string())
        .expect("a manifest");
    assert_snapshot!(errors(&note(json!({
        "text": ["titel", "stars", "kind", "title", "title"],
        "language": "englisch",
    }))), @r#"
    entities[0].search.language: expected one of simple, arabic, danish, dutch, english, finnish, french, german, hungarian, indonesian, irish, italian, lithuanian, nepali, norwegian, portuguese, romanian, russian, spanish, swedish, tamil, turkish, found "englisch"; did you mean "english"?
    entities[0].search.text[0]: expected the name of a declared field of Note, found "titel"; did you mean "title"?
    entities[0].search.text[1]: expected a field of type string, richtext or document, found "stars", which is of type int
    entities[0].search.text[2]: expected a field of type string, richtext or document, found "kind", which is of type enum(a,b)
    entities[0].search.text[4]: expected a field name that is used once, letter case aside, found "title", which entities[0].search.text has already
    "#);
    assert_snapshot!(errors(&note(json!({ "text": [] }))), @"entities[0].search.text: expected a list of at least one field name, found an empty list");
    assert_snapshot!(errors(&note(json!({ "language": 7 }))), @r#"
    entities[0].search.language: expected the name of a language, such as "english", found 7
    entities[0].search.text: expected a list of at least one field name, found nothing
    "#);
    assert_snapshot!(errors(&note(json!("title"))), @r#"entities[0].search: expected an object with the key `text`, found "title""#);
    assert_snapshot!(warnings(&note(json!({ "text": ["title"], "lang": "english" }))), @"entities[0].search.lang: unknown key, ignored");
}
