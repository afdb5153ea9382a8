//! A migration that is cut short at every statement is made whole at the next start.

use corella_testkit::{Installation, SAMPLE};
use rusqlite::Connection;
use serde_json::json;

use crate::work::ROWS;

/// Opens the database so that it dies after the migration's `number`-th statement; says whether there was one.
///
/// An import opens it, and then finds nothing to read.
async fn dies_at(installation: &Installation, number: u64) -> bool {
    let wish = format!("mid_migration:{number}");
    let finished = installation.run_with(&["import"], &[("CORELLA_KILL_AT", &wish)]).await;
    match finished.code {
        None => true,
        Some(6) => false,
        Some(_) => unreachable!("the import went another way: {finished:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_new_database() {
    let mut number = 1;
    loop {
        let installation = Installation::new(SAMPLE);
        if !dies_at(&installation, number).await {
            break;
        }
        let server = installation.serve().await;
        let token = installation.token("ada").await;
        server.http(&token).post(ROWS, json!({ "title": "after" })).await.expect(201);
        assert_eq!(installation.check_clean().await, 1);
        number += 1;
    }
    // Eight tables and their indexes at least.
    assert!(number > 10, "only {number} statements were come to");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_older_database() {
    let installation = Installation::new(SAMPLE);
    let token = installation.token("ada").await;
    let server = installation.serve().await;
    server.http(&token).post(ROWS, json!({ "id": "old", "title": "before" })).await.expect(201);
    server.stop().await;
    // As the first version left it.
    let older = || {
        let database = Connection::open(installation.database()).unwrap();
        database
            .execute_batch(
                "drop table corella_damaged; drop table corella_history; drop table corella_schemas; \
                 drop table corella_peer_owners; drop table corella_accounts; drop table corella_sessions; \
                 drop table corella_access_changes; \
                 alter table corella_tail drop column about; alter table corella_tail drop column ends; \
                 alter table corella_tables drop column missing; pragma user_version = 1",
            )
            .unwrap();
    };
    older();
    let mut number = 1;
    while dies_at(&installation, number).await {
        let database = Connection::open(installation.database()).unwrap();
        let version: i64 = database.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        let tables: i64 = database
            .query_row(
                "select count(*) from sqlite_master where name in \
                 ('corella_damaged', 'corella_history', 'corella_schemas', 'corella_peer_owners', \
                 'corella_accounts')",
                [],
                |row| row.get(0),
            )
            .unwrap();
        drop(database);
        // Each step makes one of these tables.
        assert_eq!((version - 1, version < 6), (tables, true), "half a step is no step");
        let server = installation.serve().await;
        server.http(&token).get(&format!("{ROWS}/old")).await.expect(200);
        server.stop().await;
        installation.check_clean().await;
        older();
        number += 1;
    }
    assert!(number > 2, "only {number} statements were come to");
    installation.serve().await.stop().await;
    installation.check_clean().await;
}
