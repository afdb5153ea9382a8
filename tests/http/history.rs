//! Versions of a row: what changed, by whom, what it was like, and back.

use corella_testkit::{Answer, Database, Http, KINDS, SAMPLE, Stage, on_both, row};
use serde_json::{Value as Json, json};

const NOTES: &str = "/api/entities/Note";
const NOTE: &str = "/api/entities/Note/n1";
const ROOM: &str = "Note/n1";

on_both!(a_row_is_seen_as_it_was);
on_both!(what_folds_swallow_is_still_told);
on_both!(a_revert_is_one_more_change);

#[cfg(test)]
async fn patch_saying(http: &Http, message: &str, fields: Json) -> Json {
    let headers = [("corella-message", message)];
    http.send("PATCH".parse().unwrap(), NOTE, &headers, fields.to_string()).await.expect(200)
}

#[cfg(test)]
async fn get(http: &Http, path: &str) -> Answer {
    http.get(&format!("{NOTE}{path}")).await
}

#[cfg(test)]
async fn a_row_is_seen_as_it_was(database: Database) {
    let stage = Stage::on(database, SAMPLE).await;
    let (ada, bob) = (stage.ada(), stage.server.http(&stage.installation.token("bob").await));
    let first = ada.post(NOTES, json!({ "id": "n1", "title": "Plan", "body": "ab" })).await.expect(201);
    patch_saying(&bob, "naïve → better", json!({ "title": "Plans", "body": "aXb" })).await;
    ada.patch(NOTE, json!({ "stars": 1 })).await.expect(200);
    ada.delete(NOTE).await.expect(200);

    let history = get(&ada, "/history").await.expect(200);
    let told = |change: &Json| json!([change["seq"], change["kind"], change["author"], change["message"]]);
    let changes = history["changes"].as_array().unwrap();
    assert_eq!(
        changes.iter().map(told).collect::<Vec<_>>(),
        [
            json!([4, "delete", "ada", null]),
            json!([3, "update", "ada", null]),
            json!([2, "update", "bob", "naïve → better"]),
            json!([1, "insert", "ada", null]),
        ]
    );
    assert_eq!(changes[2]["fields"], json!(["title", "body"]));
    assert_eq!((&changes[0]["fields"], &history["next"]), (&json!([]), &json!(null)));
    let page = get(&ada, "/history?limit=2").await.expect(200);
    assert_eq!((&page["changes"].as_array().unwrap()[..], &page["next"]), (&changes[..2], &json!(3)));
    let page = get(&ada, "/history?limit=2&before=3").await.expect(200);
    assert_eq!((&page["changes"].as_array().unwrap()[..], &page["next"]), (&changes[2..], &json!(null)));

    // By seq, by version, by time; deleted now, and yet there then.
    let then = get(&ada, "?at=2").await.expect(200);
    assert_eq!((&then["row"]["title"], &then["row"]["stars"]), (&json!("Plans"), &json!(null)));
    assert_eq!(get(&ada, "?at=1").await.expect(200)["row"], first["row"]);
    for at in [changes[2]["version"].as_str().unwrap(), changes[2]["at"].as_str().unwrap()] {
        assert_eq!(get(&ada, &format!("?at={at}")).await.expect(200)["row"], then["row"], "{at}");
    }
    let rich = get(&ada, "?at=2&rich=body").await.expect(200);
    assert_eq!(rich["rich"]["body"], json!([{ "insert": "aXb" }]));
    assert_eq!(get(&ada, "?at=4").await.problem(), "404 row_not_found");
    let early = get(&ada, "?at=2001-01-01T00:00:00Z").await;
    assert_eq!(early.problem(), "404 row_not_found");
    assert_eq!(early.json()["oldest"]["seq"], 1);
    assert_eq!(get(&ada, "?at=nonsense").await.problem(), "400 version_unknown");
    assert_eq!(get(&ada, "?at=12:00").await.problem(), "400 invalid_query");
    assert_eq!(ada.get("/api/entities/Note/other/history").await.problem(), "404 row_not_found");
    assert_eq!(ada.get("/api/entities/Note/other?at=9").await.problem(), "404 row_not_found");

    let diff = get(&ada, "/diff?from=1&to=3").await.expect(200);
    assert_eq!(
        diff["fields"],
        json!({
            "title": { "before": "Plan", "after": "Plans" },
            "body": { "delta": [{ "retain": 1 }, { "insert": "X" }] },
            "stars": { "before": null, "after": 1 },
        })
    );
    let diff = get(&ada, "/diff?from=3").await.expect(200);
    assert_eq!((&diff["fields"], &diff["deleted"]), (&json!({}), &json!({ "before": false, "after": true })));

    let blame = get(&ada, "/blame?field=title").await.expect(200);
    assert_eq!((&blame["by"]["author"], &blame["by"]["seq"]), (&json!("bob"), &json!(2)));
    let runs = get(&ada, "/blame?field=body").await.expect(200);
    let run = |run: &Json| json!([run["text"], run["by"]["author"]]);
    let runs: Vec<Json> = runs["runs"].as_array().unwrap().iter().map(run).collect();
    assert_eq!(runs, [json!(["a", "ada"]), json!(["X", "bob"]), json!(["b", "ada"])]);
    let some = get(&ada, "/blame?field=body&from=1&limit=1").await.expect(200);
    assert_eq!((&some["runs"][0]["text"], &some["next"]), (&json!("X"), &json!(2)));
    assert_eq!(get(&ada, "/blame?field=boddy").await.problem(), "422 unknown_field");
    assert_eq!(stage.server.stranger().get(&format!("{NOTE}/history")).await.problem(), "401 unauthorized");
}

