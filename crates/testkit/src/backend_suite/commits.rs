//! What is committed, and in which order.

use corella_query::QueryTexts;
use corella_store::port::{Seq, UnitOutcome};

use super::{
    Subject,
    rows::{commit, ids, key, key_of, notes, put, select, seqs, shape, tail, unit, values, write, write_of},
};

pub(super) async fn an_empty_database_has_nothing(Subject { backend, keep: _keep, .. }: Subject) {
    assert!(shape(&*backend, &notes()).await.is_empty(), "there is nothing to fill a table with");
    assert!(backend.head(&key("n1")).await.expect("reads go through").is_none());
    assert!(backend.load(&key("n1")).await.expect("reads go through").is_none());
    assert_eq!(backend.last_seq().await.expect("reads go through"), Seq::ZERO);
    assert!(backend.changes(Seq::ZERO, 10).await.expect("reads go through").is_empty());
    assert!(ids(&*backend, QueryTexts::default()).await.is_empty());
    assert!(!backend.epoch().is_empty(), "a database has an epoch");
    assert!(commit(&*backend, &[]).await.is_empty());
}

pub(super) async fn a_write_is_loaded_as_it_was_committed(Subject { backend, keep: _keep, .. }: Subject) {
    shape(&*backend, &notes()).await;
    let first = put(&*backend, write("n1", Seq::ZERO, "first")).await;
    assert_eq!(first, Seq(1), "the first change of all is 1");
    let second = put(&*backend, write("n1", first, "second")).await;
    assert!(second > first);

    let row = backend.load(&key("n1")).await.expect("reads go through").expect("the row is there");
    assert_eq!(row.head.head, second);
    assert_eq!(row.head.head_version, "version of second");
    assert_eq!(
        (row.head.snapshot, row.head.snapshot_version.is_empty(), row.head.deleted),
        (Seq::ZERO, true, false)
    );
    assert_eq!(row.snapshot, None);
    assert_eq!(
        tail(&*backend, &key("n1")).await,
        [(first, "first".to_owned()), (second, "second".to_owned())]
    );
    assert_eq!(backend.head(&key("n1")).await.expect("reads go through"), Some(row.head));
    assert_eq!(backend.last_seq().await.expect("reads go through"), second);

    let found = select(&*backend, &notes(), "Note", "", QueryTexts::default()).await;
    assert_eq!((found.rows.len(), found.seq), (1, second));
    assert_eq!((found.rows[0].id(), found.rows[0].values()), ("n1", &values("second", None, 0)[..]));
}

pub(super) async fn units_of_one_commit_keep_their_order(Subject { backend, keep: _keep, .. }: Subject) {
    shape(&*backend, &notes()).await;
    let units = [
        unit(vec![write("b", Seq::ZERO, "b1"), write("d", Seq::ZERO, "d1")]),
        unit(vec![write("a", Seq::ZERO, "a1")]),
        unit(vec![write("c", Seq::ZERO, "c1")]),
    ];
    let outcomes = commit(&*backend, &units).await;
    let places: Vec<Seq> = outcomes.iter().flat_map(seqs).collect();
    assert_eq!(places.len(), 4);
    assert!(places.is_sorted_by(|one, next| one < next), "{places:?}");
    let log = backend.changes(Seq::ZERO, 10).await.expect("reads go through");
    let log: Vec<(Seq, &str)> = log.iter().map(|entry| (entry.seq, entry.key.id.as_str())).collect();
    let expected: Vec<(Seq, &str)> = places.into_iter().zip(["b", "d", "a", "c"]).collect();
    assert_eq!(log, expected);
    // A later unit sees what an earlier one of the same commit has written.
    let head = backend.head(&key("a")).await.expect("reads go through").expect("the row is there").head;
    let units = [unit(vec![write("a", head, "a2")]), unit(vec![write("a", head, "a2 again")])];
    let outcomes = commit(&*backend, &units).await;
    assert_eq!(seqs(&outcomes[0]).len(), 1);
    assert!(matches!(outcomes[1], UnitOutcome::Stale(_)), "{:?}", outcomes[1]);
}

