//! Live queries: what a changed row costs where many queries are followed.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use corella_live::{Hub, Interest, LiveLimits, NewSubscription, Outbox, OutboxLimits, PresenceLimits, Work};
use corella_manifest::{EntityName, Manifest, Value};
use corella_query::{
    Query, RowView,
    maintain::{Lookup, MatchIndex, QueryId, Window, WindowRow, WindowSize},
};
use corella_rowdoc::{RowId, RowKey, Tenant};
use corella_store::{
    Access, Author, CommitSink, RowChange, SourceId, Store, StoreOptions, Write,
    port::Seq,
    sqlite::{Durability, SqliteBackend},
};
use serde_json::{Value as Json, json};
use tokio_util::sync::CancellationToken;

use crate::figures::{median, number, rate};

const RUNS: usize = 5;

fn manifest() -> Manifest {
    let manifest = json!({
        "manifest_version": 1, "name": "bench", "version": "1",
        "entities": [{ "name": "Task", "fields": [
            { "name": "owner", "type": "string", "optional": true },
            { "name": "status", "type": "enum(open,done)", "optional": true },
            { "name": "created", "type": "int", "optional": true },
            { "name": "title", "type": "string", "optional": true }
        ] }]
    });
    Manifest::parse(&manifest.to_string()).unwrap().manifest
}

/// The query of one of many followers.
fn query(follower: usize) -> Json {
    json!({
        "from": "Task", "orderBy": {"created": "desc"}, "limit": 50,
        "where": {"owner": format!("u{follower}"), "status": "open", "created": {"$gte": follower % 1_000}},
    })
}

pub(crate) fn run() {
    matching();
    windows();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(followed());
    runtime.block_on(crate::first_answer::measure());
}

/// Finding the queries that a row concerns.
fn matching() {
    println!("## Matching a changed row: `owner = ? and status = ? and created >= ?`\n");
    println!("| queries | per changed row |\n|---|---|");
    let manifest = manifest();
    for count in [100, 10_000, 100_000] {
        let mut index = MatchIndex::default();
        for follower in 0..count {
            let query = Query::read(&manifest, &query(follower)).unwrap();
            index.insert(QueryId(u64::try_from(follower).unwrap()), &Lookup::of(query.filter()));
        }
        let rows: Vec<Vec<Value>> = (0..count).step_by(count / 100).map(|owner| row(owner, 1_000)).collect();
        let mut found = Vec::new();
        let measured = (0..RUNS).map(|_| {
            const TIMES: u32 = 1_000;
            let start = Instant::now();
            for _ in 0..TIMES {
                for row in &rows {
                    found.clear();
                    index.find(row, &mut found);
                    assert_eq!(found.len(), 1);
                }
            }
            start.elapsed().as_secs_f64() / f64::from(TIMES) / number(rows.len())
        });
        println!("| {count} | {:.2} µs |", median(measured.collect()) * 1e6);
    }
    println!();
}

fn row(owner: usize, created: i64) -> Vec<Value> {
    vec![
        Value::Text(format!("r{created}").into()),
        Value::Text(format!("u{owner}").into()),
        Value::Text("open".into()),
        Value::Int(created),
        Value::Text("a title".into()),
    ]
}

#[derive(Clone)]
struct Row(Arc<(Arc<str>, Vec<Value>)>);

impl RowView for Row {
    fn value(&self, column: &corella_query::Column) -> &Value {
        self.0.1.value(column)
    }
}

impl WindowRow for Row {
    fn id(&self) -> &Arc<str> {
        &self.0.0
    }
}

/// Keeping an ordered window true: a row comes in at the front, one leaves, the difference is taken.
fn windows() {
    let manifest = manifest();
    let query = Query::read(&manifest, &query(7)).unwrap();
    let image = |created: i64| Row(Arc::new((format!("r{created}").into(), row(7, created))));
    let measured = (0..RUNS).map(|_| {
        const UPDATES: usize = 100_000;
        let rows = (0..75).rev().map(image).collect();
        let mut window = Window::new(Arc::clone(query.order()), WindowSize::of(50), rows, true);
        let start = Instant::now();
        for created in (75..).take(UPDATES) {
            let row = image(created);
            window.apply(&Arc::clone(row.id()), Some(row));
            assert!(!window.take_diff().is_empty());
        }
        rate(UPDATES, start)
    });
    println!("Ordered windows of 50 rows: {:.0} maintained updates/s\n", median(measured.collect()));
}

