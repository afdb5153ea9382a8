//! Dumps, restores and mends.

use bytes::Bytes;
use corella_rowdoc::Projection;
use corella_store::port::{
    Backend, DumpScope, Kept, KeptRow, Mend, MendOutcome, RestoreOnto, RestoreOutcome, Seq, Unit,
};
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::{
    Subject,
    rows::{
        NOTES, commit, ids, key, key_of, manifest, notes, outcome, outcome_key, put, shape, tail, values,
        write, write_of, write_slug,
    },
};

/// All pieces of a dump.
pub(super) async fn dumped(backend: &dyn Backend, scope: DumpScope) -> Vec<Kept> {
    // Fewer places than pieces: a dump waits for whoever takes them.
    let (send, mut receive) = mpsc::channel(1);
    let take = async {
        let mut pieces = Vec::new();
        while let Some(piece) = receive.recv().await {
            pieces.push(piece);
        }
        pieces
    };
    let (pieces, done) = tokio::join!(take, backend.dump(scope, send));
    done.expect("a dump goes through");
    pieces
}

fn rows(pieces: &[Kept]) -> Vec<&KeptRow> {
    let rows = pieces.iter().filter_map(|piece| match piece {
        Kept::Row(row) => Some(row),
        Kept::Start(_) | Kept::Outcome(_) | Kept::Account(_) | Kept::End => None,
    });
    rows.collect()
}

pub(super) async fn restored(backend: &dyn Backend, pieces: &[Kept], onto: RestoreOnto) -> RestoreOutcome {
    let (send, receive) = mpsc::channel(1);
    let feed = async move {
        for piece in pieces {
            if send.send(piece.clone()).await.is_err() {
                break;
            }
        }
    };
    let ((), outcome) = tokio::join!(feed, backend.restore(receive, onto));
    outcome.expect("a restore goes through")
}

/// Two tenants, two entities, a fold, a tail, a deleted row, an answer.
async fn furnish(backend: &dyn Backend) {
    shape(backend, &manifest(&[("Note", NOTES, ""), ("Tag", NOTES, "")])).await;
    let first = put(backend, write_slug("n1", Seq::ZERO, "first")).await;
    let second = put(backend, write_slug("n1", first, "second")).await;
    let fold = corella_store::port::Fold {
        key: key("n1"),
        upto: second,
        snapshot: Bytes::from_static(b"snapshot"),
        version: Bytes::from_static(b"version of snapshot"),
        mark: None,
        cut: None,
    };
    backend.fold(fold).await.expect("the fold goes through");
    put(backend, write_slug("n1", second, "third")).await;
    let mut gone = write("gone", Seq::ZERO, "gone");
    gone.projection = Projection { deleted: true, values: values("gone", None, 0) }.into();
    put(backend, gone).await;
    put(backend, write_of(key_of("acme", "Note", "n1"), Seq::ZERO, "of acme", values("acme", None, 0))).await;
    let tag = write_of(key_of("", "Tag", "t1"), Seq::ZERO, "tag", values("tag", None, 0));
    let outcomes = vec![outcome(outcome_key("ada", "k"), "{}")];
    let unit = Unit { writes: vec![tag], references: Vec::new(), outcomes, at: Timestamp::UNIX_EPOCH };
    commit(backend, &[unit]).await;
}

