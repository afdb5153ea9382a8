//! How a query is answered, in words.

use std::sync::Arc;

use corella_manifest::Value;
use serde_json::{Value as Json, json};

use crate::{
    Dialect, Query, Related,
    maintain::{Lookup, Probe},
};

impl Query {
    /// How the query is answered: its SQL, and how a changed row finds it while it is live.
    ///
    /// `index` names the columns whose values lead to the query; `scan` says that it is asked about every changed row. What
    /// a query asks of rows of other entities leads to it by the values that tie them, where these are not too many.
    #[must_use]
    pub fn explain(&self, dialect: Dialect) -> Json {
        let statement = self.to_statement(dialect, "");
        let any_key = |related: &Arc<Related>| Some(vec![vec![Value::Null; related.ties.len()]]);
        let live = match Lookup::with(self.filter(), &any_key) {
            Lookup::Scan => json!({ "found": "scan", "index": [] }),
            Lookup::By(probes) => {
                let mut templates: Vec<Json> = Vec::new();
                for template in probes.iter().map(template) {
                    if !templates.contains(&template) {
                        templates.push(template);
                    }
                }
                json!({ "found": "index", "index": templates })
            }
        };
        json!({ "sql": statement.text, "parameters": statement.parameters.len(), "live": live })
    }
}

fn template(Probe { equal, within }: &Probe) -> Json {
    let equal: Vec<&str> = equal.iter().map(|(column, _)| column.name()).collect();
    let within = within.as_ref().map(|(column, _)| column.name());
    json!({ "equal": equal, "within": within })
}
