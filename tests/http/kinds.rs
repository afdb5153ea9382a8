//! A field of every kind: JSON in and out, operations, columns, queries, and clients' documents.

use corella_testkit::{KINDS, Stage, query, row::fields};
use corella_wire::AckStatus;
use serde_json::{Value as Json, json};

const ITEMS: &str = "/api/entities/Item";
const ITEM: &str = "/api/entities/Item/i1";

async fn patched(stage: &Stage, field: &str, asked: Json) -> Json {
    stage.ada().patch(ITEM, json!({ field: asked })).await.expect(200)["row"][field].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_goes_in_and_comes_out() {
    let stage = Stage::new(KINDS).await;
    let ada = stage.ada();
    let made = ada.post(ITEMS, json!({ "id": "i0", "title": "bare" })).await.expect(201);
    let bare = json!({
        "id": "i0", "title": "bare", "summary": null, "status": "open", "owner": null, "due": null, "amount": null,
        "likes": 0, "weight": null, "score": null, "pinned": false, "icon": null, "data": null, "tags": [],
        "steps": null, "settings": {"dark": false}, "outline": null, "body": null, "footer": null, "page": "",
    });
    assert_eq!(made["row"], bare);

    let given = json!({
        "id": "i1", "title": "full", "summary": "short", "status": "done", "owner": "i0",
        "due": "2026-11-20T08:14:00+02:00", "amount": "9007199254740993", "likes": 3, "weight": 0.5, "score": 1.5,
        "pinned": true, "icon": "AAH/", "data": {"a": [1, null]}, "tags": ["x", 1], "steps": [{"n": 1}],
        "settings": {"dark": true, "size": 2}, "body": [{"insert": "bold", "attributes": {"bold": true}}],
        "footer": "plain", "page": "one\ntwo",
    });
    ada.post(ITEMS, given.clone()).await.expect(201);
    let row = ada.patch(ITEM, json!({"outline": [{"data": {"name": "a"}}]})).await.expect(200)["row"].clone();
    let mut expected = given;
    expected["due"] = json!("2026-11-20T06:14:00.000000Z");
    expected["body"] = json!("bold");
    let id = row["outline"][0]["id"].clone();
    expected["outline"] = json!([{"id": id, "data": {"name": "a"}, "children": []}]);
    assert_eq!(row, expected);
    let stage = stage.crash().await;
    assert_eq!(stage.ada().get(ITEM).await.expect(200)["row"], expected);
    assert_eq!(stage.installation.check_clean().await, 2);

    let database = rusqlite::Connection::open(stage.installation.database()).unwrap();
    let mut columns = Vec::new();
    let mut declared =
        database.prepare("SELECT name, type FROM pragma_table_info('Item') ORDER BY cid").unwrap();
    let mut rows = declared.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let (name, ty): (String, String) = (row.get(0).unwrap(), row.get(1).unwrap());
        let stored: String = database
            .query_row(
                &format!("SELECT typeof(\"{name}\") || ' ' || quote(\"{name}\") FROM Item WHERE id = 'i1'"),
                [],
                |row| row.get(0),
            )
            .unwrap();
        let stored = if name == "outline" { "text …" } else { &stored };
        columns.push(format!("{name} {ty}: {stored}"));
    }
    insta::assert_snapshot!(columns.join("\n"), @r#"
    corella_tenant TEXT: text ''
    id TEXT: text 'i1'
    title TEXT: text 'full'
    summary TEXT: text 'short'
    status TEXT: text 'done'
    owner TEXT: text 'i0'
    due TEXT: text '2026-11-20T06:14:00.000000Z'
    amount INTEGER: integer 9007199254740993
    likes INTEGER: integer 3
    weight REAL: real 0.5
    score REAL: real 1.5
    pinned INTEGER: integer 1
    icon BLOB: blob X'0001FF'
    data TEXT: text '{"a":[1,null]}'
    tags TEXT: text '["x",1]'
    steps TEXT: text '[{"n":1}]'
    settings TEXT: text '{"dark":true,"size":2}'
    outline TEXT: text …
    body TEXT: text 'bold'
    footer TEXT: text 'plain'
    page TEXT: text 'one
    two'
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_pass_through() {
    let stage = Stage::new(KINDS).await;
    stage.ada().post(ITEMS, json!({ "id": "i1", "title": "t" })).await.expect(201);
    assert_eq!(patched(&stage, "likes", json!({"$inc": "9007199254740993"})).await, "9007199254740993");
    assert_eq!(patched(&stage, "likes", json!({"$inc": -9_007_199_254_740_990_i64})).await, 3);
    assert_eq!(patched(&stage, "score", json!({"$inc": 0.1})).await, 0.1);
    assert_eq!(
        patched(&stage, "tags", json!({"$ops": [{"$push": "a"}, {"$insert": [0, "b"]}]})).await,
        json!(["b", "a"])
    );
    assert_eq!(patched(&stage, "steps", json!(["a", "b", "c"])).await, json!(["a", "b", "c"]));
    assert_eq!(patched(&stage, "steps", json!({"$move": [2, 0]})).await, json!(["c", "a", "b"]));
    assert_eq!(patched(&stage, "steps", json!({"$set": [0, "C"]})).await, json!(["C", "a", "b"]));
    assert_eq!(patched(&stage, "steps", json!({"$remove": 1})).await, json!(["C", "b"]));
    assert_eq!(
        patched(&stage, "settings", json!({"$set": ["size", 4]})).await,
        json!({"dark": false, "size": 4})
    );
    let tree = patched(&stage, "outline", json!({"$create": {"data": {"name": "a"}}})).await;
    let id = tree[0]["id"].clone();
    let tree = patched(&stage, "outline", json!({"$create": {"parent": id, "data": {"name": "b"}}})).await;
    let below = tree[0]["children"][0]["id"].clone();
    let tree = patched(&stage, "outline", json!({"$move": {"id": below, "index": 0}})).await;
    assert_eq!((&tree[0]["id"], &tree[1]["id"]), (&below, &id));
    assert_eq!(patched(&stage, "outline", json!({"$delete": id})).await.as_array().unwrap().len(), 1);
    assert_eq!(
        patched(&stage, "body", json!({"$delta": [{"insert": "hi", "attributes": {"bold": true}}]})).await,
        "hi"
    );
    assert_eq!(stage.installation.check_clean().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn marks_and_node_trees_come_on_request() {
    let stage = Stage::new(KINDS).await;
    let ada = stage.ada();
    let rich = json!([{"insert": "so "}, {"insert": "bold", "attributes": {"bold": true}}]);
    ada.post(ITEMS, json!({ "id": "i1", "title": "t", "body": rich, "page": "p" })).await.expect(201);
    let read = ada.get(&format!("{ITEM}?rich=body,page")).await.expect(200);
    assert_eq!((&read["row"]["body"], &read["rich"]["body"]), (&json!("so bold"), &rich));
    assert_eq!(read["rich"]["page"]["content"][0]["type"], "paragraph");
    let answer = ada.get(&format!("{ITEM}?rich=title")).await;
    assert_eq!(answer.problem(), "400 invalid_query");
    insta::assert_snapshot!(answer.json()["detail"].as_str().unwrap(), @r#"rich: expected fields of type richtext or document (body, page), found "title""#);
    assert_eq!(ada.get(&format!("{ITEMS}/nobody?rich=body")).await.problem(), "404 row_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_refused_with_its_place() {
    let stage = Stage::new(KINDS).await;
    let ada = stage.ada();
    ada.post(ITEMS, json!({ "id": "i1", "title": "t", "tags": ["a"] })).await.expect(201);
    let seq = stage.seq().await;
    let mut told = Vec::new();
    for patch in [
        json!({"tags": {"$remove": 1}}),
        json!({"likes": {"$inc": 0.5}}),
        json!({"amount": {"$inc": 1}}),
        json!({"icon": "no base64!"}),
        json!({"due": "tomorrow"}),
        json!({"title": "nul \u{0}"}),
        json!({"outline": {"$delete": "1@1"}}),
        json!({"data": 18_446_744_073_709_551_615_u64}),
    ] {
        let answer = ada.patch(ITEM, patch).await;
        assert_eq!(answer.problem(), "422 invalid_value");
        told.push(answer.json()["detail"].as_str().unwrap().to_owned());
    }
    // A half of a character never becomes a text.
    let half = ada.send("PATCH".parse().unwrap(), ITEM, &[], r#"{"title": "\ud800"}"#).await;
    assert_eq!(half.problem(), "400 invalid_json");
    told.push(half.json()["detail"].as_str().unwrap().to_owned());
    insta::assert_snapshot!(told.join("\n"), @r#"
    expected the place 0 in tags.$remove, found 1
    expected a whole number of 64 bits (as a string beyond 2^53) in likes.$inc, found 0.5
    expected a whole value, since this field takes no operations (an object of this shape as a value is written {"$value": …}) in amount.$inc, found $inc
    expected bytes in base64 in icon, found "no base64!"
    expected a time such as 2026-11-20T06:14:00Z in due, found "tomorrow"
    expected text without U+0000, which not every database holds in title, found "nul \u0000"
    expected the id of a node of this tree in outline.$delete, found 1@1, which there is none of
    expected whole numbers of 64 bits (larger ones as strings) in data, found 18446744073709551615
    expected a JSON object of fields: unexpected end of hex escape at line 1 column 18
    "#);
    assert_eq!(stage.seq().await, seq, "something was stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_can_be_asked_for() {
    let stage = Stage::new(KINDS).await;
    let ada = stage.ada();
    for (id, likes, icon) in [("i1", 5, "AQ=="), ("i2", 1, "Ag=="), ("i3", 9, "AQ==")] {
        ada.post(ITEMS, json!({ "id": id, "title": "t", "likes": likes, "icon": icon, "tags": [id] }))
            .await
            .expect(201);
    }
    ada.patch(&format!("{ITEMS}/i2"), json!({"likes": {"$inc": 7}, "status": "done", "data": {"a": 1}}))
        .await
        .expect(200);
    let ids = async |filter: Json, order: &str| {
        let asked = query(&[("where", &filter.to_string()), ("orderBy", order)]);
        let rows = ada.get(&format!("{ITEMS}{asked}")).await.expect(200)["rows"].clone();
        rows.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(json!({"likes": {"$gt": 5}}), r#""likes""#).await, ["i2", "i3"]);
    assert_eq!(ids(json!({"likes": 8}), r#""id""#).await, ["i2"]);
    assert_eq!(ids(json!({"icon": "AQ=="}), r#"{"likes": "desc"}"#).await, ["i3", "i1"]);
    assert_eq!(ids(json!({"status": "done"}), r#""id""#).await, ["i2"]);
    assert_eq!(ids(json!({"data": {"$exists": true}}), r#""id""#).await, ["i2"]);
}

/// Two clients who have not heard of each other add to the same fields.
#[tokio::test(flavor = "multi_thread")]
async fn edits_of_clients_come_together() {
    let stage = Stage::new(KINDS).await;
    stage.ada().post(ITEMS, json!({ "id": "i1", "title": "t", "likes": 1 })).await.expect(201);
    let (one, two) = (stage.connect().await, stage.connect().await);
    for (peer, step) in [(&one, 10_i64), (&two, 100)] {
        peer.join("Item/i1").await;
        peer.until("Item/i1", "the row", |doc| fields(doc).get("title").is_some()).await;
        let status = peer
            .change("Item/i1", |doc| {
                let own = doc.peer_id().to_string();
                fields(doc).ensure_mergeable_map("likes").unwrap().insert(&own, step).unwrap();
                fields(doc).ensure_mergeable_list("tags").unwrap().push(step).unwrap();
                fields(doc)
                    .ensure_mergeable_map("settings")
                    .unwrap()
                    .insert(&step.to_string(), step)
                    .unwrap();
                let outline = fields(doc).ensure_mergeable_tree("outline").unwrap();
                let node = outline.create(None).unwrap();
                outline.get_meta(node).unwrap().insert("step", step).unwrap();
            })
            .await;
        assert_eq!(status, AckStatus::Ok);
    }
    let row = stage.ada().get(ITEM).await.expect(200)["row"].clone();
    assert_eq!((&row["likes"], row["tags"].as_array().unwrap().len()), (&json!(111), 2));
    assert_eq!(row["settings"], json!({"10": 10, "100": 100, "dark": false}));
    assert_eq!(row["outline"].as_array().unwrap().len(), 2);

    let status = one
        .change("Item/i1", |doc| {
            fields(doc).ensure_mergeable_counter("likes").unwrap().increment(1.0).unwrap();
        })
        .await;
    assert_ne!(status, AckStatus::Ok);
    assert_eq!(stage.ada().get(ITEM).await.expect(200)["row"]["likes"], 111);
    assert_eq!(stage.installation.check_clean().await, 1);
}

/// Two increments that each fit do not fit together: the row stays and is reported.
#[tokio::test(flavor = "multi_thread")]
async fn a_counter_beyond_its_column_is_reported() {
    let stage = Stage::new(KINDS).await;
    stage.ada().post(ITEMS, json!({ "id": "i1", "title": "t", "likes": i64::MAX })).await.expect(201);
    let peer = stage.connect().await;
    peer.join("Item/i1").await;
    let status = peer
        .change("Item/i1", |doc| {
            let own = doc.peer_id().to_string();
            fields(doc).ensure_mergeable_map("likes").unwrap().insert(&own, 5).unwrap();
        })
        .await;
    assert_eq!(status, AckStatus::Ok);
    assert_eq!(stage.ada().get(ITEM).await.expect(200)["row"]["likes"], i64::MAX.to_string());
    let report = stage.installation.check().await;
    assert_eq!(report.code, Some(0), "{}", report.stderr);
    insta::assert_snapshot!(report.stdout, @"
    Item/i1: likes stands at 9223372036854775812, which its column cannot hold; the table has the nearest value
    1 documents, all as their tables say.
    ");
}