pub(super) async fn a_dump_has_everything_of_one_moment(Subject { backend, keep: _keep, .. }: Subject) {
    furnish(&*backend).await;
    let pieces = dumped(&*backend, DumpScope::everything()).await;
    let Some(Kept::Start(moment)) = pieces.first() else { unreachable!("no start: {pieces:?}") };
    let last = backend.last_seq().await.expect("reads go through");
    assert_eq!((moment.epoch.as_str(), moment.seq, moment.rows), (backend.epoch(), last, 4));
    assert_eq!(pieces.last(), Some(&Kept::End));
    let found: Vec<(&str, String)> =
        rows(&pieces).iter().map(|row| (row.key.tenant.as_str(), row.key.to_string())).collect();
    let expected = [("", "Note/gone"), ("", "Note/n1"), ("", "Tag/t1"), ("acme", "Note/n1")];
    assert_eq!(found, expected.map(|(tenant, name)| (tenant, name.to_owned())));
    let row = rows(&pieces)[1];
    assert_eq!(row.snapshot.as_ref().map(|snapshot| &snapshot.bytes[..]), Some(&b"snapshot"[..]));
    let deltas: Vec<&[u8]> = row.tail.iter().map(|entry| &entry.delta.bytes[..]).collect();
    assert_eq!((deltas, row.tail[0].author.as_deref()), (vec![&b"third"[..]], Some("ada")));
    assert_eq!((row.fault(), row.head.deleted), (None, false));
    assert!(rows(&pieces)[0].head.deleted);
    assert_eq!(pieces.iter().filter(|piece| matches!(piece, Kept::Outcome(_))).count(), 1);
    assert_eq!(backend.kept(&key("n1")).await.expect("reads go through").as_ref(), Some(row));
    assert_eq!(backend.kept(&key("nobody")).await.expect("reads go through"), None);

    let scope = DumpScope {
        entities: vec![key("n1").entity],
        tenants: vec![key("n1").tenant],
        ..DumpScope::default()
    };
    let pieces = dumped(&*backend, scope).await;
    let found: Vec<String> = rows(&pieces).iter().map(|row| row.key.to_string()).collect();
    assert_eq!((found, pieces.len()), (vec!["Note/gone".into(), "Note/n1".into()], 4));
}

pub(super) async fn a_dump_is_not_moved_by_later_writes(Subject { backend, keep: _keep, .. }: Subject) {
    furnish(&*backend).await;
    let before = dumped(&*backend, DumpScope::everything()).await;
    let (send, mut receive) = mpsc::channel(1);
    let dumping = std::sync::Arc::clone(&backend);
    let task = tokio::spawn(async move { dumping.dump(DumpScope::everything(), send).await });
    let mut pieces = vec![receive.recv().await.expect("a dump starts")];
    // The moment is told; what is written from here on belongs to later ones.
    let head = backend.head(&key("n1")).await.expect("reads go through").expect("the row is there").head;
    put(&*backend, write("n1", head, "later")).await;
    put(&*backend, write("zz", Seq::ZERO, "later")).await;
    while let Some(piece) = receive.recv().await {
        pieces.push(piece);
    }
    task.await.expect("it does not panic").expect("a dump goes through");
    assert_eq!(pieces, before);
}

pub(super) async fn a_restore_is_what_was_dumped(
    from: Subject,
    Subject { backend, keep: _keep, .. }: Subject,
) {
    furnish(&*from.backend).await;
    let pieces = dumped(&*from.backend, DumpScope::everything()).await;
    let (epoch, peer) = (backend.epoch().to_owned(), backend.server_peer());
    assert_eq!(restored(&*backend, &pieces, RestoreOnto::Empty).await, RestoreOutcome::Restored);
    let again = dumped(&*backend, DumpScope::everything()).await;
    assert_eq!(again[1..], pieces[1..]);
    let Some(Kept::Start(moment)) = again.first() else { unreachable!("no start: {again:?}") };
    assert!(moment.epoch != epoch && moment.epoch != from.backend.epoch(), "the epoch is new");
    assert_eq!(backend.last_seq().await.expect("reads go through"), moment.seq);
    assert_eq!(backend.server_peer(), peer, "it is told at the next opening");
    let log = backend.changes(Seq::ZERO, 100).await.expect("reads go through");
    assert_eq!(log.len(), 4, "each row's last change is in the log: {log:?}");
    let answer = backend.outcome(&outcome_key("ada", "k")).await.expect("reads go through");
    assert_eq!(answer.map(|outcome| outcome.answer), Some("{}".into()));
    // The tables are not filled yet, and ask for it.
    let rebuild = shape(&*backend, &manifest(&[("Note", NOTES, ""), ("Tag", NOTES, "")])).await;
    assert_eq!(rebuild, ["Note", "Tag"]);
    // The next write goes on where the dump ended.
    let head = backend.head(&key("n1")).await.expect("reads go through").expect("the row is there").head;
    assert!(put(&*backend, write("n1", head, "fourth")).await > moment.seq);
}

