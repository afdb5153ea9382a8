//! `corella token`: a token for a user.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use corella_server::{Authority, Grant};

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
    /// The user may do everything.
    #[arg(long)]
    admin: bool,
    /// How long the token is good for, such as 15m, 1h or 30d.
    #[arg(long, value_name = "TIME", default_value = "1h")]
    ttl: humantime::Duration,
}

impl Token {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let authority = Authority::new(&secret::load(self.data.as_deref())?, false);
        let grant =
            Grant { user: self.user, roles: self.roles, admin: self.admin, lifetime: self.ttl.into() };
        println!("{}", authority.token(&grant).map_err(Failure::Token)?);
        Ok(ExitCode::SUCCESS)
    }
}
