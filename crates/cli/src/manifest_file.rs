//! Reading a manifest from its file.

use std::path::Path;

use corella_manifest::{Manifest, Parsed};

use crate::failure::Failure;

/// Reads and validates the manifest; warnings are printed.
pub(crate) fn read(path: &Path) -> Result<Manifest, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| Failure::ManifestFile { path: path.to_owned(), source })?;
    let Parsed { manifest, warnings } =
        Manifest::parse(&text).map_err(|errors| Failure::Manifest { path: path.to_owned(), errors })?;
    for warning in warnings {
        eprintln!("{}: warning: {warning}", path.display());
    }
    Ok(manifest)
}
