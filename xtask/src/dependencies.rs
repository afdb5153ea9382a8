//! The rules of `deny.toml` about licences, sources and banned packages, for machines without cargo-deny.
//!
//! Only that part of the file is read which has no exception of its own kind: advisories need cargo-deny and
//! its database. What cannot be understood is a failure, so that no rule is passed over in silence.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use spdx::{Expression, Licensee, ParseMode};

use crate::report::Failure;
use crate::workspace::Package;

/// What `deny.toml` allows and forbids.
#[derive(Debug)]
pub(crate) struct Rules {
    file: DenyFile,
    allowed: Vec<Licensee>,
}

#[derive(Debug, Deserialize)]
struct DenyFile {
    graph: Graph,
    licenses: Licenses,
    bans: Bans,
}

#[derive(Debug, Deserialize)]
struct Graph {
    targets: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
    /// The package is welcome, but once.
    #[serde(default)]
    deny_multiple_versions: bool,
}

impl Rules {
    /// Reads the rules of this workspace.
    ///
    /// # Errors
    ///
    /// The file is not there, or does not say what is read here.
    pub(crate) fn read(root: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(root.join("deny.toml"))
            .map_err(|error| unreadable(&format!("it could not be read: {error}")))?;
        Self::parse(&text).map_err(|error| unreadable(&error))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let file: DenyFile = toml::from_str(text).map_err(|error| error.to_string())?;
        let allowed = file
            .licenses
            .allow
            .iter()
            .map(|name| Licensee::parse(name).map_err(|error| format!("`{name}` is no licence: {error}")))
            .collect::<Result<_, _>>()?;
        Ok(Self { file, allowed })
    }

    /// The target triples that Corella is built for.
    pub(crate) fn targets(&self) -> &[String] {
        &self.file.graph.targets
    }

    /// Everything about `packages` that the rules do not allow, one line each.
    pub(crate) fn problems(&self, packages: &[Package]) -> Vec<String> {
        let mut problems = Vec::new();
        let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for package in packages {
            versions.entry(&package.name).or_default().push(&package.version);
            problems.extend(self.licence_problem(package));
            problems.extend(source_problem(package));
        }
        for ban in &self.file.bans.deny {
            let found = versions.get(ban.name.as_str()).map_or(&[][..], Vec::as_slice);
            let welcome = usize::from(ban.deny_multiple_versions);
            if found.len() > welcome {
                problems.push(format!("{} {}: banned: {}", ban.name, found.join(", "), ban.reason));
            }
        }
        problems
    }

    fn licence_problem(&self, package: &Package) -> Option<String> {
        let Package { name, version, license, .. } = package;
        let Some(text) = license else {
            return Some(format!("{name} {version}: it states no licence"));
        };
        // Older packages write a slash where `OR` is meant, which the lax mode understands.
        match Expression::parse_mode(text, ParseMode::LAX) {
            Ok(expression) => {
                let allows = |licence: &_| self.allowed.iter().any(|allowed| allowed.satisfies(licence));
                let problem = || format!("{name} {version}: its licence `{text}` is not in deny.toml's list");
                (!expression.evaluate(allows)).then(problem)
            }
            Err(error) => {
                Some(format!("{name} {version}: its licence `{text}` is no SPDX expression: {error}"))
            }
        }
    }
}

fn source_problem(package: &Package) -> Option<String> {
    let source = package.source.as_deref()?;
    let is_public_index =
        source.starts_with("registry+") && source.ends_with(concat!("/crates.io", "-index"));
    (!is_public_index).then(|| {
        format!("{} {}: it comes from `{source}`, not from crates.io", package.name, package.version)
    })
}

fn unreadable(why: &str) -> Failure {
    Failure::new(format!("deny.toml: {why}"), "write it as the present one in version control is written")
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = r#"
        [graph]
        targets = ["x86_64-unknown-linux-gnu"]
        [licenses]
        allow = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "Unicode-3.0", "MPL-2.0"]
        [bans]
        deny = [
            { crate = "openssl", reason = "rustls serves" },
            { crate = "tungstenite", deny-multiple-versions = true, reason = "one is axum's" },
        ]
    "#;

    fn package(name: &str, version: &str, license: Option<&str>, source: Option<&str>) -> Package {
        Package {
            name: name.to_owned(),
            version: version.to_owned(),
            license: license.map(str::to_owned),
            source: source.map(str::to_owned),
            dependencies: Vec::new(),
        }
    }

    fn problems(packages: &[Package]) -> String {
        Rules::parse(RULES).expect("the rules of this test are well formed").problems(packages).join("\n")
    }

    fn licence(text: &str) -> String {
        problems(&[package("it", "1.0.0", Some(text), None)])
    }

    #[test]
    fn allowed_licences_pass_in_every_spelling() {
        let spellings = [
            "MIT",
            "MIT OR Apache-2.0",
            "MIT/Apache-2.0",
            "Apache-2.0 / MIT",
            "(MIT OR GPL-3.0-only) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception",
            "MPL-2.0+",
            "MIT OR LGPL-2.1-or-later",
        ];
        for spelling in spellings {
            assert_eq!(licence(spelling), "", "{spelling}");
        }
    }

    #[test]
    fn other_licences_are_named() {
        insta::assert_snapshot!(licence("GPL-3.0-only"), @"it 1.0.0: its licence `GPL-3.0-only` is not in deny.toml's list");
        insta::assert_snapshot!(licence("MIT AND GPL-3.0-only"), @"it 1.0.0: its licence `MIT AND GPL-3.0-only` is not in deny.toml's list");
        insta::assert_snapshot!(problems(&[package("it", "1.0.0", None, None)]), @"it 1.0.0: it states no licence");
        assert!(licence("as you like").contains("is no SPDX expression"));
    }

    #[test]
    fn bans_and_second_versions_are_named() {
        let both = [
            package("openssl", "0.10.1", Some("MIT"), None),
            package("tungstenite", "0.28.0", Some("MIT"), None),
            package("tungstenite", "0.29.0", Some("MIT"), None),
        ];
        insta::assert_snapshot!(problems(&both), @r"
        openssl 0.10.1: banned: rustls serves
        tungstenite 0.28.0, 0.29.0: banned: one is axum's
        ");
        assert_eq!(problems(&both[2..]), "");
    }

    #[test]
    fn other_sources_are_named() {
        let from = |source| problems(&[package("it", "1.0.0", Some("MIT"), Some(source))]);
        assert_eq!(from(concat!("registry+https://example.org/crates.io", "-index")), "");
        insta::assert_snapshot!(from("git+https://example.org/it"), @"it 1.0.0: it comes from `git+https://example.org/it`, not from crates.io");
    }

    #[test]
    fn a_ban_with_an_unknown_key_is_not_passed_over() {
        let text = RULES.replace("reason = \"rustls serves\"", "reason = \"\", wrappers = []");
        let error = Rules::parse(&text).expect_err("`wrappers` is not understood");
        assert!(error.contains("wrappers"), "{error}");
    }
}
