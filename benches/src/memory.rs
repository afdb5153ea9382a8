//! Start and memory with 100,000 stored rows, and the cache's budget beside what is resident.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use corella_testkit::Installation;
use serde_json::json;

use crate::{
    app::{self, row_id},
    figures::mebibytes,
};

const ROWS: usize = 100_000;
const CALLERS: usize = 32;
const BUDGET: u64 = 64 << 20;

pub(crate) fn run() {
    tokio::runtime::Runtime::new().unwrap().block_on(measure());
}

async fn measure() {
    let installation = Installation::new(&app::manifest());
    app::fill(
        &installation.data(),
        ROWS,
        |row| json!({ "title": format!("Row number {row}"), "count": row }),
    )
    .await;
    let token = installation.token("bench").await;

    let started = Instant::now();
    let server = Arc::new(installation.start("serve", &["--cache-bytes", &BUDGET.to_string()]).await);
    let http = server.http(&token);
    assert!(http.get("/ready").await.status.is_success());
    let start = started.elapsed();
    let rest = server.resident_bytes();

    // Every row is edited once, so every document is loaded once, four times as much as the budget holds.
    let next = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (next, http, server) = (Arc::clone(&next), http.clone(), Arc::clone(&server));
            tokio::spawn(async move {
                let mut most = 0;
                loop {
                    let row = next.fetch_add(1, Ordering::Relaxed);
                    if row >= ROWS {
                        return most;
                    }
                    let path = format!("/api/entities/Note/{}", row_id(row));
                    assert!(http.patch(&path, json!({ "count": row + 1 })).await.status.is_success());
                    if row.is_multiple_of(500) {
                        most = most.max(server.resident_bytes());
                    }
                }
            })
        })
        .collect();
    let mut most = rest;
    for caller in callers {
        most = most.max(caller.await.unwrap());
    }
    let estimate = gauge(&http.get("/metrics").await.text());

    let budget = mebibytes(BUDGET);
    println!("{ROWS} stored rows, cache of {budget:.0} MiB, release of memory as the allocator does it");
    println!("| what | measured |");
    println!("|---|---|");
    println!("| start until ready | {} ms |", start.as_millis());
    println!("| resident at rest | {:.1} MiB |", mebibytes(rest));
    println!("| resident at the most while every row is edited | {:.1} MiB |", mebibytes(most));
    println!("| of which beyond rest, beside the budget | {:.2} |", mebibytes(most - rest) / budget);
    println!(
        "| the cache's own estimate at the end, beside the budget | {:.2} |",
        estimate / mebibytes(BUDGET) / f64::from(1 << 20)
    );
}

/// What the cache takes its documents for, in bytes.
fn gauge(metrics: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix("corella_cache_bytes "));
    line.unwrap().trim().parse().unwrap()
}
