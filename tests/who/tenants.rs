//! Two tenants with the same ids: nothing of one is ever met by the other.

use corella_testkit::{
    Database, Http, Peer, Stage, on_both, presence_store, query,
    row::{append, read},
};
use corella_wire::AckStatus;
use serde_json::{Value as Json, json};

const MANIFEST: &str = r#"{
  "manifest_version": 1, "name": "tenants", "version": "1", "tenancy": { "claim": "org" },
  "entities": [
    { "name": "Project", "fields": [
      { "name": "name", "type": "string", "optional": true },
      { "name": "code", "type": "string", "optional": true, "unique": true },
      { "name": "body", "type": "richtext", "optional": true }
    ] },
    { "name": "Member", "fields": [
      { "name": "project", "type": "id(Project)", "onDelete": "restrict" }, { "name": "user", "type": "string" }
    ] },
    { "name": "Task", "fields": [{ "name": "project", "type": "string" }] }
  ],
  "policies": [
    { "name": "Project", "entity": "Project", "allow": "auth.tenant != null" },
    { "name": "Member", "entity": "Member", "allow": "auth.tenant != null" },
    { "name": "Task", "entity": "Task", "allow": "exists(Member, {project: data.project, user: auth.userId})" }
  ]
}"#;

const PROJECTS: &str = "/api/entities/Project";
const P1: &str = "/api/entities/Project/p1";

/// The app with its two tenants, each with a project `p1` of its own name.
struct Houses {
    stage: Stage,
}

impl Houses {
    async fn new(database: Database) -> Self {
        let houses = Self { stage: Stage::on(database, MANIFEST).await };
        for tenant in ["acme", "zeta"] {
            let project = json!({ "id": "p1", "name": tenant, "code": "A1" });
            houses.user(tenant).post(PROJECTS, project).await.expect(201);
        }
        houses
    }

    /// The token of a user who is called the same in both.
    fn token(&self, tenant: &str) -> String {
        self.stage.installation.token_of(&json!({ "sub": "ada", "org": tenant, "exp": 4_000_000_000_u64 }))
    }

    fn user(&self, tenant: &str) -> Http {
        self.stage.http(&self.token(tenant))
    }

    async fn peer(&self, tenant: &str) -> Peer {
        self.stage.peer(&self.token(tenant)).await
    }
}

on_both!(rows_values_and_answers_are_each_tenants_own);

