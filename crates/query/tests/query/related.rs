//! Conditions on rows of other entities: the SQL finds what a plain search through all rows finds.

use std::sync::Arc;

use corella_manifest::{Manifest, Value};
use corella_query::{Column, Dialect, Filter, Identifier, Query, Related, RowView as _, Test, Tie, Truth};
use proptest::{collection::vec, prelude::*, sample::select};
use rusqlite::{Connection, params_from_iter, types::Value as Sql};
use serde_json::{Value as Json, json};

const MANIFEST: &str = r#"{"manifest_version":1,"name":"related","version":"1","entities":[
    {"name":"Item","fields":[{"name":"team","type":"id(Team)","optional":true},{"name":"tag","type":"string","optional":true}],
     "relations":[{"name":"group","target":"Team","field":"team"},{"name":"notes","target":"Note","field":"item","many":true}]},
    {"name":"Team","fields":[{"name":"up","type":"id(Team)","optional":true},{"name":"tag","type":"string","optional":true}],
     "relations":[{"name":"items","target":"Item","field":"team","many":true}]},
    {"name":"Note","fields":[{"name":"item","type":"id(Item)","optional":true},{"name":"tag","type":"string","optional":true}]}]}"#;

fn manifest() -> Manifest {
    Manifest::parse(MANIFEST).expect("the test's manifest is right").manifest
}

type Rows = Vec<Vec<Value>>;

/// Rows of each entity: an id, a reference, a tag.
fn rows(ids: &'static [&'static str], others: &'static [&'static str]) -> impl Strategy<Value = Rows> {
    let text = |text: Option<&str>| text.map_or(Value::Null, |text| Value::Text(text.into()));
    let row = move |id: &'static str| {
        let other = prop::option::weighted(0.8, select(others));
        let tag = prop::option::weighted(0.7, select(vec!["x", "y"]));
        prop::option::weighted(0.8, (other, tag))
            .prop_map(move |row| row.map(|(other, tag)| vec![text(Some(id)), text(other), text(tag)]))
    };
    ids.iter().map(|id| row(id)).collect::<Vec<_>>().prop_map(|rows| rows.into_iter().flatten().collect())
}

/// A condition on items as a caller states it.
fn condition() -> impl Strategy<Value = Json> {
    let tag =
        || prop_oneof![3 => select(vec![json!("x"), json!("y"), json!({"$ne": "x"})]), 1 => Just(Json::Null)];
    let leaf = prop_oneof![
        tag().prop_map(|tag| json!({"tag": tag})),
        tag().prop_map(|tag| json!({"team.tag": tag})),
        tag().prop_map(|tag| json!({"group.up.tag": tag})),
        tag().prop_map(|tag| json!({"notes.tag": tag})),
        tag().prop_map(|tag| json!({"group.items.notes.tag": tag})),
        any::<bool>().prop_map(|is| json!({"notes": {"$exists": is}})),
        any::<bool>().prop_map(|is| json!({"group": {"$exists": is}})),
        (tag(), any::<bool>()).prop_map(
            |(tag, is)| json!({"team": {"$exists": {"tag": tag, "items.tag": if is { "x" } else { "y" }}}})
        ),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(|all| json!({"$and": all})),
            vec(inner.clone(), 0..3).prop_map(|any| json!({"$or": any})),
            inner.prop_map(|not| json!({"$not": not})),
        ]
    })
}

/// A condition as a policy states it: any columns may be tied, two of them, or none.
fn policy() -> impl Strategy<Value = Filter> {
    let manifest = manifest();
    let column = |entity: &str, name: &str| {
        Column::of(manifest.entity(entity).expect("it is there"), name).expect("so is this")
    };
    let tie = |own: &str, theirs: &str| Tie { own: column("Item", own), theirs: column("Note", theirs) };
    let ties = vec![
        vec![tie("tag", "tag")],
        vec![tie("id", "item"), tie("tag", "tag")],
        vec![tie("tag", "id")],
        vec![tie("team", "item"), tie("tag", "tag")],
        vec![],
    ];
    let theirs = column("Note", "tag");
    let filter = select(vec![
        Filter::everything(),
        Filter::term(theirs.clone(), Test::Equal(Value::Text("x".into()))),
        Filter::term(theirs, Test::IsNull),
    ]);
    let entity = manifest.entity("Note").expect("it is there").name.clone();
    (select(ties), filter, any::<bool>()).prop_map(move |(ties, filter, holds)| {
        let related = Filter::Related(Arc::new(Related { entity: entity.clone(), ties, filter }));
        if holds { related } else { Filter::negated(related) }
    })
}

fn database(tables: &[(&str, &Rows)]) -> Connection {
    let manifest = manifest();
    let connection = Connection::open_in_memory().expect("SQLite opens in memory");
    for (name, rows) in tables {
        let entity = manifest.entity(name).expect("it is there");
        let table = Identifier::from(&entity.name);
        let columns: String =
            Column::all(entity).iter().map(|column| format!(", {} TEXT", Identifier::from(column))).collect();
        connection
            .execute_batch(&format!("CREATE TABLE {table} (corella_tenant TEXT{columns})"))
            .expect("the table is right");
        for tenant in ["acme", "other"] {
            // The other tenant's rows would change every answer.
            let rows = rows.iter().filter(|row| tenant == "acme" || row[2].is_null());
            for row in rows {
                let text =
                    |value: &Value| value.to_json().as_str().map_or(Sql::Null, |text| Sql::Text(text.into()));
                let values = std::iter::once(Sql::Text(tenant.into())).chain(row.iter().map(text));
                connection
                    .execute(&format!("INSERT INTO {table} VALUES (?, ?, ?, ?)"), params_from_iter(values))
                    .expect("the row fits");
            }
        }
    }
    connection
}

