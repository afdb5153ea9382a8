//! `corella codegen`: an app's rows as types.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, ValueEnum};

use crate::{failure::Failure, manifest_file};

/// Write an app's rows as types of the language that its clients are written in.
///
/// For each entity: the row as it is read, what an insertion and a patch take with the operations of each kind of field,
/// and what queries may ask; besides the fingerprint of the schema. TypeScript goes with `@corella/client`; Rust needs
/// `serde` and `serde_json`.
#[derive(Debug, Args)]
pub(crate) struct Codegen {
    /// The language.
    #[arg(value_enum)]
    language: Language,
    /// The manifest of the app.
    #[arg(long, value_name = "FILE", env = "CORELLA_MANIFEST")]
    manifest: PathBuf,
    /// The file to write; `-` prints it.
    #[arg(long, value_name = "FILE", default_value = "-")]
    out: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Language {
    /// TypeScript.
    Ts,
    /// Rust.
    Rust,
}

impl Codegen {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let manifest = manifest_file::read(&self.manifest)?;
        let text = match self.language {
            Language::Ts => corella_codegen::typescript(&manifest),
            Language::Rust => corella_codegen::rust(&manifest),
        };
        if self.out.as_os_str() == "-" {
            print!("{text}");
        } else {
            std::fs::write(&self.out, text).map_err(|source| Failure::File {
                what: "write the file",
                path: self.out.clone(),
                source,
            })?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
