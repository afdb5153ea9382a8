//! Rows that keep only a part of their history.

use std::sync::Arc;

use corella_rowdoc::{DocFault, Folded, PeerId, Refusal, RowDoc, Version, merge_stored};
use loro::{ExportMode, LoroDoc, LoroError};

use crate::support::{Client, json, new_note, object};

/// A row whose text was typed in `edits` steps, as it is stored, and its version after each.
struct Typed {
    start: Vec<u8>,
    deltas: Vec<Vec<u8>>,
    versions: Vec<Version>,
    row: RowDoc,
}

fn typed(edits: usize) -> Typed {
    let mut row = new_note();
    let start = row.snapshot().unwrap();
    let mut text = String::new();
    let (mut deltas, mut versions) = (Vec::new(), Vec::new());
    for edit in 0..edits {
        // Half of what is typed is gone again a little later: history is longer than the text.
        text = format!("{}{edit};", if edit % 2 == 0 { &text } else { "" });
        let before = row.version();
        row.patch(&object(serde_json::json!({ "body": text, "count": edit }))).unwrap();
        deltas.push(row.export_since(&before).unwrap());
        versions.push(row.version());
    }
    Typed { start, deltas, versions, row }
}

impl Typed {
    fn fold(&self, keep_from: Option<usize>) -> Folded {
        let keep_from = keep_from.map(|edit| &self.versions[edit]);
        merge_stored(self.row.shape(), Some(&self.start), &self.deltas, keep_from).unwrap()
    }

    /// The row as it is loaded from a fold that keeps history from that edit on.
    fn cut(&self, keep_from: usize) -> RowDoc {
        load(&self.row, &self.fold(Some(keep_from)).snapshot, &[])
    }
}

fn load(row: &RowDoc, snapshot: &[u8], deltas: &[Vec<u8>]) -> RowDoc {
    RowDoc::load(Arc::clone(row.shape()), PeerId(2), Some(snapshot), deltas).unwrap()
}

fn client_at(typed: &Typed, edit: usize) -> Client {
    let mut client = Client::new(7);
    client.doc.import(&typed.start).unwrap();
    for delta in &typed.deltas[..=edit] {
        client.doc.import(delta).unwrap();
    }
    client.update();
    client
}

fn version_of(doc: &LoroDoc) -> Version {
    Version::decode(&doc.oplog_vv().encode()).unwrap()
}

#[test]
fn a_cut_row_reads_as_the_whole_one_and_is_smaller() {
    let typed = typed(400);
    let whole = typed.fold(None);
    let cut = typed.fold(Some(390));
    assert_eq!(cut.version, whole.version);
    assert!(whole.history_start.is_empty());
    assert!(!cut.history_start.is_empty() && typed.versions[390].includes(&cut.history_start));
    assert!(
        cut.snapshot.len() * 3 < whole.snapshot.len(),
        "{} and {}",
        cut.snapshot.len(),
        whole.snapshot.len()
    );
    let row = load(&typed.row, &cut.snapshot, &[]);
    assert_eq!(row.project().unwrap(), typed.row.project().unwrap());
    assert_eq!(row.history_start(), cut.history_start);
    // A start that the document does not have, since a repair has lost it, cuts nothing.
    let beyond = typed.versions[399].clone();
    let part =
        merge_stored(typed.row.shape(), Some(&typed.start), &typed.deltas[..200], Some(&beyond)).unwrap();
    assert!(part.history_start.is_empty());
    // Folding it again leaves the start where it is, whatever earlier version is asked for.
    for keep_from in [None, Some(&typed.versions[5])] {
        let again = merge_stored(row.shape(), Some(&cut.snapshot), &[] as &[Vec<u8>], keep_from).unwrap();
        assert_eq!(again.history_start, cut.history_start);
    }
}

#[test]
fn who_has_nothing_gets_everything_and_who_has_enough_gets_the_rest() {
    let typed = typed(100);
    let row = typed.cut(50);
    for known in [None, Some(50), Some(70), Some(99)] {
        let client = known.map_or_else(|| Client::new(7), |edit| client_at(&typed, edit));
        let update = row.export_since(&version_of(&client.doc)).unwrap();
        let status = client.doc.import(&update).unwrap();
        assert_eq!(status.pending, None, "from {known:?}");
        assert_eq!(version_of(&client.doc), row.version());
        assert_eq!(client.doc.get_deep_value(), client_at(&typed, 99).doc.get_deep_value());
    }
}

