//! Rows come and go with rows of other entities, and only those are looked at that belong to them.

use serde_json::json;

use crate::{follower::Follower, house::House};

fn ids(follower: &Follower, reference: &str) -> Vec<String> {
    let rows = follower.answers[reference].rows.iter();
    rows.map(|row| row["id"].as_str().unwrap_or_default().to_owned()).collect()
}

async fn two_teams(house: &House) {
    for team in ["t1", "t2"] {
        house.insert_of("Team", team, json!({"name": team})).await;
        for at in 0..5 {
            house.insert(&format!("{team}-{at}"), json!({"team": team, "stars": at})).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_another_entity_wakes_those_who_ask_about_it() {
    let house = House::sqlite().await;
    two_teams(&house).await;
    let mut followers = Vec::new();
    for at in 0..50 {
        let mut follower = house.connect();
        follower
            .subscribe(
                "named",
                &json!({"from": "Item", "where": {"team.name": format!("t{at}")}, "orderBy": "stars", "limit": 20}),
            )
            .await;
        follower.settle(0).await;
        followers.push(follower);
    }
    let counts = || house.hub.queries().counters().counts();
    assert_eq!(ids(&followers[2], "named").len(), 5);

    // The team goes from one question to another: those two are looked at, and the rows of this team are read.
    let before = counts();
    let seq = house.patch_of("Team", "t2", json!({"name": "t7"})).await;
    for at in [2, 7] {
        followers[at].settle(seq).await;
        followers[at].check().await;
    }
    assert_eq!((ids(&followers[2], "named").len(), ids(&followers[7], "named").len()), (0, 5));
    let after = counts();
    assert_eq!(after.candidates - before.candidates, 2, "two of fifty are looked at");
    assert_eq!((after.messages - before.messages, after.refills - before.refills), (2, 0));
    assert_eq!(after.loads - before.loads, 4, "for each: whether the team counts, and its rows");

    // What nobody asks about wakes nobody; neither does an item of a team that nobody asks about.
    house.patch_of("Team", "t2", json!({"secret": true})).await;
    house.insert_of("Team", "t99", json!({"name": "t99"})).await;
    let seq = house.insert("x", json!({"team": "t99"})).await;
    followers[7].settle(seq).await;
    let others = counts();
    assert_eq!((others.loads, others.messages), (after.loads, after.messages));

    // An item of a team that is known to count needs no look-up.
    let seq = house.insert("y", json!({"team": "t2", "stars": 9})).await;
    followers[7].settle(seq).await;
    followers[7].check().await;
    let known = counts();
    assert_eq!((known.candidates - others.candidates, known.loads - others.loads), (1, 0));
    assert_eq!(ids(&followers[7], "named").len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn memberships_move_rows_in_and_out() {
    membership(House::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memberships_move_rows_in_and_out_on_postgres() {
    membership(House::postgres(&House::database()).await).await;
}

async fn membership(house: House) {
    two_teams(&house).await;
    for team in ["t1", "t2"] {
        for at in 0..5 {
            house.patch(&format!("{team}-{at}"), json!({"state": "done"})).await;
        }
    }
    let (mut ada, mut bob) = (house.connect_as("ada"), house.connect_as("bob"));
    for follower in [&mut ada, &mut bob] {
        follower.subscribe("items", &json!({"from": "Item", "orderBy": "stars"})).await;
        follower.subscribe("count", &json!({"from": "Item", "aggregate": {"rows": {"$count": true}}})).await;
        follower.settle(0).await;
        assert_eq!(ids(follower, "items"), [] as [&str; 0]);
    }
    let seq = house.insert_of("Member", "m1", json!({"team": "t1", "user": "ada"})).await;
    ada.settle(seq).await;
    bob.settle(seq).await;
    assert_eq!(ids(&ada, "items"), ["t1-0", "t1-1", "t1-2", "t1-3", "t1-4"]);
    assert_eq!(ada.answers["count"].rows[0]["rows"], json!(5));
    assert_eq!(bob.changes.len(), 0, "what concerns Ada alone is not told to Bob");

    // Another team: five rows go, five come, in one message.
    let told = ada.changes.len();
    let seq = house.patch_of("Member", "m1", json!({"team": "t2"})).await;
    ada.settle(seq).await;
    ada.check().await;
    assert_eq!(ids(&ada, "items"), ["t2-0", "t2-1", "t2-2", "t2-3", "t2-4"]);
    assert_eq!(ada.changes.len(), told + 1);
    let items = ada.changes[told].answers.iter().find(|told| told.reference == "items").unwrap();
    assert_eq!(items.difference.remove, ["t1-0", "t1-1", "t1-2", "t1-3", "t1-4"]);

    let seq = house.delete_of("Member", "m1").await;
    ada.settle(seq).await;
    ada.check().await;
    assert_eq!(ids(&ada, "items"), [] as [&str; 0]);
    assert_eq!(ada.answers["count"].rows[0]["rows"], json!(0));
    assert!(ada.errors.is_empty(), "{:?}", ada.errors);

    // A row that he may not read is as if it were not there, whatever is asked about it.
    house.patch_of("Team", "t1", json!({"secret": true})).await;
    house.patch("t1-0", json!({"state": "open"})).await;
    house.patch("t2-0", json!({"state": "open"})).await;
    for (condition, expected) in [
        (json!({"team.name": "t1"}), vec![]),
        (json!({"team.name": {"$ne": "t2"}}), vec![]),
        (json!({"group": {"$exists": true}}), vec!["t2-0"]),
        (json!({"group": {"$exists": false}}), vec!["t1-0"]),
        (json!({"$not": {"team.name": "t1"}}), vec!["t1-0", "t2-0"]),
        (json!({"team.members.user": "ada"}), vec![]),
    ] {
        bob.subscribe("asked", &json!({"from": "Item", "where": condition})).await;
        bob.settle(0).await;
        bob.check().await;
        assert_eq!(ids(&bob, "asked"), expected, "{condition}");
        bob.unsubscribe("asked");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rows_bring_along_is_kept_true_where_it_changes() {
    let house = House::sqlite().await;
    two_teams(&house).await;
    let mut root = house.connect();
    let items = json!({"where": {"state": {"$ne": "done"}}, "orderBy": {"stars": "desc"}, "limit": 2, "select": ["stars"]});
    root.subscribe("teams", &json!({"from": "Team", "select": ["name"], "include": {"items": items}})).await;
    root.settle(0).await;
    root.check().await;
    assert_eq!(
        root.answers["teams"].rows[0]["items"],
        json!([{"id": "t1-4", "stars": 4}, {"id": "t1-3", "stars": 3}])
    );
    let counts = || house.hub.queries().counters().counts();
    let before = counts();
    // Nothing is read, and the message has one row of one list.
    let seq = house.patch("t1-4", json!({"stars": 7})).await;
    root.settle(seq).await;
    root.check().await;
    let after = counts();
    assert_eq!((after.loads - before.loads, after.messages - before.messages), (0, 1));
    let told = serde_json::to_value(&root.changes[0].answers[0].difference).unwrap();
    let part = json!({"items": {"upsert": [{"id": "t1-4", "row": {"stars": 7}}]}});
    assert_eq!(told, json!({"upsert": [{"id": "t1", "parts": part}]}));
    // What is not shown of a row, and rows that no list has or comes to have, wake nobody.
    house.patch("t1-4", json!({"title": "T"})).await;
    house.insert("x", json!({"stars": 9})).await;
    house.insert("y", json!({"stars": 9, "team": "t1", "state": "done"})).await;
    let seq = house.patch("y", json!({"stars": 10})).await;
    root.settle(seq).await;
    let others = counts();
    assert_eq!((others.loads, others.messages), (after.loads, after.messages));
    // From one list into another: both are told under the rows that bring them.
    let seq = house.patch("t1-4", json!({"team": "t2"})).await;
    root.settle(seq).await;
    root.check().await;
    assert_eq!(root.changes.last().unwrap().answers[0].difference.upsert.len(), 2);
    assert_eq!(counts().loads - others.loads, 1, "another one moves up in the list that was full");
    assert_eq!(root.answers["teams"].snapshots, 1);
}
