//! Two servers on one PostgreSQL database.

use corella_testkit::{
    Database, Installation, SAMPLE,
    row::{append, read},
};
use corella_wire::AckStatus;
use serde_json::json;

const ROOM: &str = "Note/n1";
const PATH: &str = "/api/entities/Note/n1";

#[tokio::test(flavor = "multi_thread")]
async fn what_one_server_takes_reaches_the_watchers_of_the_other() {
    let installation = Installation::on(Database::Postgres, SAMPLE);
    let (one, other) = (installation.serve().await, installation.serve().await);
    let token = installation.token("ada").await;
    one.http(&token).post("/api/entities/Note", json!({ "id": "n1", "title": "Plan" })).await.expect(201);
    assert_eq!(other.http(&token).get(PATH).await.expect(200)["row"]["title"], "Plan");

    let (here, there) = (one.peer(&token).await, other.peer(&token).await);
    here.join(ROOM).await;
    there.join(ROOM).await;
    // Both type at once, and each sees both.
    for round in 0..20 {
        let (first, second) = tokio::join!(
            here.change(ROOM, |doc| append(doc, "body", &format!("<a{round}>"))),
            there.change(ROOM, |doc| append(doc, "body", &format!("<b{round}>"))),
        );
        assert_eq!((first, second), (AckStatus::Ok, AckStatus::Ok));
    }
    for peer in [&here, &there] {
        peer.until(ROOM, "everybody's marks", |doc| {
            let body = read(doc, "body");
            (0..20).all(|round| {
                [format!("<a{round}>"), format!("<b{round}>")]
                    .iter()
                    .all(|mark| body.matches(mark).count() == 1)
            })
        })
        .await;
    }
    other.http(&token).patch(PATH, json!({ "title": "Done" })).await.expect(200);
    here.until(ROOM, "the patch", |doc| read(doc, "title") == "Done").await;
    one.kill().await;
    assert_eq!(other.http(&token).get(PATH).await.expect(200)["row"]["title"], "Done");
    assert_eq!(other.stop().await.status.code(), Some(0));
    assert_eq!(installation.check_clean().await, 1);
}
