//! The disk fails to confirm: the outcome is unknown, the database is opened again, and a repetition settles it.

use std::process::{Command, Stdio};

use corella_testkit::{Installation, SAMPLE};

use crate::work::{Log, recovered};

/// Whether this machine lets a process be traced.
fn may_trace() -> bool {
    let tried = Command::new("strace").args(["-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_n_th_commit() {
    if !may_trace() {
        println!("tracing is not permitted here, or strace is not installed");
        return;
    }
    let installation = Installation::new(SAMPLE);
    let token = installation.token("ada").await;
    let mut log = Log::default();
    let server = installation.serve().await;
    log.begin(&server.http(&token)).await;
    server.stop().await;
    let mut failures = 0;
    for (first, step) in [(6, 1_000), (7, 5), (8, 3), (9, 2)] {
        // Each thread counts its own calls; the tracer steps aside, so that the server is our child.
        let fault = format!("inject=fsync,fdatasync:error=EIO:when={first}+{step}");
        let program =
            ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e", &fault];
        let server = installation.serve_by(&program, &[]).await;
        let http = server.http(&token);
        let before = log.unknown;
        for _ in 0..12 {
            log.make(&http).await;
            log.save(&http).await;
            // A save that was not answered is looked at before the next one builds on it.
            log.settle(&http).await;
        }
        failures += log.unknown - before;
        // What was read after the failure is what a crash leaves, too.
        server.kill().await;
        recovered(&installation, &token, &mut log).await.stop().await;
    }
    assert!(failures >= 4, "only {failures} commits failed");
    println!("{} rows, {failures} failed commits", log.rows());
}
