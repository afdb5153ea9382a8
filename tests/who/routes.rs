//! Every route, and what each kind of caller gets there.

use std::{collections::BTreeSet, fmt::Write as _, fs, path::Path};

use corella_testkit::{Http, Stage, row::set};
use loro::{ExportMode, LoroDoc};
use serde_json::{Value as Json, json};

const MANIFEST: &str = r#"{
  "manifest_version": 1, "name": "routes", "version": "1", "tenancy": { "claim": "org" },
  "entities": [
    { "name": "Note", "fields": [
      { "name": "title", "type": "string", "optional": true },
      { "name": "author", "type": "string", "default": "auth.userId" }
    ] },
    { "name": "Share", "fields": [
      { "name": "note", "type": "id(Note)", "onDelete": "cascade" },
      { "name": "user", "type": "string" }
    ] }
  ],
  "policies": [
    { "name": "owner of Note", "entity": "Note", "allow": "data.author == auth.userId" },
    { "name": "readers of Note", "entity": "Note", "allowRead": "exists(Share, {note: data.id, user: auth.userId})" },
    { "name": "owner of Share", "entity": "Share", "allow": "exists(Note, {id: data.note, author: auth.userId})" }
  ]
}"#;

/// Who calls, in the order of the columns.
const CALLERS: [&str; 7] =
    ["no token", "expired", "other tenant", "other user", "reader", "owner", "administrator"];

/// The claims of a caller. The one of the other tenant has the owner's name there.
fn claims(caller: &str) -> Option<Json> {
    let (user, org) = match caller {
        "no token" => return None,
        "expired" => return Some(json!({ "sub": "olga", "org": "acme", "exp": 1_000_000_000 })),
        "other tenant" => ("olga", "zeta"),
        "other user" => ("eve", "acme"),
        "reader" => ("rita", "acme"),
        "owner" => ("olga", "acme"),
        other => (other, "acme"),
    };
    let is_admin = caller == "administrator";
    Some(json!({ "sub": user, "org": org, "exp": 4_000_000_000_u64, "admin": is_admin }))
}

/// A request: its method, its path, its body, and what is answered to each caller. Each has a fresh note of the owner's,
/// shared with the reader, whose id stands for `{id}` and whose change for `{seq}`; `{gone}` is one that is deleted. A
/// number in brackets is how many rows the answer has.
type Line = (&'static str, &'static str, &'static str, [&'static str; 7]);

