//! `corella query`.

use std::process::Stdio;

use corella_testkit::{Installation, Server, within};
use serde_json::{Value as Json, json};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};

const MANIFEST: &str = r#"{"manifest_version":1,"name":"plans","version":"1","entities":[
    {"name":"Plan","fields":[{"name":"title","type":"string"}],
     "relations":[{"name":"tasks","target":"Task","field":"plan","many":true}]},
    {"name":"Task","fields":[{"name":"plan","type":"id(Plan)"},{"name":"title","type":"string"},{"name":"due","type":"int"}]}],
    "policies":[{"name":"plans","entity":"Plan","allow":"true"},{"name":"tasks","entity":"Task","allow":"auth.userId != null"}]}"#;

async fn plans() -> (Installation, Server, String) {
    let installation = Installation::new(MANIFEST);
    let server = installation.serve().await;
    let token = installation.token("ada").await;
    let http = server.http(&token);
    for (id, title) in [("p1", "Move"), ("p2", "Paint")] {
        http.post("/api/entities/Plan", json!({"id": id, "title": title})).await.expect(201);
    }
    for (id, plan, due) in [("t1", "p1", 3), ("t2", "p1", 1), ("t3", "p2", 2)] {
        let task = json!({"id": id, "plan": plan, "title": id, "due": due});
        http.post("/api/entities/Task", task).await.expect(201);
    }
    (installation, server, token)
}

fn lines(text: &str) -> Vec<Json> {
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_row_is_a_line() {
    let (installation, server, token) = plans().await;
    let address = format!("http://{}", server.address());
    let environment = [("CORELLA_SERVER", address.as_str()), ("CORELLA_TOKEN", &token)];
    let ask = async |query: &Json, more: &[&str]| {
        let text = query.to_string();
        let arguments: Vec<&str> = ["query", &text].into_iter().chain(more.iter().copied()).collect();
        installation.run_with(&arguments, &environment).await
    };
    let query = json!({"from": "Task", "where": {"plan.title": "Move"}, "orderBy": "due", "select": ["due"]});
    let found = ask(&query, &[]).await;
    assert_eq!(found.code, Some(0), "{}", found.stderr);
    assert_eq!(lines(&found.stdout), [json!({"id": "t2", "due": 1}), json!({"id": "t1", "due": 3})]);

    let query = json!({"from": "Plan", "include": {"tasks": {"orderBy": "due", "limit": 1, "select": []}}});
    let found = ask(&query, &[]).await;
    let expected = [
        json!({"id": "p1", "title": "Move", "tasks": [{"id": "t2"}]}),
        json!({"id": "p2", "title": "Paint", "tasks": [{"id": "t3"}]}),
    ];
    assert_eq!(lines(&found.stdout), expected);

    let explained = ask(&json!({"from": "Task", "where": {"due": 1}}), &["--explain"]).await;
    let explained: Json = serde_json::from_str(&explained.stdout).expect("it is JSON");
    assert_eq!(explained["live"], json!({"found": "index", "index": [{"equal": ["due"], "within": null}]}));
    assert!(explained["sql"].as_str().is_some_and(|sql| sql.contains("FROM \"Task\"")), "{explained}");

    for (query, expected) in [
        (json!({"from": "Task", "where": {"plan.titel": 1}}), "did you mean `title`?"),
        (json!({"from": "Plan", "include": {"task": true}}), "did you mean `tasks`?"),
        (json!({"from": "Plan", "include": {"tasks": {"cursor": "x"}}}), "include.tasks"),
        (json!([]), "expected a JSON object"),
    ] {
        let refused = ask(&query, &[]).await;
        assert_eq!((refused.code == Some(0), refused.stdout.as_str()), (false, ""), "{query}");
        assert!(refused.stderr.contains(expected), "{}", refused.stderr);
    }
    let nobody =
        installation.run_with(&["query", "{\"from\":\"Plan\"}", "--server", "http://127.0.0.1:1"], &[]).await;
    assert_ne!(nobody.code, Some(0));
    assert!(nobody.stderr.contains("127.0.0.1:1"), "{}", nobody.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_followed() {
    let (installation, server, token) = plans().await;
    let address = format!("http://{}", server.address());
    let query = r#"{"from":"Plan","where":{"tasks":{"$exists":{"due":{"$lt":3}}}},"select":[],"include":{"tasks":{"orderBy":"due","select":["due"]}}}"#;
    let mut command =
        installation.command(["query", "--live", query, "--server", &address, "--token", &token]);
    let mut following = command.stdout(Stdio::piped()).spawn().expect("the binary starts");
    let mut told = BufReader::new(following.stdout.take().expect("it is a pipe")).lines();
    async fn next<R: tokio::io::AsyncBufRead + Unpin>(told: &mut Lines<R>) -> Json {
        let line = within("a line", told.next_line()).await.expect("it is text").expect("it goes on");
        serde_json::from_str(&line).expect("it is JSON")
    }
    let whole = next(&mut told).await;
    let rows = json!([
        {"id": "p1", "tasks": [{"id": "t2", "due": 1}, {"id": "t1", "due": 3}]},
        {"id": "p2", "tasks": [{"id": "t3", "due": 2}]},
    ]);
    assert_eq!((&whole["type"], &whole["rows"]), (&json!("snapshot"), &rows));
    let http = server.http(&token);
    // A task goes behind the other; the plan is in the answer still.
    http.patch("/api/entities/Task/t1", json!({"due": 0})).await.expect(200);
    let changes = next(&mut told).await;
    let tasks = json!({"upsert": [{"id": "t2", "at": 1}, {"id": "t1", "row": {"due": 0}}]});
    let moved = json!({"upsert": [{"id": "t1", "row": {"due": 0}}, {"id": "t2", "at": 1}]});
    let parts = &changes["answers"][0]["upsert"][0]["parts"]["tasks"];
    assert!(*parts == tasks || *parts == moved, "{changes}");
    // Its only task becomes another's: the plan leaves, and the other has it.
    http.patch("/api/entities/Task/t3", json!({"plan": "p1"})).await.expect(200);
    let changes = next(&mut told).await;
    let answer = &changes["answers"][0];
    assert_eq!(answer["remove"], json!(["p2"]), "{changes}");
    let upsert = json!([{"id": "p1", "parts": {"tasks": {"upsert": [{"id": "t3", "at": 2, "row": {"id": "t3", "due": 2}}]}}}]);
    assert_eq!(answer["upsert"], upsert, "{changes}");
    following.kill().await.expect("it can be ended");
}