/// Many queries followed over a real store, in process: memory, and the time from a write to the difference.
async fn followed() {
    const FOLLOWERS: usize = 20_000;
    let folder = tempfile::tempdir().unwrap();
    let backend = Arc::new(SqliteBackend::open(folder.path(), Durability::Relaxed).unwrap());
    let limits = LiveLimits { subscriptions: FOLLOWERS, ..LiveLimits::default() };
    let hub = Arc::new(Hub::with_limits(PresenceLimits::default(), limits));
    let sink: Arc<dyn CommitSink> = Arc::clone(&hub) as _;
    let store = Store::start(backend, Arc::new(manifest()), sink, StoreOptions::default()).await.unwrap();
    hub.queries().start(&store, CancellationToken::new());
    let outbox = Arc::new(Outbox::new(SourceId(1), OutboxLimits::default()));
    let before = resident_bytes();
    let start = Instant::now();
    // Some at a time: what is on its way is no part of what is kept.
    for some in (0..FOLLOWERS).collect::<Vec<_>>().chunks(100) {
        for follower in some {
            hub.queries().subscribe(subscription(&store, &outbox, *follower));
        }
        settle(&hub, &outbox, 0).await;
    }
    let each = start.elapsed() / u32::try_from(FOLLOWERS).unwrap();
    let after = resident_bytes();
    println!(
        "{FOLLOWERS} idle queries: {} bytes each beyond rows, first answer {} µs each\n",
        after.saturating_sub(before) / u64::try_from(FOLLOWERS).unwrap(),
        each.as_micros()
    );
    let mut times: Vec<Duration> = Vec::new();
    for at in 0..2_000_usize {
        let fields =
            json!({"owner": format!("u{}", at * 7 % FOLLOWERS), "status": "open", "created": 2_000 + at});
        let start = Instant::now();
        let seq = insert(&store, at, fields).await;
        settle(&hub, &outbox, seq).await;
        times.push(start.elapsed());
    }
    times.sort();
    println!(
        "Write to difference in process, {FOLLOWERS} queries followed: p50 {} µs, p99 {} µs",
        times[times.len() / 2].as_micros(),
        times[times.len() * 99 / 100].as_micros()
    );
    let counts = hub.queries().counters().counts();
    println!(
        "{} changes, {} queries looked at, {} told",
        counts.changes, counts.candidates, counts.encodings
    );
}

fn subscription(store: &Store, outbox: &Arc<Outbox>, follower: usize) -> NewSubscription {
    NewSubscription {
        outbox: Arc::clone(outbox),
        reference: format!("q{follower}"),
        tenant: Tenant::none(),
        query: Query::read(&store.manifest(), &query(follower)).unwrap(),
        interest: Interest::Columns,
        since: None,
    }
}

async fn insert(store: &Store, row: usize, fields: Json) -> i64 {
    let key = RowKey {
        tenant: Tenant::none(),
        entity: EntityName::new("Task").unwrap(),
        id: RowId::new(&format!("r{row}")).unwrap(),
    };
    let author = Author { user: "ada".into(), access: Access::Everything, source: None };
    let change = RowChange::Insert(crate::app::fields(fields));
    let write = Write { key, change, author, wants_row: false, idempotency: None, message: None };
    store.write(write).await.unwrap().seq.0
}

/// Waits until every answer has the change in it, and throws away what was told.
async fn settle(hub: &Hub, outbox: &Arc<Outbox>, seq: i64) {
    let reference = format!("w{seq}");
    hub.queries().await_seq(outbox, reference.clone(), Seq(seq));
    let end = format!(r#"{{"type":"reached","ref":"{reference}""#);
    loop {
        match outbox.take(usize::MAX) {
            Some(Work::Text(text)) if text.starts_with(&end) => return,
            Some(_) => {}
            None => outbox.filled().await,
        }
    }
}

/// How much of this process's memory is resident, in bytes.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1_024
}
