//! Rows that are found by the words of their texts.

use corella_manifest::{Manifest, Value};
use corella_query::{Query, QueryTexts, SearchDesign};
use corella_rowdoc::Projection;
use corella_store::{
    port::{AstrayWords, Backend, ChangeKind, RowWrite, SchemaAction, Selected, Seq},
    schema,
};
use serde_json::{Value as Json, json};

use super::{
    Subject,
    rows::{key_of, manifest, put, select, shape, text, write_of},
};

const NOTES: &str = r#"[
    { "name": "title", "type": "string" },
    { "name": "body", "type": "richtext", "optional": true },
    { "name": "stars", "type": "int", "optional": true }
]"#;
const SIMPLE: &str = r#","search":{"text":["title","body"]}"#;

fn notes(search: &str) -> Manifest {
    manifest(&[("Note", NOTES, search)])
}

fn note(tenant: &str, id: &str, known: Seq, title: &str, body: Option<&str>, stars: i64) -> RowWrite {
    let values = vec![text(title), body.map_or(Value::Null, text), Value::Int(stars)];
    write_of(key_of(tenant, "Note", id), known, title, values)
}

/// The ids of the rows that a query of notes finds, and its statement's cursor when there are more.
async fn page(backend: &dyn Backend, manifest: &Manifest, query: Json) -> (Vec<String>, Option<String>) {
    let query = Query::read(manifest, &query).expect("the suite's queries are right");
    let entity = manifest.entity("Note").expect("it is declared");
    let statement = query.to_statement(backend.dialect(), "acme");
    let mut rows = backend.select(entity, statement).await.expect("the query goes through").rows;
    let limit = usize::try_from(query.limit().get()).expect("it is small");
    let more = rows.len() > limit;
    rows.truncate(limit);
    let cursor = rows.last().filter(|_| more).map(|row| query.cursor_after(&row.cells).to_string());
    (rows.iter().map(|row| row.id().to_owned()).collect(), cursor)
}

/// The notes that have these words, by their ids.
async fn having(backend: &dyn Backend, manifest: &Manifest, words: &str) -> Vec<String> {
    page(backend, manifest, json!({"from": "Note", "match": words, "orderBy": "id"})).await.0
}

/// The memos that have these words, asked for as a condition.
async fn memos_with(backend: &dyn Backend, manifest: &Manifest, words: &str) -> Selected {
    let condition = json!({"$match": words}).to_string();
    let texts = QueryTexts { where_: Some(&condition), ..QueryTexts::default() };
    select(backend, manifest, "Memo", "acme", texts).await
}

