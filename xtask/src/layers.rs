//! Who may depend on whom: the arrows between our crates, and the crates in which a library may be named.
//!
//! The arrows are those of ARCHITECTURE.md. Dev-dependencies are free: a test may reach for anything.

use crate::workspace::Package;

/// Our crates from the bottom up: each may use those before it, and none after it.
const BOTTOM_UP: [&str; 18] = [
    "corella-manifest",
    "corella-codegen",
    "corella-rowdoc",
    "corella-wire",
    "corella-query",
    "corella-policy",
    "corella-store",
    "corella-live",
    "corella-functions",
    "corella-server",
    "corella-client",
    "corella-cli",
    "corella-testkit",
    "corella-fuzz",
    "corella-tests",
    "corella-benches",
    "corella-load",
    "xtask",
];

/// A library with the crates that may be built with it.
struct Home {
    is_library: fn(&str) -> bool,
    crates: &'static [&'static str],
    reason: &'static str,
}

const HOMES: [Home; 2] = [
    Home {
        is_library: |name| name == "loro" || name.starts_with("loro-"),
        crates: &["corella-rowdoc", "corella-testkit", "corella-benches", "corella-load"],
        reason: "corella-rowdoc is the only crate that names Loro",
    },
    Home {
        is_library: |name| {
            matches!(name, "rusqlite" | "libsqlite3-sys" | "tokio-postgres") || name.starts_with("sqlx")
        },
        // The client keeps its replica in SQLite, and so names the library too.
        crates: &["corella-store", "corella-client", "corella-testkit", "corella-benches"],
        reason: "databases are known to corella-store behind its port",
    },
];

/// Every dependency of our crates that points the wrong way, one line each.
pub(crate) fn problems(packages: &[Package]) -> Vec<String> {
    let mut problems = Vec::new();
    for package in packages.iter().filter(|package| package.source.is_none()) {
        for dependency in package.dependencies.iter().filter(|dependency| dependency.is_shipped()) {
            problems.extend(problem(&package.name, &dependency.name));
        }
        if height(&package.name).is_none() {
            problems.push(format!("{}: give it its place in xtask/src/layers.rs", package.name));
        }
    }
    problems
}

fn height(name: &str) -> Option<usize> {
    BOTTOM_UP.iter().position(|candidate| *candidate == name)
}

fn problem(package: &str, dependency: &str) -> Option<String> {
    let away_from_home =
        HOMES.iter().find(|home| (home.is_library)(dependency) && !home.crates.contains(&package));
    if let Some(home) = away_from_home {
        return Some(format!("{package} depends on {dependency}: {}", home.reason));
    }
    let (own, other) = (height(package)?, height(dependency)?);
    if own < other {
        return Some(format!("{package} depends on {dependency}: arrows point down only"));
    }
    // The client stands higher in the list, but speaks to the server over the wire alone.
    (package == "corella-client" && matches!(dependency, "corella-server" | "corella-live" | "corella-store"))
        .then(|| format!("{package} depends on {dependency}: a client does not know the server's insides"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Dependency;

    fn check(package: &str, dependency: &str, kind: Option<&str>) -> String {
        let dependency = Dependency { name: dependency.to_owned(), kind: kind.map(str::to_owned) };
        let package = Package {
            name: package.to_owned(),
            version: "0.1.0".to_owned(),
            license: None,
            source: None,
            dependencies: vec![dependency],
        };
        problems(&[package]).join("\n")
    }

    #[test]
    fn arrows_point_down() {
        assert_eq!(check("corella-store", "corella-rowdoc", None), "");
        insta::assert_snapshot!(check("corella-rowdoc", "corella-store", None), @"corella-rowdoc depends on corella-store: arrows point down only");
        assert_eq!(check("corella-rowdoc", "corella-testkit", Some("dev")), "");
        insta::assert_snapshot!(check("corella-client", "corella-server", None), @"corella-client depends on corella-server: a client does not know the server's insides");
    }

    #[test]
    fn libraries_stay_in_their_home_crate() {
        assert_eq!(check("corella-rowdoc", "loro", None), "");
        assert_eq!(check("corella-server", "loro", Some("dev")), "");
        insta::assert_snapshot!(check("corella-server", "loro", None), @"corella-server depends on loro: corella-rowdoc is the only crate that names Loro");
        insta::assert_snapshot!(check("corella-live", "rusqlite", Some("build")), @"corella-live depends on rusqlite: databases are known to corella-store behind its port");
        insta::assert_snapshot!(check("corella-query", "sqlx-core", None), @"corella-query depends on sqlx-core: databases are known to corella-store behind its port");
    }

    #[test]
    fn a_new_crate_needs_its_place() {
        insta::assert_snapshot!(check("corella-new", "serde", None), @"corella-new: give it its place in xtask/src/layers.rs");
    }
}
