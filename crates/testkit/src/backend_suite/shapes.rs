//! Tables that follow a changing manifest.

use corella_manifest::{Manifest, Value};
use corella_query::QueryTexts;
use corella_rowdoc::Projection;
use corella_store::{
    port::{Backend, Seq},
    schema::{self, Consent},
};

use super::{
    Subject,
    rows::{key, key_of, manifest, put, select, shape, text, write_of},
};

const TITLE: &str = r#"{ "name": "title", "type": "string" }"#;
const STARS: &str = r#"{ "name": "stars", "type": "int", "optional": true }"#;

fn note(fields: &[&str]) -> Manifest {
    manifest(&[("Note", &format!("[{}]", fields.join(",")), "")])
}

/// The columns of the one note.
async fn columns(backend: &dyn Backend, manifest: &Manifest) -> Vec<Value> {
    let found = select(backend, manifest, "Note", "", QueryTexts::default()).await;
    found.rows.first().map(|row| row.values().to_vec()).unwrap_or_default()
}

/// Fills the table again with these columns of the one note.
async fn refill(backend: &dyn Backend, manifest: &Manifest, seq: Seq, values: Vec<Value>) {
    let entity = manifest.entity("Note").expect("it is declared");
    let projection = Projection { deleted: false, values };
    backend.reproject(entity, vec![(key("n1"), seq, projection)]).await.expect("it goes through");
    assert!(schema::finish(backend, entity).await.expect("it goes through").is_empty(), "nothing clashes");
}

/// A note with a title and stars.
async fn with_stars(backend: &dyn Backend) -> (Manifest, Seq) {
    let manifest = note(&[TITLE, STARS]);
    assert!(shape(backend, &manifest).await.is_empty());
    let seq = put(backend, write_of(key("n1"), Seq::ZERO, "d", vec![text("t"), Value::Int(7)])).await;
    assert!(shape(backend, &manifest).await.is_empty(), "the same manifest changes nothing");
    (manifest, seq)
}

