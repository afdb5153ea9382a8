//! What goes wrong with a database server.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use corella_store::{
    WriteError, check,
    port::{Backend as _, BackendError},
    postgres::{OpenError, PostgresBackend, PostgresOptions},
};
use corella_testkit::{StartedPostgres, Stop, within};
use serde_json::json;
use tokio::sync::watch;

use crate::stage::{Node, insert, manifest, note, open, patch};

fn quick() -> PostgresOptions {
    PostgresOptions {
        readers: NonZeroU32::new(1).expect("one is not zero"),
        connect_timeout: Duration::from_millis(500),
        lock_timeout: Duration::from_millis(300),
        ..PostgresOptions::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_under_load_loses_nothing_that_was_acknowledged() {
    const WRITERS: usize = 8;
    const RESTARTS: usize = 4;
    let server = StartedPostgres::start(false);
    let database = server.database();
    let options =
        PostgresOptions { connect_timeout: Duration::from_millis(200), ..PostgresOptions::default() };
    let node = Arc::new(Node::with(&server, &database, options).await);
    let (written, mut count) = watch::channel(0);
    let (stop, stopped) = watch::channel(false);
    let (refuse, mut refused) = watch::channel(0);
    let (written, refuse) = (Arc::new(written), Arc::new(refuse));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (node, written, refuse) = (Arc::clone(&node), Arc::clone(&written), Arc::clone(&refuse));
            let stopped = stopped.clone();
            tokio::spawn(async move {
                let (mut sure, mut unsure) = (Vec::new(), 0);
                for number in 0.. {
                    if *stopped.borrow() {
                        break;
                    }
                    let id = format!("w{writer}-{number}");
                    match node.write(&note(&id), insert(json!({ "title": id, "slug": id }))).await {
                        Ok(_) => {
                            sure.push(id);
                            written.send_modify(|count| *count += 1);
                        }
                        Err(WriteError::Backend(error)) => {
                            match &*error {
                                BackendError::Unknown(_) => unsure += 1,
                                BackendError::Unavailable(_) => {}
                                other @ (BackendError::Full(_) | BackendError::Damaged { .. }) => {
                                    unreachable!("{other:?}")
                                }
                            }
                            refuse.send_modify(|count| *count += 1);
                        }
                        Err(other) => unreachable!("{other:?}"),
                    }
                }
                (sure, unsure)
            })
        })
        .collect();
    for round in 0..RESTARTS {
        let enough = *count.borrow() + 50;
        within("writes", count.wait_for(|count| *count >= enough)).await.expect("they go on");
        let seen = *refused.borrow();
        server.stop(if round % 2 == 0 { Stop::Immediate } else { Stop::Fast });
        within("a refusal", refused.wait_for(|count| *count > seen)).await.expect("they go on");
        server.resume();
    }
    let enough = *count.borrow() + 50;
    within("writes after the last restart", count.wait_for(|count| *count >= enough))
        .await
        .expect("they go on");
    stop.send_replace(true);
    let (mut sure, mut unsure) = (Vec::new(), 0);
    for writer in writers {
        let (ids, more) = writer.await.expect("no writer panics");
        sure.extend(ids);
        unsure += more;
    }
    let there = server.sql(&database, "SELECT id FROM \"Note\"");
    let there: std::collections::HashSet<&str> = there.lines().collect();
    for id in &sure {
        assert!(there.contains(id.as_str()), "{id} was acknowledged and is lost");
    }
    assert!(there.len() <= sure.len() + unsure, "{} rows, {} sure, {unsure} unsure", there.len(), sure.len());
    // Also those whose end was not seen are told to watchers, once.
    let last = node.last_seq().await;
    node.listener.until(last).await;
    let heard: Vec<i64> = node.listener.heard().iter().map(|heard| heard.seq).collect();
    assert_eq!(heard, (1..=last).collect::<Vec<_>>());
    let report = check(&*node.backend, manifest()).await.expect("the check goes through");
    assert_eq!(report.differences, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_reading_connection_is_enough_for_everybody() {
    let server = StartedPostgres::shared();
    let database = server.database();
    let node = Node::with(server, &database, quick()).await;
    let writes = (0..64).map(|number| {
        let node = &node;
        async move {
            let key = note(&format!("n{number}"));
            node.write(&key, insert(json!({ "title": "t" }))).await.expect("it is taken");
            node.write(&key, patch(json!({ "stars": number }))).await.expect("it is taken");
        }
    });
    futures_util::future::join_all(writes).await;
    assert_eq!(node.last_seq().await, 128);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_is_held_refuses_with_a_reason_and_passes() {
    let server = StartedPostgres::shared();
    let database = server.database();
    let node = Node::with(server, &database, quick()).await;
    node.write(&note("n1"), insert(json!({ "title": "t" }))).await.expect("it is taken");
    let held = open(server, &database, PostgresOptions::default()).await;
    let alone = held.alone().await.expect("nobody is starting");
    drop(alone);
    // The lock that commits take, held by a stranger for as long as the session lasts.
    let mut stranger = server.session(&database);
    stranger.say("SELECT pg_advisory_lock(1129271884, 1);");
    let refused = node.write(&note("n1"), patch(json!({ "stars": 1 }))).await;
    let Err(WriteError::Backend(error)) = &refused else { unreachable!("{refused:?}") };
    assert!(matches!(&**error, BackendError::Unavailable(_)), "{error:?}");
    let source = std::error::Error::source(&**error).map(ToString::to_string).unwrap_or_default();
    assert!(source.contains("lock timeout"), "{source}");
    stranger.say("SELECT pg_advisory_unlock_all();");
    node.write(&note("n1"), patch(json!({ "stars": 2 }))).await.expect("the lock is free");

    // The only reader is held by a query that waits for a table, and others wait for the reader.
    stranger.say("BEGIN; LOCK TABLE corella_rows IN ACCESS EXCLUSIVE MODE;");
    let (one, other) = (note("n1"), note("n2"));
    let (first, second) = tokio::join!(node.backend.head(&one), node.backend.head(&other));
    assert!(matches!(first, Err(BackendError::Unavailable(_))), "{first:?}");
    assert!(matches!(second, Err(BackendError::Unavailable(_))), "{second:?}");
    stranger.say("ROLLBACK;");
    assert!(node.backend.head(&one).await.expect("the table is free").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_database_is_refused() {
    let server = StartedPostgres::shared();
    let database = server.database();
    let address = server.address(&database).parse().expect("the address is right");
    let opened = PostgresBackend::open_read_only(&address, PostgresOptions::default()).await.map(drop);
    assert!(matches!(opened, Err(OpenError::Empty)), "{opened:?}");
    drop(open(server, &database, PostgresOptions::default()).await);
    server.sql(&database, "UPDATE corella_meta SET value = '999' WHERE name = 'sidecar'");
    for opened in [
        PostgresBackend::open(&address, PostgresOptions::default()).await.map(drop),
        PostgresBackend::open_read_only(&address, PostgresOptions::default()).await.map(drop),
    ] {
        assert!(matches!(opened, Err(OpenError::Newer { found: 999, .. })), "{opened:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_was_killed_at_any_statement_is_made_up_for() {
    let server = StartedPostgres::shared();
    let database = server.database();
    let address = server.address(&database).parse().expect("the address is right");
    server.sql(&database, "CREATE SEQUENCE statements");
    server.sql(
        &database,
        "CREATE FUNCTION kill() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF nextval('statements') = current_setting('test.fatal')::bigint THEN \
         PERFORM pg_terminate_backend(pg_backend_pid()); END IF; END $$",
    );
    server.sql(&database, "CREATE EVENT TRIGGER kill ON ddl_command_end EXECUTE FUNCTION kill()");
    let mut kills = 0;
    for fatal in 1.. {
        server.sql(&database, &format!("ALTER DATABASE {database} SET test.fatal = '{fatal}'"));
        server.sql(&database, "SELECT setval('statements', 1, false)");
        match PostgresBackend::open(&address, PostgresOptions::default()).await {
            Ok(_) => break,
            Err(error) => {
                assert!(matches!(error, OpenError::Database { .. }), "{error:?}");
                assert!(is_whole(server, &database), "a step was taken half");
                kills += 1;
            }
        }
    }
    assert!(kills >= 10, "killed only {kills} times");
    server.sql(&database, "DROP EVENT TRIGGER kill");
    let node = Node::start(&database).await;
    node.write(&note("n1"), insert(json!({ "title": "t" }))).await.expect("it is taken");
}

/// Whether what there is of Corella's is what one of the versions has, with nothing of the next.
fn is_whole(server: &StartedPostgres, database: &str) -> bool {
    let count = |names: &str| {
        server.sql(database, &format!("SELECT count(*) FROM pg_class WHERE relname LIKE '{names}'"))
    };
    if server.sql(database, "SELECT to_regclass('corella_meta') IS NULL") == "t" {
        return count("corella%") == "0";
    }
    let version = server.sql(database, "SELECT value FROM corella_meta WHERE name = 'sidecar'");
    let none = |names: &[&str]| names.iter().all(|names| count(names) == "0");
    let rules = "SELECT (SELECT count(*) FROM pg_policy) + \
                 (SELECT count(*) FROM pg_proc WHERE proname LIKE 'corella%')";
    if version.as_str() < "6" && server.sql(database, rules) != "0" {
        return false;
    }
    let none_of_accounts = || {
        let functions = "SELECT count(*) FROM pg_proc WHERE proname = 'corella_secure_accounts'";
        none(&["corella_accounts%", "corella_sessions%", "corella_access%"])
            && server.sql(database, functions) == "0"
    };
    match version.as_str() {
        "1" => none(&["corella_damaged%", "corella_history%", "corella_schemas%", "corella_peer_owners%"]),
        "2" => none(&["corella_history%", "corella_schemas%", "corella_peer_owners%"]),
        "3" => none(&["corella_schemas%", "corella_peer_owners%"]),
        "4" => none(&["corella_peer_owners%"]),
        "5" | "6" => none_of_accounts(),
        "7" => true,
        _ => false,
    }
}