#[cfg(test)]
async fn what_folds_swallow_is_still_told(database: Database) {
    let stage = Stage::on(database, SAMPLE).await;
    let ada = stage.ada();
    ada.post(NOTES, json!({ "id": "n1", "title": "0" })).await.expect(201);
    let bob = stage.server.peer(&stage.installation.token("bob").await).await;
    bob.join(ROOM).await;
    for count in 1..=200 {
        if count % 2 == 0 {
            patch_saying(&ada, &format!("to {count}"), json!({ "stars": count })).await;
        } else {
            bob.change(ROOM, |doc| row::append(doc, "body", "b")).await;
        }
    }
    let stage = stage.crash().await;
    let ada = stage.ada();
    let mut changes = Vec::new();
    let mut before = String::new();
    loop {
        let page = get(&ada, &format!("/history?limit=70{before}")).await.expect(200);
        changes.extend(page["changes"].as_array().unwrap().iter().cloned());
        let Some(next) = page["next"].as_i64() else { break };
        before = format!("&before={next}");
    }
    assert_eq!(changes.len(), 201);
    for (change, seq) in changes.iter().rev().zip(1..) {
        let count = seq - 1;
        assert_eq!(change["seq"], seq);
        if count > 0 && count % 2 == 0 {
            assert_eq!(
                (&change["author"], &change["message"]),
                (&json!("ada"), &json!(format!("to {count}")))
            );
        }
    }
    for seq in [1, 2, 63, 64, 65, 66, 128, 131, 200, 201] {
        let version = changes[201 - seq]["version"].as_str().unwrap();
        let (by_seq, by_version) = (
            get(&ada, &format!("?at={seq}")).await.expect(200),
            get(&ada, &format!("?at={version}")).await.expect(200),
        );
        assert_eq!(by_seq["row"], by_version["row"]);
        let count = seq - 1;
        let stars = count / 2 * 2;
        assert_eq!(by_seq["row"]["stars"], if stars > 0 { json!(stars) } else { Json::Null });
        assert_eq!(by_seq["row"]["body"].as_str().unwrap_or_default().len(), count.div_ceil(2));
    }
    let runs = get(&ada, "/blame?field=body").await.expect(200);
    assert!(runs["runs"].as_array().unwrap().iter().all(|run| run["by"]["author"] == "bob"));
    assert_eq!(stage.installation.check_clean().await, 1);
}

