//! `corella explain`: why something is as it is.

use std::{process::ExitCode, sync::Arc};

use clap::{Args, Subcommand};
use corella_manifest::EntityName;
use corella_policy::{Action, Caller, Verdict};
use corella_rowdoc::{RowId, RowKey, Tenant};
use corella_store::{PolicyAnswer, PolicyQuestion, explain_policy};
use serde_json::{Map, Value as Json, json};

use super::{Location, runtime};
use crate::failure::Failure;

/// Tell why something is as it is.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Policy(Box<PolicyArguments>),
}

/// Tell which rule lets a user do something to a row, or keeps the user from it, and why.
///
/// It reads only, and may run beside a server. Exit code 0 when the user may, 1 when not.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    corella explain policy --user ed --entity Task --row t1\n  \
    corella explain policy --user ed --role boss --entity Task --row t1 --action update --set '{\"approved\": true}'")]
struct PolicyArguments {
    #[command(flatten)]
    location: Location,
    /// The user; a stranger when there is none.
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// A role of the user; may be given more than once.
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// The tenant of the user and of the row.
    #[arg(long, value_name = "ID")]
    tenant: Option<String>,
    /// What the user's token says besides, as a JSON object (`auth.claims`).
    #[arg(long, value_name = "JSON", value_parser = object)]
    claims: Option<Map<String, Json>>,
    /// The entity.
    #[arg(long, value_name = "NAME")]
    entity: String,
    /// The row's id; for an insert one that is not there.
    #[arg(long, value_name = "ID")]
    row: String,
    /// What the user wants to do: read, insert, update or delete.
    #[arg(long, value_name = "ACTION", default_value = "read")]
    action: Action,
    /// The fields that an insert or an update would set, as a JSON object.
    #[arg(long, value_name = "JSON", value_parser = object)]
    set: Option<Map<String, Json>>,
}

fn object(text: &str) -> Result<Map<String, Json>, String> {
    match serde_json::from_str(text) {
        Ok(Json::Object(object)) => Ok(object),
        Ok(other) => Err(format!("expected a JSON object, found {other}")),
        Err(error) => Err(format!("expected a JSON object: {error}")),
    }
}

impl Explain {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let What::Policy(arguments) = self.what;
        let manifest = Arc::new(arguments.location.manifest()?);
        let question = arguments.question(manifest.tenant_claim().is_some())?;
        let answer = runtime()?.block_on(async {
            let backend = arguments.location.reader().await?;
            explain_policy(&*backend, manifest, &question).await.map_err(Failure::Explain)
        })?;
        print!("{}", told(&question, &answer));
        Ok(match answer.verdict {
            Verdict::Allowed => ExitCode::SUCCESS,
            Verdict::Denied => ExitCode::from(1),
        })
    }
}

impl PolicyArguments {
    fn question(&self, has_tenants: bool) -> Result<PolicyQuestion, Failure> {
        let wrong = |what: String| Failure::Question { what };
        let tenant = match (&self.tenant, has_tenants) {
            (Some(tenant), true) => Tenant::new(tenant),
            (None, false) => Tenant::none(),
            (None, true) => {
                return Err(wrong("expected --tenant, since the manifest has tenants".to_owned()));
            }
            (Some(_), false) => {
                return Err(wrong("expected no --tenant, since the manifest has no tenancy".to_owned()));
            }
        };
        let entity = EntityName::new(&self.entity).map_err(|error| wrong(error.to_string()))?;
        let id = RowId::new(&self.row).map_err(|error| wrong(error.to_string()))?;
        let mut claims = self.claims.clone().unwrap_or_default();
        if let Some(user) = &self.user {
            claims.entry("sub").or_insert_with(|| json!(user));
        }
        let caller = Caller {
            user: self.user.as_deref().map(Into::into),
            roles: self.roles.iter().map(|role| role.as_str().into()).collect(),
            tenant: self.tenant.as_deref().map(Into::into),
            is_admin: claims.get("admin") == Some(&Json::Bool(true)),
            claims,
        };
        let fields = self.set.clone().unwrap_or_default();
        Ok(PolicyQuestion { caller, key: RowKey { tenant, entity, id }, action: self.action, fields })
    }
}

/// The answer as text.
fn told(question: &PolicyQuestion, answer: &PolicyAnswer) -> String {
    let PolicyQuestion { caller, key, action, fields: _ } = question;
    let who = caller.user.as_deref().unwrap_or("a stranger");
    let row = format!("{}/{}", key.entity, key.id.as_str());
    let may = match answer.verdict {
        Verdict::Allowed => "may",
        Verdict::Denied => "may not",
    };
    let mut text = format!("{who} {may} {action} {row}");
    let fields = answer.denied_fields.join(", ");
    match (answer.verdict, action) {
        (_, _) if fields.is_empty() => text.push_str(".\n"),
        (Verdict::Allowed, _) => text.push_str(&format!(", except for {fields}.\n")),
        (Verdict::Denied, Action::Read) => text.push_str(".\n"),
        (Verdict::Denied, _) => text.push_str(&format!(", because of {fields}.\n")),
    }
    if caller.is_admin {
        text.push_str("\nAdministrators may do everything; no policy is asked.\n");
        return text;
    }
    if answer.rulings.iter().all(|ruling| ruling.field.is_some()) {
        let nobody =
            format!("\nNo policy of {} speaks of {action}: nobody but administrators may.\n", key.entity);
        text.push_str(&nobody);
    }
    for ruling in &answer.rulings {
        text.push_str(&format!("\n{ruling}\n"));
    }
    text
}
