//! `corella user`: the server's own accounts.

use std::{
    io::{self, BufRead as _, IsTerminal as _},
    process::ExitCode,
    sync::Arc,
};

use clap::{Args, Subcommand};
use corella_rowdoc::Tenant;
use corella_server::accounts::{Email, hash_password};
use corella_store::port::{
    Account, AccountChange, AccountKey, AddedAccount, Backend, BackendError, EndingSessions,
};
use uuid::Uuid;

use super::{Location, runtime};
use crate::failure::Failure;

/// Look after the accounts that people sign in with (`corella serve --accounts`).
///
/// It may run beside servers, which hear of it within half a second: whoever is disabled is cut off at once, wherever they
/// are connected.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    corella user add ada@example.com --role editor\n  \
    printf '%s' \"$PASSWORD\" | corella user passwd ada@example.com\n  \
    corella user disable ada@example.com")]
pub(crate) struct User {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Add(Add),
    List(List),
    Disable(Disable),
    Enable(Enable),
    Passwd(Passwd),
    Roles(Roles),
}

/// Make an account. Its password is asked for, or read from the standard input; it is never an argument.
#[derive(Debug, Args)]
struct Add {
    /// The e-mail to sign in with; nothing is ever sent to it.
    email: Email,
    /// The user's id, as rows and histories name it; one is made up when there is none.
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// A role of the user; may be given more than once.
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// The user may do everything.
    #[arg(long)]
    admin: bool,
    #[command(flatten)]
    house: House,
}

/// List the accounts, one line each: id, e-mail or provider, roles, and whether it is disabled.
#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    location: Location,
    /// Accounts of this tenant alone.
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
}

/// Keep somebody out: sessions and open connections end at once, and tokens of theirs are refused.
#[derive(Debug, Args)]
struct Disable {
    #[command(flatten)]
    who: Who,
}

/// Let somebody sign in again.
#[derive(Debug, Args)]
struct Enable {
    #[command(flatten)]
    who: Who,
}

/// Give an account another password, which is asked for or read from the standard input. Its sessions end.
#[derive(Debug, Args)]
struct Passwd {
    #[command(flatten)]
    who: Who,
}

/// Give an account these roles, in place of those that it has. They count from the next refresh of a session on.
#[derive(Debug, Args)]
struct Roles {
    #[command(flatten)]
    who: Who,
    /// A role; without any the account has none.
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// Whether the user may do everything.
    #[arg(long, value_name = "TRUE|FALSE")]
    admin: Option<bool>,
}

/// The app, its data, and the tenant.
#[derive(Debug, Args)]
struct House {
    #[command(flatten)]
    location: Location,
    /// The tenant of the account, where the manifest has tenants.
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
}

/// Whose account.
#[derive(Debug, Args)]
struct Who {
    /// The account's e-mail, or its id.
    #[arg(value_name = "EMAIL|ID")]
    name: String,
    #[command(flatten)]
    house: House,
}

impl User {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        runtime()?.block_on(async {
            match self.what {
                What::Add(add) => add.run().await,
                What::List(list) => list.run().await,
                What::Disable(Disable { who }) => {
                    let change = AccountChange {
                        disabled: Some(true),
                        ends: EndingSessions::All,
                        ..AccountChange::default()
                    };
                    who.change(change, "is disabled").await
                }
                What::Enable(Enable { who }) => {
                    let change = AccountChange { disabled: Some(false), ..AccountChange::default() };
                    who.change(change, "may sign in").await
                }
                What::Passwd(Passwd { who }) => {
                    let change = AccountChange {
                        password: Some(new_password()?),
                        ends: EndingSessions::All,
                        ..AccountChange::default()
                    };
                    who.change(change, "has another password").await
                }
                What::Roles(Roles { who, roles, admin }) => {
                    let change = AccountChange { roles: Some(roles), admin, ..AccountChange::default() };
                    who.change(change, "has these roles from the next refresh on").await
                }
            }
        })
    }
}

fn failed(source: BackendError) -> Failure {
    Failure::Database { what: "read or write the accounts", source }
}

/// A tenant as it is named where the manifest has tenants.
fn tenant_of(location: &Location, name: Option<&String>) -> Result<Tenant, Failure> {
    let has_tenants = location.manifest()?.tenant_claim().is_some();
    match (name, has_tenants) {
        (Some(name), true) if !name.is_empty() => Ok(Tenant::new(name)),
        (None, false) => Ok(Tenant::none()),
        (_, true) => Err(Failure::Account("expected --tenant, since the manifest has tenants".to_owned())),
        (Some(_), false) => {
            Err(Failure::Account("expected no --tenant, since the manifest has no tenancy".to_owned()))
        }
    }
}

