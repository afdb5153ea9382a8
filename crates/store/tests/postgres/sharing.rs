//! Several servers on one database.

use corella_rowdoc::Version;
use corella_store::{RowChange, WriteError, check, port::Backend as _, postgres::PostgresOptions};
use corella_testkit::StartedPostgres;
use loro::LoroDoc;
use serde_json::json;

use crate::stage::{Node, append, insert, manifest, note, open, patch};

const ROWS: usize = 3;
const EDITS: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_on_the_same_rows_lose_nothing_and_tell_everything_once() {
    let server = StartedPostgres::shared();
    let database = server.database();
    let nodes = [Node::start(&database).await, Node::start(&database).await];
    let writers = (0..2 * nodes.len()).map(|writer| {
        let node = &nodes[writer % 2];
        async move {
            let docs: Vec<LoroDoc> = (0..ROWS).map(|_| LoroDoc::new()).collect();
            for edit in 0..EDITS {
                for (row, doc) in docs.iter().enumerate() {
                    let update = append(doc, &format!("<{writer}.{edit}>"));
                    node.write(&note(&format!("n{row}")), update).await.expect("the write is taken");
                }
                // An edit of the server's own, too, on top of whatever is there.
                let stars = patch(json!({ "stars": writer * 1_000 + edit }));
                node.write(&note("n0"), stars).await.expect("the write is taken");
            }
        }
    });
    futures_util::future::join_all(writers).await;

    for row in 0..ROWS {
        let key = note(&format!("n{row}"));
        let [one, other] = [nodes[0].doc(&key).await, nodes[1].doc(&key).await];
        assert_eq!(one.oplog_vv(), other.oplog_vv());
        assert_eq!(one.get_deep_value(), other.get_deep_value());
        let body = corella_testkit::row::read(&one, "body");
        for writer in 0..4 {
            for edit in 0..EDITS {
                let mark = format!("<{writer}.{edit}>");
                assert_eq!(body.matches(&mark).count(), 1, "{mark} of {key}");
            }
        }
    }
    let last = nodes[0].last_seq().await;
    for node in &nodes {
        node.listener.until(last).await;
        let heard = node.listener.heard();
        let seqs: Vec<i64> = heard.iter().map(|heard| heard.seq).collect();
        assert_eq!(seqs, (1..=last).collect::<Vec<_>>(), "everything once and in order");
        assert!(heard.iter().any(|heard| heard.elsewhere) && heard.iter().any(|heard| !heard.elsewhere));
        // Whoever applies what was heard in its order has the row, and lacks nothing on the way.
        for row in 0..ROWS {
            let key = note(&format!("n{row}"));
            let replica = LoroDoc::new();
            for heard in heard.iter().filter(|heard| heard.key == key) {
                let delta = heard.delta.as_ref().expect("the tail still has it");
                let status = replica.import(delta).expect("it is an update");
                assert!(status.pending.is_none(), "change {} came before what it builds on", heard.seq);
            }
            assert_eq!(replica.get_deep_value(), node.doc(&key).await.get_deep_value());
        }
    }
    let report = check(&*nodes[0].backend, manifest()).await.expect("the check goes through");
    assert_eq!((report.documents, report.differences), (ROWS as u64, Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_memory_is_never_believed_against_what_is_stored() {
    let database = StartedPostgres::shared().database();
    let (one, other) = (Node::start(&database).await, Node::start(&database).await);
    let key = note("n1");
    one.write(&key, insert(json!({ "title": "x" }))).await.expect("it is taken");
    other.write(&key, patch(json!({ "title": "y", "stars": 5 }))).await.expect("it is taken");
    // To what `one` has in memory this changes nothing, to what is stored it does.
    let written = one.write(&key, patch(json!({ "title": "x" }))).await.expect("it is taken");
    let row = written.row.expect("it was wished for");
    assert_eq!((&row["title"], &row["stars"]), (&json!("x"), &json!(5)), "the row shows the other's write");

    other.write(&key, RowChange::Delete).await.expect("it is taken");
    let refused = one.write(&key, patch(json!({ "stars": 6 }))).await;
    assert!(matches!(refused, Err(WriteError::NotFound { .. })), "{refused:?}");
    other.write(&key, RowChange::Restore).await.expect("it is taken");
    one.write(&key, patch(json!({ "stars": 7 }))).await.expect("the row is back");

    // Readers, with the document in memory and without.
    other.write(&key, patch(json!({ "title": "z" }))).await.expect("it is taken");
    for node in [&one, &other, &Node::start(&database).await] {
        assert_eq!(corella_testkit::row::read(&node.doc(&key).await, "title"), "z");
    }
    let backfill = one.store.lock(&key).await.backfill(&Version::empty()).await.expect("the row can be read");
    assert_eq!(backfill.seq.0, one.last_seq().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_two_servers_write_under_one_peer_id() {
    let server = StartedPostgres::shared();
    let database = server.database();
    let [one, two] = [Node::start(&database).await, Node::start(&database).await];
    let peers = [one.backend.server_peer(), two.backend.server_peer()];
    assert_ne!(peers[0], peers[1]);
    // One that stopped in good order leaves its id to the next, one that did not keeps it for ever.
    one.store.close().await;
    drop(two);
    let next = open(server, &database, PostgresOptions::default()).await;
    assert_eq!(next.server_peer(), peers[0]);
    let after = open(server, &database, PostgresOptions::default()).await;
    assert!(!peers.contains(&after.server_peer()));
    assert_eq!(next.epoch(), after.epoch());
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_may_start_at_the_same_time() {
    let database = StartedPostgres::shared().database();
    let nodes = futures_util::future::join_all((0..4).map(|_| Node::start(&database))).await;
    for (number, node) in nodes.iter().enumerate() {
        let id = format!("n{number}");
        node.write(&note(&id), insert(json!({ "title": id }))).await.expect("it is taken");
    }
    for node in &nodes {
        node.listener.until(4).await;
        assert_eq!(node.listener.heard().len(), 4);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_trimmed_makes_everybody_look_again() {
    let server = StartedPostgres::shared();
    let database = server.database();
    let (one, other) = (Node::start(&database).await, Node::start(&database).await);
    one.write(&note("n1"), insert(json!({ "title": "t" }))).await.expect("it is taken");
    other.listener.until(1).await;
    // Written behind everybody's back, as if the changes before it had been trimmed.
    server.sql(
        &database,
        "INSERT INTO corella_changes SELECT 10, tenant, entity, row_id, kind, at FROM corella_changes",
    );
    one.listener.until_lost().await;
    other.listener.until_lost().await;
    one.write(&note("n2"), insert(json!({ "title": "t" }))).await.expect("it is taken");
    other.listener.until(11).await;
    let seqs = |node: &Node| node.listener.heard().iter().map(|heard| heard.seq).collect::<Vec<_>>();
    assert_eq!((seqs(&one), seqs(&other)), (vec![1, 11], vec![1, 11]));
}
