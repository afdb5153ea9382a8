//! `corella guard`: a process that decodes clients' updates, and may die of it.

use std::{
    io::{stdin, stdout},
    process::ExitCode,
};

use clap::Args;
use corella_server::guard::{GuardPool, GuardPoolOptions};

use crate::failure::Failure;

/// Decode updates for a server, which starts this by itself.
#[derive(Debug, Args)]
#[command(hide = true)]
pub(crate) struct Guard {}

impl Guard {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let Self {} = self;
        // What Loro says while it fails is of no use to anybody here.
        std::panic::set_hook(Box::new(|_| {}));
        corella_server::guard::child::run(stdin(), stdout())
            .map_err(|source| Failure::Process { what: "serve as a guard", source })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Guards that look at blobs at the same time.
const GUARDS: usize = 2;

/// Whether bytes from outside are decoded by guards first.
#[derive(Debug, Args)]
pub(crate) struct GuardChoice {
    /// Decode bytes from outside in this very process: some of them can end it.
    #[arg(long, env = "CORELLA_NO_GUARD")]
    no_guard: bool,
}

impl GuardChoice {
    /// The guards, which are processes of this very binary.
    pub(crate) fn start(&self) -> Result<Option<GuardPool>, Failure> {
        if self.no_guard {
            return Ok(None);
        }
        let failed = |source| Failure::Process { what: "start a guard", source };
        let options = GuardPoolOptions {
            program: std::env::current_exe().map_err(failed)?,
            arguments: vec!["guard".into()],
            count: GUARDS,
        };
        Ok(Some(GuardPool::start(options).map_err(failed)?))
    }
}
