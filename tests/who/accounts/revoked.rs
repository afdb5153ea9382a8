//! Access that ends while connections are open.

use corella_testkit::{Database, Http, on_both, row::set, within};
use corella_wire::{AckStatus, ErrorCode, Magic, RoomErrorCode, RoomName, control::ServerMessage};
use serde_json::json;

use super::{House, NOTES, Tokens};

/// Asks until the answer is another.
async fn until_refused(http: &Http) {
    let asked = async {
        while http.get(NOTES).await.status == 200 {
            tokio::task::yield_now().await;
        }
    };
    within("a refusal", asked).await;
    assert_eq!(http.get(NOTES).await.problem(), "401 unauthorized");
}

async fn note(house: &House, of: &Tokens, id: &str) {
    house.http(of).post(NOTES, json!({ "id": id, "title": "mine" })).await.expect(201);
}

on_both!(whoever_is_disabled_is_cut_at_once);

#[cfg(test)]
async fn whoever_is_disabled_is_cut_at_once(database: Database) {
    let house = House::new(database, &[]).await;
    for name in ["ada", "bob"] {
        house.add(name, &["--id", name]).await;
    }
    let (ada, bob) = (house.sign_in("ada").await, house.sign_in("bob").await);
    note(&house, &ada, "n1").await;
    let (hers, his) = (house.server.peer(&ada.access).await, house.server.peer(&bob.access).await);
    hers.join("Note/n1").await;
    // A room with a token of its own on somebody else's connection.
    let room = (Magic::Document, RoomName::new("Note/n1").unwrap());
    his.try_join(room, ada.access.as_bytes(), &[]).await.expect("it is hers");
    // A token without a session of the same user.
    let other = house.installation.token("ada").await;
    let without = house.server.peer(&other).await;
    without.join("Note/n1").await;
    let live = {
        let http = house.http(&ada);
        tokio::spawn(async move { http.get("/api/live?query=%7B%22from%22:%22Note%22%7D").await.status })
    };

    // By another process, on the same database.
    let disabled = house.user(&["disable", "ada@example.com"]).await;
    assert!(disabled.stdout.contains("1 sessions ended"), "{}{}", disabled.stdout, disabled.stderr);
    let ended = hers.ended().await;
    assert_eq!(ended.code, Some(4401), "{ended:?}");
    assert_eq!(without.ended().await.code, Some(4401));
    assert_eq!(his.taken_away("Note/n1").await, RoomErrorCode::RejoinSuggested);
    assert_eq!(within("the end of the stream", live).await.unwrap(), 200);
    until_refused(&house.http(&ada)).await;
    until_refused(&house.server.http(&other)).await;
    let refused = house.server.stranger().post("/auth/refresh", json!({ "refreshToken": ada.refresh })).await;
    assert_eq!(refused.problem(), "401 unauthorized");
    let asked = json!({ "email": "ada@example.com", "password": super::PASSWORD });
    let refused = house.server.stranger().post("/auth/sign-in", asked).await;
    assert_eq!(refused.problem(), "401 unauthorized");
    assert!(refused.text().contains("disabled"), "whoever has the password may know: {}", refused.text());

    // Bob notices nothing, and Ada is back once she is let in again.
    note(&house, &bob, "n2").await;
    his.join("Note/n2").await;
    assert_eq!(his.change("Note/n2", |doc| set(doc, "title", "another")).await, AckStatus::Ok);
    let enabled = house.user(&["enable", "ada@example.com"]).await;
    assert_eq!(enabled.code, Some(0), "{}", enabled.stderr);
    let again = house.sign_in("ada").await;
    house.http(&again).get(NOTES).await.expect(200);
}

on_both!(a_session_that_is_ended_takes_its_sockets_along);

