//! Snapshots that take the place of a part of the tail.

use bytes::Bytes;
use corella_store::port::{Backend, Fold, HistoryCut, HistoryMark, HistoryOrder, HistoryScope, Reach, Seq};
use jiff::Timestamp;

use super::{
    Subject,
    rows::{key, notes, put, shape, tail, write},
};

async fn fold(backend: &dyn Backend, id: &str, upto: Seq, snapshot: &'static str) {
    let fold = Fold {
        key: key(id),
        upto,
        snapshot: Bytes::from_static(snapshot.as_bytes()),
        version: Bytes::from(format!("version of {snapshot}")),
        mark: None,
        cut: None,
    };
    backend.fold(fold).await.expect("the fold goes through");
}

/// Three writes of a note, and one of its neighbour.
async fn three(backend: &dyn Backend) -> [Seq; 3] {
    shape(backend, &notes()).await;
    let first = put(backend, write("n1", Seq::ZERO, "first")).await;
    put(backend, write("neighbour", Seq::ZERO, "its own")).await;
    let second = put(backend, write("n1", first, "second")).await;
    let third = put(backend, write("n1", second, "third")).await;
    [first, second, third]
}

pub(super) async fn a_fold_takes_the_place_of_what_it_has(Subject { backend, keep: _keep, .. }: Subject) {
    let [_, second, third] = three(&*backend).await;
    fold(&*backend, "n1", second, "one and two").await;
    let row = backend.load(&key("n1")).await.expect("reads go through").expect("the row is there");
    assert_eq!(row.snapshot.as_deref(), Some(&b"one and two"[..]));
    assert_eq!((row.head.snapshot, &row.head.snapshot_version[..]), (second, &b"version of one and two"[..]));
    assert_eq!((row.head.head, &row.head.head_version[..]), (third, &b"version of third"[..]));
    assert_eq!(tail(&*backend, &key("n1")).await, [(third, "third".to_owned())]);
    assert_eq!(tail(&*backend, &key("neighbour")).await.len(), 1);

    let fourth = put(&*backend, write("n1", third, "fourth")).await;
    fold(&*backend, "n1", fourth, "all").await;
    let row = backend.load(&key("n1")).await.expect("reads go through").expect("the row is there");
    assert_eq!((row.snapshot.as_deref(), row.tail.len()), (Some(&b"all"[..]), 0));
    let fifth = put(&*backend, write("n1", fourth, "fifth")).await;
    assert_eq!(tail(&*backend, &key("n1")).await, [(fifth, "fifth".to_owned())]);
    // Folding is no change.
    assert_eq!(backend.changes(Seq::ZERO, 100).await.expect("reads go through").len(), 6);
}

pub(super) async fn a_mark_is_remembered_until_the_next(Subject { backend, keep: _keep, .. }: Subject) {
    let [first, second, third] = three(&*backend).await;
    let marked = |upto, mark| Fold {
        key: key("n1"),
        upto,
        snapshot: Bytes::from_static(b"snapshot"),
        version: Bytes::from_static(b"version"),
        mark,
        cut: None,
    };
    let mark = |version: &'static str, second| HistoryMark {
        version: Bytes::from_static(version.as_bytes()),
        at: Timestamp::from_second(second).expect("a time"),
    };
    let of = async |id| backend.head(&key(id)).await.expect("reads go through").and_then(|head| head.mark);
    assert_eq!(of("n1").await, None);
    backend.fold(marked(first, Some(mark("one", 1_000)))).await.expect("the fold goes through");
    assert_eq!(of("n1").await, Some(mark("one", 1_000)));
    backend.fold(marked(second, None)).await.expect("the fold goes through");
    let fourth = put(&*backend, write("n1", third, "fourth")).await;
    assert_eq!(of("n1").await, Some(mark("one", 1_000)), "neither another fold nor a write forgets it");
    let row = backend.load(&key("n1")).await.expect("reads go through").expect("the row is there");
    assert_eq!((row.head.mark, row.tail.len()), (Some(mark("one", 1_000)), 2));
    backend.fold(marked(fourth, Some(mark("two", 2_000)))).await.expect("the fold goes through");
    assert_eq!(of("n1").await, Some(mark("two", 2_000)));
    backend.fold(marked(third, Some(mark("late", 3_000)))).await.expect("the fold goes through");
    assert_eq!(of("n1").await, Some(mark("two", 2_000)), "a fold that is passed over marks nothing");
    assert_eq!(of("neighbour").await, None);
}

