//! `corella token`: a token for a user.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use corella_server::{Grant, Signer};

use super::tokens::{TokenSettings, tenant_claim};
use crate::{failure::Failure, secret};

/// Print a token for a user.
///
/// It is a JWT (HS256), signed with CORELLA_JWT_SECRET or, without that, with the secret in DATA/jwt.secret, which
/// is made if it is not there. Send it as `Authorization: Bearer TOKEN`, as `?token=TOKEN`, or as the auth bytes of
/// a join.
#[derive(Debug, Args)]
pub(crate) struct Token {
    /// The data folder of the server; not needed where CORELLA_JWT_SECRET is set.
    #[arg(long, value_name = "DIR", env = "CORELLA_DATA")]
    data: Option<PathBuf>,
    /// The user's id.
    #[arg(long, value_name = "ID")]
    user: String,
    /// A role of the user; may be given more than once.
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// The tenant whose rows the user sees; the claim for it is the one that the manifest names.
    #[arg(long, value_name = "ID")]
    tenant: Option<String>,
    /// The manifest of the app; needed for --tenant, unless --jwt-tenant-claim names the claim.
    #[arg(long, value_name = "FILE", env = "CORELLA_MANIFEST")]
    manifest: Option<PathBuf>,
    /// The user may do everything.
    #[arg(long)]
    admin: bool,
    /// How long the token is good for, such as 15m, 1h or 30d.
    #[arg(long, value_name = "TIME", default_value = "1h")]
    ttl: humantime::Duration,
    #[command(flatten)]
    settings: TokenSettings,
}

impl Token {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let signer = Signer::new(&secret::load(self.data.as_deref())?, self.settings.rules());
        // A manifest that is not needed need not be there.
        let claim = match &self.tenant {
            Some(_) => tenant_claim(self.manifest.as_ref())?,
            None => None,
        };
        let (user, roles, tenant, admin) = (self.user, self.roles, self.tenant, self.admin);
        let grant = Grant { user, roles, tenant, admin, lifetime: self.ttl.into(), session: None };
        println!("{}", signer.token(&grant, claim.as_deref()).map_err(Failure::Token)?);
        Ok(ExitCode::SUCCESS)
    }
}
