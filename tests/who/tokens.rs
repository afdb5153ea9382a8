//! Tokens that end while a connection is open.

use std::time::{SystemTime, UNIX_EPOCH};

use corella_testkit::{Database, row::append};
use corella_wire::{AckStatus, Magic, RoomErrorCode, RoomName};
use serde_json::json;

use crate::stage::Team;

/// A token that is over in about two seconds, the leeway included.
fn short(team: &Team, user: &str) -> String {
    const LEEWAY: u64 = 30;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs();
    team.token(user, &json!({ "exp": now + 2 - LEEWAY }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_ends_with_its_token() {
    let team = Team::with_project(Database::Sqlite).await;
    let ed = team.stage.peer(&short(&team, "ed")).await;
    ed.join("Task/t1").await;
    assert_eq!(ed.ended().await.code, Some(4401));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_token_in_time_keeps_it() {
    let team = Team::with_project(Database::Sqlite).await;
    let (ed, other) =
        (team.stage.peer(&short(&team, "ed")).await, team.stage.peer(&short(&team, "ed")).await);
    ed.join("Task/t1").await;
    let fresh = team.token("ed", &json!({}));
    ed.send_text(&json!({ "type": "auth", "token": fresh }).to_string()).await;
    assert_eq!(other.ended().await.code, Some(4401));
    assert_eq!(ed.change("Task/t1", |doc| append(doc, "body", "still here")).await, AckStatus::Ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_ends_with_the_token_of_its_join() {
    let team = Team::with_project(Database::Sqlite).await;
    let ed = team.peer("ed").await;
    let room = || (Magic::Document, RoomName::new("Task/t1").expect("a room name"));
    ed.try_join(room(), short(&team, "rita").as_bytes(), &[]).await.expect("Rita may read it");
    assert_eq!(ed.taken_away("Task/t1").await, RoomErrorCode::RejoinSuggested);
    let fresh = team.token("rita", &json!({}));
    ed.try_join(room(), fresh.as_bytes(), &[]).await.expect("with a fresh token she is back");
}
