//! Durable writes of many writers, beside a bare SQLite writer and beside one fsync per write.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use corella_store::{RowChange, Store};
use rusqlite::Connection;
use serde_json::json;

use crate::{
    app::{self, fields, write},
    figures::{median, rate},
};

pub(crate) const WRITERS: usize = 64;
pub(crate) const RUN: Duration = Duration::from_secs(4);
pub(crate) const ROUNDS: usize = 5;
/// What one write brings: the bytes of a one-field delta, its version, and its line.
pub(crate) const DELTA_BYTES: usize = 90;

pub(crate) fn run() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut store = Vec::new();
    let mut bare = Vec::new();
    let mut single = Vec::new();
    for _ in 0..ROUNDS {
        store.push(runtime.block_on(store_writes()));
        bare.push(bare_writes(WRITERS));
        single.push(bare_writes(1));
    }
    let (store, bare, single) = (median(store), median(bare), median(single));
    println!("durable one-field writes per second, {WRITERS} writers on distinct rows, synchronous=FULL");
    println!("| what | writes/s | ratio |");
    println!("|---|---|---|");
    println!("| bare rusqlite, {WRITERS} rows a transaction | {bare:.0} | 1.00 |");
    println!("| Store::write | {store:.0} | {:.2} |", store / bare);
    println!(
        "| bare rusqlite, one row a transaction | {single:.0} | {:.3} (Store: {:.1} times) |",
        single / bare,
        store / single
    );
}

async fn store_writes() -> f64 {
    let folder = tempfile::tempdir_in(".").unwrap();
    writers(app::store(folder.path()).await).await
}

/// How many writes a second the store takes from [`WRITERS`] writers, each on a row of its own.
pub(crate) async fn writers(store: Store) -> f64 {
    for writer in 0..WRITERS {
        write(&store, writer, RowChange::Insert(fields(json!({ "title": "bench" })))).await;
    }
    let started = Instant::now();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut count = 0;
                while started.elapsed() < RUN {
                    count += 1;
                    write(&store, writer, RowChange::Patch(fields(json!({ "count": count })))).await;
                }
                count
            })
        })
        .collect();
    let mut count = 0;
    for writer in writers {
        count += writer.await.unwrap();
    }
    let rate = rate(count, started);
    store.close().await;
    rate
}

/// The same tables and the same bytes, without documents, queues or checks.
fn bare_writes(rows_per_transaction: usize) -> f64 {
    let folder = tempfile::tempdir_in(".").unwrap();
    let mut connection = open(folder.path());
    let delta = vec![7_u8; DELTA_BYTES];
    let started = Instant::now();
    let mut count = 0_usize;
    let mut seq = 0_i64;
    while started.elapsed() < RUN {
        let transaction = connection.transaction().unwrap();
        for row in 0..rows_per_transaction {
            seq += 1;
            let id = format!("row-{}", (row + count) % WRITERS);
            transaction
                .prepare_cached("INSERT INTO tail VALUES ('', 'Note', ?1, ?2, ?3, 1, 'bench', 1)")
                .unwrap()
                .execute((&id, seq, &delta))
                .unwrap();
            transaction
                .prepare_cached("INSERT INTO rows VALUES ('', 'Note', ?1, ?2, x'0102030405060708090a0b0c') ON CONFLICT DO UPDATE SET head = ?2")
                .unwrap()
                .execute((&id, seq))
                .unwrap();
            transaction
                .prepare_cached("INSERT INTO changes VALUES (?1, '', 'Note', ?2, 'update', 1)")
                .unwrap()
                .execute((seq, &id))
                .unwrap();
            transaction
                .prepare_cached("INSERT INTO note VALUES ('', ?1, 'bench', ?2, 0, 0.0) ON CONFLICT DO UPDATE SET count = ?2")
                .unwrap()
                .execute((&id, seq))
                .unwrap();
        }
        transaction.commit().unwrap();
        count += rows_per_transaction;
    }
    rate(count, started)
}

fn open(folder: &Path) -> Connection {
    let connection = Connection::open(folder.join("bare.db")).unwrap();
    connection.pragma_update(None, "journal_mode", "WAL").unwrap();
    connection.pragma_update(None, "synchronous", "FULL").unwrap();
    connection
        .execute_batch(
            "CREATE TABLE tail (tenant TEXT, entity TEXT, row_id TEXT, seq INTEGER, delta BLOB, checksum INTEGER, \
             author TEXT, at INTEGER, PRIMARY KEY (tenant, entity, row_id, seq)) WITHOUT ROWID; \
             CREATE TABLE rows (tenant TEXT, entity TEXT, row_id TEXT, head INTEGER, version BLOB, \
             PRIMARY KEY (tenant, entity, row_id)) WITHOUT ROWID; \
             CREATE TABLE changes (seq INTEGER PRIMARY KEY, tenant TEXT, entity TEXT, row_id TEXT, kind TEXT, \
             at INTEGER); \
             CREATE TABLE note (tenant TEXT, id TEXT, title TEXT, count INTEGER, pinned INTEGER, position REAL, \
             PRIMARY KEY (tenant, id))",
        )
        .unwrap();
    connection
}
