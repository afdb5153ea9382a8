//! Rows as JSON: made, read, changed, deleted, restored.

use corella_testkit::{Database, SAMPLE, Stage, on_both};
use serde_json::json;

const NOTES: &str = "/api/entities/Note";
const NOTE: &str = "/api/entities/Note/n1";

on_both!(a_row_lives_and_dies_and_comes_back);

#[cfg(test)]
async fn a_row_lives_and_dies_and_comes_back(database: Database) {
    let stage = Stage::on(database, SAMPLE).await;
    let ada = stage.ada();
    let made =
        ada.post(NOTES, json!({ "id": "n1", "title": "Plan", "body": "text", "stars": 3 })).await.expect(201);
    let row = json!({
        "id": "n1", "title": "Plan", "body": "text", "summary": null, "pinned": false, "color": "none", "stars": 3,
        "position": 0.0, "due": null, "author": null, "slug": null, "page": "",
    });
    assert_eq!(made, json!({ "id": "n1", "row": row, "seq": 1 }));
    assert_eq!(ada.get(NOTE).await.expect(200)["row"], row);

    let patched =
        ada.patch(NOTE, json!({ "pinned": true, "stars": null, "body": "text!" })).await.expect(200);
    let mut row = row;
    row["pinned"] = json!(true);
    row["stars"] = json!(null);
    row["body"] = json!("text!");
    assert_eq!(patched, json!({ "id": "n1", "row": row, "seq": 2 }));

    assert_eq!(ada.delete(NOTE).await.expect(200)["seq"], 3);
    assert_eq!(ada.get(NOTE).await.problem(), "404 row_not_found");
    assert_eq!(ada.get(NOTES).await.expect(200)["rows"], json!([]));
    assert_eq!(ada.patch(NOTE, json!({ "title": "no" })).await.problem(), "404 row_not_found");
    assert_eq!(ada.delete(NOTE).await.problem(), "404 row_not_found");
    assert_eq!(ada.post(NOTES, json!({ "id": "n1", "title": "again" })).await.problem(), "409 row_exists");

    assert_eq!(ada.post(&format!("{NOTE}/restore"), json!({})).await.expect(200)["row"], row);
    assert_eq!(ada.get(NOTE).await.expect(200), json!({ "id": "n1", "row": row, "seq": 4 }));
    assert_eq!(stage.installation.check_clean().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_that_changes_nothing_is_no_change() {
    let stage = Stage::new(SAMPLE).await;
    let ada = stage.ada();
    ada.post(NOTES, json!({ "id": "n1", "title": "Plan", "body": "text" })).await.expect(201);
    let same = ada.patch(NOTE, json!({ "title": "Plan", "body": "text", "pinned": false })).await.expect(200);
    assert_eq!(same["seq"], 1);
    assert_eq!(ada.patch(NOTE, json!({})).await.expect(200)["seq"], 1);
    assert_eq!(stage.seq().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_names_rows_that_have_no_name() {
    let stage = Stage::new(SAMPLE).await;
    let first = stage.ada().post(NOTES, json!({ "title": "one" })).await.expect(201);
    let second = stage.ada().post(NOTES, json!({ "title": "two" })).await.expect(201);
    let (first, second) = (first["id"].as_str().unwrap(), second["id"].as_str().unwrap());
    assert!(first < second, "ids come in the order of their making: {first} {second}");
    assert_eq!(stage.ada().get(&format!("{NOTES}/{second}")).await.expect(200)["row"]["title"], "two");
}

on_both!(every_type_is_kept_as_it_was_given);

#[cfg(test)]
async fn every_type_is_kept_as_it_was_given(database: Database) {
    let stage = Stage::on(database, SAMPLE).await;
    let given = json!({
        "id": "types", "title": "ä \u{1f600} \u{1} '\"\\", "body": "line\nline", "summary": "", "pinned": true,
        "color": "green", "stars": -1, "position": 1e-300, "due": "2026-11-20T06:14:00.000001Z", "author": "u1",
        "slug": "s", "page": "first\nsecond",
    });
    stage.ada().post("/api/entities/User", json!({ "id": "u1", "name": "Ada" })).await.expect(201);
    let made = stage.ada().post(NOTES, given.clone()).await.expect(201)["row"].clone();
    assert_eq!(made, given);
    let stage = stage.crash().await;
    assert_eq!(stage.ada().get(&format!("{NOTES}/types")).await.expect(200)["row"], given);
    assert_eq!(stage.installation.check_clean().await, 2);
}

on_both!(a_unique_value_names_who_holds_it);

#[cfg(test)]
async fn a_unique_value_names_who_holds_it(database: Database) {
    let stage = Stage::on(database, SAMPLE).await;
    let ada = stage.ada();
    ada.post(NOTES, json!({ "id": "n1", "title": "one", "slug": "s" })).await.expect(201);
    let clash = ada.post(NOTES, json!({ "id": "n2", "title": "two", "slug": "s" })).await;
    assert_eq!(clash.problem(), "409 unique_violation");
    assert!(clash.json()["detail"].as_str().unwrap().contains("n1"), "{}", clash.text());
    assert_eq!(ada.get(&format!("{NOTES}/n2")).await.problem(), "404 row_not_found");
    // A row that is deleted holds nothing; one that comes back may find its value taken.
    ada.delete(NOTE).await.expect(200);
    ada.post(NOTES, json!({ "id": "n2", "title": "two", "slug": "s" })).await.expect(201);
    assert_eq!(ada.post(&format!("{NOTE}/restore"), json!({})).await.problem(), "409 unique_violation");
    assert_eq!(stage.installation.check_clean().await, 2);
}

on_both!(of_many_who_want_one_unique_value_one_gets_it);

#[cfg(test)]
async fn of_many_who_want_one_unique_value_one_gets_it(database: Database) {
    let stage = Stage::on(database, SAMPLE).await;
    let answers: Vec<_> = (0..24)
        .map(|number| {
            let ada = stage.ada();
            let slug = if number % 3 == 0 { "wanted".to_owned() } else { format!("own-{number}") };
            tokio::spawn(async move {
                ada.post(NOTES, json!({ "title": "t", "slug": slug })).await.status.as_u16()
            })
        })
        .collect();
    let mut counts = (0, 0);
    for answer in answers {
        match answer.await.unwrap() {
            201 => counts.0 += 1,
            409 => counts.1 += 1,
            other => unreachable!("status {other}"),
        }
    }
    assert_eq!(counts, (17, 7));
    assert_eq!(stage.installation.check_clean().await, 17);
}
