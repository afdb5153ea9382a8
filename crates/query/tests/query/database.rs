//! A real SQLite database with the fixture's table.

use corella_manifest::{Value, parse_time, time_text};
use corella_query::{Column, ColumnType, Dialect, Identifier, Query, SearchDesign, Statement};
use rusqlite::{Connection, ToSql, params_from_iter, types::Value as Sql};

use crate::fixture::manifest;

pub(crate) const TENANT: &str = "acme";

/// An in-memory database whose table `Note` holds rows of several tenants.
pub(crate) struct Database(Connection);

impl Database {
    pub(crate) fn new() -> Self {
        let connection = Connection::open_in_memory().expect("SQLite opens in memory");
        let manifest = manifest();
        let note = manifest.entity("Note").expect("the fixture declares Note");
        let columns: String = Column::all(note)
            .iter()
            .map(|column| format!(", {} {}", Identifier::from(column), sql_type(column.ty())))
            .collect();
        let tables = format!(
            "CREATE TABLE \"Note\" (corella_tenant TEXT NOT NULL{columns}, PRIMARY KEY (corella_tenant, id));
             CREATE INDEX by_position ON \"Note\" (corella_tenant, position, id);
             CREATE INDEX by_title ON \"Note\" (corella_tenant, title);"
        );
        connection.execute_batch(&tables).expect("the fixture's table is valid");
        for statement in SearchDesign::of(&note.name).make(Dialect::Sqlite, note) {
            connection.execute_batch(&statement).expect("the index of words is valid");
        }
        Self(connection)
    }

    pub(crate) fn with_rows(rows: &[Vec<Value>]) -> Self {
        let database = Self::new();
        // The same rows under another tenant, which no answer may show.
        for tenant in [TENANT, "other"] {
            for row in rows {
                database.insert(tenant, row);
            }
        }
        database
    }

    fn insert(&self, tenant: &str, row: &[Value]) {
        let places = vec!["?"; row.len() + 1].join(", ");
        let values = std::iter::once(Sql::Text(tenant.into())).chain(row.iter().map(to_sql));
        self.0
            .prepare_cached(&format!("INSERT INTO \"Note\" VALUES ({places})"))
            .and_then(|mut statement| statement.execute(params_from_iter(values)))
            .expect("the row fits the table");
    }

    /// Checks that the statement is valid SQL with as many placeholders as parameters.
    pub(crate) fn prepare(&self, statement: &Statement) {
        let prepared = self.0.prepare(&statement.text).expect("the statement is valid");
        assert_eq!(prepared.parameter_count(), statement.parameters.len());
    }

    /// The rows of one page, and whether there are more.
    pub(crate) fn page(&self, query: &Query) -> (Vec<Vec<Value>>, bool) {
        let statement = query.to_statement(Dialect::Sqlite, TENANT);
        let parameters = statement.parameters.iter().map(to_sql);
        let mut prepared = self.0.prepare_cached(&statement.text).expect("the statement is valid");
        let mut answer = prepared.query(params_from_iter(parameters)).expect("the statement runs");
        let mut rows = Vec::new();
        while let Some(row) = answer.next().expect("the statement runs") {
            let read = |column: &Column| {
                let sql: Sql = row.get(column.position()).expect("the column is selected");
                from_sql(column.ty(), sql)
            };
            rows.push(query.columns().iter().map(read).collect());
        }
        let limit = query.limit().get() as usize;
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        (rows, has_more)
    }

    /// Runs SQL of the test's own that gives one value.
    pub(crate) fn scalar(&self, sql: &str) -> i64 {
        self.0.query_row(sql, [], |row| row.get(0)).expect("the test's own SQL is valid")
    }

    /// How SQLite would run the statement.
    pub(crate) fn plan(&self, statement: &Statement) -> String {
        let mut prepared = self
            .0
            .prepare(&format!("EXPLAIN QUERY PLAN {}", statement.text))
            .expect("the statement is valid");
        let values: Vec<Sql> = statement.parameters.iter().map(to_sql).collect();
        let values: Vec<&dyn ToSql> = values.iter().map(|value| value as &dyn ToSql).collect();
        let lines = prepared.query_map(&*values, |row| row.get::<_, String>(3)).expect("the plan is given");
        lines.map(|line| line.expect("the plan is a text")).collect::<Vec<_>>().join("\n")
    }
}

fn sql_type(ty: ColumnType) -> &'static str {
    match ty {
        ColumnType::Text | ColumnType::Time | ColumnType::Json => "TEXT",
        ColumnType::Int | ColumnType::Bool => "INTEGER",
        ColumnType::Float => "REAL",
        ColumnType::Bytes => "BLOB",
    }
}

fn to_sql(value: &Value) -> Sql {
    match value {
        Value::Null => Sql::Null,
        Value::Text(text) => Sql::Text(text.to_string()),
        Value::Time(time) => Sql::Text(time_text(*time)),
        Value::Int(int) => Sql::Integer(*int),
        Value::Float(float) => Sql::Real(*float),
        Value::Bool(bool) => Sql::Integer(i64::from(*bool)),
        Value::Bytes(bytes) => Sql::Blob(bytes.to_vec()),
        Value::Json(json) => Sql::Text(json.to_string()),
    }
}

fn from_sql(ty: ColumnType, sql: Sql) -> Value {
    match (ty, sql) {
        (_, Sql::Null) => Value::Null,
        (ColumnType::Text, Sql::Text(text)) => Value::Text(text.into()),
        (ColumnType::Time, Sql::Text(text)) => Value::Time(parse_time(&text).expect("a time was stored")),
        (ColumnType::Json, Sql::Text(text)) => Value::Json(text.parse().expect("JSON was stored")),
        (ColumnType::Int, Sql::Integer(int)) => Value::Int(int),
        (ColumnType::Bool, Sql::Integer(int)) => Value::Bool(int != 0),
        (ColumnType::Float, Sql::Real(float)) => Value::Float(float),
        (ColumnType::Bytes, Sql::Blob(bytes)) => Value::Bytes(bytes.into()),
        (ty, sql) => unreachable!("a column of {ty:?} holds {sql:?}"),
    }
}
