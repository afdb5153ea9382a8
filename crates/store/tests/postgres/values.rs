//! Values that PostgreSQL keeps in its own way, or not at all.

use corella_store::{RowChange, WriteError, check};
use corella_testkit::StartedPostgres;
use loro::LoroDoc;
use serde_json::json;

use crate::stage::{Node, append, insert, key, manifest, note, patch};

#[tokio::test(flavor = "multi_thread")]
async fn a_nul_is_refused_before_the_database_sees_it() {
    let database = StartedPostgres::shared().database();
    let node = Node::start(&database).await;
    node.write(&note("n1"), insert(json!({ "title": "a" }))).await.expect("it is taken");
    let doc = node.doc(&note("n1")).await;
    for change in [patch(json!({ "title": "a\0b" })), append(&doc, "c\0d")] {
        let refused = node.write(&note("n1"), change).await;
        assert!(matches!(refused, Err(WriteError::Refused(_))), "{refused:?}");
    }
    node.write(&note("n1"), patch(json!({ "title": "b" }))).await.expect("the row is as it was");
    let report = check(&*node.backend, manifest()).await.expect("the check goes through");
    assert_eq!(report.differences, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn json_comes_back_as_it_went_in() {
    let server = StartedPostgres::shared();
    let database = server.database();
    let node = Node::start(&database).await;
    let doc = LoroDoc::new();
    let map = doc.get_map("any");
    for (name, number) in [
        ("large", 1e16),
        ("larger", 1.844_674_407_370_955_2e19),
        ("largest", 1e300),
        ("small", 5e-324),
        ("negative", -1e17),
        ("whole", 3.0),
    ] {
        map.insert(name, number).expect("a map takes numbers");
    }
    map.insert("int", i64::MAX).expect("a map takes numbers");
    map.insert("text", "nul \0, quote \", ü \u{1f600}").expect("a map takes texts");
    map.insert("nul\0key", true).expect("a map takes any key");
    doc.commit();
    let update = doc.export(loro::ExportMode::all_updates()).expect("a document can be exported");
    node.write(&key("Board", "b1"), RowChange::Update(update.into())).await.expect("it is taken");
    let report = check(&*node.backend, manifest()).await.expect("the check goes through");
    assert_eq!((report.documents, report.differences), (1, Vec::new()));
    assert_eq!(server.sql(&database, "SELECT value->'any'->>'int' FROM \"Board\""), i64::MAX.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_index_cannot_hold_is_refused_and_harms_no_neighbour() {
    let database = StartedPostgres::shared().database();
    let node = Node::start(&database).await;
    // Text that does not compress.
    let long: String = (0..20_000_u32)
        .map(|n| char::from(b'!' + (n.wrapping_mul(2_654_435_761) >> 25) as u8 % 90))
        .collect();
    let writes = (0..32).map(|number| {
        let (node, long) = (&node, &long);
        async move {
            let slug = if number == 13 { long.clone() } else { format!("s{number}") };
            node.write(&note(&format!("n{number}")), insert(json!({ "title": "t", "slug": slug }))).await
        }
    });
    for (number, outcome) in futures_util::future::join_all(writes).await.into_iter().enumerate() {
        match outcome {
            Ok(_) => assert_ne!(number, 13),
            Err(WriteError::Unfit { what }) => {
                assert_eq!(number, 13);
                assert!(what.contains("index"), "{what}");
            }
            Err(other) => unreachable!("{other:?}"),
        }
    }
    assert_eq!(node.last_seq().await, 31);
    // As long a text fits where there is no index.
    node.write(&note("n1"), patch(json!({ "title": long }))).await.expect("it is taken");
    let report = check(&*node.backend, manifest()).await.expect("the check goes through");
    assert_eq!(report.differences, []);
}
