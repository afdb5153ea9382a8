//! What stands in the tables.

use std::sync::Arc;

use corella_manifest::{Value, parse_time};
use corella_query::QueryTexts;
use corella_rowdoc::{Projection, RowKey};
use corella_store::port::{ChangeKind, RowWrite, Seq};
use serde_json::json;

use super::{
    Subject,
    rows::{commit, ids, key_of, manifest, notes, put, select, shape, text, unit, values, write, write_of},
};

pub(super) async fn every_value_comes_back_as_it_went_in(Subject { backend, keep: _keep, .. }: Subject) {
    let fields = r#"[
        { "name": "text", "type": "string", "optional": true },
        { "name": "choice", "type": "enum(a,b)", "optional": true },
        { "name": "other", "type": "id(Thing)", "optional": true },
        { "name": "time", "type": "datetime", "optional": true },
        { "name": "int", "type": "int", "optional": true },
        { "name": "float", "type": "float", "optional": true },
        { "name": "bool", "type": "bool", "optional": true },
        { "name": "rich", "type": "richtext", "optional": true },
        { "name": "page", "type": "document", "optional": true },
        { "name": "blob", "type": "bytes", "optional": true },
        { "name": "json", "type": "json", "optional": true },
        { "name": "select", "type": "string", "optional": true }
    ]"#;
    let manifest = manifest(&[("Thing", fields, r#","open":true"#)]);
    shape(&*backend, &manifest).await;
    let time = |text: &str| Value::Time(parse_time(text).expect("a time"));
    let rows = [
        vec![Value::Null; 13],
        vec![
            text("'; DROP TABLE \"Thing\"; -- ä \u{1f600} \n\t\\"),
            text("a"),
            text("t1"),
            time("2026-11-20T06:14:00.000001Z"),
            Value::Int(i64::MAX),
            Value::Float(1e-300),
            Value::Bool(true),
            text("rich\ntext"),
            text("page"),
            Value::Bytes([0, 255, 7].as_slice().into()),
            Value::Json(json!({ "a": [1, "b", null, { "c": 1.5 }] })),
            text("a keyword as a name"),
            Value::Json(json!({ "whole": [] })),
        ],
        vec![
            text(""),
            text("b"),
            text("t2"),
            time("1969-12-31T23:59:59.999999Z"),
            Value::Int(i64::MIN),
            Value::Float(-f64::MAX),
            Value::Bool(false),
            text(""),
            text(""),
            Value::Bytes([].as_slice().into()),
            Value::Json(json!([])),
            text(&"long ".repeat(50_000)),
            Value::Json(json!({})),
        ],
    ];
    for (number, row) in rows.iter().enumerate() {
        let id = format!("t{number}");
        put(&*backend, write_of(key_of("", "Thing", &id), Seq::ZERO, &id, row.clone())).await;
    }
    let found = select(&*backend, &manifest, "Thing", "", QueryTexts::default()).await;
    for (found, row) in found.rows.iter().zip(&rows) {
        assert_eq!(found.values(), row.as_slice(), "{}", found.id());
    }
    assert_eq!(found.rows.len(), rows.len());
    let entity = manifest.entity("Thing").expect("it is declared");
    let scanned = backend.scan(entity, None, 10).await.expect("reads go through");
    let scanned: Vec<_> = scanned.into_iter().map(|row| row.table.expect("it stands in the table")).collect();
    assert_eq!(scanned, found.rows);
}

pub(super) async fn a_query_finds_orders_and_ends(Subject { backend, keep: _keep, .. }: Subject) {
    shape(&*backend, &notes()).await;
    let numbered = |number: i64| {
        let id = format!("n{number}");
        unit(vec![write_of(key_of("", "Note", &id), Seq::ZERO, &id, values("t", None, number / 2))])
    };
    let units: Vec<_> = (0..8).map(numbered).collect();
    commit(&*backend, &units).await;
    let texts =
        |filter, order, limit| QueryTexts { where_: filter, order_by: order, limit, ..QueryTexts::default() };
    let odd = texts(Some(r#"{"stars":{"$in":[1,3]}}"#), None, None);
    assert_eq!(ids(&*backend, odd).await, ["n2", "n3", "n6", "n7"]);
    // One row more than the limit says that there is another page.
    let first = texts(None, Some(r#"{"stars":"desc"}"#), Some("3"));
    assert_eq!(ids(&*backend, first).await, ["n7", "n6", "n5", "n4"]);
    assert_eq!(ids(&*backend, texts(Some(r#"{"slug":null,"id":"n1"}"#), None, None)).await, ["n1"]);
    // A deleted row is in no table.
    let head =
        backend.head(&key_of("", "Note", "n1")).await.expect("reads go through").expect("it is there").head;
    let gone = RowWrite {
        projection: Arc::new(Projection { deleted: true, values: values("t", None, 0) }),
        kind: ChangeKind::Delete,
        ..write("n1", head, "gone")
    };
    put(&*backend, gone).await;
    assert_eq!(ids(&*backend, texts(Some(r#"{"stars":0}"#), None, None)).await, ["n0"]);
}

pub(super) async fn a_scan_goes_through_all_rows_in_pages(Subject { backend, keep: _keep, .. }: Subject) {
    let manifest = manifest(&[("Note", super::rows::NOTES, ""), ("Other", super::rows::NOTES, "")]);
    shape(&*backend, &manifest).await;
    let mut expected: Vec<RowKey> = Vec::new();
    for tenant in ["", "acme"] {
        for id in ["A", "a", "b", "c_1", "c-2"] {
            put(&*backend, write_of(key_of(tenant, "Note", id), Seq::ZERO, id, values(id, None, 0))).await;
            expected.push(key_of(tenant, "Note", id));
        }
    }
    put(&*backend, write_of(key_of("", "Other", "x"), Seq::ZERO, "x", values("x", None, 0))).await;
    expected.sort_by(|one, other| {
        let of = |key: &RowKey| (key.tenant.as_str().to_owned(), key.id.as_str().to_owned());
        of(one).cmp(&of(other))
    });
    let entity = manifest.entity("Note").expect("it is declared");
    for limit in [1, 3, 100] {
        let mut found: Vec<RowKey> = Vec::new();
        loop {
            let page = backend.scan(entity, found.last(), limit).await.expect("reads go through");
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            for row in page {
                let id = row.key.id.as_str();
                let stored = row.stored.expect("its bytes are sound");
                assert_eq!(stored.tail[0].delta, id.as_bytes());
                let table = row.table.expect("it stands in the table");
                assert_eq!((table.id(), &table.values()[0]), (id, &text(id)));
                found.push(row.key);
            }
        }
        assert_eq!(found, expected, "in pages of {limit}");
    }
    assert!(backend.orphans(entity).await.expect("reads go through").is_empty());
}
