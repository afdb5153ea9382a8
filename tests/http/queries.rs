//! Lists: conditions, orders, pages.

use corella_testkit::{Database, Http, SAMPLE, Stage, on_both, query};
use serde_json::{Value as Json, json};

const NOTES: &str = "/api/entities/Note";

/// Twelve notes, numbered by `position`, every third pinned.
async fn notes(stage: &Stage) -> Http {
    let ada = stage.ada();
    for number in 0..12 {
        let note = json!({
            "id": format!("n{number:02}"), "title": format!("note {number}"), "position": number / 2,
            "pinned": number % 3 == 0, "stars": if number == 7 { json!(null) } else { json!(number) },
        });
        ada.post(NOTES, note).await.expect(201);
    }
    ada
}

async fn ids(ada: &Http, pairs: &[(&str, &str)]) -> Vec<String> {
    let page = ada.get(&format!("{NOTES}{}", query(pairs))).await.expect(200);
    ids_of(&page)
}

fn ids_of(page: &Json) -> Vec<String> {
    let rows = page["rows"].as_array().expect("a page has rows");
    rows.iter().map(|row| row["id"].as_str().expect("a row has an id").to_owned()).collect()
}

on_both!(conditions_and_orders);

#[cfg(test)]
async fn conditions_and_orders(database: Database) {
    let stage = Stage::on(database, SAMPLE).await;
    let ada = notes(&stage).await;
    assert_eq!(ids(&ada, &[("where", r#"{"pinned":true}"#)]).await, ["n00", "n03", "n06", "n09"]);
    assert_eq!(ids(&ada, &[("where", r#"{"stars":null}"#)]).await, ["n07"]);
    assert_eq!(ids(&ada, &[("where", r#"{"stars":{"$gte":10}}"#)]).await, ["n10", "n11"]);
    assert_eq!(
        ids(&ada, &[("where", r#"{"title":{"$contains":"1"},"$not":{"id":"n10"}}"#)]).await,
        ["n01", "n11"]
    );
    let order = [("orderBy", r#"[{"position":"desc"},{"title":"desc"}]"#), ("limit", "3")];
    assert_eq!(ids(&ada, &order).await, ["n11", "n10", "n09"]);
    assert_eq!(ids(&ada, &[("where", r#"{"id":{"$in":["n01","n99"]}}"#)]).await, ["n01"]);
}

on_both!(pages_have_every_row_once_while_others_are_made);

#[cfg(test)]
async fn pages_have_every_row_once_while_others_are_made(database: Database) {
    let stage = Stage::on(database, SAMPLE).await;
    let ada = notes(&stage).await;
    let mut seen = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut pairs = vec![("orderBy", r#"{"position":"asc"}"#), ("limit", "5")];
        if let Some(cursor) = &cursor {
            pairs.push(("cursor", cursor));
        }
        let page = ada.get(&format!("{NOTES}{}", query(&pairs))).await.expect(200);
        assert!(page["seq"].as_i64().unwrap() >= 12);
        seen.extend(ids_of(&page));
        // A row before the place of the cursor is not seen any more, and moves nothing.
        ada.post(NOTES, json!({ "title": "in between", "position": -1 })).await.expect(201);
        let Some(next) = page["cursor"].as_str() else { break };
        cursor = Some(next.to_owned());
    }
    assert_eq!(seen, (0..12).map(|number| format!("n{number:02}")).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_says_of_which_moment_it_is() {
    let stage = Stage::new(SAMPLE).await;
    let ada = stage.ada();
    assert_eq!(ada.get(NOTES).await.expect(200), json!({ "rows": [], "cursor": null, "seq": 0 }));
    ada.post("/api/entities/User", json!({ "id": "u1", "name": "Ada" })).await.expect(201);
    let users = ada.get("/api/entities/User").await.expect(200);
    assert_eq!(users, json!({ "rows": [{ "id": "u1", "name": "Ada" }], "cursor": null, "seq": 1 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_the_manual_are_answered() {
    let page = include_str!("../../docs/queries.md");
    let blocks: Vec<Json> = page
        .split("```json\n")
        .skip(1)
        .filter_map(|rest| rest.split_once("\n```"))
        .map(|(block, _)| serde_json::from_str(block).expect("each example is JSON"))
        .collect();
    let (manifest, queries) = blocks.split_first().expect("the page begins with the app");
    let stage = Stage::new(&manifest.to_string()).await;
    let ada = stage.ada();
    for (entity, row) in [
        ("Person", json!({ "id": "ada", "name": "Ada" })),
        ("Plan", json!({ "id": "p1", "title": "Move", "owner": "ada" })),
        ("Task", json!({ "id": "t1", "plan": "p1", "title": "Paint it", "hours": 4, "tags": ["x"] })),
    ] {
        ada.post(&format!("/api/entities/{entity}"), row).await.expect(201);
    }
    let mut found = 0;
    for query in queries {
        let answer = ada.post("/api/query", query.clone()).await.expect(200);
        found += usize::from(!answer["rows"].as_array().expect("rows").is_empty());
        ada.post("/api/query/explain", query.clone()).await.expect(200);
    }
    assert!(queries.len() >= 10 && found >= queries.len() - 1, "{found} of {}", queries.len());
    let wrong = ada.post("/api/query", json!({ "from": "Task", "where": { "plan.ower": 1 } })).await;
    assert_eq!(wrong.problem(), "400 invalid_query");
    let words = "where.plan.ower: expected a column of Plan, found `ower`; did you mean `owner`?";
    assert!(wrong.text().contains(words) && page.contains(words), "{}", wrong.text());
}

/// Notes that can be searched; what they say in `secret` only their author may read.
const SEARCHED: &str = r#"{"manifest_version": 1, "name": "searched", "version": "1", "entities": [
  {"name": "Note", "fields": [
    {"name": "title", "type": "string"},
    {"name": "body", "type": "richtext", "optional": true},
    {"name": "author", "type": "string", "default": "auth.userId"}],
   "search": {"text": ["title", "body"]}},
  {"name": "Diary", "fields": [
    {"name": "title", "type": "string"},
    {"name": "secret", "type": "string", "optional": true, "allowRead": "data.author == auth.userId"},
    {"name": "author", "type": "string"}],
   "search": {"text": ["title", "secret"]}},
  {"name": "Plain", "fields": [{"name": "title", "type": "string"}]}],
 "policies": [
  {"name": "notes", "entity": "Note", "allow": "data.author == auth.userId"},
  {"name": "diaries", "entity": "Diary", "allow": "true"},
  {"name": "plain", "entity": "Plain", "allow": "true"}]}"#;

on_both!(words_find_what_their_caller_may_read);

#[cfg(test)]
async fn words_find_what_their_caller_may_read(database: Database) {
    let stage = Stage::on(database, SEARCHED).await;
    let ada = stage.ada();
    let bob = stage.server.http(&stage.installation.token("bob").await);
    ada.post(NOTES, json!({"id": "a", "title": "Paint", "body": "the blue house"})).await.expect(201);
    // Long enough for its line to be written late.
    let long = "words that say nothing ".repeat(2_000) + "blue";
    ada.post(NOTES, json!({"id": "b", "title": "Later", "body": long})).await.expect(201);
    bob.post(NOTES, json!({"id": "c", "title": "Blue"})).await.expect(201);
    let found = async |who: &Http, query: Json| ids_of(&who.post("/api/query", query).await.expect(200));
    assert_eq!(found(&ada, json!({"from": "Note", "match": "BLUE"})).await, ["a", "b"]);
    assert_eq!(found(&bob, json!({"from": "Note", "match": "blue"})).await, ["c"]);
    assert_eq!(ids(&ada, &[("match", "blue house"), ("limit", "1")]).await, ["a"]);
    let counted =
        json!({"from": "Note", "where": {"$match": "blue"}, "aggregate": {"rows": {"$count": true}}});
    assert_eq!(ada.post("/api/query", counted).await.expect(200)["rows"][0]["rows"], 2);

    for (id, author) in [("mine", "ada"), ("yours", "bob")] {
        let diary = json!({"id": id, "title": "day", "secret": "blue", "author": author});
        ada.post("/api/entities/Diary", diary).await.expect(201);
    }
    assert_eq!(found(&ada, json!({"from": "Diary", "match": "blue"})).await, ["mine"]);
    assert_eq!(
        found(&ada, json!({"from": "Diary", "match": "day"})).await,
        ["mine"],
        "by what it may read whole"
    );

    let wrong = ada.post("/api/query", json!({"from": "Plain", "match": "blue"})).await;
    assert_eq!(wrong.problem(), "400 invalid_query");
    assert!(wrong.text().contains("Plain, which declares none; add"), "{}", wrong.text());
    let explained =
        ada.post("/api/query/explain", json!({"from": "Note", "match": "blue"})).await.expect(200);
    assert!(explained["sql"].as_str().is_some_and(|sql| sql.contains("corella_")), "{explained}");
}
