//! Whoever loses sight of a row hears so in the same commit, and no byte of it afterwards.

use std::collections::HashMap;

use corella_testkit::{
    Database, Peer, Random, on_both,
    row::{append, read},
};
use corella_wire::{
    AckStatus, ErrorCode, JoinErrorCode, Magic, RoomErrorCode, RoomName, control::ServerMessage,
};
use serde_json::{Value as Json, json};

use crate::stage::Team;

const NOTE: &str = "Note/n1";
const TASK: &str = "Task/t1";

on_both!(a_row_that_turns_private_is_taken_away);

#[cfg(test)]
async fn a_row_that_turns_private_is_taken_away(database: Database) {
    let team = Team::new(database).await;
    let ada = team.user("ada");
    ada.post("/api/entities/Note", json!({ "id": "n1", "title": "one", "public": true })).await.expect(201);
    let (owner, bob) = (team.peer("ada").await, team.peer("bob").await);
    for peer in [&owner, &bob] {
        peer.join(NOTE).await;
        peer.join_presence(NOTE).await;
    }
    ada.patch("/api/entities/Note/n1", json!({ "public": false, "title": "two" })).await.expect(200);
    assert_eq!(bob.taken_away(NOTE).await, RoomErrorCode::Evicted);
    ada.patch("/api/entities/Note/n1", json!({ "title": "three" })).await.expect(200);
    owner.until(NOTE, "the last title", |doc| read(doc, "title") == "three").await;
    bob.ping().await;
    assert_eq!(read(&bob.doc(NOTE), "title"), "one");
    assert_eq!(team.user("bob").get("/api/entities/Note/n1/doc").await.problem(), "403 forbidden");
    let refusal = bob.try_join((Magic::Document, RoomName::new(NOTE).unwrap()), &[], &[]).await.unwrap_err();
    assert_eq!(refusal.code, JoinErrorCode::AuthFailed);
    ada.patch("/api/entities/Note/n1", json!({ "public": true })).await.expect(200);
    bob.join(NOTE).await;
    bob.until(NOTE, "the last title", |doc| read(doc, "title") == "three").await;
}

on_both!(a_membership_that_ends_takes_the_rows_away);

#[cfg(test)]
async fn a_membership_that_ends_takes_the_rows_away(database: Database) {
    let team = Team::with_project(database).await;
    let (ed, rita) = (team.peer("ed").await, team.peer("rita").await);
    ed.join(TASK).await;
    rita.join(TASK).await;
    rita.until(TASK, "the task", |doc| read(doc, "title") == "Draw").await;
    team.user("olga").delete("/api/entities/Member/m-rita").await.expect(200);
    assert_eq!(ed.change(TASK, |doc| append(doc, "body", "not for Rita")).await, AckStatus::Ok);
    assert_eq!(rita.taken_away(TASK).await, RoomErrorCode::Evicted);
    rita.ping().await;
    assert_eq!(read(&rita.doc(TASK), "body"), "");
    // It comes back with the membership.
    let member = json!({ "project": "p1", "user": "rita" });
    team.user("olga").post("/api/entities/Member", member).await.expect(201);
    rita.join(TASK).await;
    rita.until(TASK, "the text", |doc| read(doc, "body") == "not for Rita").await;
}

on_both!(rows_leave_and_enter_a_live_query_with_a_membership);

