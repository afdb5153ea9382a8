//! `corella migrate`: the database brought to a manifest.

use std::{process::ExitCode, sync::Arc};

use clap::{Args, Subcommand};
use corella_store::schema::{self, Consent, MigrationPlan};

use crate::{
    commands::{Location, runtime},
    failure::Failure,
    progress::Filling,
};

/// Bring the database to a changed manifest.
///
/// Documents are never rewritten; what changes are the tables, and how documents are read. Steps that lose nothing are
/// taken by themselves when a server starts.
#[derive(Debug, Args)]
pub(crate) struct Migrate {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Plan(Plan),
    Apply(Apply),
}

/// Show the steps from the database to the manifest, in words and as SQL.
///
/// It reads only, and may run beside a server. Each step is safe, a rebuild (columns are filled again from the
/// documents), or destructive (something cannot be read any more, although the documents keep it). Exit code 0 when there
/// is nothing to do or all steps lose nothing, 1 when some are destructive or cannot be taken.
#[derive(Debug, Args)]
pub(crate) struct Plan {
    #[command(flatten)]
    location: Location,
}

/// Take the steps from the database to the manifest.
///
/// No server may run on the data meanwhile. It may be stopped at any moment: the tables change in one transaction, and
/// filling them is taken up again by the next `migrate apply` or server. Rows with a value that its field's new type does
/// not take are kept and listed.
#[derive(Debug, Args)]
pub(crate) struct Apply {
    #[command(flatten)]
    location: Location,
    /// Take steps that lose something too.
    #[arg(long)]
    allow_destructive: bool,
}

impl Migrate {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        match self.what {
            What::Plan(plan) => plan.run(),
            What::Apply(apply) => apply.run(),
        }
    }
}

impl Plan {
    fn run(self) -> Result<ExitCode, Failure> {
        let manifest = self.location.manifest()?;
        let plan = runtime()?.block_on(async {
            let backend = self.location.reader().await?;
            let plan = schema::plan(&*backend, &manifest).await;
            backend.close().await;
            plan.map_err(|source| self.location.start(source))
        })?;
        tell(&plan);
        let is_plain = plan.destructive().next().is_none() && plan.refused.is_empty();
        Ok(if is_plain { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}

fn tell(plan: &MigrationPlan) {
    if plan.steps.is_empty() && plan.statements.is_empty() && plan.fill.is_empty() {
        println!("The database is as the manifest declares it.");
        return;
    }
    if !plan.is_known {
        println!("The database has recorded no schema yet: it is compared with its tables alone.");
    }
    for step in &plan.steps {
        println!("{:<12} {step}", step.class().to_string());
    }
    for reason in &plan.refused {
        println!("{:<12} {reason}", "impossible");
    }
    if !plan.statements.is_empty() {
        println!("\nIn one transaction:");
        for statement in &plan.statements {
            println!("  {statement};");
        }
    }
    if !plan.fill.is_empty() {
        let names: Vec<String> = plan.fill.iter().map(ToString::to_string).collect();
        let then =
            if plan.steps.is_empty() && plan.statements.is_empty() { "Filled" } else { "\nThen filled" };
        println!("{then} from the documents: {}", names.join(", "));
    }
    if plan.destructive().next().is_some() {
        println!(
            "\nSteps that are destructive are taken by `corella migrate apply --allow-destructive`, with no server running."
        );
    }
}

impl Apply {
    fn run(self) -> Result<ExitCode, Failure> {
        let manifest = Arc::new(self.location.manifest()?);
        let consent = match self.allow_destructive {
            true => Consent::Destructive,
            false => Consent::Additive,
        };
        let mut progress = Filling::default();
        let (plan, report) = runtime()?.block_on(async {
            let backend = self.location.owner_of_what_is_there().await?;
            let applied =
                schema::apply(&*backend, manifest, consent, &mut |step| progress.follow(&step)).await;
            backend.close().await;
            applied.map_err(|source| self.location.start(source))
        })?;
        for step in &plan.steps {
            println!("{:<12} {step}", step.class().to_string());
        }
        match (plan.steps.is_empty(), plan.fill.is_empty()) {
            (true, true) => println!("The database is as the manifest declares it."),
            (_, _) => println!("The database was brought to the manifest."),
        }
        Ok(progress.sum_up(&report))
    }
}
