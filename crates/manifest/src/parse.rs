//! From text to [`Manifest`].

use serde_json::Value as Json;

use crate::{
    Manifest, ManifestErrors, Parsed, json,
    problem::{Path, Report},
    raw::RawManifest,
    reader::read_object,
    validate::validate,
};

/// The version of the manifest format that this crate reads.
pub(crate) const MANIFEST_VERSION: u32 = 1;

impl Manifest {
    /// Reads and validates a manifest.
    ///
    /// Keys that are not known are ignored with a warning. A key that holds `null` counts as left out.
    ///
    /// # Errors
    /// [`ManifestErrors`] has every mistake that could be told apart from the others. Malformed JSON and a
    /// manifest of another format version end the search at once.
    pub fn parse(text: &str) -> Result<Parsed, ManifestErrors> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let json = json::read(text)
            .map_err(|problem| ManifestErrors { problems: vec![problem], warnings: Vec::new() })?;
        let mut report = Report::default();
        if check_version(&json, &mut report) == Version::Foreign {
            return Err(report.into_errors());
        }
        let raw = read_object::<RawManifest>(
            &json,
            Path::default(),
            "a manifest, which is a JSON object",
            &mut report,
        );
        let manifest = raw.and_then(|raw| validate(&raw.value, &mut report));
        report.sort();
        match manifest {
            Some(manifest) if report.problems.is_empty() => {
                Ok(Parsed { manifest, warnings: report.warnings })
            }
            Some(_) | None => Err(report.into_errors()),
        }
    }
}

#[derive(PartialEq, Eq)]
enum Version {
    /// Ours, or not told: the rest can be read as ours.
    Ours,
    /// Another: what the rest means is not known.
    Foreign,
}

fn check_version(json: &Json, report: &mut Report) -> Version {
    let Some(version) = json.get("manifest_version").filter(|version| !version.is_null()) else {
        return Version::Ours;
    };
    if version.as_f64() == Some(f64::from(MANIFEST_VERSION)) {
        return Version::Ours;
    }
    let expected = format!("{MANIFEST_VERSION}, the manifest format that this server reads");
    report.wrong(&Path::default().key("manifest_version"), &expected, version);
    if version.is_number() { Version::Foreign } else { Version::Ours }
}