#[cfg(test)]
async fn rows_leave_and_enter_a_live_query_with_a_membership(database: Database) {
    let team = Team::with_project(database).await;
    let rita = team.peer("rita").await;
    let query = json!({ "from": "Task", "select": ["title"] });
    rita.send_text(&json!({ "type": "subscribe", "ref": "q", "query": query }).to_string()).await;
    let told = rita.message().await.encode();
    assert!(told.contains("Draw"), "{told}");
    let answers = async || -> Json {
        let told: Json = serde_json::from_str(&rita.message().await.encode()).expect("messages are JSON");
        told["answers"].clone()
    };
    // Her membership ends, and the task changes after that: she hears of the first alone.
    team.user("olga").delete("/api/entities/Member/m-rita").await.expect(200);
    team.user("ed").patch("/api/entities/Task/t1", json!({ "title": "not for Rita" })).await.expect(200);
    assert_eq!(answers().await, json!([{ "ref": "q", "remove": ["t1"] }]));
    // A membership that comes brings the rows.
    let member = json!({ "project": "p1", "user": "rita" });
    team.user("olga").post("/api/entities/Member", member).await.expect(201);
    let row = json!({ "id": "t1", "title": "not for Rita" });
    assert_eq!(answers().await, json!([{ "ref": "q", "upsert": [{ "id": "t1", "at": 0, "row": row }] }]));
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_shared_database_changes_from_elsewhere_count() {
    let team = Team::with_project(Database::Postgres).await;
    let other = team.stage.installation.serve().await;
    let rita = other.peer(&team.token("rita", &json!({}))).await;
    rita.join(TASK).await;
    team.user("olga").delete("/api/entities/Member/m-rita").await.expect(200);
    let ed = team.user("ed");
    ed.patch("/api/entities/Task/t1", json!({ "body": "not for Rita" })).await.expect(200);
    assert_eq!(rita.taken_away(TASK).await, RoomErrorCode::Evicted);
    rita.ping().await;
    assert_eq!(read(&rita.doc(TASK), "body"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_token_with_other_roles_counts_at_once() {
    let team = Team::new(Database::Sqlite).await;
    let slip = json!({ "id": "s1", "user": "ada", "month": 1, "amount": 5 });
    team.boss().post("/api/entities/Payslip", slip).await.expect(201);
    let bob = team.stage.peer(&team.token("bob", &json!({ "roles": ["boss"] }))).await;
    bob.join("Payslip/s1").await;
    let plain = team.token("bob", &json!({}));
    bob.send_text(&json!({ "type": "auth", "token": plain }).to_string()).await;
    assert_eq!(bob.taken_away("Payslip/s1").await, RoomErrorCode::Evicted);
    let other = team.token("eve", &json!({}));
    bob.send_text(&json!({ "type": "auth", "token": other, "ref": "r" }).to_string()).await;
    bob.message().await;
    let ServerMessage::Error(error) = bob.message().await else {
        unreachable!("a connection stays with its user")
    };
    assert_eq!(error.code, ErrorCode::Forbidden);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_query_ends_with_the_roles_that_it_was_asked_with() {
    let team = Team::new(Database::Sqlite).await;
    let slip = json!({ "id": "s1", "user": "ada", "month": 1, "amount": 5 });
    team.boss().post("/api/entities/Payslip", slip).await.expect(201);
    let bob = team.stage.peer(&team.token("bob", &json!({ "roles": ["boss"] }))).await;
    let query = json!({ "from": "Payslip", "where": { "amount": { "$gt": 1 } } });
    let subscribe = json!({ "type": "subscribe", "ref": "q", "query": query }).to_string();
    bob.send_text(&subscribe).await;
    let told = bob.message().await.encode();
    assert!(told.contains("\"id\":\"s1\""), "{told}");
    let plain = team.token("bob", &json!({}));
    bob.send_text(&json!({ "type": "auth", "token": plain }).to_string()).await;
    let ended = loop {
        if let ServerMessage::Error(ended) = bob.message().await {
            break ended;
        }
    };
    assert_eq!((ended.code, ended.reference.as_deref()), (ErrorCode::QueryEnded, Some("q")));
    bob.send_text(&subscribe).await;
    let told = bob.message().await.encode();
    assert!(told.contains("\"rows\":[]"), "{told}");
}

on_both!(whatever_is_granted_and_revoked_nothing_leaks);

/// What each edit wrote, and who could see the row at that moment: the model.
///
/// Every edit appends a word of its own. A peer may hold a word only if it could see the row at that edit, or at some
/// moment later; the words of edits since the last moment of its access must be unknown to it.
#[cfg(test)]
async fn whatever_is_granted_and_revoked_nothing_leaks(database: Database) {
    const USERS: [&str; 3] = ["rita", "rob", "ruth"];
    let mut random = Random::new();
    println!("CORELLA_SEED={}", random.seed());
    let team = Team::with_project(database).await;
    let olga = team.user("olga");
    olga.delete("/api/entities/Member/m-rita").await.expect(200);
    let ed = team.peer("ed").await;
    ed.join(TASK).await;
    let mut peers: HashMap<&str, Peer> = HashMap::new();
    for user in USERS {
        peers.insert(user, team.peer(user).await);
    }
    // For each member its membership's id, and for each user how many words there were when access last was there.
    let mut members: HashMap<&str, String> = HashMap::new();
    let mut joined: HashMap<&str, bool> = HashMap::new();
    let mut most: HashMap<&str, usize> = HashMap::new();
    let mut words = 0;
    for step in 0..60 {
        let user = USERS[usize::try_from(random.within(0..3)).unwrap()];
        let chance = random.within(0..6);
        println!("step {step}: {chance} {user} of {members:?}, in {joined:?}");
        match chance {
            0 | 1 => {
                if let Some(id) = members.remove(user) {
                    olga.delete(&format!("/api/entities/Member/{id}")).await.expect(200);
                    most.insert(user, words);
                    if joined.insert(user, false) == Some(true) {
                        assert_eq!(peers[user].taken_away(TASK).await, RoomErrorCode::Evicted, "step {step}");
                    }
                } else {
                    let id = format!("{user}-{step}");
                    let member = json!({ "id": id, "project": "p1", "user": user });
                    olga.post("/api/entities/Member", member).await.expect(201);
                    members.insert(user, id);
                }
            }
            2 => {
                let peer = &peers[user];
                let version = peer.doc(TASK).oplog_vv().encode();
                let answer =
                    peer.try_join((Magic::Document, RoomName::new(TASK).unwrap()), &[], &version).await;
                assert_eq!(answer.is_ok(), members.contains_key(user), "step {step}: {user}");
                joined.insert(user, answer.is_ok());
            }
            _ => {
                words += 1;
                let word = format!("<{words}>");
                assert_eq!(ed.change(TASK, |doc| append(doc, "body", &word)).await, AckStatus::Ok);
            }
        }
        for user in USERS.iter().filter(|user| !members.contains_key(*user)) {
            peers[user].ping().await;
            let held = read(&peers[user].doc(TASK), "body");
            let known = held.matches('<').count();
            let allowed = most.get(user).copied().unwrap_or(0);
            assert!(known <= allowed, "step {step}: {user} holds {known} words of {allowed}");
        }
    }
    for (user, is_in) in joined {
        if is_in {
            peers[user].until_equal(TASK, &ed).await;
        }
    }
}
