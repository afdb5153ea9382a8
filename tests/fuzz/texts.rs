//! Manifests, queries and policies.

use std::sync::Arc;

use corella_manifest::Manifest;
use corella_policy::Policies;
use corella_query::Query;
use corella_testkit::SAMPLE;
use serde_json::{Value as Json, json};

use super::{corpus::Kind, try_all};

fn sample() -> Arc<Manifest> {
    Arc::new(Manifest::parse(SAMPLE).expect("the sample is sound").manifest)
}

#[test]
fn manifests() {
    let words = [
        "\"entities\"",
        "\"fields\"",
        "\"type\"",
        "\"id(Note)\"",
        "\"enum()\"",
        "\"crdt\"",
        "[]",
        "{}",
        "null",
    ];
    try_all("manifest", Kind::Text, &words, |input| {
        if let Ok(parsed) = Manifest::parse(&String::from_utf8_lossy(input)) {
            // What is taken has a fingerprint, and policies that can be looked at.
            assert!(!parsed.manifest.fingerprint().is_empty());
            let _ = Policies::new(Arc::new(parsed.manifest));
        }
    });
}

#[test]
fn queries() {
    let manifest = sample();
    let words = [
        "\"where\"",
        "\"$and\"",
        "\"$or\"",
        "\"$not\"",
        "\"$in\"",
        "\"$like\"",
        "\"$exists\"",
        "\"orderBy\"",
        "\"limit\"",
        "\"cursor\"",
        "\"select\"",
        "\"title\"",
        "\"stars\"",
        "[",
        "]",
        "{",
        "}",
        "-1",
        "1e308",
        "null",
    ];
    try_all("query", Kind::Text, &words, |input| {
        if let Ok(json) = serde_json::from_slice::<Json>(input) {
            let _ = Query::read(&manifest, &json);
        }
    });
}

#[test]
fn policies() {
    let words = [
        "auth.userId",
        "auth.claims",
        "data.title",
        "next.title",
        "exists(User, {",
        "now",
        "has(",
        "size(",
        ".map(x, ",
        ".all(x, ",
        "&&",
        "||",
        "!",
        "in",
        "? ",
        ": ",
        "[",
        "]",
        "(",
        ")",
        "'",
        "\"",
        "1e999",
        "-9223372036854775808",
    ];
    let sample: Json = serde_json::from_str(SAMPLE).expect("JSON");
    try_all("policy", Kind::Text, &words, |input| {
        let mut manifest = sample.clone();
        let rule = String::from_utf8_lossy(input);
        manifest["policies"] = json!([{ "name": "p", "entity": "Note", "allow": rule }]);
        if let Ok(parsed) = Manifest::parse(&manifest.to_string()) {
            let _ = Policies::new(Arc::new(parsed.manifest));
        }
    });
}