#[cfg(test)]
async fn a_session_that_is_ended_takes_its_sockets_along(database: Database) {
    let house = House::new(database, &[]).await;
    house.add("ada", &[]).await;
    let (lost, kept) = (house.sign_in("ada").await, house.sign_in("ada").await);
    note(&house, &kept, "n1").await;
    let (gone, stays) = (house.server.peer(&lost.access).await, house.server.peer(&kept.access).await);
    stays.join("Note/n1").await;
    let ada = house.http(&kept);
    ada.delete(&format!("/auth/sessions/{}", lost.session)).await.expect(200);
    assert_eq!(gone.ended().await.code, Some(4401));
    assert_eq!(house.http(&lost).get(NOTES).await.problem(), "401 unauthorized");
    assert_eq!(stays.change("Note/n1", |doc| set(doc, "title", "another")).await, AckStatus::Ok);
    // With a token of another session, the connection lives on when the first one ends.
    let third = house.sign_in("ada").await;
    stays.send_text(&json!({ "type": "auth", "token": third.access }).to_string()).await;
    stays.message().await;
    house.http(&third).delete("/auth/sessions").await.expect(200);
    assert_eq!(house.http(&kept).get(NOTES).await.problem(), "401 unauthorized");
    assert_eq!(stays.change("Note/n1", |doc| set(doc, "title", "another")).await, AckStatus::Ok);
}

on_both!(roles_that_change_count_at_once);

#[cfg(test)]
async fn roles_that_change_count_at_once(database: Database) {
    let house = House::new(database, &[]).await;
    house.add("ada", &["--id", "ada", "--role", "boss"]).await;
    house.add("bob", &["--id", "bob"]).await;
    let (ada, bob) = (house.sign_in("ada").await, house.sign_in("bob").await);
    let payslip = |id: &str| json!({ "id": id, "user": "eve", "month": 1, "amount": 7 });
    house.http(&ada).post("/api/entities/Payslip", payslip("p1")).await.expect(201);
    let (hers, his) = (house.server.peer(&ada.access).await, house.server.peer(&bob.access).await);
    hers.join("Payslip/p1").await;
    // A room with a token of its own on somebody else's connection.
    let room = (Magic::Document, RoomName::new("Payslip/p1").unwrap());
    his.try_join(room, ada.access.as_bytes(), &[]).await.expect("she is a boss");
    let live = {
        let http = house.http(&ada);
        tokio::spawn(async move { http.get("/api/live?query=%7B%22from%22:%22Payslip%22%7D").await.status })
    };

    // By another process. Her tokens say that she is a boss for a quarter of an hour more.
    let demoted = house.user(&["roles", "ada@example.com"]).await;
    assert_eq!(demoted.code, Some(0), "{}", demoted.stderr);
    assert_eq!(hers.taken_away("Payslip/p1").await, RoomErrorCode::Evicted);
    assert_eq!(his.taken_away("Payslip/p1").await, RoomErrorCode::Evicted);
    assert_eq!(within("the end of the stream", live).await.unwrap(), 200);
    let told = house.http(&ada).get("/auth/user").await.expect(200);
    assert_eq!(told["roles"], json!([]));
    let refused = house.http(&ada).post("/api/entities/Payslip", payslip("p2")).await;
    assert_eq!(refused.problem(), "403 forbidden");
    // The connection goes on, as somebody who is no boss.
    let fields = json!({ "user": "eve", "month": 1 });
    let mutation =
        json!({ "type": "mutate", "ref": "m", "op": "insert", "entity": "Payslip", "fields": fields });
    hers.send_text(&mutation.to_string()).await;
    let ServerMessage::Error(answer) = hers.message().await else { unreachable!("an error was expected") };
    assert_eq!((answer.code, answer.reference.as_deref()), (ErrorCode::Forbidden, Some("m")));

    let promoted = house.user(&["roles", "ada@example.com", "--role", "boss"]).await;
    assert_eq!(promoted.code, Some(0), "{}", promoted.stderr);
    let again = async {
        while house.http(&ada).post("/api/entities/Payslip", payslip("p4")).await.status != 201 {
            tokio::task::yield_now().await;
        }
    };
    within("what a boss may", again).await;
    // A token without a session says for itself what it gives.
    let other = house.installation.token_of(&json!({ "sub": "ada", "exp": 4_000_000_000_u64 }));
    let told = house.server.http(&other).get("/auth/user").await.expect(200);
    assert_eq!(told["roles"], json!([]));
}