pub(super) async fn rows_are_found_by_their_words(Subject { backend, keep: _keep, .. }: Subject) {
    let (backend, manifest) = (&*backend, notes(SIMPLE));
    shape(backend, &manifest).await;
    put(backend, note("other", "a", Seq::ZERO, "blue plan", None, 0)).await;
    for (id, title, body) in [
        ("a", "Blue Plan", None),
        ("b", "plan", Some("it is painted blue, deep-blue")),
        ("c", "planning ahead", Some("größe in 東京")),
        ("d", "", None),
        ("e", "corella.dev", Some("don't")),
    ] {
        put(backend, note("acme", id, Seq::ZERO, title, body, 0)).await;
    }
    for (words, found) in [
        ("plan", vec!["a", "b"]),
        ("BLUE plan", vec!["a", "b"]),
        ("plan*", vec!["a", "b", "c"]),
        (r#""blue plan""#, vec!["a"]),
        (r#""plan blue""#, vec![]),
        ("deep-blue", vec!["b"]),
        ("blue-painted", vec![]),
        ("Größe", vec!["c"]),
        ("東*", vec!["c"]),
        ("corella.dev", vec!["e"]),
        ("dev.corella", vec![]),
        ("don't", vec!["e"]),
        ("plan red", vec![]),
        ("planning ahe*", vec!["c"]),
        (r#""planning ahe"*"#, vec![]),
    ] {
        assert_eq!(having(backend, &manifest, words).await, found, "{words}");
    }
    // Whatever somebody writes is words.
    for words in [
        "",
        "\"",
        "*",
        "\"\"\"",
        "plan\"",
        "' OR 1=1 --",
        "plan AND",
        "NOT plan",
        "NEAR(",
        "title:plan",
        "^plan",
        "-plan",
        "(plan",
        "plan & | ! <->",
        ":*",
        "'':*",
        "\\",
        "plan\0",
        "{title}: x",
        "%",
        "a:b:c*",
    ] {
        having(backend, &manifest, words).await;
    }
    assert_eq!(having(backend, &manifest, "plan\0").await, ["a", "b"]);
    assert!(having(backend, &manifest, "* \" !").await.is_empty(), "no word finds no row");
}

pub(super) async fn what_is_found_follows_the_lines(Subject { backend, keep: _keep, .. }: Subject) {
    let (backend, manifest) = (&*backend, notes(SIMPLE));
    shape(backend, &manifest).await;
    let first = put(backend, note("acme", "a", Seq::ZERO, "red", Some("house"), 0)).await;
    let second = put(backend, note("acme", "a", first, "green", Some("house"), 0)).await;
    let third = put(backend, note("acme", "a", second, "green", Some("house"), 7)).await;
    assert_eq!(having(backend, &manifest, "green house").await, ["a"]);
    assert!(having(backend, &manifest, "red").await.is_empty());
    let entity = manifest.entity("Note").expect("it is declared");
    let key = key_of("acme", "Note", "a");
    let values = vec![text("blue"), text("garden"), Value::Int(1)];
    let again = Projection { deleted: false, values };
    backend.reproject(entity, vec![(key.clone(), third, again)]).await.expect("it goes through");
    assert_eq!(having(backend, &manifest, "blue garden").await, ["a"]);
    assert!(having(backend, &manifest, "house").await.is_empty());
    let mut delete = note("acme", "a", third, "blue", Some("garden"), 1);
    delete.kind = ChangeKind::Delete;
    delete.projection = std::sync::Arc::new(Projection { deleted: true, ..(*delete.projection).clone() });
    let fourth = put(backend, delete).await;
    assert!(having(backend, &manifest, "blue").await.is_empty());
    let mut back = note("acme", "a", fourth, "violet", None, 1);
    back.kind = ChangeKind::Restore;
    put(backend, back).await;
    assert_eq!(having(backend, &manifest, "violet").await, ["a"]);
    assert!(having(backend, &manifest, "blue").await.is_empty());
    // More words than an index of PostgreSQL takes.
    let many: Vec<String> = (0..40_000).map(|word| format!("w{word}")).collect();
    put(backend, note("acme", "b", Seq::ZERO, "long", Some(&many.join(" ")), 0)).await;
    assert_eq!(having(backend, &manifest, "long w7").await, ["b"]);
    assert!(
        having(backend, &manifest, "w39999").await.is_empty(),
        "the end of a very long text is not searched"
    );
    assert_eq!(astray(backend, &manifest).await, AstrayWords::default());
}

/// What is wrong with the index of words of the notes.
async fn astray(backend: &dyn Backend, manifest: &Manifest) -> AstrayWords {
    let entity = manifest.entity("Note").expect("it is declared");
    let check = SearchDesign::of(&entity.name).check(backend.dialect(), entity).expect("notes are searched");
    backend.astray_words(entity, check).await.expect("reads go through")
}

pub(super) async fn an_index_that_is_missing_is_told(Subject { backend, keep: _keep, .. }: Subject) {
    let (backend, manifest) = (&*backend, notes(SIMPLE));
    shape(backend, &manifest).await;
    put(backend, note("acme", "a", Seq::ZERO, "red", Some("house"), 0)).await;
    put(backend, note("other", "a", Seq::ZERO, "", None, 0)).await;
    assert_eq!(astray(backend, &manifest).await, AstrayWords::default());
    let entity = manifest.entity("Note").expect("it is declared");
    let design = SearchDesign::of(&entity.name);
    let run = async |statements: Vec<String>| {
        let actions = statements.into_iter().map(SchemaAction::Run).collect();
        assert!(backend.reshape(actions).await.expect("it goes through").is_empty());
    };
    run(design.remove(backend.dialect())).await;
    assert!(astray(backend, &manifest).await.is_missing);
    run(design.make(backend.dialect(), entity)).await;
    assert_eq!(astray(backend, &manifest).await, AstrayWords::default());
    assert_eq!(having(backend, &manifest, "red house").await, ["a"]);
}

pub(super) async fn the_best_come_first(Subject { backend, keep: _keep, .. }: Subject) {
    let (backend, manifest) = (&*backend, notes(SIMPLE));
    shape(backend, &manifest).await;
    let filler = "some other words that say nothing about it ".repeat(20);
    for (id, title, body) in [
        ("a", "far away", Some(format!("{filler} plan"))),
        ("b", "plan", Some("the plan of plans, a plan".to_owned())),
        ("c", "plan", Some(filler.clone())),
        ("d", "no", None),
    ] {
        put(backend, note("acme", id, Seq::ZERO, title, body.as_deref(), 0)).await;
    }
    let ranked = async |more: Json| {
        let mut query = json!({"from": "Note", "match": "plan"});
        query.as_object_mut().expect("it is one").extend(more.as_object().expect("it is one").clone());
        page(backend, &manifest, query).await
    };
    let (all, cursor) = ranked(json!({})).await;
    assert_eq!((all[0].as_str(), all.len(), cursor), ("b", 3, None));
    let mut seen = Vec::new();
    let mut cursor = Json::Null;
    loop {
        let (ids, next) = ranked(json!({"limit": 1, "cursor": cursor})).await;
        seen.extend(ids);
        let Some(next) = next else { break };
        cursor = json!(next);
    }
    assert_eq!(seen, all, "pages go on where the one before ended");
    // What is found beside does not change how well a row fits.
    let some = ranked(json!({"where": {"id": {"$in": ["c", "a"]}}})).await.0;
    let expected: Vec<&String> = all.iter().filter(|id| *id != "b").collect();
    assert_eq!(some.iter().collect::<Vec<_>>(), expected);
    let (ids, _) = ranked(json!({"orderBy": {"id": "desc"}, "where": {"title": "plan"}, "limit": 1})).await;
    assert_eq!(ids, ["c"]);
    assert_eq!(
        page(backend, &manifest, json!({"from": "Note", "where": {"$match": "plan", "id": "a"}})).await.0,
        ["a"]
    );
}

pub(super) async fn what_is_searched_comes_and_goes(Subject { backend, keep: _keep, .. }: Subject) {
    let backend = &*backend;
    let without = notes("");
    shape(backend, &without).await;
    let seq = put(backend, note("acme", "a", Seq::ZERO, "many plans", Some("house"), 0)).await;
    put(backend, note("acme", "b", Seq::ZERO, "other", None, 0)).await;
    // Made from the lines that are there.
    let simple = notes(SIMPLE);
    assert!(shape(backend, &simple).await.is_empty(), "no document has to be read for it");
    assert_eq!(having(backend, &simple, "plans house").await, ["a"]);
    assert!(having(backend, &simple, "plan").await.is_empty());
    let english = notes(r#","search":{"text":["title"],"language":"english"}"#);
    shape(backend, &english).await;
    assert_eq!(having(backend, &english, "plan").await, ["a"]);
    assert!(having(backend, &english, "house").await.is_empty());
    shape(backend, &english).await;
    // With other names, and another column beside.
    let fields = r#"[
        { "name": "heading", "type": "string", "renamedFrom": "title" },
        { "name": "body", "type": "richtext", "optional": true },
        { "name": "mood", "type": "string", "optional": true }
    ]"#;
    let renamed = manifest(&[(
        "Memo",
        fields,
        r#","renamedFrom":"Note","search":{"text":["heading"],"language":"english"}"#,
    )]);
    let fill = shape(backend, &renamed).await;
    assert!(fill.is_empty(), "{fill:?}");
    let found = memos_with(backend, &renamed, "plan").await;
    assert_eq!((found.rows.len(), found.rows[0].id()), (1, "a"));
    // A field goes that was searched, and in the end all of it.
    let bodies = r#"[{ "name": "body", "type": "richtext", "optional": true }]"#;
    let narrow = manifest(&[("Memo", bodies, r#","search":{"text":["body"]}"#)]);
    shape(backend, &narrow).await;
    let found = memos_with(backend, &narrow, "house").await;
    assert_eq!(found.rows.len(), 1);
    let plain = manifest(&[("Memo", bodies, "")]);
    shape(backend, &plain).await;
    let memo = key_of("acme", "Memo", "a");
    let next = put(backend, write_of(memo, seq, "d", vec![text("more")])).await;
    assert!(next > seq);
    assert!(
        schema::finish(backend, plain.entity("Memo").expect("it is declared"))
            .await
            .expect("it goes through")
            .is_empty()
    );
    shape(backend, &narrow).await;
    let found = memos_with(backend, &narrow, "more").await;
    assert_eq!(found.rows.len(), 1, "what was written meanwhile is found, too");
    shape(backend, &manifest(&[("Other", bodies, "")])).await;
    assert_eq!(shape(backend, &narrow).await, ["Memo"]);
}
