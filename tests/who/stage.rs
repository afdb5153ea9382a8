//! An app with projects, their members and their tasks, and those who call it.

use corella_testkit::{Database, Http, Peer, Stage};
use serde_json::{Value as Json, json};

/// Tasks belong to projects, and are for the members of those; payslips have a field that few may see.
pub(crate) const TEAM: &str = r#"{
  "manifest_version": 1, "name": "team", "version": "1",
  "entities": [
    { "name": "Project", "fields": [
      { "name": "name", "type": "string" },
      { "name": "owner", "type": "string", "default": "auth.userId" }
    ] },
    { "name": "Member", "fields": [
      { "name": "project", "type": "id(Project)" },
      { "name": "user", "type": "string" },
      { "name": "role", "type": "enum(reader,editor)", "default": "reader" }
    ], "indexes": [{ "name": "by_user", "fields": ["user", "project"] }] },
    { "name": "Task", "fields": [
      { "name": "project", "type": "id(Project)", "optional": true },
      { "name": "title", "type": "string", "optional": true },
      { "name": "body", "type": "richtext", "optional": true },
      { "name": "approved", "type": "bool", "default": false, "allowWrite": "auth.hasRole('boss')" }
    ] },
    { "name": "Note", "fields": [
      { "name": "title", "type": "string" },
      { "name": "author", "type": "string", "default": "auth.userId" },
      { "name": "public", "type": "bool", "default": false }
    ] },
    { "name": "Payslip", "fields": [
      { "name": "user", "type": "string" },
      { "name": "month", "type": "int" },
      { "name": "amount", "type": "int", "optional": true, "allowRead": "data.user == auth.userId || auth.hasRole('boss')" }
    ] },
    { "name": "Locked", "fields": [{ "name": "title", "type": "string", "optional": true }] }
  ],
  "policies": [
    { "name": "owner of Project", "entity": "Project", "allow": "data.owner == auth.userId" },
    { "name": "members of Project", "entity": "Project", "allowRead": "exists(Member, {project: data.id, user: auth.userId})" },
    { "name": "owner of Member", "entity": "Member",
      "allow": "exists(Project, {id: data.project, owner: auth.userId})" },
    { "name": "members of Task", "entity": "Task",
      "allowRead": "exists(Member, {project: data.project, user: auth.userId})",
      "allowWrite": "exists(Member, {project: data.project, user: auth.userId, role: 'editor'})" },
    { "name": "author of Note", "entity": "Note", "allow": "data.author == auth.userId" },
    { "name": "public of Note", "entity": "Note", "allowRead": "data.public" },
    { "name": "all of Payslip", "entity": "Payslip", "allowRead": "auth.userId != null", "allowWrite": "auth.hasRole('boss')" }
  ]
}"#;

/// The app, and who calls it.
pub(crate) struct Team {
    pub(crate) stage: Stage,
}

impl Team {
    pub(crate) async fn new(database: Database) -> Self {
        Self { stage: Stage::on(database, TEAM).await }
    }

    /// The token of a user with these claims beside the usual ones.
    pub(crate) fn token(&self, user: &str, claims: &Json) -> String {
        let mut all = json!({ "sub": user, "exp": 4_000_000_000_u64 });
        let more = claims.as_object().cloned().unwrap_or_default();
        all.as_object_mut().expect("an object").extend(more);
        self.stage.installation.token_of(&all)
    }

    pub(crate) fn user(&self, user: &str) -> Http {
        self.stage.http(&self.token(user, &json!({})))
    }

    pub(crate) fn boss(&self) -> Http {
        self.stage.http(&self.token("boss", &json!({ "roles": ["boss"] })))
    }

    pub(crate) fn admin(&self) -> Http {
        self.stage.http(&self.token("root", &json!({ "admin": true })))
    }

    pub(crate) async fn peer(&self, user: &str) -> Peer {
        self.stage.peer(&self.token(user, &json!({}))).await
    }

    /// Makes a project of `olga` with Ed as its editor and Rita as its reader, and a task of it.
    pub(crate) async fn with_project(database: Database) -> Self {
        let team = Self::new(database).await;
        let olga = team.user("olga");
        olga.post("/api/entities/Project", json!({ "id": "p1", "name": "Plan" })).await.expect(201);
        for (id, user, role) in [("m-ed", "ed", "editor"), ("m-rita", "rita", "reader")] {
            let member = json!({ "id": id, "project": "p1", "user": user, "role": role });
            olga.post("/api/entities/Member", member).await.expect(201);
        }
        let task = json!({ "id": "t1", "project": "p1", "title": "Draw" });
        team.user("ed").post("/api/entities/Task", task).await.expect(201);
        team
    }
}
