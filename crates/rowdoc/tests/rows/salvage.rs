//! Pieces of other documents, and what is sound of damaged ones.

use corella_rowdoc::{PeerId, Refusal, RowDoc, Salvage, salvage};
use serde_json::json;

use crate::support::{new_note, note, object, replica};

/// A row as it is stored: a snapshot and two deltas, with the document that they make.
fn stored() -> (Vec<Vec<u8>>, RowDoc) {
    let mut row = new_note();
    row.patch(&object(json!({ "body": "sound text" }))).unwrap();
    let mut pieces = vec![row.snapshot().unwrap()];
    for stars in [1, 2] {
        let before = row.version();
        row.patch(&object(json!({ "count": stars, "summary": format!("summary {stars}") }))).unwrap();
        pieces.push(row.export_since(&before).unwrap());
    }
    (pieces, row)
}

fn loaded(salvage: &Salvage) -> RowDoc {
    RowDoc::load(note(), PeerId(9), Some(&salvage.snapshot), &[] as &[Vec<u8>]).unwrap()
}

fn lost(salvage: &Salvage) -> Vec<usize> {
    salvage.lost.iter().map(|(place, _)| *place).collect()
}

#[test]
fn merging_keeps_both_sides_and_twice_is_once() {
    let (pieces, row) = stored();
    let mut other = replica(&new_note(), 2);
    other.patch(&object(json!({ "color": "red" }))).unwrap();
    let change = other.merge(&pieces).unwrap();
    assert_eq!(change.fields.len(), note().fields().len());
    let merged = other.to_json().unwrap();
    assert_eq!(
        (&merged["color"], &merged["count"], &merged["body"]),
        (&json!("red"), &json!(2), &json!("sound text"))
    );
    let version = other.version();
    assert!(version.includes(&row.version()));
    other.merge(&pieces).unwrap();
    assert_eq!((other.version(), other.to_json().unwrap()), (version, merged));
}

#[test]
fn merging_refuses_what_does_not_load() {
    let (pieces, _) = stored();
    let empty = || RowDoc::new(note(), PeerId(3));
    assert_eq!(empty().merge(&pieces[1..]).unwrap_err(), Refusal::MissingDependencies);
    assert!(matches!(empty().merge(&["no piece"]).unwrap_err(), Refusal::InvalidUpdate { .. }));
}

#[test]
fn what_is_sound_is_saved() {
    let (pieces, row) = stored();
    let whole = salvage(&note(), &pieces).unwrap();
    assert_eq!((lost(&whole), whole.version.clone()), (vec![], row.version()));
    assert_eq!(loaded(&whole).to_json().unwrap(), row.to_json().unwrap());

    let mut hurt = pieces.clone();
    hurt[2].truncate(40);
    let most = salvage(&note(), &hurt).unwrap();
    assert_eq!(lost(&most), [2]);
    let json = loaded(&most).to_json().unwrap();
    assert_eq!((&json["count"], &json["body"]), (&json!(1), &json!("sound text")));

    // What follows a lost piece is lost with it.
    hurt = pieces.clone();
    hurt[1].clear();
    assert_eq!(lost(&salvage(&note(), &hurt).unwrap()), [1, 2]);

    // Nothing of the row is left but an empty document.
    hurt = pieces.clone();
    hurt[0][30] ^= 1;
    let nothing = salvage(&note(), &hurt).unwrap();
    assert_eq!(lost(&nothing), [0, 1, 2]);
    assert!(nothing.version.is_empty());
}

#[test]
fn a_row_without_a_snapshot_is_saved_up_to_the_damage() {
    let row = new_note();
    let first = row.export_since(&corella_rowdoc::Version::empty()).unwrap();
    let mut other = replica(&row, 5);
    let before = other.version();
    other.patch(&object(json!({ "title": "Second" }))).unwrap();
    let mut second = other.export_since(&before).unwrap();
    let last = second.len() - 1;
    second[last] ^= 0x80;
    let saved = salvage(&note(), &[first, second]).unwrap();
    assert_eq!((lost(&saved), saved.version.clone()), (vec![1], row.version()));
    assert_eq!(loaded(&saved).to_json().unwrap()["title"], "New");
}

#[test]
fn no_flipped_bit_makes_wrong_data() {
    let (pieces, row) = stored();
    let (version, json) = (row.version(), row.to_json().unwrap());
    for place in 0..pieces.len() {
        for offset in 0..pieces[place].len() {
            let mut hurt = pieces.clone();
            hurt[place][offset] ^= 1 << (offset % 8);
            let saved = salvage(&note(), &hurt).unwrap();
            if saved.lost.is_empty() {
                assert_eq!((&saved.version, &loaded(&saved).to_json().unwrap()), (&version, &json));
            } else {
                // All before the damage is there, and nothing from it on.
                let sound = salvage(&note(), &pieces[..place]).unwrap();
                assert_eq!(lost(&saved), (place..pieces.len()).collect::<Vec<_>>(), "{place} {offset}");
                assert_eq!(saved.version, sound.version, "{place} {offset}");
                assert_eq!(loaded(&saved).to_json().ok(), loaded(&sound).to_json().ok(), "{place} {offset}");
            }
        }
    }
}
