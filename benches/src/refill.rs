//! Filling a table again from its documents, beside inserting the same lines with nothing to read.

use std::{sync::Arc, time::Instant};

use corella_manifest::Manifest;
use corella_store::{
    Durability,
    port::Backend as _,
    schema::{self, FillStep},
    sqlite::SqliteBackend,
};
use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

use crate::{
    app,
    figures::{median, rate},
};

const ROWS: usize = 60_000;
const ROUNDS: usize = 5;

pub(crate) fn run() {
    tokio::runtime::Runtime::new().unwrap().block_on(measure());
}

async fn measure() {
    let folder = TempDir::new().unwrap();
    app::fill(folder.path(), ROWS, |row| {
        json!({ "title": format!("Row number {row}"), "count": row, "pinned": row % 2 == 0, "position": 0.5 })
    })
    .await;
    let manifest = Arc::new(Manifest::parse(&app::manifest()).unwrap().manifest);
    let (mut filled, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let backend = SqliteBackend::open(folder.path(), Durability::Full).unwrap();
        let started = Instant::now();
        let mut on = |step: FillStep| assert!(!matches!(step, FillStep::Told(_)), "{step:?}");
        let report = schema::reproject(&backend, Arc::clone(&manifest), &[], &mut on).await.unwrap();
        assert_eq!(report.rows, ROWS as u64);
        filled.push(rate(ROWS, started));
        backend.close().await;
        drop(backend);
        bare.push(upserts(folder.path()));
    }
    let (filled, bare) = (median(filled), median(bare));
    println!("{ROWS} rows of four plain fields and an empty text");
    println!("| what | rows/s | ratio |");
    println!("|---|---|---|");
    println!("| bare rusqlite, the same lines, 1,024 a transaction | {bare:.0} | 1.00 |");
    println!("| `schema::reproject` | {filled:.0} | {:.2} |", filled / bare);
}

/// The same lines written by the same statement, from memory.
fn upserts(folder: &std::path::Path) -> f64 {
    let mut database = Connection::open(SqliteBackend::file(folder)).unwrap();
    database.pragma_update(None, "synchronous", "FULL").unwrap();
    let ids: Vec<(String, i64)> = database
        .prepare("SELECT id, \"count\" FROM \"Note\"")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let started = Instant::now();
    for page in ids.chunks(1_024) {
        let transaction = database.transaction().unwrap();
        let mut upsert = transaction
            .prepare_cached(
                "INSERT INTO \"Note\" (corella_tenant, id, title, body, \"count\", pinned, position) \
                 VALUES ('', ?1, ?2, NULL, ?3, ?4, 0.5) ON CONFLICT (corella_tenant, id) DO UPDATE SET \
                 title = excluded.title, body = excluded.body, \"count\" = excluded.\"count\", \
                 pinned = excluded.pinned, position = excluded.position",
            )
            .unwrap();
        for (id, count) in page {
            upsert.execute((id, format!("Row number {count}"), count, count % 2 == 0)).unwrap();
        }
        drop(upsert);
        transaction.commit().unwrap();
    }
    rate(ROWS, started)
}
