//! Stored bytes that are not what was written.

use corella_store::port::{BackendError, Seq};

use super::{
    Subject,
    rows::{key, notes, put, shape, tail, write},
};

pub(super) async fn harmed_bytes_are_told_and_neighbours_are_fine(
    Subject { backend, damage, keep: _keep }: Subject,
) {
    let manifest = notes();
    shape(&*backend, &manifest).await;
    for id in ["a", "hurt", "z"] {
        put(&*backend, write(id, Seq::ZERO, id)).await;
    }
    damage(key("hurt")).await;
    match backend.load(&key("hurt")).await {
        Err(BackendError::Damaged { key: told, .. }) => assert_eq!(told, key("hurt")),
        other => unreachable!("damage was not told: {other:?}"),
    }
    let entity = manifest.entity("Note").expect("it is declared");
    let scanned = backend.scan(entity, None, 10).await.expect("a scan goes on over a damaged row");
    let sound: Vec<(&str, bool)> =
        scanned.iter().map(|row| (row.key.id.as_str(), row.stored.is_ok())).collect();
    assert_eq!(sound, [("a", true), ("hurt", false), ("z", true)]);
    let head = backend.head(&key("z")).await.expect("reads go through").expect("the row is there").head;
    put(&*backend, write("z", head, "served on")).await;
    assert_eq!(tail(&*backend, &key("z")).await.len(), 2);
}
