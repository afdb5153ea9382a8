//! The first answer of an indexed query, beside the same statement in the driver, its rows written as text.

use std::{hint::black_box, sync::Arc, time::Instant};

use corella_live::{Hub, Interest, NewSubscription, Outbox, OutboxLimits, Work, answer_once};
use corella_manifest::{EntityName, Manifest, Value};
use corella_query::Query;
use corella_rowdoc::{RowId, RowKey, Tenant};
use corella_store::{
    Access, Author, CommitSink, RowChange, SourceId, Store, StoreOptions, Write,
    sqlite::{Durability, SqliteBackend},
};
use rusqlite::{Connection, OpenFlags, params_from_iter, types};
use serde_json::{Value as Json, json};
use tokio_util::sync::CancellationToken;

use crate::figures::median;

const ROWS: usize = 20_000;
const OWNERS: usize = 100;
const ROUNDS: usize = 9;
/// Answers in a round.
const TIMES: usize = 200;

fn manifest() -> Manifest {
    let manifest = json!({
        "manifest_version": 1, "name": "bench", "version": "1",
        "entities": [{ "name": "Task", "fields": [
            { "name": "owner", "type": "string", "optional": true },
            { "name": "created", "type": "int", "optional": true },
            { "name": "title", "type": "string", "optional": true }
        ], "indexes": [{ "name": "by_owner", "fields": ["owner", "created"] }] }]
    });
    Manifest::parse(&manifest.to_string()).unwrap().manifest
}

/// One of many queries of 50 rows, no two of which are the same: one that is kept would be answered from memory.
fn query(manifest: &Manifest, number: usize) -> Query {
    let least = -i64::try_from(number).unwrap();
    let query = json!({
        "from": "Task", "where": {"owner": format!("u{}", number % OWNERS), "created": {"$gte": least}},
        "orderBy": {"created": "desc"}, "limit": 50,
    });
    Query::read(manifest, &query).unwrap()
}

pub(crate) async fn measure() {
    let folder = tempfile::tempdir().unwrap();
    let backend = Arc::new(SqliteBackend::open(folder.path(), Durability::Relaxed).unwrap());
    let hub = Arc::new(Hub::new(corella_live::PresenceLimits::default()));
    let sink: Arc<dyn CommitSink> = Arc::clone(&hub) as _;
    let manifest = Arc::new(manifest());
    let store = Store::start(backend, Arc::clone(&manifest), sink, StoreOptions::default()).await.unwrap();
    hub.queries().start(&store, CancellationToken::new());
    fill(&store).await;
    let bare =
        Connection::open_with_flags(folder.path().join("corella.db"), OpenFlags::SQLITE_OPEN_READ_ONLY)
            .unwrap();
    let outbox = Arc::new(Outbox::new(SourceId(1), OutboxLimits::default()));
    let (mut driver, mut once, mut live) = (Vec::new(), Vec::new(), Vec::new());
    let each = |start: Instant| start.elapsed().as_secs_f64() / crate::figures::number(TIMES);
    for round in 0..ROUNDS {
        let numbers = || round * TIMES..(round + 1) * TIMES;
        let start = Instant::now();
        for number in numbers() {
            black_box(in_the_driver(&bare, &query(&manifest, number)));
        }
        driver.push(each(start));
        let start = Instant::now();
        for number in numbers() {
            let answer = answer_once(&store, &Tenant::none(), &query(&manifest, number)).await.unwrap();
            black_box(serde_json::to_string(&answer.rows).unwrap());
        }
        once.push(each(start));
        let start = Instant::now();
        for number in numbers() {
            hub.queries().subscribe(NewSubscription {
                outbox: Arc::clone(&outbox),
                reference: "q".into(),
                tenant: Tenant::none(),
                query: query(&manifest, number),
                interest: Interest::Columns,
                since: None,
            });
            black_box(snapshot(&outbox).await);
            hub.queries().unsubscribe(outbox.source(), "q");
        }
        live.push(each(start));
    }
    let (driver, once, live) = (median(driver), median(once), median(live));
    println!(
        "First answer of an indexed query, 50 rows of {ROWS}, in turn with the same statement in the driver\n"
    );
    println!("| | µs | times |\n|---|---|---|");
    for (name, figure) in
        [("the driver, rows written as text", driver), ("asked once", once), ("followed", live)]
    {
        println!("| {name} | {:.0} | {:.2} |", figure * 1e6, figure / driver);
    }
    println!();
}

/// The statement in the driver, and its rows as text.
fn in_the_driver(connection: &Connection, query: &Query) -> String {
    let statement = query.to_statement(corella_query::Dialect::Sqlite, Tenant::none().as_str());
    let parameters = statement.parameters.iter().map(|value| match value {
        Value::Text(text) => types::Value::Text(text.to_string()),
        Value::Int(int) => types::Value::Integer(*int),
        other @ (Value::Null
        | Value::Time(_)
        | Value::Float(_)
        | Value::Bool(_)
        | Value::Bytes(_)
        | Value::Json(_)) => {
            unreachable!("the query has no {other:?}")
        }
    });
    let mut prepared = connection.prepare_cached(&statement.text).unwrap();
    let columns = query.columns();
    let mut rows = prepared.query(params_from_iter(parameters)).unwrap();
    let mut shown: Vec<Json> = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        let cell = |at: usize| match row.get_unwrap::<_, types::Value>(at) {
            types::Value::Null => Json::Null,
            types::Value::Integer(int) => json!(int),
            types::Value::Real(real) => json!(real),
            types::Value::Text(text) => Json::String(text),
            types::Value::Blob(_) => unreachable!("the table has no bytes"),
        };
        shown.push(
            columns.iter().enumerate().map(|(at, column)| (column.name().to_owned(), cell(at))).collect(),
        );
    }
    shown.truncate(50);
    serde_json::to_string(&shown).unwrap()
}

/// The text of the next whole answer.
async fn snapshot(outbox: &Outbox) -> String {
    loop {
        match outbox.take(usize::MAX) {
            Some(Work::Text(text)) if text.starts_with(r#"{"type":"snapshot""#) => return text,
            Some(_) => {}
            None => outbox.filled().await,
        }
    }
}

async fn fill(store: &Store) {
    let write = |row: usize| {
        let fields = json!({"owner": format!("u{}", row % OWNERS), "created": row, "title": "something to be done soon"});
        Write {
            key: RowKey {
                tenant: Tenant::none(),
                entity: EntityName::new("Task").unwrap(),
                id: RowId::new(&format!("r{row}")).unwrap(),
            },
            change: RowChange::Insert(crate::app::fields(fields)),
            author: Author { user: "ada".into(), access: Access::Everything, source: None },
            wants_row: false,
            idempotency: None,
            message: None,
        }
    };
    for rows in (0..ROWS).collect::<Vec<_>>().chunks(1_000) {
        let writes = rows.iter().map(|row| store.write(write(*row)));
        for written in futures_util::future::join_all(writes).await {
            written.unwrap();
        }
    }
}
