//! Durable writes of many writers to PostgreSQL, beside one transaction per write, and beside the same without row-level
//! security.

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
    let mut unbound = Vec::new();
    for _ in 0..ROUNDS {
        unbound.push(runtime.block_on(without_walls(&server)));
        store.push(runtime.block_on(async {
            let backend = Arc::new(open(&server).await);
            writers(app::store_over(backend, StoreOptions::default()).await).await
        }));
        single.push(runtime.block_on(async { one_by_one(open(&server).await).await }));
    }
    let (store, single, unbound) = (median(store), median(single), median(unbound));
    println!("durable one-field writes per second, {WRITERS} writers on distinct rows, PostgreSQL, fsync=on");
    println!("| what | writes/s | ratio |");
    println!("|---|---|---|");
    println!("| one transaction per write | {single:.0} | 1.00 |");
    println!("| Store::write, {WRITERS} writers | {store:.0} | {:.1} |", store / single);
    println!("| the same without row-level security | {unbound:.0} | {:.1} |", unbound / single);
}

async fn open(server: &StartedPostgres) -> PostgresBackend {
    let address = server.address(&server.database()).parse().unwrap();
    PostgresBackend::open(&address, PostgresOptions::default()).await.unwrap()
}

/// The store's writes in a database whose tables have no row-level security, and where nobody takes a role.
async fn without_walls(server: &StartedPostgres) -> f64 {
    const TAKE_DOWN: &str = "DO $$ DECLARE line record; BEGIN FOR line IN SELECT DISTINCT polrelid::regclass AS name \
                             FROM pg_policy LOOP EXECUTE format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', \
                             line.name); END LOOP; DROP POLICY corella_serving ON corella_rows; END $$; \
                             CREATE OR REPLACE FUNCTION corella_secure() RETURNS void LANGUAGE sql AS 'SELECT'";
    let database = server.database();
    let address = server.address(&database).parse().unwrap();
    let first = Arc::new(PostgresBackend::open(&address, PostgresOptions::default()).await.unwrap());
    app::store_over(first, StoreOptions::default()).await.close().await;
    server.sql(&database, TAKE_DOWN);
    let backend = Arc::new(PostgresBackend::open(&address, PostgresOptions::default()).await.unwrap());
    writers(app::store_over(backend, StoreOptions::default()).await).await
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
