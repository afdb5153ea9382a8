//! Names: whether they are any, and whether they are taken.

use std::collections::HashMap;

use serde_json::Value as Json;

use crate::{NameError, problem::Report, reader::At, value::describe};

/// The names that have been given so far in one scope.
///
/// Letter case does not tell two names apart, because it does not in SQL.
#[derive(Default)]
pub(crate) struct Names {
    /// From the name in lower case to the place that has it.
    taken: HashMap<String, String>,
}

impl Names {
    /// Takes `name`; reports it and answers false when it is taken. `what` says what it names.
    pub(crate) fn claim(&mut self, name: &At<String>, what: &str, report: &mut Report) -> bool {
        let At { path, value } = name;
        if let Some(owner) = self.taken.get(&value.to_lowercase()) {
            let expected = format!("{what} that is used once, letter case aside");
            report.problem(path, expected, format!("{}, which {owner} has already", quoted(value)), None);
            return false;
        }
        self.taken.insert(value.to_lowercase(), path.parent().to_owned());
        true
    }
}

/// The name that `text` is, or a report of why it is none.
pub(crate) fn checked_name<T>(
    text: &At<String>,
    new: impl FnOnce(&str) -> Result<T, NameError>,
    report: &mut Report,
) -> Option<T> {
    new(&text.value)
        .map_err(|error| {
            let (expected, found) = error.parts();
            report.problem(&text.path, expected, found, error.nearest());
        })
        .ok()
}

/// `text` in quotes and at a readable length.
pub(crate) fn quoted(text: &str) -> String {
    describe(&Json::String(text.to_owned()))
}
