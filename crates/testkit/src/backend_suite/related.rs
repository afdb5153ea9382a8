//! Rows that are found by others, and that bring others along.

use corella_manifest::{Manifest, Value};
use corella_query::{PartOf, Query};
use corella_store::port::{Backend, SelectedParts, Seq};
use serde_json::{Value as Json, json};

use super::{
    Subject,
    rows::{key_of, manifest, put, shape, text, write_of},
};

const PLANS: &str =
    r#"[{ "name": "title", "type": "string" }, { "name": "above", "type": "id(Plan)", "optional": true }]"#;
const TASKS: &str = r#"[
    { "name": "plan", "type": "id(Plan)", "optional": true },
    { "name": "due", "type": "int", "optional": true }
]"#;

/// The rows of a query, then those that they bring along, as their ids.
async fn found(backend: &dyn Backend, manifest: &Manifest, query: Json) -> Vec<Vec<String>> {
    let query = Query::read(manifest, &query).expect("the suite's queries are right");
    let chains = query.chains();
    let entity = |query: &Query| manifest.entity(query.entity().as_str()).expect("it is declared").clone();
    let parts = chains.iter().map(|chain| {
        let last = chain.last().expect("a part leads somewhere");
        let of = PartOf::Page(&query);
        (entity(&last.query), Query::part_statement(of, chain, 100, backend.dialect(), "acme"))
    });
    let mut asked: Vec<_> = parts.collect();
    asked.insert(0, (entity(&query), query.to_statement(backend.dialect(), "acme")));
    let SelectedParts { parts, seq } = backend.select_all(asked).await.expect("the queries go through");
    assert_eq!(seq, backend.last_seq().await.expect("reads go through"));
    parts.iter().map(|rows| rows.iter().map(|row| row.id().to_owned()).collect()).collect()
}

pub(super) async fn rows_are_found_by_others_and_bring_them_along(
    Subject { backend, keep: _keep, .. }: Subject,
) {
    let backend = &*backend;
    let of_plans = r#","relations":[{"name":"tasks","target":"Task","field":"plan","many":true},{"name":"top","target":"Plan","field":"above"}]"#;
    let of_tasks = r#","relations":[{"name":"of","target":"Plan","field":"plan"}]"#;
    let manifest = manifest(&[("Plan", PLANS, of_plans), ("Task", TASKS, of_tasks)]);
    shape(backend, &manifest).await;
    for tenant in ["acme", "other"] {
        let is_ours = tenant == "acme";
        for (id, above) in [("p1", None), ("p2", Some("p1")), ("p3", Some("p1"))] {
            let title = if is_ours { id } else { "p1" };
            let values = vec![text(title), above.map_or(Value::Null, text)];
            put(backend, write_of(key_of(tenant, "Plan", id), Seq::ZERO, id, values)).await;
        }
        for (id, plan, due) in [
            ("t1", Some("p1"), 3),
            ("t2", Some("p1"), 1),
            ("t3", Some("p1"), 2),
            ("t4", Some("p2"), 1),
            ("t5", None, 1),
        ] {
            let values = vec![plan.map_or(Value::Null, text), Value::Int(if is_ours { due } else { 9 })];
            put(backend, write_of(key_of(tenant, "Task", id), Seq::ZERO, id, values)).await;
        }
    }
    for (query, expected) in [
        (json!({"from": "Task", "where": {"plan.title": "p1"}}), vec![vec!["t1", "t2", "t3"]]),
        (json!({"from": "Task", "where": {"$not": {"plan.title": "p1"}}}), vec![vec!["t4", "t5"]]),
        (json!({"from": "Task", "where": {"of": {"$exists": false}}}), vec![vec!["t5"]]),
        (json!({"from": "Task", "where": {"plan.above.title": "p1"}}), vec![vec!["t4"]]),
        (json!({"from": "Plan", "where": {"tasks.due": 9}}), vec![vec![]]),
        (json!({"from": "Plan", "where": {"tasks": {"$exists": false}}}), vec![vec!["p3"]]),
        (json!({"from": "Plan", "where": {"top.tasks.due": {"$gt": 2}}}), vec![vec!["p2", "p3"]]),
        (
            json!({"from": "Plan", "limit": 2, "include": {"tasks": {"orderBy": {"due": "desc"}, "limit": 2}}}),
            vec![vec!["p1", "p2", "p3"], vec!["t1", "t3", "t4"]],
        ),
        (
            json!({"from": "Plan", "where": {"id": "p3"}, "include": {"top": {"include": {"tasks": {"where": {"due": {"$lt": 3}}, "orderBy": "due"}}}}}),
            vec![vec!["p3"], vec!["p1"], vec!["t2", "t3"]],
        ),
        (
            json!({"from": "Task", "orderBy": {"due": "desc"}, "limit": 1, "include": {"of": {"include": {"tasks": {"limit": 1}}}}}),
            vec![vec!["t1", "t3"], vec!["p1"], vec!["t1"]],
        ),
    ] {
        assert_eq!(found(backend, &manifest, query.clone()).await, expected, "{query}");
    }
}
