//! Durable writes of many writers to PostgreSQL, beside one transaction per write.

use std::{sync::Arc, time::Instant};

use corella_manifest::{EntityName, Manifest, Value};
use corella_rowdoc::{Projection, RowId, RowKey, Tenant};
use corella_store::{
    StoreOptions,
    port::{About, Backend as _, ChangeKind, RowWrite, Seq, Unit, UnitOutcome},
    postgres::{PostgresBackend, PostgresOptions},
    schema::{self, Consent},
};
use corella_testkit::StartedPostgres;

use crate::{
    app,
    figures::{median, rate},
    writes::{DELTA_BYTES, ROUNDS, RUN, WRITERS, writers},
};

pub(crate) fn run() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = StartedPostgres::start(true);
    let mut store = Vec::new();
    let mut single = Vec::new();
    for _ in 0..ROUNDS {
        store.push(runtime.block_on(async {
            let backend = Arc::new(open(&server).await);
            writers(app::store_over(backend, StoreOptions::default()).await).await
        }));
        single.push(runtime.block_on(async { one_by_one(open(&server).await).await }));
    }
    let (store, single) = (median(store), median(single));
    println!("durable one-field writes per second, {WRITERS} writers on distinct rows, PostgreSQL, fsync=on");
    println!("| what | writes/s | ratio |");
    println!("|---|---|---|");
    println!("| one transaction per write | {single:.0} | 1.00 |");
    println!("| Store::write, {WRITERS} writers | {store:.0} | {:.1} |", store / single);
}

async fn open(server: &StartedPostgres) -> PostgresBackend {
    let address = server.address(&server.database()).parse().unwrap();
    PostgresBackend::open(&address, PostgresOptions::default()).await.unwrap()
}

/// The same rows and bytes through the same statements, each write in a transaction of its own, without documents,
/// queues or checks.
async fn one_by_one(backend: PostgresBackend) -> f64 {
    let manifest = Manifest::parse(&app::manifest()).unwrap().manifest;
    schema::bring(&backend, &manifest, Consent::Additive).await.unwrap();
    let mut heads = [Seq::ZERO; WRITERS];
    let started = Instant::now();
    let mut count = 0;
    while started.elapsed() < RUN {
        let row = count % WRITERS;
        let unit = Unit {
            writes: vec![write(row, heads[row], count)],
            references: Vec::new(),
            outcomes: Vec::new(),
            at: jiff::Timestamp::now(),
        };
        let outcomes = backend.commit(&[unit]).await.unwrap();
        let Some(UnitOutcome::Committed(seqs)) = outcomes.first() else { unreachable!("{outcomes:?}") };
        heads[row] = seqs[0];
        count += 1;
    }
    let rate = rate(count, started);
    backend.close().await;
    rate
}

fn write(row: usize, known_head: Seq, count: usize) -> RowWrite {
    let values = vec![
        Value::Text("bench".into()),
        Value::Text("".into()),
        Value::Int(i64::try_from(count).unwrap()),
        Value::Bool(false),
        Value::Float(0.0),
    ];
    RowWrite {
        key: RowKey {
            tenant: Tenant::none(),
            entity: EntityName::new("Note").unwrap(),
            id: RowId::new(&app::row_id(row)).unwrap(),
        },
        known_head,
        delta: vec![7; DELTA_BYTES].into(),
        version: vec![7; 12].into(),
        projection: Arc::new(Projection { deleted: false, values }),
        kind: ChangeKind::Update,
        author: Some("bench".into()),
        about: About { kind: "update".into(), fields: vec!["stars".into()], ..About::default() },
        ends: vec![7; 12].into(),
        late: false,
    }
}
