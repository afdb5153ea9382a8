//! Data that is kept, moved and mended: backup, restore, export, import, repair.

mod backup;
mod hostile;
mod repair;
mod restore;
mod transfer;

use std::path::PathBuf;

use corella_testkit::{Finished, Installation};
use rusqlite::{Connection, types::Value};

/// A path of a file beside the installation's data, as an argument.
fn file(installation: &Installation, name: &str) -> String {
    let path: PathBuf = installation.folder().join(name);
    path.to_str().expect("a path in UTF-8").to_owned()
}

/// Runs a command that has to succeed.
async fn done(installation: &Installation, arguments: &[&str]) -> Finished {
    let finished = installation.run(arguments).await;
    assert_eq!(finished.code, Some(0), "{arguments:?}: {finished:?}");
    finished
}

fn database(installation: &Installation) -> Connection {
    Connection::open(installation.database()).expect("the database can be opened")
}

/// A whole table, in the order of its keys.
fn table(installation: &Installation, name: &str) -> Vec<Vec<Value>> {
    let database = database(installation);
    let statement = database.prepare(&format!("select * from {name} order by 1, 2, 3"));
    let mut statement = statement.expect("the table is there");
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| (0..columns).map(|column| row.get(column)).collect());
    rows.and_then(Iterator::collect).expect("the table can be read")
}

fn meta(installation: &Installation, name: &str) -> String {
    database(installation)
        .query_row("select value from corella_meta where name = ?1", [name], |row| row.get(0))
        .expect("the database has its names")
}
