//! A migration that is killed at every statement and at every page is taken up again.

use corella_testkit::Database;

use crate::{after, check_after, with_tasks};

/// Pages of documents have 1,024 rows.
const ROWS: usize = 2;

/// Dies at the `number`-th time that a migration comes to the point; says whether it came there.
async fn dies(installation: &corella_testkit::Installation, point: &str, number: u64) -> bool {
    let wish = format!("{point}:{number}");
    let apply = ["migrate", "apply", "--allow-destructive"];
    installation.run_with(&apply, &[("CORELLA_KILL_AT", &wish)]).await.code.is_none()
}

async fn check(database: Database) {
    let mut number = 1;
    let installation = with_tasks(database, ROWS).await;
    installation.write_manifest(&after());
    // A transaction that was cut short leaves nothing, so that one installation serves for all of them.
    while dies(&installation, "mid_reshape", number).await {
        let plan = installation.run(&["migrate", "plan"]).await;
        let is_before = plan.stdout.contains("rename the entity Task to Todo");
        let is_after = plan.stdout.starts_with("Filled from the documents: Todo");
        assert!(is_before || is_after, "half a migration is none: {plan:?}");
        number += 1;
    }
    assert!(number > 15, "only {number} statements were come to");
    check_after(&installation, ROWS).await;
    // What is durable is taken up from there: first by another migration, then by a server.
    for resume in [true, false] {
        let installation = with_tasks(database, ROWS).await;
        installation.write_manifest(&after());
        assert!(dies(&installation, "mid_fill", 1).await, "a page is filled");
        let plan = installation.run(&["migrate", "plan"]).await;
        assert!(plan.stdout.starts_with("Filled from the documents: Todo"), "{plan:?}");
        if resume {
            let applied = installation.run(&["migrate", "apply"]).await;
            assert!(applied.stdout.contains("The database was brought to the manifest."), "{applied:?}");
        }
        check_after(&installation, ROWS).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_sqlite() {
    check(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_postgresql() {
    check(Database::Postgres).await;
}
