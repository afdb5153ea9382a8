//! The process ends where a write, a fold or a restore is half-way.

use std::os::unix::process::ExitStatusExt as _;

use corella_testkit::{Installation, SAMPLE};
use serde_json::json;

use crate::work::{Asked, Log, ROWS, recovered};

/// Dies at each of the times that it comes to the point, and recovers each time.
async fn check(point: &str, times: &[u64]) {
    let installation = Installation::new(SAMPLE);
    let token = installation.token("ada").await;
    let mut log = Log::default();
    let mut server = installation.serve().await;
    log.begin(&server.http(&token)).await;
    for time in times {
        assert_eq!(server.stop().await.status.code(), Some(0));
        let wish = format!("{point}:{time}");
        let dying = installation.serve_by(&[], &[("CORELLA_KILL_AT", &wish)]).await;
        let http = dying.http(&token);
        // A fold is due every 64 saves at the latest.
        for _ in 0..400 {
            if log.make(&http).await == Asked::Gone || log.save(&http).await == Asked::Gone {
                break;
            }
        }
        let ended = dying.ended().await;
        assert_eq!(ended.status.signal(), Some(6), "{wish} was not come to: {ended:?}");
        server = recovered(&installation, &token, &mut log).await;
    }
    server.kill().await;
    recovered(&installation, &token, &mut log).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn before_a_commit() {
    check("before_commit", &[1, 2, 9]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn within_a_commit() {
    check("mid_commit", &[1, 2, 9]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_commit() {
    check("after_commit", &[1, 2, 9]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_it_was_announced() {
    check("after_announce", &[1, 2, 9]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn within_a_fold() {
    check("mid_fold", &[1, 2]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_fold() {
    check("after_fold", &[1, 2]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn within_a_restore() {
    let from = Installation::new(SAMPLE);
    let token = from.token("ada").await;
    let server = from.serve().await;
    for number in 0..5 {
        let note = json!({ "id": format!("n{number}"), "title": "of the backup" });
        server.http(&token).post(ROWS, note).await.expect(201);
    }
    let backup = from.folder().join("backup.zst");
    let backup = backup.to_str().expect("a path in UTF-8");
    assert_eq!(from.run(&["backup", backup]).await.code, Some(0));

    let installation = Installation::new(SAMPLE);
    let token = installation.token("ada").await;
    let mut log = Log::default();
    let server = installation.serve().await;
    log.begin(&server.http(&token)).await;
    for _ in 0..5 {
        assert_eq!(log.make(&server.http(&token)).await, Asked::Acknowledged);
    }
    server.stop().await;
    for row in 1..=5 {
        let wish = format!("mid_restore:{row}");
        let cut =
            installation.run_with(&["restore", backup, "--replace"], &[("CORELLA_KILL_AT", &wish)]).await;
        assert_eq!(cut.code, None, "{cut:?}");
        let server = recovered(&installation, &token, &mut log).await;
        server.stop().await;
    }
    assert_eq!(installation.run(&["restore", backup, "--replace"]).await.code, Some(0));
    assert_eq!(installation.check_clean().await, 5);
}
