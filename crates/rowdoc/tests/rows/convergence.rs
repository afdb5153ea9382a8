//! Equal versions mean equal values, in any order of delivery.

use std::sync::Arc;

use corella_rowdoc::{Folded, PeerId, RowDoc, Version, merge_stored};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::support::{new_note, object, replica};

#[derive(Debug, Clone)]
enum Act {
    Patch(Json),
    Delete(bool),
}

fn act() -> impl Strategy<Value = Act> {
    let text = "[abc\n]{0,8}";
    prop_oneof![
        text.prop_map(|text| Act::Patch(json!({ "title": text }))),
        text.prop_map(|text| Act::Patch(json!({ "summary": text }))),
        text.prop_map(|text| Act::Patch(json!({ "body": text, "pinned": true }))),
        text.prop_map(|text| Act::Patch(json!({ "page": text }))),
        prop::option::of(any::<i64>())
            .prop_map(|count| Act::Patch(json!({ "count": count.map(|c| c.to_string()) }))),
        any::<bool>().prop_map(Act::Delete),
    ]
}

/// Who acts, what they do, and whose updates they take in afterwards.
fn steps() -> impl Strategy<Value = Vec<(usize, Act, Option<usize>)>> {
    prop::collection::vec((0..3_usize, act(), prop::option::of(0..3_usize)), 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn replicas_converge(steps in steps(), order in any::<prop::sample::Index>(), rotate in 0..40_usize) {
        let start = new_note();
        let mut replicas: Vec<RowDoc> = (0..3).map(|i| replica(&start, 10 + i)).collect();
        let mut updates: Vec<Vec<u8>> = Vec::new();
        for (who, act, from) in steps {
            let before = replicas[who].version();
            let known = replicas[who].project().unwrap();
            let change = match act {
                Act::Patch(patch) => replicas[who].patch(&object(patch)).unwrap(),
                Act::Delete(deleted) => replicas[who].set_deleted(deleted).unwrap(),
            };
            let after = replicas[who].project().unwrap();
            prop_assert_eq!(&replicas[who].project_changed(&known, &change).unwrap(), &after);
            prop_assert_eq!(change.is_empty(), replicas[who].version() == before);
            updates.push(replicas[who].export_since(&before).unwrap());
            if let Some(from) = from.filter(|from| *from != who) {
                let update = replicas[from].export_since(&replicas[who].version()).unwrap();
                let change = replicas[who].import(&update).unwrap();
                let merged = replicas[who].project().unwrap();
                prop_assert_eq!(replicas[who].project_changed(&after, &change).unwrap(), merged);
            }
        }

        // Everything to everyone, each starting elsewhere, until nobody waits for anything; some come twice.
        for (index, row) in replicas.iter_mut().enumerate() {
            let count = updates.len();
            let mut waiting: Vec<&Vec<u8>> = updates.iter().collect();
            waiting.rotate_left((rotate + index * 7) % count);
            waiting.push(&updates[order.index(count)]);
            while !waiting.is_empty() {
                let before = waiting.len();
                let mut later = Vec::new();
                for update in waiting {
                    let mut attempt = replica(row, 90);
                    if attempt.import(update).is_ok() {
                        row.import(update).unwrap();
                    } else {
                        later.push(update);
                    }
                }
                prop_assert!(later.len() < before, "updates that nobody can take in");
                waiting = later;
            }
        }
        let projection = replicas[0].project().unwrap();
        for row in &replicas[1..] {
            prop_assert_eq!(row.version(), replicas[0].version());
            prop_assert_eq!(&row.project().unwrap(), &projection);
        }

        // And from what is stored.
        let snapshot = start.snapshot().unwrap();
        let Folded { snapshot: folded, version, .. } =
            merge_stored(start.shape(), Some(&snapshot), &updates, None).unwrap();
        prop_assert_eq!(&version, &replicas[0].version());
        let stored = RowDoc::load(Arc::clone(start.shape()), PeerId(50), Some(&folded), &[] as &[Vec<u8>]).unwrap();
        prop_assert_eq!(&stored.project().unwrap(), &projection);
        let mut joiner = RowDoc::new(Arc::clone(start.shape()), PeerId(51));
        joiner.import(&stored.export_since(&Version::empty()).unwrap()).unwrap();
        prop_assert_eq!(joiner.project().unwrap(), projection.clone());

        // And with less of its history: what comes on top leads to the same, or says that it cannot.
        let (mark, upto) = (order.index(updates.len()), order.index(updates.len()).max(rotate % updates.len()));
        let early = merge_stored(start.shape(), Some(&snapshot), &updates[..mark.min(upto)], None).unwrap();
        let trimmed =
            merge_stored(start.shape(), Some(&snapshot), &updates[..upto], Some(&early.version)).unwrap();
        prop_assert!(early.version.includes(&trimmed.history_start), "kept from the mark on, and what lies before");
        if let Ok(row) =
            RowDoc::load(Arc::clone(start.shape()), PeerId(52), Some(&trimmed.snapshot), &updates[upto..])
        {
            prop_assert_eq!(row.version(), version);
            prop_assert_eq!(row.project().unwrap(), projection);
        } else {
            prop_assert!(!trimmed.history_start.is_empty(), "nothing was cut, and yet something is missing");
        }
    }
}
