//! The SQLite backend does what the port says.

use std::sync::Arc;

use corella_store::sqlite::{Durability, SqliteBackend};
use corella_testkit::backend_suite::{self, Subject};
use rusqlite::Connection;
use tempfile::TempDir;

async fn open() -> Subject {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let file = SqliteBackend::file(folder.path());
    let backend =
        SqliteBackend::open(folder.path(), Durability::Full).expect("an empty folder can be opened");
    Subject {
        backend: Arc::new(backend),
        damage: Box::new(move |key| {
            let file = file.clone();
            Box::pin(async move {
                let database = Connection::open(file).expect("the database can be opened");
                let sql = "UPDATE corella_tail SET delta = zeroblob(length(delta)) \
                           WHERE tenant = ?1 AND entity = ?2 AND row_id = ?3";
                let row = (key.tenant.as_str(), key.entity.as_str(), key.id.as_str());
                let harmed = database.execute(sql, row).expect("the tail can be written");
                assert!(harmed > 0, "{key} has no tail to harm");
            })
        }),
        keep: Box::new(folder),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn passes_the_suite_of_backends() {
    backend_suite::run(open).await;
}
