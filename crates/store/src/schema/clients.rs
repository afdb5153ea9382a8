//! Which clients may work with the schema that is served.

use std::collections::HashMap;

use corella_manifest::Manifest;

/// Why a client that was made for another schema cannot work with this one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaMismatch {
    /// The schema has changed in ways that it does not understand.
    #[error(
        "the client was made for the schema {asked}, the server has {served}; what has changed since: {}. Load the \
         newer version of the app; what was written here is kept and sent by it",
        changes.join("; ")
    )]
    Changed {
        /// The client's schema.
        asked: String,
        /// The server's.
        served: String,
        /// What lies between the two and ends older clients, in words.
        changes: Vec<String>,
    },
    /// The database was never brought to the client's schema.
    #[error(
        "the client was made for the schema {asked}, which this database was never brought to; the server has {served}. \
         Serve the app's newer manifest first, or make the client's types anew with `corella codegen`"
    )]
    Unknown {
        /// The client's schema.
        asked: String,
        /// The server's.
        served: String,
    },
}

/// The schemas that the database was brought to, each with what ends its clients.
#[derive(Debug, Default)]
pub(crate) struct KnownSchemas {
    served: String,
    known: HashMap<String, Vec<String>>,
}

impl KnownSchemas {
    /// What clients of `known` are told by a server that serves `manifest`.
    pub(crate) fn new(manifest: &Manifest, known: &[(String, Manifest)]) -> Self {
        let ending = |earlier: &Manifest| {
            let steps = manifest.steps_from(earlier, &[]);
            steps.iter().filter(|step| step.ends_older_clients()).map(ToString::to_string).collect()
        };
        Self {
            served: manifest.fingerprint(),
            known: known
                .iter()
                .map(|(fingerprint, earlier)| (fingerprint.clone(), ending(earlier)))
                .collect(),
        }
    }

    /// Whether a client that was made for the schema `asked` may go on.
    pub(crate) fn check(&self, asked: &str) -> Result<(), SchemaMismatch> {
        if asked == self.served {
            return Ok(());
        }
        let (served, told) = (self.served.clone(), asked.chars().take(64).collect());
        match self.known.get(asked) {
            Some(changes) if changes.is_empty() => Ok(()),
            Some(changes) => Err(SchemaMismatch::Changed { asked: told, served, changes: changes.clone() }),
            None => Err(SchemaMismatch::Unknown { asked: told, served }),
        }
    }
}
