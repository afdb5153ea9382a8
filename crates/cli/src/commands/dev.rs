//! `corella dev`: the server for a developer.

use std::{
    fs,
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    time::{Duration, SystemTime},
};

use clap::Args;
use corella_server::Mode;
use corella_store::Store;

use super::serve::ServeOptions;
use crate::{failure::Failure, manifest_file};

/// How often the manifest is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Serve an app while it is being developed.
///
/// As `serve`, and: `POST /dev/token {"user": "ada"}` signs anybody in, and the manifest is read again whenever its
/// file changes. Never let others reach it.
#[derive(Debug, Args)]
pub(crate) struct Dev {
    #[command(flatten)]
    options: ServeOptions,
}

impl Dev {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let path = self.options.manifest.clone();
        self.options.run(Mode::Development, move |store| {
            println!("Development: anybody may sign in. The manifest is read again when it changes.");
            tokio::spawn(follow_manifest(path, store.clone()));
        })
    }
}

/// Serves the manifest anew whenever its file changes; a wrong one is reported, and the last good one stays.
async fn follow_manifest(path: PathBuf, store: Store) {
    let mut seen = modified(&path);
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    loop {
        ticks.tick().await;
        let now = modified(&path);
        if now == seen {
            continue;
        }
        seen = now;
        match manifest_file::read(&path) {
            Ok(manifest) => match store.replace_manifest(Arc::new(manifest)).await {
                Ok(()) => println!("The manifest was read again."),
                Err(source) => report(&Failure::Start { path: path.clone(), source }),
            },
            Err(failure) => report(&failure),
        }
    }
}

fn report(failure: &Failure) {
    eprintln!("corella: {}\nThe last good manifest is still served.", failure.message());
}

fn modified(path: &PathBuf) -> Option<(SystemTime, u64)> {
    let about = fs::metadata(path).ok()?;
    Some((about.modified().ok()?, about.len()))
}