/// Whether a row meets a condition, by a search through all others.
fn meets(filter: &Filter, row: &Vec<Value>, tables: &[(&str, &Rows)]) -> bool {
    let known = |related: &Arc<Related>, row: &Vec<Value>| {
        let (_, others) =
            tables.iter().find(|(name, _)| *name == related.entity.as_str()).expect("it is there");
        let belongs = |other: &&Vec<Value>| {
            related.ties.iter().all(|tie| row.value(&tie.own) == other.value(&tie.theirs))
        };
        Truth::from(others.iter().filter(belongs).any(|other| meets(&related.filter, other, tables)))
    };
    filter.judge(row, &known) == Truth::Yes
}

fn found(connection: &Connection, query: &Query) -> Vec<String> {
    let statement = query.to_statement(Dialect::Sqlite, "acme");
    let parameters = statement.parameters.iter().map(|value| {
        let json = value.to_json();
        match json.as_str() {
            Some(text) => Sql::Text(text.to_owned()),
            None => Sql::Integer(json.as_i64().expect("all others are numbers")),
        }
    });
    let mut prepared = connection.prepare(&statement.text).expect("the statement is right");
    let rows = prepared.query_map(params_from_iter(parameters), |row| row.get(0)).expect("it runs");
    rows.map(|id| id.expect("an id is a text")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn sql_finds_what_a_search_through_all_rows_finds(
        items in rows(&["a", "b", "c", "d"], &["t", "u", "a"]),
        teams in rows(&["t", "u", "v"], &["t", "u", "v"]),
        notes in rows(&["m", "n", "o", "x"], &["a", "b", "t"]),
        where_ in condition(),
        policy in policy(),
    ) {
        let tables = [("Item", &items), ("Team", &teams), ("Note", &notes)];
        let connection = database(&tables);
        let asked = Query::read(&manifest(), &json!({"from": "Item", "where": where_})).expect("the query is right");
        let all = Query::read(&manifest(), &json!({"from": "Item"})).expect("the query is right");
        for query in [asked.clone(), all.restricted_to(policy.clone()), asked.restricted_to(policy)] {
            let expected: Vec<String> = items
                .iter()
                .filter(|row| meets(query.filter(), row, &tables))
                .map(|row| row[0].to_json().as_str().expect("an id is a text").to_owned())
                .collect();
            prop_assert_eq!(found(&connection, &query), expected, "{}", where_);
        }
    }
}

#[test]
fn postgres_is_asked_the_same() {
    let query = json!({"from": "Item", "where": {"team.up.tag": "x", "notes": {"$exists": false}}});
    let statement =
        Query::read(&manifest(), &query).expect("the query is right").to_statement(Dialect::Postgres, "acme");
    let (_, condition) = statement.text.split_once(" AND ").expect("it has a condition");
    insta::assert_snapshot!(condition, @r#"(r."team" IN (SELECT r1."id" FROM "Team" AS r1 WHERE r1."corella_tenant" = $1 AND r1."up" IN (SELECT r2."id" FROM "Team" AS r2 WHERE r2."corella_tenant" = $1 AND r2."tag" = $2)) AND r."id" NOT IN (SELECT r1."item" FROM "Note" AS r1 WHERE r1."corella_tenant" = $1 AND r1."item" IS NOT NULL)) ORDER BY r."id" COLLATE "C" ASC LIMIT $3"#);
}

#[test]
fn what_leads_nowhere_is_refused() {
    let refused = |where_: Json| {
        let query = json!({"from": "Item", "where": where_});
        Query::read(&manifest(), &query).expect_err("it is wrong").to_string()
    };
    let lines = [
        json!({"team.tga": "x"}),
        json!({"grup.tag": "x"}),
        json!({"tag.tag": "x"}),
        json!({"group": "t"}),
        json!({"group": {"$eq": "t"}}),
        json!({"group": {"$exists": 1}}),
        json!({"team": {"$exists": {"tga": "x"}}}),
        json!({"team.": "x"}),
        json!({".team": "x"}),
        json!({"team.up.up.up.up.tag": "x"}),
        json!({"notes.item": {"$exists": {"notes": {"$exists": {"item.group": {"$exists": true}}}}}}),
    ]
    .map(refused);
    insta::assert_snapshot!(lines.join("\n"), @r#"
    where.team.tga: expected a column of Team, found `tga`; did you mean `tag`?
    where.grup.tag: expected a relation or an id(…) field of Item, found `grup`; did you mean `group`?
    where.tag.tag: expected a relation or an id(…) field of Item, found `tag`, which is string
    where.group: expected {"$exists": …} with true, false or a condition, or a way to a column such as "relation.column", found "t"
    where.group: expected {"$exists": …} with true, false or a condition, or a way to a column such as "relation.column", found an object of 1 key
    where.group.$exists: expected true, false or a condition such as {"title": "Plan"}, found 1
    where.team.$exists.tga: expected a column of Team, found `tga`; did you mean `tag`?
    where.team.: expected a column of Team, found ``
    where..team: expected a relation or an id(…) field of Item, found ``
    where.team.up.up.up.up.tag: expected at most 4 relations in a row, found more
    where.notes.item.$exists.notes.$exists.item.group.$exists: expected at most 4 relations in a row, found more
    "#);
}
