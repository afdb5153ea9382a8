//! How a query is answered, in words.

use serde_json::{Value as Json, json};

use crate::{
    Dialect, Query,
    maintain::{Lookup, Probe},
};

impl Query {
    /// How the query is answered: its SQL, and how a changed row finds it while it is live.
    ///
    /// `index` names the columns whose values lead to the query; `scan` says that it is asked about every changed row.
    #[must_use]
    pub fn explain(&self, dialect: Dialect) -> Json {
        let statement = self.to_statement(dialect, "");
        let live = match Lookup::of(self.filter()) {
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
