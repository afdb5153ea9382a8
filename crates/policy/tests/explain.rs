//! Why somebody may, and why not, as people read it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;

use async_trait::async_trait;
use corella_manifest::{EntityName, Manifest, Value};
use corella_policy::{Action, Caller, Images, Memberships, Policies};
use corella_query::{Filter, RowView};
use jiff::Timestamp;
use serde_json::json;

/// Ed is an editor of the project `p1`, and nobody is anything else.
struct Members;

#[async_trait]
impl Memberships for Members {
    type Error = std::convert::Infallible;

    async fn exists(&self, _entity: &EntityName, filter: Filter) -> Result<bool, Self::Error> {
        let member = [Value::Text("m1".into()), text("p1"), text("ed"), text("editor")];
        Ok(filter.matches(&member.to_vec()))
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

async fn explained(rules: &[(&str, &str)], caller: &Caller, action: Action, after: Option<&str>) -> String {
    let mut policy = json!({ "name": "members", "entity": "Task" });
    for (key, text) in rules {
        policy[key] = json!(text);
    }
    let manifest = json!({
        "manifest_version": 1, "name": "test", "version": "1",
        "entities": [
            { "name": "Task", "fields": [
                { "name": "project", "type": "string", "optional": true },
                { "name": "author", "type": "string", "optional": true },
                { "name": "stars", "type": "int", "optional": true },
                { "name": "tags", "type": "json", "optional": true },
                { "name": "approved", "type": "bool", "optional": true, "allowWrite": "auth.hasRole('boss')" },
            ] },
            { "name": "Member", "fields": [
                { "name": "project", "type": "string" },
                { "name": "user", "type": "string" },
                { "name": "role", "type": "string" },
            ] },
        ],
        "policies": [policy]
    });
    let manifest = Arc::new(Manifest::parse(&manifest.to_string()).unwrap().manifest);
    let policies = Policies::new(Arc::clone(&manifest)).unwrap();
    let entity = manifest.entity("Task").unwrap();
    let row = |project: &str| -> Vec<Value> {
        vec![text("t1"), text(project), text("ada"), Value::Null, Value::Json(json!(["a", "b"])), Value::Null]
    };
    let (before, after) = (row("p1"), after.map(row));
    let images = Images {
        before: Some(&before as &(dyn RowView + Sync)),
        after: after.as_ref().map(|after| after as &(dyn RowView + Sync)),
    };
    let now = Timestamp::UNIX_EPOCH;
    let rulings = policies.explain(caller, entity, action, images, now, &Members).await.unwrap();
    rulings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn user(id: &str, roles: &[&str]) -> Caller {
    let roles = roles.iter().map(|role| (*role).into()).collect();
    Caller { user: Some(id.into()), roles, ..Caller::default() }
}

const MEMBERS: &str = "exists(Member, {project: data.project, user: auth.userId, role: 'editor'})";

#[tokio::test]
async fn a_membership_that_is_missing_is_named() {
    insta::assert_snapshot!(explained(&[("allowRead", MEMBERS)], &user("rita", &[]), Action::Read, None).await, @r#"
    policy "members", allowRead: false
        exists(Member, {project: data.project, user: auth.userId, role: 'editor'})
      for this caller
        exists(Member, {project: data.project, user: 'rita', role: 'editor'})
      because
        exists(Member, {project: data.project, user: auth.userId, role: 'editor'}) is false: there is no Member with {project: 'p1', user: 'rita', role: 'editor'}
    "#);
    insta::assert_snapshot!(explained(&[("allowRead", MEMBERS)], &user("ed", &[]), Action::Read, None).await, @r#"
    policy "members", allowRead: true
        exists(Member, {project: data.project, user: auth.userId, role: 'editor'})
      for this caller
        exists(Member, {project: data.project, user: 'ed', role: 'editor'})
      because
        exists(Member, {project: data.project, user: auth.userId, role: 'editor'}) is true: there is a Member with {project: 'p1', user: 'ed', role: 'editor'}
    "#);
}

#[tokio::test]
async fn the_parts_that_decide_are_named_and_no_others() {
    let rule = "data.author == auth.userId && data.project != null && !(data.stars == 1)";
    insta::assert_snapshot!(explained(&[("allowRead", rule)], &user("rita", &[]), Action::Read, None).await, @r#"
    policy "members", allowRead: false
        data.author == auth.userId && data.project != null && !(data.stars == 1)
      for this caller
        data.author == 'rita' && data.project != null && !(data.stars == 1)
      because
        data.author == auth.userId is false: data.author is 'ada', auth.userId is 'rita'
    "#);
    insta::assert_snapshot!(explained(&[("allowRead", rule)], &user("ada", &[]), Action::Read, None).await, @r#"
    policy "members", allowRead: true
        data.author == auth.userId && data.project != null && !(data.stars == 1)
      for this caller
        data.author == 'ada' && data.project != null && !(data.stars == 1)
      because
        data.author == auth.userId is true: data.author is 'ada', auth.userId is 'ada'
        data.project != null is true: data.project is 'p1'
        data.stars == 1 is false: data.stars is null
    "#);
    let rule =
        "auth.hasRole('boss') || (auth.userId == 'root' ? true : data.author == 'x' || 2 + 3 * 4 > 20)";
    insta::assert_snapshot!(explained(&[("allowRead", rule)], &user("rita", &["cook"]), Action::Read, None).await, @r#"
    policy "members", allowRead: false
        auth.hasRole('boss') || (auth.userId == 'root' ? true : data.author == 'x' || 2 + 3 * 4 > 20)
      for this caller
        data.author == 'x' || 2 + 3 * 4 > 20
      because
        auth.hasRole('boss') is false: auth.roles is ['cook']
        auth.userId == 'root' is false: auth.userId is 'rita'
        data.author == 'x' is false: data.author is 'ada'
        2 + 3 * 4 > 20 is false: it names nothing that changes
    "#);
}

#[tokio::test]
async fn an_error_is_told_with_what_it_met() {
    let rule = "data.stars > 3 || data.tags.exists(tag, tag == auth.userId)";
    insta::assert_snapshot!(explained(&[("allowRead", rule)], &user("rita", &[]), Action::Read, None).await, @r#"
    policy "members", allowRead: an error
        data.stars > 3 || data.tags.exists(tag, tag == auth.userId)
      for this caller
        data.stars > 3 || data.tags.exists(tag, tag == 'rita')
      because
        data.stars > 3 is an error: found no matching overload for '_>_' applied to '(null_type, int)'; data.stars is null
    "#);
    insta::assert_snapshot!(explained(&[("allowRead", rule)], &user("a", &[]), Action::Read, None).await, @r#"
    policy "members", allowRead: true
        data.stars > 3 || data.tags.exists(tag, tag == auth.userId)
      for this caller
        data.stars > 3 || data.tags.exists(tag, tag == 'a')
      because
        data.tags.exists(tag, tag == auth.userId) is true: data.tags is ['a', 'b'], auth.userId is 'a'
    "#);
}

#[tokio::test]
async fn an_update_that_leaves_a_rules_reach_is_told_so() {
    let rules = [("allowRead", "true"), ("allowWrite", MEMBERS)];
    insta::assert_snapshot!(explained(&rules, &user("ed", &[]), Action::Update, Some("p2")).await, @r#"
    policy "members", allowWrite: false, asked of the row as it would be
        exists(Member, {project: data.project, user: auth.userId, role: 'editor'})
      for this caller
        exists(Member, {project: data.project, user: 'ed', role: 'editor'})
      because
        exists(Member, {project: data.project, user: auth.userId, role: 'editor'}) is false: there is no Member with {project: 'p2', user: 'ed', role: 'editor'}
    field Task.approved, allowWrite: false
        auth.hasRole('boss')
      for this caller
        false
      because
        auth.hasRole('boss') is false: auth.roles is []
    "#);
}
