//! Reads JSON objects key by key, remembers where it is, and collects every mistake on the way.

use serde_json::{Map, Value as Json};

use crate::problem::{Path, Report, nearest};

/// Something that was read, and the place where it stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct At<T> {
    pub(crate) path: Path,
    pub(crate) value: T,
}

/// What can be read from a JSON object.
pub(crate) trait ReadObject: Sized {
    /// Asks `object` for each key in turn; the keys that were asked for are the known ones.
    fn read(object: &mut ObjectReader<'_>) -> Self;
}

/// One JSON object while it is being read.
///
/// A key that holds `null` counts as left out. A mistake is reported once, where it is met; the reader then
/// answers as if the key had been left out.
pub(crate) struct ObjectReader<'a> {
    map: &'a Map<String, Json>,
    path: Path,
    known: Vec<&'static str>,
    report: &'a mut Report,
}

/// Reads a `T` from `json`, or says why there is none.
pub(crate) fn read_object<T: ReadObject>(
    json: &Json,
    path: Path,
    expected: &str,
    report: &mut Report,
) -> Option<At<T>> {
    let Json::Object(map) = json else {
        report.wrong(&path, expected, json);
        return None;
    };
    let mut object = ObjectReader { map, path, known: Vec::new(), report };
    let value = T::read(&mut object);
    let path = object.finish();
    Some(At { path, value })
}

/// The keys that a `T` may have and those that it must have.
#[cfg(test)]
pub(crate) fn keys_of<T: ReadObject>() -> (Vec<&'static str>, Vec<String>) {
    let (map, mut report) = (Map::new(), Report::default());
    let mut object =
        ObjectReader { map: &map, path: Path::default(), known: Vec::new(), report: &mut report };
    T::read(&mut object);
    let known = object.known;
    (known, report.problems.into_iter().map(|problem| problem.path).collect())
}

impl<'a> ObjectReader<'a> {
    /// A text that may be left out.
    pub(crate) fn text(&mut self, key: &'static str, expected: &str) -> Option<At<String>> {
        let json = self.json(key)?;
        let Json::String(text) = json.value else {
            self.report.wrong(&json.path, expected, json.value);
            return None;
        };
        Some(At { value: text.clone(), path: json.path })
    }

    /// A text that must be there.
    pub(crate) fn required_text(&mut self, key: &'static str, expected: &str) -> Option<At<String>> {
        self.require(key, expected);
        self.text(key, expected)
    }

    /// True or false, or `default` when it is left out.
    pub(crate) fn flag(&mut self, key: &'static str, default: bool) -> bool {
        let Some(json) = self.json(key) else { return default };
        let Json::Bool(flag) = json.value else {
            self.report.wrong(&json.path, "true or false", json.value);
            return default;
        };
        *flag
    }

    /// Any JSON value.
    pub(crate) fn json(&mut self, key: &'static str) -> Option<At<&'a Json>> {
        self.known.push(key);
        let value = self.map.get(key).filter(|json| !json.is_null())?;
        Some(At { path: self.path.key(key), value })
    }

    /// One object.
    pub(crate) fn object<T: ReadObject>(&mut self, key: &'static str, expected: &str) -> Option<At<T>> {
        let json = self.json(key)?;
        read_object(json.value, json.path, expected, self.report)
    }

    /// A list of objects; `expected` names one of them. An item that is none is reported and skipped.
    pub(crate) fn objects<T: ReadObject>(&mut self, key: &'static str, expected: &str) -> Vec<At<T>> {
        let items = self.items(key, &format!("a list, each item {expected}"));
        let report = &mut *self.report;
        items.into_iter().filter_map(|item| read_object(item.value, item.path, expected, report)).collect()
    }

    /// A list of texts; `expected` names one of them. An item that is none is reported and skipped.
    pub(crate) fn texts(&mut self, key: &'static str, expected: &str) -> Vec<At<String>> {
        let items = self.items(key, &format!("a list, each item {expected}"));
        let mut texts = Vec::with_capacity(items.len());
        for At { path, value } in items {
            if let Json::String(text) = value {
                texts.push(At { path, value: text.clone() });
            } else {
                self.report.wrong(&path, expected, value);
            }
        }
        texts
    }

    /// A list of anything.
    pub(crate) fn items(&mut self, key: &'static str, expected: &str) -> Vec<At<&'a Json>> {
        let Some(json) = self.json(key) else { return Vec::new() };
        let Json::Array(items) = json.value else {
            self.report.wrong(&json.path, expected, json.value);
            return Vec::new();
        };
        let place = |(index, value)| At { path: json.path.index(index), value };
        items.iter().enumerate().map(place).collect()
    }

    /// Reports `key` when it is not there.
    pub(crate) fn require(&mut self, key: &'static str, expected: &str) {
        if self.map.get(key).is_none_or(Json::is_null) {
            self.report.problem(&self.path.key(key), expected, "nothing", None);
        }
    }

    /// Reports `key` when it is not there, or is an empty list.
    pub(crate) fn require_items(&mut self, key: &'static str, expected: &str) {
        self.require(key, expected);
        if self.map.get(key).and_then(Json::as_array).is_some_and(Vec::is_empty) {
            self.report.problem(&self.path.key(key), expected, "an empty list", None);
        }
    }

    /// Warns of every key that nobody asked for.
    fn finish(self) -> Path {
        for key in self.map.keys().filter(|key| !self.known.contains(&key.as_str())) {
            let near = nearest(key, self.known.iter().copied());
            self.report.warn(&self.path.key(key), "unknown key, ignored", near);
        }
        self.path
    }
}