#[rustfmt::skip]
const TABLE: &[Line] = &[
    //                                                                                                         no token expired  tenant    user      reader    owner     admin
    ("GET",    "/api/entities/Note?where={\"id\":\"{id}\"}", "",                                              ["401", "401", "200 (0)", "200 (0)", "200 (1)", "200 (1)", "200 (1)"]),
    ("POST",   "/api/entities/Note", r#"{"id":"{id}-new","author":"olga"}"#,                                  ["401", "401", "201",     "403",     "403",     "201",     "201"]),
    ("POST",   "/api/entities/Note", r#"{"id":"{id}","author":"olga"}"#,                                      ["401", "401", "201",     "409",     "409",     "409",     "409"]),
    ("GET",    "/api/entities/Note/{id}", "",                                                                 ["401", "401", "404",     "404",     "200",     "200",     "200"]),
    ("PATCH",  "/api/entities/Note/{id}", r#"{"title":"x"}"#,                                                 ["401", "401", "404",     "404",     "403",     "200",     "200"]),
    ("DELETE", "/api/entities/Note/{id}", "",                                                                 ["401", "401", "404",     "404",     "403",     "200",     "200"]),
    ("POST",   "/api/entities/Note/{gone}/restore", "",                                                       ["401", "401", "404",     "404",     "404",     "200",     "200"]),
    ("GET",    "/api/entities/Note/{id}/history", "",                                                         ["401", "401", "404",     "403",     "200",     "200",     "200"]),
    ("GET",    "/api/entities/Note/{id}/diff?from={seq}", "",                                                 ["401", "401", "404",     "403",     "200",     "200",     "200"]),
    ("GET",    "/api/entities/Note/{id}/blame?field=title", "",                                               ["401", "401", "404",     "403",     "200",     "200",     "200"]),
    ("POST",   "/api/entities/Note/{id}/revert", r#"{"to":{seq}}"#,                                           ["401", "401", "404",     "403",     "403",     "200",     "200"]),
    ("GET",    "/api/entities/Note/{id}/doc", "",                                                             ["401", "401", "404",     "403",     "200",     "200",     "200"]),
    ("POST",   "/api/entities/Note/{id}/doc", "update",                                                       ["401", "401", "200",     "403",     "403",     "200",     "200"]),
    ("POST",   "/api/query", r#"{"from":"Note","where":{"id":"{id}"}}"#,                                      ["401", "401", "200 (0)", "200 (0)", "200 (1)", "200 (1)", "200 (1)"]),
    ("POST",   "/api/query/explain", r#"{"from":"Note"}"#,                                                    ["401", "401", "200",     "200",     "200",     "200",     "200"]),
    ("GET",    "/api/live?query={\"from\":\"Note\",\"where\":{\"id\":\"{id}\"}}", "",                         ["401", "401", "200",     "200",     "200",     "200",     "200"]),
    ("POST",   "/api/transactions", r#"{"changes":[{"entity":"Note","id":"{id}","patch":{"title":"x"}}]}"#,   ["401", "401", "404",     "404",     "403",     "200",     "200"]),
    ("GET",    "/ws", "",                                                                                     ["101", "401", "101",     "101",     "101",     "101",     "101"]),
    ("POST",   "/auth/sign-up", r#"{"tenant":"acme","email":"x@example.com","password":"a long enough one"}"#, ["403", "403", "403",     "403",     "403",     "403",     "403"]),
    ("POST",   "/auth/sign-in", r#"{"tenant":"acme","email":"x@example.com","password":"a long enough one"}"#, ["401", "401", "401",     "401",     "401",     "401",     "401"]),
    ("POST",   "/auth/refresh", r#"{"refreshToken":"YWNtZQ.s1.secret"}"#,                                     ["401", "401", "401",     "401",     "401",     "401",     "401"]),
    ("POST",   "/auth/sign-out", "{}",                                                                        ["200", "200", "200",     "200",     "200",     "200",     "200"]),
    ("GET",    "/auth/user", "",                                                                              ["401", "401", "200",     "200",     "200",     "200",     "200"]),
    // Nobody here has an account of the server's own.
    ("POST",   "/auth/password", r#"{"current":"x","new":"a long enough one"}"#,                              ["401", "401", "403",     "403",     "403",     "403",     "403"]),
    ("GET",    "/auth/sessions", "",                                                                          ["401", "401", "403",     "403",     "403",     "403",     "403"]),
    ("DELETE", "/auth/sessions", "",                                                                          ["401", "401", "403",     "403",     "403",     "403",     "403"]),
    ("DELETE", "/auth/sessions/x", "",                                                                        ["401", "401", "403",     "403",     "403",     "403",     "403"]),
    ("GET",    "/auth/providers", "",                                                                         ["200", "200", "200",     "200",     "200",     "200",     "200"]),
    ("GET",    "/auth/provider/corp", "",                                                                     ["404", "404", "404",     "404",     "404",     "404",     "404"]),
    ("GET",    "/auth/provider/corp/callback", "",                                                            ["404", "404", "404",     "404",     "404",     "404",     "404"]),
    ("GET",    "/auth/provider", "",                                                                          ["404", "404", "404",     "404",     "404",     "404",     "404"]),
    ("GET",    "/auth/provider/callback", "",                                                                 ["404", "404", "404",     "404",     "404",     "404",     "404"]),
    ("GET",    "/auth/none", "",                                                                              ["404", "404", "404",     "404",     "404",     "404",     "404"]),
    ("GET",    "/health", "",                                                                                 ["200", "200", "200",     "200",     "200",     "200",     "200"]),
    ("GET",    "/ready", "",                                                                                  ["200", "200", "200",     "200",     "200",     "200",     "200"]),
    ("GET",    "/metrics", "",                                                                                ["200", "200", "200",     "200",     "200",     "200",     "200"]),
    ("POST",   "/dev/token", r#"{"user":"olga","tenant":"acme"}"#,                                            ["404", "404", "404",     "404",     "404",     "404",     "404"]),
    ("GET",    "/api", "",                                                                                    ["404", "404", "404",     "404",     "404",     "404",     "404"]),
    ("GET",    "/api/none", "",                                                                               ["404", "404", "404",     "404",     "404",     "404",     "404"]),
    ("GET",    "/dev/none", "",                                                                               ["404", "404", "404",     "404",     "404",     "404",     "404"]),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_route_answers_each_caller_as_it_should() {
    let stage = Stage::with(MANIFEST, &["--accounts"]).await;
    let http = |caller: &str| match claims(caller) {
        Some(claims) => stage.http(&stage.installation.token_of(&claims)),
        None => stage.server.stranger(),
    };
    let owner = http("owner");
    let mut wrong = String::new();
    for (number, (method, path, body, expected)) in TABLE.iter().enumerate() {
        for (place, (caller, expected)) in CALLERS.iter().zip(expected).enumerate() {
            let subject = Subject::new(&owner, &format!("n{number}-{place}"), path.contains("{gone}")).await;
            let found = subject.ask(&http(caller), method, path, body).await;
            if found != *expected {
                writeln!(wrong, "{method} {path} by {caller}: expected {expected}, found {found}").unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// A note that a request is about.
struct Subject {
    id: String,
    seq: String,
}

impl Subject {
    async fn new(owner: &Http, id: &str, is_gone: bool) -> Self {
        let made =
            owner.post("/api/entities/Note", json!({ "id": id, "title": "of Olga" })).await.expect(201);
        owner.post("/api/entities/Share", json!({ "note": id, "user": "rita" })).await.expect(201);
        if is_gone {
            owner.delete(&format!("/api/entities/Note/{id}")).await.expect(200);
        }
        Self { id: id.to_owned(), seq: made["seq"].to_string() }
    }

    fn fill(&self, text: &str) -> String {
        text.replace("{id}", &self.id).replace("{gone}", &self.id).replace("{seq}", &self.seq)
    }

    async fn ask(&self, http: &Http, method: &str, path: &str, body: &str) -> String {
        let path = self.fill(path).replace('{', "%7B").replace('}', "%7D").replace('"', "%22");
        let method = method.parse().expect("a method");
        if path == "/ws" || path.starts_with("/api/live") {
            let headers = [
                ("connection", "upgrade"),
                ("upgrade", "websocket"),
                ("sec-websocket-version", "13"),
                ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ];
            let headers = if path == "/ws" { &headers[..] } else { &[] };
            return http.status(method, &path, headers).await.as_str().to_owned();
        }
        let body = if body == "update" { update() } else { self.fill(body).into_bytes() };
        let answer = http.send(method, &path, &[], body).await;
        let status = answer.status.as_str().to_owned();
        let json: Json = serde_json::from_slice(&answer.body).unwrap_or_default();
        match json["rows"].as_array().filter(|_| !path.contains("transactions")) {
            Some(rows) => format!("{status} ({})", rows.len()),
            None => status,
        }
    }
}

/// A change of the title as a client's document makes it.
fn update() -> Vec<u8> {
    let doc = LoroDoc::new();
    set(&doc, "title", "from a document");
    doc.export(ExportMode::all_updates()).expect("a document can be exported")
}

/// The routes of the server, as its source declares them: each method and path.
fn declared() -> BTreeSet<(String, String)> {
    let mut routes = BTreeSet::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/server/src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the sources are there") {
            let path = entry.expect("a folder can be read").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).expect("sources are text");
            for other in [".nest(", ".route_service(", ".nest_service("] {
                assert!(!text.contains(other), "{}: teach this test what {other} serves", path.display());
            }
            for part in text.split(".route(").skip(1) {
                let (_, rest) = part.split_once('"').expect("a path as text");
                let (route, rest) = rest.split_once('"').expect("a path as text");
                let end = rest.find(".route(").unwrap_or(rest.len());
                let handlers = rest[..end].split('\n').next().unwrap_or_default();
                let methods: Vec<&str> = ["get", "post", "put", "patch", "delete", "any"]
                    .into_iter()
                    .filter(|name| {
                        [format!(", {name}("), format!(".{name}(")].iter().any(|call| handlers.contains(call))
                    })
                    .collect();
                assert!(!methods.is_empty(), "no method in {handlers}");
                routes.extend(methods.into_iter().map(|method| (method.to_uppercase(), route.to_owned())));
            }
        }
    }
    routes
}

/// Whether a request of the table goes to a route.
fn goes_to(line: &Line, method: &str, route: &str) -> bool {
    let path = line.1.split('?').next().unwrap_or_default();
    let (path, route): (Vec<&str>, Vec<&str>) = (path.split('/').collect(), route.split('/').collect());
    (method == "ANY" || method == line.0)
        && path.len() == route.len()
        && path.iter().zip(&route).all(|(part, name)| part == name || name.starts_with('{'))
}

#[test]
fn no_route_is_missing_from_the_table() {
    let declared = declared();
    assert!(declared.len() >= 20, "the routes are read from the source: {declared:?}");
    for (method, route) in &declared {
        let known = TABLE.iter().any(|line| goes_to(line, method, route));
        assert!(known, "{method} {route}: add a line to the table");
    }
}
