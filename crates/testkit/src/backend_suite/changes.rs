//! The log of changes, and what is no change.

use std::sync::Arc;

use corella_manifest::Manifest;
use corella_query::QueryTexts;
use corella_rowdoc::Projection;
use corella_store::port::{Backend, ChangeKind, RowWrite, Seq};

use super::{
    Subject,
    rows::{key, notes, put, select, shape, values, write},
};

pub(super) async fn the_log_has_every_change_in_order(Subject { backend, keep: _keep, .. }: Subject) {
    shape(&*backend, &notes()).await;
    let mut head = Seq::ZERO;
    for kind in [ChangeKind::Insert, ChangeKind::Update, ChangeKind::Delete, ChangeKind::Restore] {
        let deleted = kind == ChangeKind::Delete;
        let projection = Arc::new(Projection { deleted, values: values("t", None, 0) });
        head = put(&*backend, RowWrite { kind, projection, ..write("n1", head, "delta") }).await;
        let stored = backend.head(&key("n1")).await.expect("reads go through").expect("the row is there");
        assert_eq!(stored.deleted, deleted);
    }
    let log = backend.changes(Seq::ZERO, 100).await.expect("reads go through");
    let kinds: Vec<&str> = log.iter().map(|entry| entry.kind.as_str()).collect();
    assert_eq!(kinds, ["insert", "update", "delete", "restore"]);
    assert!(log.iter().all(|entry| entry.key == key("n1")));
    let middle = backend.changes(log[0].seq, 2).await.expect("reads go through");
    assert_eq!(middle, log[1..3]);
    assert!(backend.changes(head, 10).await.expect("reads go through").is_empty());
    assert!(backend.changes(Seq(head.0 + 1_000), 10).await.expect("reads go through").is_empty());
}

async fn title(backend: &dyn Backend, manifest: &Manifest) -> String {
    let found = select(backend, manifest, "Note", "", QueryTexts::default()).await;
    found.rows.iter().map(|row| format!("{:?}", row.values()[0])).collect()
}

pub(super) async fn a_row_is_projected_again_unless_it_has_moved_on(
    Subject { backend, keep: _keep, .. }: Subject,
) {
    let manifest = notes();
    shape(&*backend, &manifest).await;
    let entity = manifest.entity("Note").expect("it is declared");
    let first = put(&*backend, write("n1", Seq::ZERO, "first")).await;
    let again = |deleted, title: &str| Projection { deleted, values: values(title, None, 0) };
    backend
        .reproject(entity, vec![(key("n1"), first, again(false, "again"))])
        .await
        .expect("it goes through");
    assert!(title(&*backend, &manifest).await.contains("again"));

    let second = put(&*backend, write("n1", first, "second")).await;
    backend.reproject(entity, vec![(key("n1"), first, again(false, "late"))]).await.expect("it goes through");
    assert!(title(&*backend, &manifest).await.contains("second"));
    backend
        .reproject(entity, vec![(key("nobody"), first, again(false, "nobody"))])
        .await
        .expect("it goes through");
    assert!(backend.orphans(entity).await.expect("reads go through").is_empty(), "a row without a document");
    backend.reproject(entity, vec![(key("n1"), second, again(true, "gone"))]).await.expect("it goes through");
    assert_eq!(title(&*backend, &manifest).await, "");
    assert_eq!(backend.last_seq().await.expect("reads go through"), second, "no change is in the log");
}