pub(super) async fn an_older_fold_is_passed_over(Subject { backend, keep: _keep, .. }: Subject) {
    let [first, second, third] = three(&*backend).await;
    fold(&*backend, "n1", second, "later").await;
    fold(&*backend, "n1", first, "earlier").await;
    let row = backend.load(&key("n1")).await.expect("reads go through").expect("the row is there");
    assert_eq!((row.snapshot.as_deref(), row.head.snapshot), (Some(&b"later"[..]), second));
    assert_eq!(tail(&*backend, &key("n1")).await, [(third, "third".to_owned())]);
    // A row that was never written is not made by a fold.
    fold(&*backend, "nobody", Seq(1), "nothing").await;
    assert!(backend.load(&key("nobody")).await.expect("reads go through").is_none());
}

/// Each change of a note: its place, its message, how far it led.
async fn told(backend: &dyn Backend, scope: HistoryScope) -> Vec<(Seq, String, Reach)> {
    let lines = backend.history(&key("n1"), scope).await.expect("reads go through");
    let told = lines.into_iter().map(|line| {
        assert_eq!(line.author.as_deref(), Some("ada"));
        assert_eq!((line.at, line.about.kind.as_str()), (Timestamp::UNIX_EPOCH, "update"));
        (line.seq, line.about.message.as_deref().unwrap_or_default().to_owned(), line.reach)
    });
    told.collect()
}

pub(super) async fn what_is_told_of_changes_outlives_their_bytes(
    Subject { backend, keep: _keep, .. }: Subject,
) {
    let all =
        HistoryScope { after: Seq::ZERO, before: None, until: None, order: HistoryOrder::Newest, limit: 100 };
    let ends = |what: &str| Reach::Ends(Bytes::from(format!("ends of {what}")));
    let whole = |what: &'static str| Reach::Whole(Bytes::from_static(what.as_bytes()));
    let [first, second, third] = three(&*backend).await;
    let mut expected = vec![
        (third, "third".to_owned(), ends("third")),
        (second, "second".to_owned(), ends("second")),
        (first, "first".to_owned(), ends("first")),
    ];
    assert_eq!(told(&*backend, all).await, expected);
    fold(&*backend, "n1", second, "one and two").await;
    expected[1].2 = whole("version of one and two");
    assert_eq!(told(&*backend, all).await, expected);

    let some = HistoryScope { before: Some(third), limit: 1, ..all };
    assert_eq!(told(&*backend, some).await, expected[1..2]);
    let oldest = HistoryScope { after: first, order: HistoryOrder::Oldest, ..all };
    assert_eq!(told(&*backend, oldest).await, [expected[1].clone(), expected[0].clone()]);
    let early = HistoryScope { until: Some(Timestamp::from_second(-1).expect("a time")), ..all };
    assert_eq!(told(&*backend, early).await, []);
    let then = HistoryScope { until: Some(Timestamp::UNIX_EPOCH), ..all };
    assert_eq!(told(&*backend, then).await, expected);
    assert_eq!(backend.history(&key("nobody"), all).await.expect("reads go through"), []);

    // A fold that leaves history out forgets what is told of it.
    let cut = HistoryCut { from: second, version: Bytes::from_static(b"cut here") };
    let last = Fold {
        key: key("n1"),
        upto: third,
        snapshot: Bytes::from_static(b"the rest"),
        version: Bytes::from_static(b"all"),
        mark: None,
        cut: Some(cut),
    };
    backend.fold(last).await.expect("the fold goes through");
    let kept = [(third, "third".to_owned(), whole("all")), (second, "second".to_owned(), whole("cut here"))];
    assert_eq!(told(&*backend, all).await, kept);
}
