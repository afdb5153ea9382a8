//! What policies do not let somebody do, and how to find out why.

use std::borrow::Cow;

use corella_manifest::{EntityName, FieldName};
use corella_policy::{Action, Caller};
use corella_rowdoc::{RowKey, Tenant};

/// What the manifest's policies do not let a caller do.
///
/// It says which command explains that, to whoever may run it, and tells of the caller what its own token says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{denied}; whoever runs the server is told why by `{command}`")]
pub struct Forbidden {
    /// What.
    pub denied: Denied,
    command: String,
}

/// Something that policies may not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Something with a row.
    #[error("no policy of {entity} lets this caller {action} this row")]
    Row {
        /// The entity.
        entity: EntityName,
        /// What.
        action: Action,
    },
    /// Writing a field of a row that may be written otherwise.
    #[error(
        "the rule of the field {entity}.{field} does not let this caller write it; leave the field as it is"
    )]
    Field {
        /// The entity.
        entity: EntityName,
        /// The field.
        field: FieldName,
        /// Whether in a new row or in one that is there.
        action: Action,
    },
    /// Taking a row as a document, which is whole or not at all.
    #[error(
        "a document is sent whole, and this caller may not read {entity}.{fields}; read the row as JSON, which leaves \
         hidden fields out"
    )]
    Document {
        /// The entity.
        entity: EntityName,
        /// The hidden fields, with commas between them.
        fields: String,
    },
}

impl Denied {
    fn action(&self) -> Action {
        match self {
            Self::Row { action, .. } | Self::Field { action, .. } => *action,
            Self::Document { .. } => Action::Read,
        }
    }
}

impl Forbidden {
    pub(crate) fn new(denied: Denied, caller: &Caller, key: &RowKey) -> Box<Self> {
        let command = explaining(caller, key, denied.action());
        Box::new(Self { denied, command })
    }
}

/// The command that explains what `caller` may do with a row.
fn explaining(caller: &Caller, key: &RowKey, action: Action) -> String {
    let users = caller.user.iter().map(|user| ("user", &**user));
    let roles = caller.roles.iter().map(|role| ("role", &**role));
    let tenants = (key.tenant != Tenant::none()).then_some(("tenant", key.tenant.as_str()));
    let mut command = "corella explain policy".to_owned();
    for (name, value) in users.chain(roles).chain(tenants) {
        // What begins with a dash is taken for another option.
        let between = if value.starts_with('-') { '=' } else { ' ' };
        command.push_str(&format!(" --{name}{between}{}", quoted(value)));
    }
    command.push_str(&format!(" --entity {} --row {} --action {action}", key.entity, key.id.as_str()));
    command
}

/// A word of a command, in quotes where a shell would read it otherwise.
fn quoted(word: &str) -> Cow<'_, str> {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_@.:/+".contains(character);
    if !word.is_empty() && word.chars().all(is_plain) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(format!("'{}'", word.replace('\'', "'\\''")))
}

#[cfg(test)]
mod tests {
    use corella_rowdoc::RowId;
    use insta::assert_snapshot;

    use super::*;

    fn check(user: Option<&str>, roles: &[&str], tenant: &str) -> String {
        let caller = Caller {
            user: user.map(Into::into),
            roles: roles.iter().map(|role| (*role).into()).collect(),
            ..Caller::default()
        };
        let entity = EntityName::new("Note").expect("a name");
        let tenant = if tenant.is_empty() { Tenant::none() } else { Tenant::new(tenant) };
        let key = RowKey { tenant, entity: entity.clone(), id: RowId::new("n1").expect("an id") };
        Forbidden::new(Denied::Row { entity, action: Action::Update }, &caller, &key).to_string()
    }

    #[test]
    fn it_says_how_to_find_out_why() {
        assert_snapshot!(check(Some("ada"), &[], ""), @r"no policy of Note lets this caller update this row; whoever runs the server is told why by `corella explain policy --user ada --entity Note --row n1 --action update`");
        assert_snapshot!(check(None, &[], "acme"), @r"no policy of Note lets this caller update this row; whoever runs the server is told why by `corella explain policy --tenant acme --entity Note --row n1 --action update`");
        assert_snapshot!(check(Some("it's me; rm"), &["-x", "boss"], "a b"), @r"no policy of Note lets this caller update this row; whoever runs the server is told why by `corella explain policy --user 'it'\''s me; rm' --role=-x --role boss --tenant 'a b' --entity Note --row n1 --action update`");
    }
}
