//! `corella migrate` and `corella reproject`.

use corella_testkit::{Database, Finished, Installation, query};
use insta::assert_snapshot;
use rusqlite::Connection;
use serde_json::{Value as Json, json};

use crate::{TASKS, after, before, check_after, done, with_tasks};

/// What a command printed.
fn told(finished: &Finished) -> String {
    format!("exit code {}\n{}{}", finished.code.unwrap_or(-1), finished.stdout, finished.stderr)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_what_happens_and_changes_nothing() {
    let installation = with_tasks(Database::Sqlite, 2).await;
    let same = installation.run(&["migrate", "plan"]).await;
    assert_snapshot!(told(&same), @"
    exit code 0
    The database is as the manifest declares it.
    ");
    installation.write_manifest(&after());
    let plan = installation.run(&["migrate", "plan"]).await;
    assert_snapshot!(told(&plan), @r#"
    exit code 1
    safe         rename the entity Task to Todo: its rows and its table take the new name
    safe         rename the field Todo.title to heading: its column takes the new name, documents keep the key that they have
    destructive  remove the field Todo.place (string): its column goes, its values stay in the documents and can come back with it
    rebuild      add the field Todo.notes (richtext): its column is filled from the documents
    rebuild      make the field Todo.state enum(open,done), which was string: its values are converted when they are read
    rebuild      make the field Todo.effort int, which was string: its values are converted when they are read
    rebuild      make the field Todo.votes int with `crdt: counter`, which was int: its values are read as they are
    safe         remove the index Todo.by_state
    safe         add the unique index Todo.by_heading over heading: refused while two rows agree in them

    In one transaction:
      ALTER TABLE "Task" RENAME TO "Todo";
      ALTER TABLE "Todo" RENAME COLUMN "title" TO "heading";
      DROP INDEX "corella_Task_index_by_state_2f11e1f4";
      ALTER TABLE "Todo" DROP COLUMN "effort";
      ALTER TABLE "Todo" DROP COLUMN "place";
      ALTER TABLE "Todo" ADD COLUMN "effort" INTEGER;
      ALTER TABLE "Todo" ADD COLUMN "notes" TEXT;

    Then filled from the documents: Todo

    Steps that are destructive are taken by `corella migrate apply --allow-destructive`, with no server running.
    "#);
    assert_eq!(told(&installation.run(&["migrate", "plan"]).await), told(&plan));
    let refused = installation.run(&["migrate", "apply"]).await;
    assert_eq!(refused.code, Some(3), "{refused:?}");
    installation.write_manifest(&before());
    assert_eq!(installation.check_clean().await, 2);
}

async fn a_migration_keeps_what_it_can(database: Database) {
    let installation = with_tasks(database, 30).await;
    installation.write_manifest(&after());
    let applied = installation.run(&["migrate", "apply", "--allow-destructive"]).await;
    assert_eq!(applied.code, Some(1), "a row does not convert: {applied:?}");
    assert!(applied.stderr.contains(r#"state holds "lost" from before its type changed"#), "{applied:?}");
    assert!(applied.stderr.contains("1 of 30 documents"), "{applied:?}");
    check_after(&installation, 30).await;
    done(&installation.run(&["migrate", "apply"]).await);

    // What was removed comes back with its declaration.
    let mut back: Json = serde_json::from_str(&after()).expect("JSON");
    let fields = back["entities"][0]["fields"].as_array_mut().expect("fields");
    fields.push(json!({ "name": "place", "type": "string", "optional": true }));
    installation.write_manifest(&back.to_string());
    let server = installation.serve().await;
    let token = installation.token("ada").await;
    let row = server.http(&token).get("/api/entities/Todo/t0029").await.expect(200)["row"].clone();
    assert_eq!(row["place"], json!("here"));
    // While the server runs: it may be filling the table.
    assert_eq!(installation.check_clean().await, 30);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_keeps_what_it_can_in_sqlite() {
    a_migration_keeps_what_it_can(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_keeps_what_it_can_in_postgresql() {
    a_migration_keeps_what_it_can(Database::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_takes_additive_steps_and_serves_while_it_fills() {
    let installation = with_tasks(Database::Sqlite, 3).await;
    let mut wider: Json = serde_json::from_str(&before()).expect("JSON");
    let fields = wider["entities"][0]["fields"].as_array_mut().expect("fields");
    fields.push(json!({ "name": "notes", "type": "richtext" }));
    installation.write_manifest(&wider.to_string());
    let server = installation.serve().await;
    let token = installation.token("ada").await;
    let http = server.http(&token);
    let order = query(&[("orderBy", r#"{"title":"asc"}"#)]);
    let list = http.get(&format!("{TASKS}{order}")).await.expect(200);
    // Whether it is filled by now or not.
    assert_eq!((list["rows"].as_array().map(Vec::len), &list["rows"][2]["notes"]), (Some(3), &json!("")));
    assert_eq!(installation.check_clean().await, 3);
    // A manifest of before would let go of a column.
    server.stop().await;
    installation.write_manifest(&before());
    let refused = installation.run(&["serve", "--listen", "127.0.0.1:0"]).await;
    assert_snapshot!(told(&refused).replace(&installation.folder().display().to_string(), "DIR"), @"
    exit code 3
    corella: the manifest DIR/manifest.json cannot be served: expected a manifest that keeps what the database has, found one that would
      - remove the field Task.notes (richtext): its column goes, its values stay in the documents and can come back with it
    look at all steps with `corella migrate plan`, take them with `corella migrate apply --allow-destructive`, or declare again what is missing
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_clash_are_named() {
    let installation = with_tasks(Database::Sqlite, 3).await;
    let mut unique: Json = serde_json::from_str(&before()).expect("JSON");
    unique["entities"][0]["fields"][2]["unique"] = json!(true);
    installation.write_manifest(&unique.to_string());
    let refused = installation.run(&["migrate", "apply"]).await;
    assert_snapshot!(told(&refused).replace(&installation.folder().display().to_string(), "DIR"), @"
    exit code 3
    corella: the manifest DIR/manifest.json cannot be served: the database cannot be brought to the manifest:
      - expected no two rows of Task with the same state, found t0001 and t0002; change one of them, or let them agree
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_are_filled_again_beside_a_server() {
    for database in [Database::Sqlite, Database::Postgres] {
        let installation = with_tasks(database, 5).await;
        let server = installation.serve().await;
        if database == Database::Sqlite {
            let file = Connection::open(installation.database()).expect("the database can be opened");
            file.execute("update Task set title = 'wrong'", []).expect("it can be written");
            assert_eq!(installation.check().await.code, Some(1));
        }
        done(&installation.run(&["reproject"]).await);
        done(&installation.run(&["reproject", "Task"]).await);
        assert_eq!(installation.check_clean().await, 5);
        let unknown = installation.run(&["reproject", "Taks"]).await;
        assert_eq!(unknown.code, Some(3), "{unknown:?}");
        assert!(unknown.stderr.contains("(Task), found \"Taks\""), "{unknown:?}");
        installation.write_manifest(&after());
        let other = installation.run(&["reproject"]).await;
        assert!(other.stderr.contains("expected the manifest that the database was brought to"), "{other:?}");
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_manifest_beside_a_newer_server_is_refused() {
    let installation = Installation::on(Database::Postgres, &before());
    let mut wider: Json = serde_json::from_str(&before()).expect("JSON");
    let fields = wider["entities"][0]["fields"].as_array_mut().expect("fields");
    fields.push(json!({ "name": "notes", "type": "richtext" }));
    let old = installation.serve().await;
    let token = installation.token("ada").await;
    crate::fill(&old.http(&token), 2).await;
    installation.write_manifest(&wider.to_string());
    // The newer one starts, and the older one that runs goes on doing no harm.
    let new = installation.serve().await;
    assert!(new.logged().contains("other servers run on this database"), "{}", new.logged());
    old.http(&token).patch(&format!("{TASKS}/t0001"), json!({ "title": "by the old" })).await.expect(200);
    new.http(&token).patch(&format!("{TASKS}/t0001"), json!({ "notes": "by the new" })).await.expect(200);
    old.http(&token).patch(&format!("{TASKS}/t0001"), json!({ "state": "done" })).await.expect(200);
    let row = new.http(&token).get(&format!("{TASKS}/t0001")).await.expect(200)["row"].clone();
    assert_eq!(
        (&row["title"], &row["notes"], &row["state"]),
        (&json!("by the old"), &json!("by the new"), &json!("done"))
    );
    installation.write_manifest(&before());
    let refused = installation.run(&["serve", "--listen", "127.0.0.1:0"]).await;
    assert!(refused.stderr.contains("remove the field Task.notes"), "{refused:?}");
    old.stop().await;
    let destructive = installation.run(&["migrate", "apply", "--allow-destructive"]).await;
    assert_eq!(destructive.code, Some(4), "a server runs: {destructive:?}");
    installation.write_manifest(&wider.to_string());
    new.stop().await;
    assert_eq!(installation.check_clean().await, 2);
}