pub(super) async fn a_new_column_is_filled_again(Subject { backend, keep: _keep, .. }: Subject) {
    let (_, seq) = with_stars(&*backend).await;
    let mood = r#"{ "name": "mood", "type": "string", "crdt": "text" }"#;
    // Before, among and behind the others.
    let wider = note(&[mood, TITLE, STARS]);
    assert_eq!(shape(&*backend, &wider).await, ["Note"]);
    refill(&*backend, &wider, seq, vec![text("glad"), text("t"), Value::Int(7)]).await;
    assert_eq!(columns(&*backend, &wider).await, [text("glad"), text("t"), Value::Int(7)]);
    assert!(shape(&*backend, &wider).await.is_empty());
    let next = put(&*backend, write_of(key("n1"), seq, "e", vec![text(""), text("u"), Value::Int(8)])).await;
    assert_eq!(columns(&*backend, &wider).await, [text(""), text("u"), Value::Int(8)]);
    assert!(next > seq);
    // What no document can hold yet needs no filling.
    let widest = note(&[mood, TITLE, STARS, r#"{ "name": "due", "type": "datetime", "optional": true }"#]);
    assert!(shape(&*backend, &widest).await.is_empty());
    assert_eq!(columns(&*backend, &widest).await, [text(""), text("u"), Value::Int(8), Value::Null]);
}

pub(super) async fn columns_that_go_or_change_their_type(Subject { backend, keep: _keep, .. }: Subject) {
    let (_, seq) = with_stars(&*backend).await;
    let narrower = note(&[TITLE]);
    assert!(shape(&*backend, &narrower).await.is_empty(), "a column that goes leaves the others alone");
    assert_eq!(columns(&*backend, &narrower).await, [text("t")]);

    let back = note(&[TITLE, r#"{ "name": "stars", "type": "float", "optional": true }"#]);
    assert_eq!(shape(&*backend, &back).await, ["Note"]);
    refill(&*backend, &back, seq, vec![text("t"), Value::Float(7.5)]).await;
    assert_eq!(columns(&*backend, &back).await, [text("t"), Value::Float(7.5)]);

    let retyped = note(&[TITLE, r#"{ "name": "stars", "type": "string", "optional": true }"#]);
    assert_eq!(shape(&*backend, &retyped).await, ["Note"]);
    refill(&*backend, &retyped, seq, vec![text("t"), text("seven")]).await;
    assert_eq!(columns(&*backend, &retyped).await, [text("t"), text("seven")]);
    assert_eq!(backend.last_seq().await.expect("reads go through"), seq, "no shape is a change of a row");
}

pub(super) async fn a_rebuild_is_asked_for_until_it_is_done(Subject { backend, keep: _keep, .. }: Subject) {
    let (_, seq) = with_stars(&*backend).await;
    let wider = note(&[TITLE, STARS, r#"{ "name": "body", "type": "richtext" }"#]);
    for _ in 0..3 {
        assert_eq!(shape(&*backend, &wider).await, ["Note"]);
    }
    refill(&*backend, &wider, seq, vec![text("t"), Value::Int(7), text("")]).await;
    assert!(shape(&*backend, &wider).await.is_empty());
}

pub(super) async fn names_change_and_lines_stay(Subject { backend, keep: _keep, .. }: Subject) {
    let (_, seq) = with_stars(&*backend).await;
    let heading = r#"{ "name": "heading", "type": "string", "renamedFrom": "title" }"#;
    let indexes =
        r#","renamedFrom":"Note","indexes":[{"name":"by_heading","fields":["heading"],"unique":true}]"#;
    let plain = manifest(&[("Memo", &format!("[{heading},{STARS}]"), r#","renamedFrom":"Note""#)]);
    let renamed = manifest(&[("Memo", &format!("[{heading},{STARS}]"), indexes)]);
    for manifest in [&plain, &plain, &renamed, &renamed] {
        assert!(shape(&*backend, manifest).await.is_empty());
    }
    let found = select(&*backend, &renamed, "Memo", "", QueryTexts::default()).await;
    assert_eq!(found.rows[0].cells, [text("n1"), text("t"), Value::Int(7)]);
    let memo = key_of("", "Memo", "n1");
    assert_eq!(backend.load(&memo).await.expect("reads go through").expect("it moved").head.head, seq);
    assert!(backend.load(&key("n1")).await.expect("reads go through").is_none());
    let changes = backend.changes(Seq::ZERO, 10).await.expect("reads go through");
    assert_eq!(changes[0].key, memo);
    let next = put(&*backend, write_of(memo, seq, "e", vec![text("u"), Value::Null])).await;
    assert!(next > seq);
}

pub(super) async fn what_rows_forbid_is_refused_whole(Subject { backend, keep: _keep, .. }: Subject) {
    let (before, _) = with_stars(&*backend).await;
    put(&*backend, write_of(key("n2"), Seq::ZERO, "d", vec![text("t"), Value::Int(8)])).await;
    let unique = note(&[
        r#"{ "name": "title", "type": "string", "unique": true }"#,
        STARS,
        r#"{ "name": "mood", "type": "string", "optional": true }"#,
    ]);
    let refused =
        schema::bring(&*backend, &unique, Consent::Destructive).await.expect_err("two hold the same");
    let told = refused.to_string();
    assert!(told.contains("no two rows of Note with the same title, found n1 and n2"), "{told}");
    backend.describe(&before);
    assert_eq!(columns(&*backend, &before).await, [text("t"), Value::Int(7)]);
    let lossy = note(&[TITLE]);
    let refused = schema::bring(&*backend, &lossy, Consent::Additive).await.expect_err("a column would go");
    assert!(refused.to_string().contains("remove the field Note.stars (int)"), "{refused}");
    let kept = backend.schemas().await.expect("reads go through");
    assert_eq!((kept.len(), &kept[0].fingerprint), (1, &before.fingerprint()));
}

pub(super) async fn entities_come_and_go(Subject { backend, keep: _keep, .. }: Subject) {
    let (alone, seq) = with_stars(&*backend).await;
    let both = manifest(&[
        ("Note", &format!("[{TITLE},{STARS}]"), ""),
        (
            "Order",
            &format!("[{TITLE}]"),
            r#","indexes":[{"name":"by_title","fields":["title"],"unique":true}]"#,
        ),
    ]);
    assert!(shape(&*backend, &both).await.is_empty(), "a new table has nothing to be filled with");
    let order = key_of("", "Order", "o1");
    let placed = put(&*backend, write_of(order.clone(), Seq::ZERO, "d", vec![text("t")])).await;
    // An entity that is declared no more keeps its documents, and its table is filled from them when it comes back.
    assert!(shape(&*backend, &alone).await.is_empty());
    assert_eq!(columns(&*backend, &alone).await, [text("t"), Value::Int(7)]);
    assert!(backend.load(&order).await.expect("reads go through").is_some());
    assert_eq!(shape(&*backend, &both).await, ["Order"]);
    let entity = both.entity("Order").expect("it is declared");
    let projection = Projection { deleted: false, values: vec![text("t")] };
    backend.reproject(entity, vec![(order, placed, projection)]).await.expect("it goes through");
    assert!(schema::finish(&*backend, entity).await.expect("it goes through").is_empty());
    let found = select(&*backend, &both, "Order", "", QueryTexts::default()).await;
    assert_eq!((found.rows.len(), found.rows[0].id()), (1, "o1"));
    assert!(shape(&*backend, &both).await.is_empty());
    assert!(backend.last_seq().await.expect("reads go through") > seq);
}
