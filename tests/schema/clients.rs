//! Clients that were made for another schema.

use corella_testkit::{Database, Http, Installation};
use corella_wire::control::ServerMessage;
use serde_json::{Value as Json, json};

use crate::{TASKS, before};

/// The fingerprint that the server tells in its greeting.
async fn served(server: &corella_testkit::Server, token: &str) -> String {
    let peer = server.peer(token).await;
    peer.send_text(r#"{"type":"hello"}"#).await;
    let message = peer.message().await;
    let ServerMessage::Hello(hello) = message else { unreachable!("{message:?}") };
    hello.schema.expect("it names its schema")
}

async fn asked(http: &Http, schema: &str) -> (u16, Json) {
    let task = json!({ "title": "t", "state": "s" }).to_string();
    let method = "POST".parse().expect("a method");
    let answer = http.send(method, TASKS, &[("corella-schema", schema)], task).await;
    (answer.status.as_u16(), answer.json())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_one_works_on_until_it_would_be_misunderstood() {
    let installation = Installation::on(Database::Sqlite, &before());
    let server = installation.serve().await;
    let token = installation.token("ada").await;
    let first = served(&server, &token).await;
    assert_eq!(asked(&server.http(&token), &first).await.0, 201);
    server.stop().await;

    let mut wider: Json = serde_json::from_str(&before()).expect("JSON");
    let fields = wider["entities"][0]["fields"].as_array_mut().expect("fields");
    fields.push(json!({ "name": "notes", "type": "richtext" }));
    installation.write_manifest(&wider.to_string());
    let server = installation.serve().await;
    assert_ne!(served(&server, &token).await, first);
    assert_eq!(asked(&server.http(&token), &first).await.0, 201, "what came may be left out");
    let peer = server.peer(&token).await;
    peer.send_text(&json!({ "type": "hello", "schema": first }).to_string()).await;
    assert!(matches!(peer.message().await, ServerMessage::Hello(_)));
    peer.join("Task/any").await;
    server.stop().await;

    wider["entities"][0]["fields"][0] =
        json!({ "name": "heading", "type": "string", "renamedFrom": "title" });
    installation.write_manifest(&wider.to_string());
    let server = installation.serve().await;
    let http = server.http(&token);
    let seq = server.stranger().get("/ready").await.expect(200)["seq"].clone();
    let (status, problem) = asked(&http, &first).await;
    assert_eq!((status, &problem["code"]), (412, &json!("schema_incompatible")));
    let detail = problem["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("rename the field Task.title to heading"), "{detail}");
    let (status, problem) = asked(&http, "0123456789abcdef").await;
    assert_eq!((status, &problem["code"]), (412, &json!("schema_incompatible")));

    // On the socket too, before anything else that it has sent is looked at.
    let peer = server.peer(&token).await;
    peer.send_text(&json!({ "type": "hello", "schema": first }).to_string()).await;
    let insert = json!({ "type": "mutate", "ref": "1", "entity": "Task", "op": "insert", "fields": { "heading": "h", "state": "s" } });
    // The connection may be over by then.
    peer.try_send_text(&insert.to_string()).await.ok();
    assert!(matches!(peer.message().await, ServerMessage::Hello(_)));
    let message = peer.message().await;
    let ServerMessage::Error(error) = message else { unreachable!("{message:?}") };
    assert_eq!(error.code.as_str(), "schema_incompatible");
    let ended = peer.ended().await;
    assert_eq!(ended.code, Some(4412), "{ended:?}");
    assert_eq!(server.stranger().get("/ready").await.expect(200)["seq"], seq, "nothing was written");
    // Whoever names no schema goes by what it writes: the former name is understood.
    let row = http.post(TASKS, json!({ "title": "by the former name", "state": "s" })).await.expect(201);
    assert_eq!(row["row"]["heading"], json!("by the former name"));
}
