//! Row-level security repeats the tenants' walls below the server.

use corella_manifest::Value;
use corella_query::{Dialect, Query, QueryParts};
use corella_rowdoc::{RowKey, Tenant};
use corella_store::{
    port::Backend as _,
    postgres::{OpenError, PostgresBackend, PostgresOptions},
};
use corella_testkit::StartedPostgres;
use serde_json::json;

use crate::stage::{Node, insert, manifest, note, patch};

/// Every table that has rows of tenants here, with its column of them.
const TABLES: [(&str, &str); 6] = [
    ("\"Note\"", "corella_tenant"),
    ("corella_rows", "tenant"),
    ("corella_tail", "tenant"),
    ("corella_changes", "tenant"),
    ("corella_snapshots", "tenant"),
    ("corella_history", "tenant"),
];

fn of(tenant: &str, id: &str) -> RowKey {
    RowKey { tenant: Tenant::new(tenant), ..note(id) }
}

/// Two tenants with the same rows, unique values included, and one more of the second.
async fn fill(node: &Node) {
    for tenant in ["acme", "zeta"] {
        let key = of(tenant, "n1");
        node.write(&key, insert(json!({ "title": tenant, "slug": "first" }))).await.expect("it is taken");
        node.write(&key, patch(json!({ "body": "a text" }))).await.expect("it is taken");
    }
    node.write(&of("zeta", "n2"), insert(json!({ "title": "zeta" }))).await.expect("it is taken");
}

/// The notes that a statement finds which has lost its condition on the tenant.
async fn careless(backend: &PostgresBackend, tenant: &str) -> Vec<String> {
    let manifest = manifest();
    let entity = manifest.entity("Note").expect("it has notes");
    let query = Query::of(entity, QueryParts::default()).expect("a query of all notes");
    let mut statement = query.to_statement(Dialect::Postgres, tenant);
    let careless = statement.text.replace("r.\"corella_tenant\" = $1", "$1 <> ''");
    assert_ne!(careless, statement.text, "the condition was there");
    statement.text = careless;
    let found = backend.select(entity, statement).await.expect("it can be read").rows;
    found
        .iter()
        .map(|row| match row.values().first() {
            Some(Value::Text(title)) => format!("{} of {title}", row.id()),
            other => unreachable!("a note has a title, not {other:?}"),
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_careless_statement_sees_and_writes_its_tenant_alone() {
    let server = StartedPostgres::shared();
    let database = server.database();
    let node = Node::start(&database).await;
    fill(&node).await;
    assert_eq!(careless(&node.backend, "acme").await, ["n1 of acme"]);
    assert_eq!(careless(&node.backend, "zeta").await, ["n1 of zeta", "n2 of zeta"]);

    let bound = |tenants: &str, sql: &str| {
        let enter = format!("SET LOCAL ROLE corella_tenant; SET LOCAL corella.tenants = '{tenants}'");
        server.try_sql(&database, &format!("BEGIN; {enter}; {sql}; COMMIT"))
    };
    for (table, column) in TABLES {
        let forced = format!(
            "SELECT relrowsecurity AND relforcerowsecurity FROM pg_class WHERE oid = '{table}'::regclass"
        );
        assert_eq!(server.sql(&database, &forced), "t", "{table}");
        let seen = bound("{acme}", &format!("SELECT DISTINCT {column} FROM {table}")).expect("it may read");
        let is_empty = ["corella_snapshots", "corella_history"].contains(&table);
        assert_eq!(seen, if is_empty { "" } else { "acme" }, "{table}");
        assert_eq!(bound("", &format!("SELECT {column} FROM {table}")).expect("it may read"), "", "{table}");
        let stolen = bound("{acme}", &format!("UPDATE {table} SET {column} = 'zeta'"));
        assert!(is_empty || stolen.expect_err(table).contains("row-level security"), "{table}");
        bound("{acme}", &format!("DELETE FROM {table} WHERE {column} = 'zeta'")).expect("it finds none");
        let left = format!("SELECT count(*) FROM {table} WHERE {column} = 'zeta'");
        assert!(is_empty || server.sql(&database, &left) != "0", "{table}");
    }
    let intruder = "INSERT INTO \"Note\" (corella_tenant, id, title) VALUES ('zeta', 'n3', 'x')";
    let refused = bound("{acme}", intruder).expect_err("it is another tenant's");
    assert!(refused.contains("row-level security"), "{refused}");
    bound("{acme}", &intruder.replace("zeta", "acme")).expect("it is its own");
    for other in ["corella_meta", "corella_peers", "corella_schemas", "corella_accounts", "corella_sessions"]
    {
        let refused = bound("{acme}", &format!("SELECT * FROM {other}")).expect_err(other);
        assert!(refused.contains("permission denied"), "{refused}");
    }
    node.store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_without_the_role_is_bound_as_well_and_takes_the_role_once_it_is_there() {
    let server = StartedPostgres::start(false);
    server.sql("postgres", "CREATE ROLE keeper LOGIN; CREATE ROLE stranger LOGIN");
    server.sql("postgres", "CREATE DATABASE kept OWNER keeper");
    let address = |user: &str| {
        server.address("kept").replace("postgres@", &format!("{user}@")).parse().expect("an address")
    };
    let node = Node::at(&address("keeper"), PostgresOptions::default()).await;
    fill(&node).await;
    assert_eq!(server.sql("kept", "SELECT count(*) FROM pg_roles WHERE rolname = 'corella_tenant'"), "0");
    assert_eq!(careless(&node.backend, "acme").await, ["n1 of acme"]);
    // Maintenance sees everything.
    let manifest = manifest();
    let entity = manifest.entity("Note").expect("it has notes");
    assert_eq!(node.backend.scan(entity, None, 10).await.expect("it can be read").len(), 3);
    node.store.close().await;

    // A backup of somebody who does not see everything would lack rows, and look whole.
    server.sql("kept", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO stranger");
    let opened = PostgresBackend::open_read_only(&address("stranger"), PostgresOptions::default()).await;
    assert!(matches!(opened, Err(OpenError::Bound(_))));

    server.sql("kept", "CREATE ROLE corella_tenant NOLOGIN; GRANT corella_tenant TO keeper");
    let node = Node::at(&address("keeper"), PostgresOptions::default()).await;
    let policies = "SELECT count(*) FROM pg_policy WHERE polname = 'corella_serving'";
    assert_eq!(server.sql("kept", policies), server.sql("kept", &policies.replace("serving", "keeping")));
    node.write(&of("acme", "n2"), insert(json!({ "title": "acme" }))).await.expect("it is taken");
    assert_eq!(careless(&node.backend, "acme").await, ["n1 of acme", "n2 of acme"]);
    node.store.close().await;
}
