//! Answers that are kept under idempotency keys.

use bytes::Bytes;
use corella_rowdoc::Tenant;
use corella_store::port::{Outcome, OutcomeKey, OutcomeWrite, Seq, Unit, UnitOutcome};

use super::{
    Subject,
    rows::{commit, key, notes, outcome, outcome_key, put, seqs, shape, unit, write, write_slug},
};

pub(super) async fn an_answer_is_kept_with_its_commit(Subject { backend, keep: _keep, .. }: Subject) {
    shape(&*backend, &notes()).await;
    put(&*backend, write("n0", Seq::ZERO, "before")).await;
    let wanted = outcome_key("ada", "k1");
    assert_eq!(backend.outcome(&wanted).await.expect("reads go through"), None);
    let answered = Unit {
        outcomes: vec![outcome(wanted.clone(), r#"{"a":1}"#)],
        ..unit(vec![write("n1", Seq::ZERO, "first")])
    };
    let seq = seqs(&commit(&*backend, &[answered]).await[0])[0];
    let expected = Outcome { request: Bytes::from_static(b"request"), seq, answer: r#"{"a":1}"#.to_owned() };
    assert_eq!(backend.outcome(&wanted).await.expect("reads go through"), Some(expected));
    for other in [
        outcome_key("ada", "k2"),
        outcome_key("bob", "k1"),
        OutcomeKey { tenant: Tenant::new("acme"), ..wanted.clone() },
    ] {
        assert_eq!(backend.outcome(&other).await.expect("reads go through"), None, "{other:?}");
    }
    // A request that changed no row has an answer, too; its place is the last change before it.
    let unchanged = Unit { outcomes: vec![outcome(outcome_key("ada", "k3"), "{}")], ..unit(Vec::new()) };
    assert_eq!(seqs(&commit(&*backend, &[unchanged]).await[0]), []);
    let kept = backend.outcome(&outcome_key("ada", "k3")).await.expect("reads go through");
    assert_eq!(kept.map(|kept| kept.seq), Some(seq));
}

pub(super) async fn a_used_key_halts_its_unit(Subject { backend, keep: _keep, .. }: Subject) {
    shape(&*backend, &notes()).await;
    let under = |name: &str, id: &str| Unit {
        outcomes: vec![outcome(outcome_key("ada", name), id)],
        ..unit(vec![write(id, Seq::ZERO, id)])
    };
    // In one commit, and in a later one.
    let outcomes =
        commit(&*backend, &[under("k1", "first"), under("k1", "second"), under("k2", "third")]).await;
    assert!(matches!(outcomes[1], UnitOutcome::KeyUsed), "{outcomes:?}");
    assert_eq!((seqs(&outcomes[0]).len(), seqs(&outcomes[2]).len()), (1, 1));
    let outcomes = commit(&*backend, &[under("k1", "fourth")]).await;
    assert!(matches!(outcomes[0], UnitOutcome::KeyUsed), "{outcomes:?}");
    for id in ["second", "fourth"] {
        assert!(backend.load(&key(id)).await.expect("reads go through").is_none(), "{id} was written");
    }
    let kept = backend.outcome(&outcome_key("ada", "k1")).await.expect("reads go through");
    assert_eq!(kept.map(|kept| kept.answer), Some("first".to_owned()));
    // What is refused for another reason uses its key not up.
    put(&*backend, write_slug("holder", Seq::ZERO, "taken")).await;
    let refused = Unit {
        outcomes: vec![OutcomeWrite { ..outcome(outcome_key("ada", "k5"), "x") }],
        ..unit(vec![write_slug("late", Seq::ZERO, "taken")])
    };
    let outcomes = commit(&*backend, &[refused]).await;
    assert!(matches!(outcomes[0], UnitOutcome::NotUnique { .. }), "{outcomes:?}");
    assert_eq!(backend.outcome(&outcome_key("ada", "k5")).await.expect("reads go through"), None);
}