#[cfg(test)]
async fn rows_values_and_answers_are_each_tenants_own(database: Database) {
    let houses = Houses::new(database).await;
    let (acme, zeta) = (houses.user("acme"), houses.user("zeta"));
    for (http, tenant) in [(&acme, "acme"), (&zeta, "zeta")] {
        let own = json!([{ "name": tenant }]);
        let page = http.get(&format!("{PROJECTS}{}", query(&[("select", "[\"name\"]")]))).await.expect(200);
        assert_eq!(page["rows"].as_array().map(Vec::len), Some(1), "{page}");
        assert_eq!(page["rows"][0]["name"], own[0]["name"]);
        let count = json!({ "from": "Project", "aggregate": { "rows": { "$count": true } } });
        let counted = http.post("/api/query", count).await.expect(200);
        assert_eq!(counted["rows"][0]["rows"], 1, "{counted}");
        assert_eq!(http.get(P1).await.expect(200)["row"]["name"], tenant);
        let taken = http.post(PROJECTS, json!({ "code": "A1" })).await;
        assert_eq!(taken.problem(), "409 unique_violation", "unique within a tenant");
    }
    // The same key of idempotency, and each has its own answer.
    let headers = [("idempotency-key", "k")];
    for (http, tenant) in [(&acme, "acme"), (&zeta, "zeta")] {
        let body = json!({ "id": "p3", "name": tenant }).to_string();
        let made = http.send("POST".parse().unwrap(), PROJECTS, &headers, body).await.expect(201);
        assert_eq!(made["row"]["name"], tenant);
    }
    // Nothing of one is changed, told or named by the other.
    acme.post(PROJECTS, json!({ "id": "p2", "name": "of Acme alone" })).await.expect(201);
    for path in
        ["/api/entities/Project/p2", "/api/entities/Project/p2/history", "/api/entities/Project/p2/doc"]
    {
        assert_eq!(zeta.get(path).await.problem(), "404 row_not_found", "{path}");
    }
    let change = json!({ "changes": [{ "entity": "Project", "id": "p2", "patch": { "name": "x" } }] });
    assert_eq!(zeta.post("/api/transactions", change).await.problem(), "404 row_not_found");
    let member = json!({ "project": "p2", "user": "ada" });
    assert_eq!(zeta.post("/api/entities/Member", member.clone()).await.problem(), "409 reference_missing");
    acme.post("/api/entities/Member", member).await.expect(201);
    zeta.post(PROJECTS, json!({ "id": "p2" })).await.expect(201);
    zeta.delete("/api/entities/Project/p2").await.expect(200);
    assert_eq!(acme.delete("/api/entities/Project/p2").await.problem(), "409 reference_held");
    // Ada is a member in one house, which is nothing to the other.
    let task = json!({ "project": "p2" });
    acme.post("/api/entities/Task", task.clone()).await.expect(201);
    assert_eq!(zeta.post("/api/entities/Task", task).await.problem(), "403 forbidden");
    zeta.patch(P1, json!({ "name": "Zeta's" })).await.expect(200);
    assert_eq!(acme.get(P1).await.expect(200)["row"]["name"], "acme");
    let changes = |history: Json| history["changes"].as_array().map_or(0, Vec::len);
    assert_eq!(changes(acme.get(&format!("{P1}/history")).await.expect(200)), 1);
    assert_eq!(changes(zeta.get(&format!("{P1}/history")).await.expect(200)), 2);
    houses.stage.installation.check_clean().await;
}

on_both!(rooms_presence_and_live_queries_never_cross);

#[cfg(test)]
async fn rooms_presence_and_live_queries_never_cross(database: Database) {
    const ROOM: &str = "Project/p1";
    let houses = Houses::new(database).await;
    let (acme, zeta) = (houses.peer("acme").await, houses.peer("zeta").await);
    for peer in [&acme, &zeta] {
        peer.join(ROOM).await;
        peer.join_presence(ROOM).await;
        let query = json!({ "from": "Project", "select": ["name"] });
        peer.send_text(&json!({ "type": "subscribe", "ref": "q", "query": query }).to_string()).await;
        peer.message().await;
    }
    let (before, heard) = (zeta.received(ROOM), zeta.messages().len());
    assert_eq!(acme.change(ROOM, |doc| append(doc, "body", "Acme's")).await, AckStatus::Ok);
    let store = presence_store();
    store.set("ada", "of Acme");
    let batch = acme.send_presence(ROOM, store.encode_all()).await;
    assert_eq!(acme.acked(batch).await, AckStatus::Ok);
    houses.user("acme").patch(P1, json!({ "name": "Acme's" })).await.expect(200);
    acme.message().await;
    // Zeta's own change comes next there, and is the first that Zeta hears of.
    houses.user("zeta").patch(P1, json!({ "name": "Zeta's" })).await.expect(200);
    let told = zeta.message().await.encode();
    assert!(told.contains("Zeta's") && !told.contains("Acme's"), "{told}");
    zeta.until(ROOM, "its own name", |doc| read(doc, "name") == "Zeta's").await;
    zeta.ping().await;
    assert_eq!(zeta.messages().len(), heard);
    assert_eq!(zeta.received(ROOM).frames, before.frames + 1);
    assert_eq!(read(&zeta.doc(ROOM), "body"), "");
    assert!(zeta.presence(ROOM).get("ada").is_none());
    assert_eq!(read(&acme.doc(ROOM), "body"), "Acme's");
}