pub(super) async fn a_restore_spares_what_is_there(
    from: Subject,
    Subject { backend, keep: _keep, .. }: Subject,
) {
    furnish(&*from.backend).await;
    let pieces = dumped(&*from.backend, DumpScope::everything()).await;
    shape(&*backend, &notes()).await;
    put(&*backend, write_slug("own", Seq::ZERO, "own")).await;
    let before = dumped(&*backend, DumpScope::everything()).await;
    assert_eq!(restored(&*backend, &pieces, RestoreOnto::Empty).await, RestoreOutcome::NotEmpty);
    let cut = &pieces[..pieces.len() - 1];
    assert_eq!(restored(&*backend, cut, RestoreOnto::Anything).await, RestoreOutcome::CutOff);
    assert_eq!(dumped(&*backend, DumpScope::everything()).await, before);
    assert_eq!(ids(&*backend, corella_query::QueryTexts::default()).await, ["own"]);

    assert_eq!(restored(&*backend, &pieces, RestoreOnto::Anything).await, RestoreOutcome::Restored);
    let again = dumped(&*backend, DumpScope::everything()).await;
    assert_eq!(again[1..], pieces[1..]);
    assert!(ids(&*backend, corella_query::QueryTexts::default()).await.is_empty(), "old lines are gone");
}

fn mend(id: &str, known_head: Seq, slug: Option<&str>) -> Mend {
    Mend {
        key: key(id),
        known_head,
        fault: "it was hurt".into(),
        snapshot: Bytes::from_static(b"mended"),
        version: Bytes::from_static(b"version of mended"),
        projection: Projection { deleted: false, values: values("mended", slug, 0) },
        at: Timestamp::UNIX_EPOCH,
    }
}

pub(super) async fn a_mend_replaces_a_damaged_row(Subject { backend, damage, keep: _keep }: Subject) {
    shape(&*backend, &notes()).await;
    let first = put(&*backend, write("hurt", Seq::ZERO, "one")).await;
    let head = put(&*backend, write("hurt", first, "two")).await;
    put(&*backend, write_slug("other", Seq::ZERO, "taken")).await;
    damage(key("hurt")).await;
    assert!(
        backend
            .kept(&key("hurt"))
            .await
            .expect("it is read as it lies")
            .is_some_and(|row| row.fault().is_some())
    );

    let stale = backend.mend(mend("hurt", first, None)).await.expect("the database is fine");
    assert_eq!(stale, MendOutcome::Stale);
    let clash = backend.mend(mend("hurt", head, Some("taken"))).await.expect("the database is fine");
    assert_eq!(clash, MendOutcome::NotUnique { fields: vec!["slug".into()], holder: Some(key("other").id) });
    assert!(backend.load(&key("hurt")).await.is_err(), "nothing was done yet");

    let outcome = backend.mend(mend("hurt", head, None)).await.expect("the database is fine");
    let last = backend.last_seq().await.expect("reads go through");
    assert_eq!(outcome, MendOutcome::Mended(last));
    let row = backend.load(&key("hurt")).await.expect("it is whole again").expect("the row is there");
    assert_eq!((row.head.head, row.head.snapshot, row.tail.len()), (last, last, 0));
    assert_eq!(row.snapshot.as_deref(), Some(&b"mended"[..]));
    assert_eq!(&row.head.head_version[..], b"version of mended");
    let log = backend.changes(Seq(last.0 - 1), 10).await.expect("reads go through");
    assert_eq!((log[0].key.clone(), log[0].kind.as_str()), (key("hurt"), "repair"));
    let title =
        super::rows::select(&*backend, &notes(), "Note", "", corella_query::QueryTexts::default()).await;
    assert_eq!(title.rows[0].values()[0], super::rows::text("mended"));
    put(&*backend, write("hurt", last, "written again")).await;
    assert_eq!(tail(&*backend, &key("hurt")).await.len(), 1);
}

pub(super) async fn lines_without_a_document_are_taken_out(Subject { backend, keep: _keep, .. }: Subject) {
    shape(&*backend, &notes()).await;
    for id in ["n1", "n2"] {
        put(&*backend, write(id, Seq::ZERO, id)).await;
    }
    let manifest = notes();
    let entity = manifest.entity("Note").expect("it is declared");
    backend
        .take_out(entity, vec![key("n1"), key("nobody")], "a test".into())
        .await
        .expect("the database is fine");
    assert_eq!(ids(&*backend, corella_query::QueryTexts::default()).await, ["n2"]);
}
