//! Live queries: the answer, and what each commit makes of it.

use corella_testkit::{Database, SAMPLE, Stage, on_both, within};
use corella_wire::control::ServerMessage;
use serde_json::{Value as Json, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const NOTES: &str = "/api/entities/Note";

on_both!(an_answer_is_told_and_kept_true);

/// More rows than an answer may have unless more are asked for: all of them come, or none and the reason.
#[tokio::test(flavor = "multi_thread")]
async fn no_row_is_left_out_without_a_word() {
    const COUNT: usize = 12_000;
    let stage = Stage::with(SAMPLE, &["--rows-per-answer", "11999"]).await;
    for first in (0..COUNT).step_by(1_000) {
        let insert = |at: usize| json!({"entity": "User", "id": format!("u{at}"), "insert": {"name": "x"}});
        let changes: Vec<Json> = (first..first + 1_000).map(insert).collect();
        stage.ada().post("/api/transactions", json!({ "changes": changes })).await.expect(200);
    }
    let subscribe = json!({"type": "subscribe", "ref": "q", "query": {"from": "User"}}).to_string();
    let peer = stage.connect().await;
    peer.send_text(&subscribe).await;
    let refused = spoken(&peer.message().await);
    assert_eq!(refused["code"], "answer_too_large", "{refused}");
    assert!(refused["message"].as_str().expect("a text").contains("more than 11999 rows"), "{refused}");

    let Stage { installation, server, .. } = stage;
    server.stop().await;
    let server = installation.start("serve", &["--rows-per-answer", "12000"]).await;
    let peer = server.peer(&installation.token("ada").await).await;
    peer.send_text(&subscribe).await;
    let mut ids = std::collections::BTreeSet::new();
    while ids.len() < COUNT {
        let answer = spoken(&peer.message().await);
        let rows = answer["rows"].as_array().unwrap_or_else(|| unreachable!("{answer}"));
        let id = |row: &Json| row["id"].as_str().expect("a text").to_owned();
        assert!(rows.iter().all(|row| ids.insert(id(row))), "a row came twice");
    }
    // Over HTTP they come page by page, or not at all.
    let ada = server.http(&installation.token("ada").await);
    let (mut ids, mut cursor) = (std::collections::BTreeSet::new(), String::new());
    loop {
        let page = ada.get(&format!("/api/entities/User?limit=1000{cursor}")).await.expect(200);
        let rows = page["rows"].as_array().expect("rows");
        ids.extend(rows.iter().map(|row| row["id"].as_str().expect("a text").to_owned()));
        match page["cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(ids.len(), COUNT);
}

#[cfg(test)]
fn spoken(message: &ServerMessage) -> Json {
    serde_json::from_str(&message.encode()).expect("it is JSON")
}

#[cfg(test)]
async fn an_answer_is_told_and_kept_true(database: Database) {
    let stage = Stage::on(database, SAMPLE).await;
    let insert = |id: &str, title: &str, pinned: bool| {
        let row = json!({"id": id, "title": title, "pinned": pinned});
        let ada = stage.ada();
        async move { ada.post(NOTES, row).await.expect(201)["seq"].clone() }
    };
    insert("n1", "b", true).await;
    insert("n2", "a", false).await;

    let peer = stage.connect().await;
    let query = json!({"from": "Note", "where": {"pinned": true}, "orderBy": "title", "select": ["title"], "limit": 2});
    peer.send_text(&json!({"type": "subscribe", "ref": "q", "query": query}).to_string()).await;
    let snapshot = spoken(&peer.message().await);
    assert_eq!(snapshot["rows"], json!([{"id": "n1", "title": "b"}]));
    let once = stage.ada().post("/api/query", query.clone()).await.expect(200);
    assert_eq!(once["rows"], snapshot["rows"]);
    // An answer's epoch is the database's, and tells what was asked besides.
    let [epoch, asked] = [&once, &snapshot].map(|answer| answer["epoch"].as_str().expect("a text"));
    assert!(asked.starts_with(&format!("{epoch}.")), "{epoch} and {asked}");

    // A row comes into the answer by a patch, and the mutation's own change is waited for.
    let mutate = json!({"type": "mutate", "ref": "m", "entity": "Note", "id": "n2", "op": "patch", "fields": {"pinned": true}});
    peer.send_text(&mutate.to_string()).await;
    let mut seq = Json::Null;
    let mut told = Vec::new();
    loop {
        let message = spoken(&peer.message().await);
        match message["type"].as_str() {
            Some("result") => {
                seq = message["seq"].clone();
                peer.send_text(&json!({"type": "await", "ref": "w", "seq": seq}).to_string()).await;
            }
            Some("reached") => break,
            Some("changes") => told.push(message),
            other => unreachable!("{other:?}"),
        }
    }
    let upsert = json!([{"id": "n2", "at": 0, "row": {"id": "n2", "title": "a"}}]);
    assert_eq!(told, [json!({"type": "changes", "seq": seq, "answers": [{"ref": "q", "upsert": upsert}]})]);

    // A third pushes the last one out of the window; a deletion brings it back.
    let seq = insert("n3", "aa", true).await;
    let answers = json!([{"ref": "q", "upsert": [{"id": "n3", "at": 1, "row": {"id": "n3", "title": "aa"}}], "remove": ["n1"]}]);
    assert_eq!(spoken(&peer.message().await), json!({"type": "changes", "seq": seq, "answers": answers}));
    stage.ada().delete(&format!("{NOTES}/n2")).await.expect(200);
    let message = spoken(&peer.message().await);
    let answers = json!([{"ref": "q", "upsert": [{"id": "n1", "at": 1, "row": {"id": "n1", "title": "b"}}], "remove": ["n2"]}]);
    assert_eq!(message["answers"], answers);

    peer.send_text(r#"{"type":"unsubscribe","ref":"q"}"#).await;
    peer.send_text(r#"{"type":"subscribe","ref":"q","query":{"from":"Note","where":{"pined":1}}}"#).await;
    let refused = spoken(&peer.message().await);
    assert_eq!((&refused["code"], &refused["ref"]), (&json!("invalid_query"), &json!("q")));
    assert!(
        refused["message"].as_str().is_some_and(|text| text.contains("did you mean `pinned`?")),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_can_be_followed_without_a_socket() {
    let stage = Stage::new(SAMPLE).await;
    let pairs = [("query", r#"{"from":"Note","select":["title"]}"#), ("token", stage.token())];
    let query = corella_testkit::query(&pairs);
    let mut stream = TcpStream::connect(stage.address()).await.expect("it listens");
    let request = format!("GET /api/live{query} HTTP/1.1\r\nhost: corella\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut heard = String::new();
    let mut until = async |what: &str| {
        let read = async {
            let mut buffer = [0; 4_096];
            while !heard.contains(what) {
                let count = stream.read(&mut buffer).await.expect("it is open");
                assert_ne!(count, 0, "{heard}");
                heard.push_str(&String::from_utf8_lossy(&buffer[..count]));
            }
        };
        within(what, read).await;
    };
    until("event: snapshot").await;
    until(r#""rows":[]"#).await;
    stage.ada().post(NOTES, json!({"id": "n1", "title": "Plan"})).await.expect(201);
    until(r#""upsert":[{"id":"n1","at":0,"row":{"id":"n1","title":"Plan"}}]"#).await;
    let wrong = stage.ada().get("/api/live?query=7").await;
    assert_eq!(wrong.problem(), "400 invalid_query");
}
