//! What a join says of writing.

use corella_testkit::{
    Database, Finished, Peer, on_both,
    row::{append, read},
};
use corella_wire::{AckStatus, ErrorCode, Permission, control::ServerMessage};
use serde_json::json;

use crate::stage::Team;

/// What may be done with a row, as its join says.
async fn told(peer: &Peer, room: &str) -> Permission {
    let permission = peer.join(room).await.permission;
    peer.leave(room).await;
    permission
}

on_both!(a_join_says_whether_one_may_write);

#[cfg(test)]
async fn a_join_says_whether_one_may_write(database: Database) {
    use Permission::{Read, Write};
    let team = Team::with_project(database).await;
    team.user("ed")
        .post("/api/entities/Note", json!({ "id": "n1", "title": "Ed's", "public": true }))
        .await
        .expect(201);
    let [ed, rita] = [team.peer("ed").await, team.peer("rita").await];
    let root = team.stage.peer(&team.token("root", &json!({ "admin": true }))).await;

    for (room, by_ed, by_rita) in [
        ("Task/t1", Write, Read),
        ("Note/n1", Write, Read),
        // Whether one that is to come is theirs, nobody knows yet; of payslips and what is locked it is sure.
        ("Note/n2", Write, Write),
        ("Task/t2", Write, Write),
        ("Payslip/p2", Read, Read),
        ("Locked/l2", Read, Read),
    ] {
        assert_eq!((told(&ed, room).await, told(&rita, room).await), (by_ed, by_rita), "{room}");
        assert_eq!(told(&root, room).await, Write, "{room}");
    }

    // It is what held at the join: the next one says what holds then, and an update is judged when it comes.
    rita.join("Task/t1").await;
    let status = rita.change("Task/t1", |doc| append(doc, "body", "!")).await;
    assert_eq!(status, AckStatus::PermissionDenied);
    let ServerMessage::Error(refused) = rita.message().await else { unreachable!("an error was expected") };
    assert_eq!(refused.code, ErrorCode::Forbidden);
    let command = "`corella explain policy --user rita --entity Task --row t1 --action update`";
    assert!(refused.message.ends_with(command), "{}", refused.message);
    let promoted = json!({ "role": "editor" });
    team.user("olga").patch("/api/entities/Member/m-rita", promoted).await.expect(200);
    let rita = team.peer("rita").await;
    assert_eq!(rita.join("Task/t1").await.permission, Write);
    assert_eq!(rita.change("Task/t1", |doc| append(doc, "body", "Rita's")).await, AckStatus::Ok);
    ed.join("Task/t1").await;
    ed.until("Task/t1", "what Rita wrote", |doc| read(doc, "body") == "Rita's").await;
}

/// What a refusal says leads to an explanation of it, and says nothing of what the caller may not see.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_names_the_command_that_explains_it() {
    let team = Team::with_project(Database::Sqlite).await;
    let rita = team.user("rita");
    let refused = rita.patch("/api/entities/Task/t1", json!({ "title": "Mine" })).await.expect(403);
    let command = refused["detail"].as_str().and_then(|detail| detail.split('`').nth(1));
    let command = command.expect("the detail names a command");
    assert_eq!(command, "corella explain policy --user rita --entity Task --row t1 --action update");
    let arguments: Vec<&str> = command.split(' ').skip(1).collect();
    let Finished { code, stdout, .. } = team.stage.installation.run(&arguments).await;
    assert_eq!(code, Some(1));
    assert!(stdout.starts_with("rita may not update Task/t1."), "{stdout}");
    // To those who may not see the row it is not there, and nothing is to be explained.
    let hidden = team.user("mallory").patch("/api/entities/Task/t1", json!({ "title": "Mine" })).await;
    assert!(!hidden.expect(404).to_string().contains("explain"));
}
