//! Updates that are known to do Loro harm, and what becomes of each.

use std::sync::Arc;

use bytes::Bytes;
use corella_manifest::Manifest;
use corella_rowdoc::{PeerId, Refusal, RowDoc, RowShape, merge_stored};
use corella_server::guard::{BlobKind, GuardError, GuardPool, GuardPoolOptions};
use corella_testkit::{KINDS, OPEN, binary};

use super::corpus;

fn shape(manifest: &str) -> Arc<RowShape> {
    let manifest = Manifest::parse(manifest).expect("the example is sound").manifest;
    Arc::new(RowShape::new(&manifest.entities[0]).expect("rows can have its fields"))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_is_met_as_it_should_be() {
    let options =
        GuardPoolOptions { program: binary().to_path_buf(), arguments: vec!["guard".into()], count: 1 };
    let pool = GuardPool::start(options).expect("guards can be started");
    let guarded = async |file: &str| {
        let updates = corpus::lines_of("update", file);
        assert!(!updates.is_empty(), "{file} is empty");
        let outcomes = pool.examine(BlobKind::Update, updates.iter().cloned().map(Bytes::from)).await;
        updates.into_iter().zip(outcomes).collect::<Vec<_>>()
    };
    for (_, outcome) in guarded("deadly.hex").await {
        assert_eq!(outcome, Err(GuardError::Deadly));
    }
    for (_, outcome) in guarded("poisons.hex").await {
        assert!(
            matches!(&outcome, Err(GuardError::Refused(why)) if why.contains("failed from within")),
            "{outcome:?}"
        );
    }
    // A guard alone cannot tell; the rows do.
    for (update, _) in guarded("comes-back-otherwise.hex").await {
        for manifest in [KINDS, OPEN] {
            let refused = RowDoc::new(shape(manifest), PeerId(1)).import_for_good(&update).map(drop);
            assert!(refused.is_err(), "{}", corella_fuzz::lines::written(&update));
        }
    }
    for (update, _) in guarded("snapshots.hex").await {
        let refused = RowDoc::new(shape(OPEN), PeerId(1)).import_for_good(&update).map(drop);
        assert_eq!(refused, Err(Refusal::SnapshotRefused));
    }
}

/// Were such an update stored all the same, its row would keep the pieces that it has.
#[test]
fn what_loro_does_not_give_back_is_not_folded() {
    let folded: Vec<_> = corpus::lines_of("update", "comes-back-otherwise.hex")
        .iter()
        .map(|update| merge_stored(&shape(OPEN), None, std::slice::from_ref(update), None))
        .collect();
    assert!(folded.iter().any(Result::is_err), "{folded:?}");
    for (update, folded) in corpus::lines_of("update", "comes-back-otherwise.hex").iter().zip(folded) {
        let Ok(folded) = folded else { continue };
        // What was folded reads as what it was made from.
        let [stored, again] =
            [(None, Some(update)), (Some(&folded.snapshot), None)].map(|(snapshot, tail)| {
                let tail: Vec<&[u8]> = tail.into_iter().map(Vec::as_slice).collect();
                let row = RowDoc::load(shape(OPEN), PeerId(1), snapshot.map(Vec::as_slice), &tail)
                    .expect("it loads");
                (row.version(), row.to_json().map_err(|error| error.to_string()))
            });
        assert_eq!(again, stored);
    }
}
