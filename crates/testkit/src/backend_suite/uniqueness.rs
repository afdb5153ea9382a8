//! Values that two rows may not share.

use std::sync::Arc;

use corella_query::QueryTexts;
use corella_rowdoc::{Projection, RowId};
use corella_store::port::{ChangeKind, RowWrite, Seq, UnitOutcome};

use super::{
    Subject,
    rows::{
        commit, ids, key, key_of, manifest, notes, put, shape, text, unit, values, write, write_of,
        write_slug,
    },
};

pub(super) async fn a_clash_names_the_holder_and_harms_no_neighbour(
    Subject { backend, keep: _keep, .. }: Subject,
) {
    shape(&*backend, &notes()).await;
    put(&*backend, write_slug("holder", Seq::ZERO, "taken")).await;
    let units = [
        unit(vec![write("before", Seq::ZERO, "before")]),
        unit(vec![write("beside", Seq::ZERO, "beside"), write_slug("late", Seq::ZERO, "taken")]),
        unit(vec![write_slug("first", Seq::ZERO, "wanted")]),
        unit(vec![write_slug("second", Seq::ZERO, "wanted")]),
        unit(vec![write("after", Seq::ZERO, "after")]),
    ];
    let outcomes = commit(&*backend, &units).await;
    for (place, expected) in [(1, "holder"), (3, "first")] {
        let UnitOutcome::NotUnique { fields, holder } = &outcomes[place] else {
            unreachable!("unit {place} was not refused: {outcomes:?}")
        };
        assert_eq!(fields, &["slug"]);
        assert_eq!(holder.as_ref().map(RowId::as_str), Some(expected));
    }
    assert_eq!(ids(&*backend, QueryTexts::default()).await, ["after", "before", "first", "holder"]);
    for id in ["beside", "late", "second"] {
        assert!(backend.load(&key(id)).await.expect("reads go through").is_none(), "{id} was written");
    }
    assert_eq!(backend.changes(Seq::ZERO, 10).await.expect("reads go through").len(), 4);
}

pub(super) async fn what_does_not_clash(Subject { backend, keep: _keep, .. }: Subject) {
    shape(&*backend, &notes()).await;
    let head = put(&*backend, write_slug("n1", Seq::ZERO, "s")).await;
    // The row itself, rows without a value, another case, another tenant.
    let head = put(&*backend, write_slug("n1", head, "s")).await;
    put(&*backend, write("n2", Seq::ZERO, "no slug")).await;
    put(&*backend, write("n3", Seq::ZERO, "no slug")).await;
    put(&*backend, write_slug("n4", Seq::ZERO, "S")).await;
    put(&*backend, write_of(key_of("acme", "Note", "n5"), Seq::ZERO, "d", values("t", Some("s"), 0))).await;
    // A row that is deleted holds nothing, and may find its value taken when it comes back.
    let gone = RowWrite {
        projection: Arc::new(Projection { deleted: true, values: values("t", Some("s"), 0) }),
        kind: ChangeKind::Delete,
        ..write_slug("n1", head, "s")
    };
    let head = put(&*backend, gone).await;
    put(&*backend, write_slug("n6", Seq::ZERO, "s")).await;
    let back = RowWrite { kind: ChangeKind::Restore, ..write_slug("n1", head, "s") };
    let outcomes = commit(&*backend, &[unit(vec![back])]).await;
    let UnitOutcome::NotUnique { holder, .. } = &outcomes[0] else {
        unreachable!("not refused: {outcomes:?}")
    };
    assert_eq!(holder.as_ref().map(RowId::as_str), Some("n6"));
    let stored = backend.head(&key("n1")).await.expect("reads go through").expect("the row is there");
    assert_eq!((stored.head, stored.deleted), (head, true));
}

pub(super) async fn a_clash_of_several_fields_names_them_all(Subject { backend, keep: _keep, .. }: Subject) {
    let fields = r#"[{ "name": "street", "type": "string" }, { "name": "number", "type": "string" }]"#;
    let index = r#","indexes":[{"name":"address","fields":["street","number"],"unique":true}]"#;
    shape(&*backend, &manifest(&[("House", fields, index)])).await;
    let house = |id: &str, street: &str, number: &str| {
        write_of(key_of("", "House", id), Seq::ZERO, id, vec![text(street), text(number)])
    };
    put(&*backend, house("h1", "Main", "1")).await;
    put(&*backend, house("h2", "Main", "2")).await;
    put(&*backend, house("h3", "Side", "1")).await;
    let outcomes = commit(&*backend, &[unit(vec![house("h4", "Main", "2")])]).await;
    let UnitOutcome::NotUnique { fields, holder } = &outcomes[0] else {
        unreachable!("not refused: {outcomes:?}")
    };
    assert_eq!(fields, &["street", "number"]);
    assert_eq!(holder.as_ref().map(RowId::as_str), Some("h2"));
}
