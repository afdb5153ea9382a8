//! What apps declare, and what callers ask.

use std::sync::{Arc, LazyLock};

use corella_manifest::{Manifest, Policy};
use corella_policy::Policies;
use corella_query::Query;
use serde_json::Value as Json;

/// The app of which queries ask and policies speak.
static APP: LazyLock<Arc<Manifest>> = LazyLock::new(|| {
    let parsed = Manifest::parse(include_str!("../../crates/testkit/src/sample.json"));
    Arc::new(parsed.expect("the sample is sound").manifest)
});

/// What is taken has a fingerprint, and policies that can be looked at.
pub(crate) fn manifest(input: &[u8]) {
    if let Ok(parsed) = Manifest::parse(&String::from_utf8_lossy(input)) {
        assert!(!parsed.manifest.fingerprint().is_empty());
        let _ = Policies::new(Arc::new(parsed.manifest));
    }
}

pub(crate) fn query(input: &[u8]) {
    if let Ok(json) = serde_json::from_slice::<Json>(input) {
        let _ = Query::read(&APP, &json);
    }
}

pub(crate) fn policy(input: &[u8]) {
    let mut manifest = Manifest::clone(&APP);
    let policy = Policy {
        name: "p".to_owned(),
        entity: manifest.entities.first().map(|entity| entity.name.clone()),
        action: None,
        allow: Some(String::from_utf8_lossy(input).into_owned()),
        allow_read: None,
        allow_write: None,
        allow_insert: None,
        allow_update: None,
        allow_delete: None,
    };
    manifest.policies = vec![policy];
    let _ = Policies::new(Arc::new(manifest));
}
