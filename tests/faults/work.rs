//! Writers who note what was acknowledged.

use std::collections::BTreeMap;

use corella_testkit::{Http, Installation, Server};
use serde_json::json;

pub(crate) const ROWS: &str = "/api/entities/Note";
const SAVED: &str = "/api/entities/Note/saved";

/// What somebody asked for, and what was acknowledged of it.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// Every key under which a row was asked for, and the row's id once that was answered.
    rows: BTreeMap<String, Option<String>>,
    /// Marks in a text that is saved whole, and whether the last save was not answered.
    saved: usize,
    unsure: bool,
    /// Answers that left open whether the write is durable.
    pub(crate) unknown: usize,
}

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Acknowledged,
    /// The server says that it does not know, or cannot now.
    Unsure,
    /// No answer came.
    Gone,
}

fn text(count: usize) -> String {
    (0..count).map(|number| format!("[{number}]")).collect()
}

impl Log {
    /// Makes the row that is saved to.
    pub(crate) async fn begin(&self, http: &Http) {
        http.post(ROWS, json!({ "id": "saved", "title": "saved" })).await.expect(201);
    }

    /// Asks for one more row.
    pub(crate) async fn make(&mut self, http: &Http) -> Asked {
        let key = format!("key-{}", self.rows.len());
        self.ask(http, key).await
    }

    async fn ask(&mut self, http: &Http, key: String) -> Asked {
        self.rows.entry(key.clone()).or_default();
        let body = json!({ "title": key, "slug": key }).to_string();
        let headers = [("idempotency-key", key.as_str())];
        let method = "POST".parse().expect("a method");
        let Ok(answer) = http.try_send(method, ROWS, &headers, body).await else { return Asked::Gone };
        if answer.status == 503 {
            let problem = answer.problem();
            assert!(["503 unknown_outcome", "503 unavailable"].contains(&problem.as_str()), "{problem}");
            self.unknown += 1;
            return Asked::Unsure;
        }
        let id = answer.expect(201)["id"].as_str().map(str::to_owned);
        let known = self.rows.insert(key, id.clone()).flatten();
        assert!(known.is_none() || known == id, "one key, two rows: {known:?} and {id:?}");
        Asked::Acknowledged
    }

    /// Saves the text with one mark more.
    pub(crate) async fn save(&mut self, http: &Http) -> Asked {
        let body = json!({ "summary": text(self.saved + 1) }).to_string();
        self.unsure = true;
        let method = "PATCH".parse().expect("a method");
        let Ok(answer) = http.try_send(method, SAVED, &[], body).await else { return Asked::Gone };
        if answer.status == 503 {
            self.unknown += 1;
            return Asked::Unsure;
        }
        answer.expect(200);
        self.saved += 1;
        self.unsure = false;
        Asked::Acknowledged
    }

    /// Asks again for all that was not answered, until it is, and compares everything with what was acknowledged.
    pub(crate) async fn settle(&mut self, http: &Http) {
        for (id, key) in self.rows.iter().filter_map(|(key, id)| Some((id.as_ref()?, key))) {
            let row = http.get(&format!("{ROWS}/{id}")).await.expect(200);
            assert_eq!(row["row"]["title"], key.as_str(), "an acknowledged row is another one");
        }
        let open: Vec<String> =
            self.rows.iter().filter(|(_, id)| id.is_none()).map(|(key, _)| key.clone()).collect();
        for key in open {
            while self.ask(http, key.clone()).await != Asked::Acknowledged {}
        }
        let row = http.get(SAVED).await.expect(200);
        let found = row["row"]["summary"].as_str().unwrap_or_default().to_owned();
        if self.unsure && found == text(self.saved + 1) {
            self.saved += 1;
        }
        self.unsure = false;
        assert_eq!(found, text(self.saved), "what was saved is not what is there");
        let found = http.get(&format!("{ROWS}?limit=10000")).await.expect(200);
        let found = found["rows"].as_array().map_or(0, Vec::len);
        assert_eq!(
            found,
            self.rows.len() + 1,
            "rows that were asked for once are there more or less than once"
        );
    }

    /// How many rows were asked for.
    pub(crate) fn rows(&self) -> usize {
        self.rows.len()
    }
}

/// A fresh server on the same data has everything that was acknowledged, and the tables agree.
pub(crate) async fn recovered(installation: &Installation, token: &str, log: &mut Log) -> Server {
    let server = installation.serve().await;
    log.settle(&server.http(token)).await;
    installation.check_clean().await;
    server
}
