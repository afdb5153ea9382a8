//! Lines that are written later than their documents.

use corella_manifest::Manifest;
use corella_query::QueryTexts;
use corella_rowdoc::{Projection, RowKey};
use corella_store::port::{Backend, RowWrite, Seq};

use super::{
    Subject,
    rows::{key, notes, put, select, shape, text, values, write},
};

fn late(id: &str, known_head: Seq, title: &str) -> RowWrite {
    RowWrite { late: true, ..write(id, known_head, title) }
}

fn again(title: &str) -> Projection {
    Projection { deleted: false, values: values(title, None, 0) }
}

/// What stands in the table, and whether a scan calls it late.
async fn line(backend: &dyn Backend, manifest: &Manifest, id: &str) -> (Projection, bool) {
    let entity = manifest.entity("Note").expect("it is declared");
    let rows = backend.scan(entity, None, 10).await.expect("reads go through");
    let row = rows.into_iter().find(|row| row.key == key(id)).expect("the row is there");
    let table = row.table.expect("the row stands in its table");
    let found = select(backend, manifest, "Note", "", QueryTexts::default()).await;
    assert!(found.rows.contains(&table), "a query and a scan see the same");
    (Projection { deleted: false, values: table.values().to_vec() }, row.late)
}

async fn late_rows(backend: &dyn Backend) -> Vec<RowKey> {
    let mut rows = backend.late_rows().await.expect("reads go through");
    rows.sort();
    rows
}

pub(super) async fn a_late_line_stays_as_it_is_until_it_is_written(
    Subject { backend, keep: _keep, .. }: Subject,
) {
    if backend.is_shared() {
        return;
    }
    let manifest = notes();
    shape(&*backend, &manifest).await;
    let entity = manifest.entity("Note").expect("it is declared");
    let first = put(&*backend, write("n1", Seq::ZERO, "first")).await;
    put(&*backend, write("neighbour", Seq::ZERO, "neighbour")).await;
    assert!(late_rows(&*backend).await.is_empty());

    let second = put(&*backend, late("n1", first, "second")).await;
    let third = put(&*backend, late("n1", second, "third")).await;
    assert_eq!(line(&*backend, &manifest, "n1").await, (again("first"), true));
    assert_eq!(late_rows(&*backend).await, [key("n1")]);
    let stored = backend.load(&key("n1")).await.expect("reads go through").expect("the row is there");
    assert_eq!((stored.head.head, stored.tail.len()), (third, 3), "the document is whole at once");
    assert_eq!(backend.last_seq().await.expect("reads go through"), third);

    // Columns of an earlier moment are better than what stands there, and the line is still behind.
    backend.reproject(entity, vec![(key("n1"), second, again("second"))]).await.expect("it goes through");
    assert_eq!(line(&*backend, &manifest, "n1").await, (again("second"), true));
    assert_eq!(late_rows(&*backend).await, [key("n1")]);

    backend.reproject(entity, vec![(key("n1"), third, again("third"))]).await.expect("it goes through");
    assert_eq!(line(&*backend, &manifest, "n1").await, (again("third"), false));
    assert!(late_rows(&*backend).await.is_empty());
    backend.reproject(entity, vec![(key("n1"), second, again("second"))]).await.expect("it goes through");
    assert_eq!(line(&*backend, &manifest, "n1").await, (again("third"), false), "a line never goes back");
    assert_eq!(line(&*backend, &manifest, "neighbour").await, (again("neighbour"), false));
}

pub(super) async fn a_late_line_is_done_with_a_full_write(Subject { backend, keep: _keep, .. }: Subject) {
    if backend.is_shared() {
        return;
    }
    let manifest = notes();
    shape(&*backend, &manifest).await;
    let entity = manifest.entity("Note").expect("it is declared");
    let first = put(&*backend, write("n1", Seq::ZERO, "first")).await;
    let second = put(&*backend, late("n1", first, "second")).await;
    let third = put(&*backend, write("n1", second, "third")).await;
    assert_eq!(line(&*backend, &manifest, "n1").await, (again("third"), false));
    assert!(late_rows(&*backend).await.is_empty());

    let fourth = put(&*backend, late("n1", third, "fourth")).await;
    let gone = Projection { deleted: true, values: vec![text("fourth")] };
    put(&*backend, RowWrite { projection: gone.into(), ..write("n1", fourth, "gone") }).await;
    assert!(late_rows(&*backend).await.is_empty(), "a row out of its table has no line to write");
    backend.reproject(entity, vec![(key("n1"), fourth, again("fourth"))]).await.expect("it goes through");
    let found = select(&*backend, &manifest, "Note", "", QueryTexts::default()).await;
    assert!(found.rows.is_empty(), "a deleted row came back");
}
