//! What may not be read is not found, not counted and not shown, on every path.

use corella_testkit::{
    Database, Http, on_both, query,
    row::{append, read},
};
use corella_wire::{JoinErrorCode, Magic, RoomName};
use serde_json::{Value as Json, json};

use crate::stage::Team;

const TASK: &str = "/api/entities/Task/t1";

async fn ids(http: &Http, path: &str, pairs: &[(&str, &str)]) -> Vec<String> {
    let page = http.get(&format!("{path}{}", query(pairs))).await.expect(200);
    let rows = page["rows"].as_array().expect("a page has rows");
    rows.iter().map(|row| row["id"].as_str().expect("a row has an id").to_owned()).collect()
}

fn room(name: &str, magic: Magic) -> (Magic, RoomName) {
    (magic, RoomName::new(name).expect("a room name"))
}

on_both!(others_see_nothing_of_a_row);

#[cfg(test)]
async fn others_see_nothing_of_a_row(database: Database) {
    let team = Team::with_project(database).await;
    team.user("ed").get(TASK).await.expect(200);
    for path in [TASK, "/api/entities/Task/t1?rich=body", "/api/entities/Task/none"] {
        assert_eq!(team.user("eve").get(path).await.problem(), "404 row_not_found", "{path}");
    }
    let doc = format!("{TASK}/doc");
    assert_eq!(team.user("eve").get(&doc).await.problem(), "403 forbidden");
    assert_eq!(team.user("rita").get(&doc).await.status, 200);
    assert_eq!(ids(&team.user("eve"), "/api/entities/Task", &[]).await, [] as [&str; 0]);
    assert_eq!(ids(&team.user("rita"), "/api/entities/Task", &[]).await, ["t1"]);
    assert_eq!(ids(&team.user("rita"), "/api/entities/Project", &[]).await, ["p1"]);
    assert_eq!(ids(&team.user("rita"), "/api/entities/Member", &[]).await, [] as [&str; 0]);
    let eve = team.peer("eve").await;
    for magic in [Magic::Document, Magic::Ephemeral] {
        let refusal = eve.try_join(room("Task/t1", magic), &[], &[]).await.unwrap_err();
        assert_eq!(refusal.code, JoinErrorCode::AuthFailed);
    }
    let rita = team.peer("rita").await;
    rita.join("Task/t1").await;
    rita.join_presence("Task/t1").await;
    rita.until("Task/t1", "the task", |doc| read(doc, "title") == "Draw").await;
}

on_both!(pages_are_full_and_have_every_row_once);

#[cfg(test)]
async fn pages_are_full_and_have_every_row_once(database: Database) {
    let team = Team::with_project(database).await;
    let (olga, ed) = (team.user("olga"), team.user("ed"));
    olga.post("/api/entities/Project", json!({ "id": "p2", "name": "Hers alone" })).await.expect(201);
    let member = json!({ "project": "p2", "user": "olga", "role": "editor" });
    olga.post("/api/entities/Member", member).await.expect(201);
    for number in 0..40 {
        let (project, author) = if number % 4 == 0 { ("p1", &ed) } else { ("p2", &olga) };
        let task = json!({ "id": format!("x{number:02}"), "project": project, "title": "t" });
        author.post("/api/entities/Task", task).await.expect(201);
    }
    let mut found = Vec::new();
    let mut cursor = Json::Null;
    let mut pages = 0;
    loop {
        let mut pairs = vec![("limit", "3")];
        let text = cursor.as_str().unwrap_or_default().to_owned();
        pairs.extend((!text.is_empty()).then_some(("cursor", &*text)));
        let page = ed.get(&format!("/api/entities/Task{}", query(&pairs))).await.expect(200);
        let rows = page["rows"].as_array().expect("rows").clone();
        pages += 1;
        cursor = page["cursor"].clone();
        assert!(rows.len() == 3 || cursor.is_null(), "a page is full unless it is the last");
        found.extend(rows.iter().map(|row| row["id"].as_str().expect("an id").to_owned()));
        if cursor.is_null() {
            break;
        }
    }
    let mut expected: Vec<String> = (0..40).step_by(4).map(|number| format!("x{number:02}")).collect();
    expected.insert(0, "t1".to_owned());
    assert_eq!(found, expected);
    assert_eq!(pages, 4);
}

on_both!(hidden_fields_are_left_out_and_cannot_be_searched_for);

#[cfg(test)]
async fn hidden_fields_are_left_out_and_cannot_be_searched_for(database: Database) {
    let team = Team::new(database).await;
    let slips = "/api/entities/Payslip";
    for (id, user, amount) in [("s1", "ada", 5), ("s2", "bob", 7)] {
        let slip = json!({ "id": id, "user": user, "month": 1, "amount": amount });
        team.boss().post(slips, slip).await.expect(201);
    }
    let ada = team.user("ada");
    let page = ada.get(slips).await.expect(200);
    assert_eq!(
        page["rows"],
        json!([{ "id": "s1", "user": "ada", "month": 1, "amount": 5 }, { "id": "s2", "user": "bob", "month": 1 }])
    );
    let row = ada.get(&format!("{slips}/s2")).await.expect(200)["row"].clone();
    assert_eq!(row, json!({ "id": "s2", "user": "bob", "month": 1 }));
    for filter in [r#"{"amount":7}"#, r#"{"amount":{"$gt":6}}"#, r#"{"$not":{"amount":5}}"#] {
        assert_eq!(ids(&ada, slips, &[("where", filter)]).await, [] as [&str; 0], "{filter}");
    }
    assert_eq!(ids(&ada, slips, &[("orderBy", "\"amount\"")]).await, ["s1"]);
    assert_eq!(ids(&team.boss(), slips, &[("orderBy", "\"amount\"")]).await, ["s1", "s2"]);
    // A document is whole or not at all.
    assert_eq!(ada.get(&format!("{slips}/s1/doc")).await.status, 200);
    let refused = ada.get(&format!("{slips}/s2/doc")).await;
    assert_eq!(refused.problem(), "403 forbidden");
    assert!(refused.text().contains("Payslip.amount"), "{}", refused.text());
    let peer = team.peer("ada").await;
    peer.join("Payslip/s1").await;
    let refusal = peer.try_join(room("Payslip/s2", Magic::Document), &[], &[]).await.unwrap_err();
    assert_eq!(refusal.code, JoinErrorCode::AuthFailed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_not_there_yet_may_be_joined_and_is_taken_away_when_it_is_not_for_all() {
    let team = Team::with_project(Database::Sqlite).await;
    let (eve, ed) = (team.peer("eve").await, team.peer("ed").await);
    eve.join("Task/t2").await;
    ed.join("Task/t2").await;
    let status = ed
        .change("Task/t2", |doc| {
            corella_testkit::row::set(doc, "project", "p1");
            append(doc, "body", "secret");
        })
        .await;
    assert_eq!(status, corella_wire::AckStatus::Ok);
    assert_eq!(eve.taken_away("Task/t2").await, corella_wire::RoomErrorCode::Evicted);
    assert_eq!(eve.received("Task/t2").frames, 0);
}