pub(super) async fn a_unit_is_written_whole_or_not_at_all(Subject { backend, keep: _keep, .. }: Subject) {
    shape(&*backend, &notes()).await;
    let head = put(&*backend, write("b", Seq::ZERO, "b1")).await;
    let units = [
        unit(vec![write("neighbour", Seq::ZERO, "before")]),
        unit(vec![write("a", Seq::ZERO, "a1"), write("b", Seq::ZERO, "b2"), write("c", Seq::ZERO, "c1")]),
        unit(vec![write("other", Seq::ZERO, "after")]),
    ];
    let outcomes = commit(&*backend, &units).await;
    assert!(matches!(outcomes[1], UnitOutcome::Stale(_)), "{:?}", outcomes[1]);
    assert_eq!(ids(&*backend, QueryTexts::default()).await, ["b", "neighbour", "other"]);
    for id in ["a", "c"] {
        assert!(backend.load(&key(id)).await.expect("reads go through").is_none(), "{id} was written");
    }
    assert_eq!(tail(&*backend, &key("b")).await, [(head, "b1".to_owned())]);
    let log = backend.changes(head, 10).await.expect("reads go through");
    let log: Vec<&str> = log.iter().map(|entry| entry.key.id.as_str()).collect();
    assert_eq!(log, ["neighbour", "other"]);
    assert_eq!(backend.last_seq().await.expect("reads go through"), seqs(&outcomes[2])[0]);
}

pub(super) async fn a_stale_writer_is_told_what_it_has_not_seen(
    Subject { backend, keep: _keep, .. }: Subject,
) {
    shape(&*backend, &notes()).await;
    let first = put(&*backend, write("n1", Seq::ZERO, "first")).await;
    let second = put(&*backend, write("n1", first, "second")).await;
    let third = put(&*backend, write("n1", second, "third")).await;
    let all = [(first, "first"), (second, "second"), (third, "third")];
    for (known, unseen) in [(Seq::ZERO, &all[..]), (first, &all[1..]), (second, &all[2..])] {
        let outcomes = commit(&*backend, &[unit(vec![write("n1", known, "late")])]).await;
        let UnitOutcome::Stale(stale) = &outcomes[0] else { unreachable!("not refused: {outcomes:?}") };
        assert_eq!(stale.len(), 1);
        assert_eq!(stale[0].0, key("n1"));
        let told: Vec<(Seq, &[u8])> = stale[0].1.iter().map(|entry| (entry.seq, &entry.delta[..])).collect();
        let expected: Vec<(Seq, &[u8])> =
            unseen.iter().map(|(seq, delta)| (*seq, delta.as_bytes())).collect();
        assert_eq!(told, expected);
    }
    put(&*backend, write("n1", third, "fourth")).await;
}

pub(super) async fn tenants_are_apart(Subject { backend, keep: _keep, .. }: Subject) {
    shape(&*backend, &notes()).await;
    for tenant in ["acme", "", "other"] {
        let title = format!("of {tenant:?}");
        let row = key_of(tenant, "Note", "n1");
        put(&*backend, write_of(row, Seq::ZERO, &title, values(&title, Some("slug"), 1))).await;
    }
    for tenant in ["acme", "", "other"] {
        let found = select(&*backend, &notes(), "Note", tenant, QueryTexts::default()).await;
        let titles: Vec<_> = found.rows.iter().map(|row| row.values()[0].clone()).collect();
        assert_eq!(titles, [super::rows::text(&format!("of {tenant:?}"))]);
        assert_eq!(tail(&*backend, &key_of(tenant, "Note", "n1")).await[0].1, format!("of {tenant:?}"));
    }
}
