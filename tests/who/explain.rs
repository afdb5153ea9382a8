//! `corella explain policy` says what the server does, and why.

use corella_testkit::{Database, Finished, on_both};
use serde_json::json;

use crate::stage::Team;

async fn explain(team: &Team, arguments: &[&str]) -> (Option<i32>, String) {
    let all = [&["explain", "policy"], arguments].concat();
    let Finished { code, stdout, stderr } = team.stage.installation.run(&all).await;
    (code, format!("{stdout}{stderr}"))
}

on_both!(it_tells_which_rule_decided);

#[cfg(test)]
async fn it_tells_which_rule_decided(database: Database) {
    let team = Team::with_project(database).await;
    let (code, told) = explain(&team, &["--user", "ed", "--entity", "Task", "--row", "t1"]).await;
    assert_eq!(code, Some(0), "{told}");
    insta::assert_snapshot!(told, @r#"
    ed may read Task/t1.

    policy "members of Task", allowRead: true
        exists(Member, {project: data.project, user: auth.userId})
      for this caller
        exists(Member, {project: data.project, user: 'ed'})
      because
        exists(Member, {project: data.project, user: auth.userId}) is true: there is a Member with {project: 'p1', user: 'ed'}
    "#);
    let rita = ["--user", "rita", "--entity", "Task", "--row", "t1", "--action", "update"];
    let (code, told) = explain(&team, &rita).await;
    assert_eq!(code, Some(1), "{told}");
    insta::assert_snapshot!(told, @r#"
    rita may not update Task/t1.

    policy "members of Task", allowWrite: false
        exists(Member, {project: data.project, user: auth.userId, role: 'editor'})
      for this caller
        exists(Member, {project: data.project, user: 'rita', role: 'editor'})
      because
        exists(Member, {project: data.project, user: auth.userId, role: 'editor'}) is false: there is no Member with {project: 'p1', user: 'rita', role: 'editor'}

    field Task.approved, allowWrite: false
        auth.hasRole('boss')
      for this caller
        false
      because
        auth.hasRole('boss') is false: auth.roles is []
    "#);
    let approve = ["--action", "update", "--set", r#"{"approved": true}"#];
    let ed = [&["--user", "ed", "--entity", "Task", "--row", "t1"][..], &approve].concat();
    let (code, told) = explain(&team, &ed).await;
    assert_eq!(code, Some(1), "{told}");
    insta::assert_snapshot!(told, @r#"
    ed may not update Task/t1, because of approved.

    policy "members of Task", allowWrite: true
        exists(Member, {project: data.project, user: auth.userId, role: 'editor'})
      for this caller
        exists(Member, {project: data.project, user: 'ed', role: 'editor'})
      because
        exists(Member, {project: data.project, user: auth.userId, role: 'editor'}) is true: there is a Member with {project: 'p1', user: 'ed', role: 'editor'}

    field Task.approved, allowWrite: false
        auth.hasRole('boss')
      for this caller
        false
      because
        auth.hasRole('boss') is false: auth.roles is []
    "#);
    let refused = team.user("ed").patch("/api/entities/Task/t1", json!({ "approved": true })).await;
    assert_eq!(refused.problem(), "403 forbidden", "the server says the same");
    let (code, told) = explain(&team, &["--entity", "Locked", "--row", "l1", "--action", "insert"]).await;
    assert_eq!(code, Some(1), "{told}");
    insta::assert_snapshot!(told, @r#"
    a stranger may not insert Locked/l1.

    No policy of Locked speaks of insert: nobody but administrators may.
    "#);
    let admin = ["--user", "root", "--claims", r#"{"admin": true}"#, "--entity", "Task", "--row", "t1"];
    let (code, told) = explain(&team, &admin).await;
    assert_eq!(code, Some(0), "{told}");
    for (arguments, about) in [
        (&["--entity", "Tusk", "--row", "t1"][..], "expected an entity of the manifest"),
        (&["--entity", "Task", "--row", "t9"], "there is no Task with the id \"t9\""),
        (&["--entity", "Task", "--row", "t1", "--tenant", "acme"], "no --tenant"),
        (
            &["--entity", "Task", "--row", "t1", "--action", "update", "--set", r#"{"approved": 5}"#],
            "approved: ",
        ),
    ] {
        let (code, told) = explain(&team, arguments).await;
        assert_eq!(code, Some(3), "{told}");
        assert!(told.contains(about), "{told}");
    }
}