#[cfg(test)]
async fn a_revert_is_one_more_change(database: Database) {
    let stage = Stage::on(database, SAMPLE).await;
    let ada = stage.ada();
    ada.post(NOTES, json!({ "id": "n1", "title": "Plan", "body": "the fox" })).await.expect(201);
    let bob = stage.connect().await;
    bob.join(ROOM).await;
    ada.patch(NOTE, json!({ "title": "Changed", "body": "the red fox", "stars": 5 })).await.expect(200);
    let revert = |body: Json| {
        let ada = ada.clone();
        async move {
            let headers = [("idempotency-key", "once")];
            ada.send("POST".parse().unwrap(), &format!("{NOTE}/revert"), &headers, body.to_string()).await
        }
    };
    let reverted = revert(json!({ "to": 1, "message": "back to the plan" })).await.expect(200);
    assert_eq!((&reverted["row"]["title"], &reverted["row"]["body"]), (&json!("Plan"), &json!("the fox")));
    assert_eq!((&reverted["row"]["stars"], &reverted["seq"]), (&json!(null), &json!(3)));
    assert_eq!(revert(json!({ "to": 1, "message": "back to the plan" })).await.expect(200), reverted);
    assert_eq!(revert(json!({ "to": 2 })).await.problem(), "422 idempotency_conflict");
    assert_eq!(stage.seq().await, 3);
    // Whoever watches the row hears of it, and goes on from there.
    bob.until(ROOM, "the text from before", |doc| row::read(doc, "body") == "the fox").await;
    bob.change(ROOM, |doc| row::append(doc, "body", " jumps")).await;
    assert_eq!(get(&ada, "").await.expect(200)["row"]["body"], "the fox jumps");
    let history = get(&ada, "/history").await.expect(200);
    assert_eq!(history["changes"].as_array().unwrap().len(), 4);
    assert_eq!(history["changes"][1]["message"], "back to the plan");
    // Out of the bin, too.
    ada.delete(NOTE).await.expect(200);
    let back = ada.post(&format!("{NOTE}/revert"), json!({ "to": "2" })).await.expect(200);
    assert_eq!((&back["row"]["title"], &back["row"]["stars"]), (&json!("Changed"), &json!(5)));
    assert_eq!(get(&ada, "").await.expect(200)["row"], back["row"]);
    for (body, problem) in [
        (json!({}), "422 invalid_value"),
        (json!({ "to": true }), "422 invalid_value"),
        (json!({ "to": "1", "when": 2 }), "422 invalid_value"),
        (json!({ "to": 1, "message": "" }), "422 invalid_value"),
        (json!({ "to": "AQ" }), "400 version_unknown"),
    ] {
        assert_eq!(ada.post(&format!("{NOTE}/revert"), body).await.problem(), problem);
    }
    let other = ada.post("/api/entities/Note/other/revert", json!({ "to": 1 })).await;
    assert_eq!(other.problem(), "404 row_not_found");
    assert_eq!(stage.installation.check_clean().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_goes_back() {
    let stage = Stage::new(KINDS).await;
    let ada = stage.ada();
    let path = "/api/entities/Item/i1";
    let first = json!({
        "id": "i1", "title": "One", "likes": 3, "score": 0.5, "tags": ["a", "b"], "steps": [1, 2, 3],
        "settings": { "dark": true }, "outline": [{ "data": { "n": 1 }, "children": [{ "data": { "n": 2 } }] }],
        "body": "text", "page": "line one\nline two", "data": { "deep": [1] }, "icon": "AAEC", "status": "open",
    });
    let made = ada.post("/api/entities/Item", first).await.expect(201)["row"].clone();
    let changed = json!({
        "title": "Two", "likes": { "$inc": 4 }, "score": { "$inc": 0.25 }, "tags": { "$push": "c" },
        "steps": { "$move": [0, 2] }, "settings": { "light": 1 }, "outline": [], "body": "another",
        "page": "line two", "data": null, "icon": null, "status": "done",
    });
    let after = ada.patch(path, changed).await.expect(200)["row"].clone();
    assert_ne!(after, made);
    let back = ada.post(&format!("{path}/revert"), json!({ "to": 1 })).await.expect(200)["row"].clone();
    for (field, value) in made.as_object().unwrap() {
        if field == "outline" {
            // Nodes that were deleted come back as new ones.
            assert_eq!(back[field][0]["data"], value[0]["data"]);
            assert_eq!(back[field][0]["children"][0]["data"], value[0]["children"][0]["data"]);
        } else {
            assert_eq!(&back[field], value, "{field}");
        }
    }
    let diff = ada.get(&format!("{path}/diff?from=1&to=2")).await.expect(200);
    assert_eq!(diff["fields"]["tags"], json!({ "before": ["a", "b"], "after": ["a", "b", "c"] }));
    assert_eq!(diff["fields"]["page"]["after"]["type"], "doc");
    assert_eq!(stage.installation.check_clean().await, 1);
}