impl House {
    async fn open(&self) -> Result<(Tenant, Arc<dyn Backend>), Failure> {
        let tenant = tenant_of(&self.location, self.tenant.as_ref())?;
        Ok((tenant, self.location.beside_or_new().await?))
    }
}

/// A new password, asked for twice at a terminal and else read from the standard input; as its hash.
fn new_password() -> Result<String, Failure> {
    let read = |source| Failure::Process { what: "read the password", source };
    let password = if io::stdin().is_terminal() {
        let first = rpassword::prompt_password("Password: ").map_err(read)?;
        if rpassword::prompt_password("Once more: ").map_err(read)? != first {
            return Err(Failure::Account("expected the same password twice, found two".to_owned()));
        }
        first
    } else {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map_err(read)?;
        line.trim_end_matches(['\r', '\n']).to_owned()
    };
    hash_password(&password).map_err(|error| Failure::Account(error.to_string()))
}

impl Add {
    async fn run(self) -> Result<ExitCode, Failure> {
        let id = self.id.unwrap_or_else(|| Uuid::now_v7().simple().to_string());
        if !(1..=255).contains(&id.len()) || id.chars().any(char::is_control) || id.contains('@') {
            let what = "expected an id of 1 to 255 bytes without control characters and @";
            return Err(Failure::Account(format!("{what}, found {id:?}")));
        }
        // Nobody is kept waiting by who types it.
        let tenant = tenant_of(&self.house.location, self.house.tenant.as_ref())?;
        let password = new_password()?;
        let backend = self.house.location.beside_or_new().await?;
        let account = Account {
            tenant,
            id: id.as_str().into(),
            email: Some(self.email.to_string()),
            password: Some(password),
            identity: None,
            roles: self.roles,
            admin: self.admin,
            disabled: false,
            created_at: jiff::Timestamp::now(),
        };
        let added = backend.add_account(&account).await;
        backend.close().await;
        match added.map_err(failed)? {
            AddedAccount::Added => {
                println!("{id}");
                Ok(ExitCode::SUCCESS)
            }
            AddedAccount::Taken => {
                let what = "expected an id and an e-mail that no account has, found one of them taken";
                Err(Failure::Account(what.to_owned()))
            }
        }
    }
}

impl List {
    async fn run(self) -> Result<ExitCode, Failure> {
        let tenant = self.tenant.as_deref().map(Tenant::new);
        let backend = self.location.reader().await?;
        let accounts = backend.accounts(tenant.as_ref()).await;
        backend.close().await;
        for account in accounts.map_err(failed)? {
            let name = match (&account.email, &account.identity) {
                (Some(email), _) => email.clone(),
                (None, Some(identity)) => format!("{} at {}", identity.subject, identity.issuer),
                (None, None) => "-".to_owned(),
            };
            let mut line = format!("{}\t{name}\t{}", account.id, account.roles.join(","));
            for (is_so, word) in [(account.admin, "admin"), (account.disabled, "disabled")] {
                if is_so {
                    line.push_str(&format!("\t{word}"));
                }
            }
            if account.tenant != Tenant::none() {
                line.push_str(&format!("\ttenant {}", account.tenant.as_str()));
            }
            println!("{line}");
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Who {
    async fn change(self, change: AccountChange, done: &str) -> Result<ExitCode, Failure> {
        let (tenant, backend) = self.house.open().await?;
        let outcome = change_account(&*backend, &tenant, &self.name, change).await;
        backend.close().await;
        let (account, ended) = outcome?;
        println!("{} {done}; {ended} sessions ended.", account.email.as_deref().unwrap_or(&account.id));
        Ok(ExitCode::SUCCESS)
    }
}

async fn change_account(
    backend: &dyn Backend,
    tenant: &Tenant,
    name: &str,
    change: AccountChange,
) -> Result<(Account, u64), Failure> {
    let key = match name.parse::<Email>() {
        Ok(email) => AccountKey::Email(email.to_string()),
        Err(_) => AccountKey::Id(name.into()),
    };
    let nobody =
        || Failure::Account(format!("expected the e-mail or the id of an account, found none of {name:?}"));
    let account = backend.account(tenant, &key).await.map_err(failed)?.ok_or_else(nobody)?;
    let ended = backend.change_account(tenant, &account.id, change).await.map_err(failed)?;
    Ok((account, ended.ok_or_else(nobody)?))
}