#[test]
fn who_has_too_little_is_told() {
    let typed = typed(100);
    let row = typed.cut(50);
    for edit in [0, 10, 48] {
        let client = client_at(&typed, edit);
        assert_eq!(row.export_since(&version_of(&client.doc)), Err(DocFault::HistoryTrimmed));
    }
    // What Loro itself would do: export without a complaint what the other side can never apply.
    let server = LoroDoc::new();
    server.import(&typed.fold(Some(50)).snapshot).unwrap();
    let behind = client_at(&typed, 10);
    let update = server.export(ExportMode::updates(&behind.doc.oplog_vv())).unwrap();
    let before = behind.doc.oplog_vv();
    let status = behind.doc.import(&update).unwrap();
    assert!(status.pending.is_some_and(|pending| !pending.is_empty()));
    assert_eq!(behind.doc.oplog_vv(), before);
}

#[test]
fn an_edit_on_top_of_what_was_cut_is_refused_and_never_pending() {
    let typed = typed(100);
    let mut behind = client_at(&typed, 10);
    behind.row().insert("title", "written long ago").unwrap();
    let update = behind.update();
    assert_eq!(typed.cut(50).import(&update), Err(Refusal::HistoryTrimmed));
    // What came later on top of it is refused for the same reason, alone and together with it.
    behind.row().insert("count", 7).unwrap();
    let later = behind.update();
    assert_eq!(
        typed.cut(50).import(&later),
        Err(Refusal::MissingDependencies),
        "its own past is unknown here"
    );
    let from = client_at(&typed, 10).doc.oplog_vv();
    let both = behind.doc.export(ExportMode::updates(&from)).unwrap();
    assert_eq!(typed.cut(50).import(&both), Err(Refusal::HistoryTrimmed));
    // Somebody who never had the row, and wrote all the same.
    let mut stranger = Client::new(8);
    stranger.row().insert("title", "from nowhere").unwrap();
    assert_eq!(typed.cut(50).import(&stranger.update()), Err(Refusal::HistoryTrimmed));
    // Loro's own word for it.
    let server = LoroDoc::new();
    server.import(&typed.fold(Some(50)).snapshot).unwrap();
    assert_eq!(server.import(&update), Err(LoroError::ImportUpdatesThatDependsOnOutdatedVersion));
}

#[test]
fn an_edit_on_top_of_what_is_kept_is_merged() {
    let typed = typed(100);
    for edit in [50, 60, 99] {
        let mut row = typed.cut(50);
        let mut client = client_at(&typed, edit);
        client.row().insert("title", "written lately").unwrap();
        client.row().ensure_mergeable_text("body").unwrap().insert(0, "> ").unwrap();
        row.import(&client.update()).unwrap();
        let mut whole = load(&typed.row, &typed.fold(None).snapshot, &[]);
        let mut client = client_at(&typed, edit);
        client.row().insert("title", "written lately").unwrap();
        client.row().ensure_mergeable_text("body").unwrap().insert(0, "> ").unwrap();
        whole.import(&client.update()).unwrap();
        assert_eq!(row.project().unwrap(), whole.project().unwrap(), "at {edit}");
        client.pull(&row);
        assert_eq!(client.doc.get_map("row").get_deep_value(), client_text(&row));
    }
}

fn client_text(row: &RowDoc) -> loro::LoroValue {
    Client::of(row, 9).doc.get_map("row").get_deep_value()
}

#[test]
fn what_was_written_side_by_side_stays_together() {
    let typed = typed(20);
    let mut row = load(&typed.row, &typed.start, &typed.deltas);
    let (mut one, mut other) = (Client::of(&row, 7), Client::of(&row, 8));
    let mut deltas = typed.deltas.clone();
    let text = |client: &Client| client.row().ensure_mergeable_text("body").unwrap();
    text(&one).insert(0, "one ").unwrap();
    let before = row.version();
    row.import(&one.update()).unwrap();
    deltas.push(row.export_since(&before).unwrap());
    let mark = row.version();
    // The other one has not seen it, and its edit comes after the mark.
    text(&other).insert(0, "other ").unwrap();
    let before = row.version();
    row.import(&other.update()).unwrap();
    deltas.push(row.export_since(&before).unwrap());
    let cut = merge_stored(row.shape(), Some(&typed.start), &deltas, Some(&mark)).unwrap();
    assert!(!cut.history_start.is_empty());
    assert!(typed.versions[19].includes(&cut.history_start), "cut before both, not between them");
    let cut = load(&row, &cut.snapshot, &[]);
    assert_eq!(json(&cut, "body"), json(&row, "body"));
    assert_eq!(cut.version(), row.version());
}
