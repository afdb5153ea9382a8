//! Whole numbers of 64 bits, exact on every way.

use corella_testkit::{
    SAMPLE, Stage,
    row::{fields, read, set},
};
use corella_wire::AckStatus;
use loro::{LoroValue, ValueOrContainer};
use serde_json::json;

const BEYOND: i64 = (1 << 53) + 1;

#[tokio::test(flavor = "multi_thread")]
async fn a_number_beyond_the_doubles_survives_every_way() {
    let stage = Stage::new(SAMPLE).await;
    let ada = stage.ada();
    for (id, given) in [("number", json!(BEYOND)), ("text", json!(BEYOND.to_string()))] {
        let made = ada
            .post("/api/entities/Note", json!({ "id": id, "title": "t", "stars": given }))
            .await
            .expect(201);
        assert_eq!(made["row"]["stars"], BEYOND.to_string());
        let room = format!("Note/{id}");
        let peer = stage.connect().await;
        peer.join(&room).await;
        peer.until(&room, "the row", |doc| read(doc, "title") == "t").await;
        let Some(ValueOrContainer::Value(LoroValue::I64(stored))) = fields(&peer.doc(&room)).get("stars")
        else {
            unreachable!("the document holds {:?}", fields(&peer.doc(&room)).get("stars"));
        };
        assert_eq!(stored, BEYOND);
        // One more, from the document's side.
        assert_eq!(peer.change(&room, |doc| set(doc, "stars", BEYOND + 1)).await, AckStatus::Ok);
        let row = ada.get(&format!("/api/entities/{room}")).await.expect(200);
        assert_eq!(row["row"]["stars"], (BEYOND + 1).to_string());
    }
    let database = rusqlite::Connection::open(stage.installation.database()).unwrap();
    let stored: i64 = database.query_row("SELECT min(stars) FROM Note", [], |row| row.get(0)).unwrap();
    assert_eq!(stored, BEYOND + 1);
    let stage = stage.crash().await;
    let row = stage.ada().get("/api/entities/Note/number").await.expect(200);
    assert_eq!(row["row"]["stars"], (BEYOND + 1).to_string());
    assert_eq!(stage.installation.check_clean().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ends_of_the_range_and_what_lies_beyond() {
    let stage = Stage::new(SAMPLE).await;
    let ada = stage.ada();
    ada.post("/api/entities/Note", json!({ "id": "n1", "title": "t" })).await.expect(201);
    for number in [i64::MAX, i64::MIN, 0, -1] {
        let row =
            ada.patch("/api/entities/Note/n1", json!({ "stars": number })).await.expect(200)["row"].clone();
        let read: i64 = row["stars"]
            .as_str()
            .map_or_else(|| row["stars"].as_i64().unwrap(), |text| text.parse().unwrap());
        assert_eq!(read, number);
    }
    for wrong in [
        json!(9_223_372_036_854_775_808_u64),
        json!("9223372036854775808"),
        json!(0.5),
        json!("1.0"),
        json!(true),
    ] {
        let answer = ada.patch("/api/entities/Note/n1", json!({ "stars": wrong })).await;
        assert_eq!(answer.problem(), "422 invalid_value", "{wrong}");
    }
}
