//! `corella guard`: a process that decodes clients' updates, and may die of it.

use std::{
    io::{stdin, stdout},
    process::ExitCode,
};

use clap::Args;

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
