//! Files that are generated from the code: written by `cargo xtask generate`, compared by `cargo xtask check`.

use std::path::Path;

use crate::report::{Failure, Steps, Stop, note};
use crate::workspace;

/// A generated file: its path from the root, and what must stand in it.
struct Generated {
    path: &'static str,
    contents: String,
}

fn generated() -> [Generated; 1] {
    [Generated { path: "schema/manifest.schema.json", contents: corella_manifest::json_schema() }]
}

/// Writes every generated file that is not up to date.
pub(crate) fn run(steps: &mut Steps) -> Result<(), Stop> {
    let root = workspace::root();
    steps.must("generated files", || {
        for file in generated() {
            if is_current(&root, &file) {
                note(&format!("{} is up to date", file.path));
                continue;
            }
            let path = root.join(file.path);
            let folder = path.parent().unwrap_or(&root);
            std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, &file.contents)).map_err(
                |error| {
                    Failure::new(
                        format!("{} could not be written: {error}", file.path),
                        "make the folder writable",
                    )
                },
            )?;
            note(&format!("wrote {}", file.path));
        }
        Ok(())
    })
}

/// Says which generated files are not what the code would generate.
///
/// # Errors
///
/// There is such a file.
pub(crate) fn verify(root: &Path) -> Result<(), Failure> {
    let stale: Vec<&str> =
        generated().iter().filter(|file| !is_current(root, file)).map(|file| file.path).collect();
    if stale.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        format!("not what the code generates: {}", stale.join(", ")),
        "run `cargo xtask generate` and commit what it wrote",
    ))
}

fn is_current(root: &Path, file: &Generated) -> bool {
    std::fs::read_to_string(root.join(file.path)).is_ok_and(|present| present == file.contents)
}
