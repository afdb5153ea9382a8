//! Who asks.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use cel::Value as Cel;
use serde_json::{Map, Value as Json};

use crate::values::from_object;

/// Who asks, as policies see it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Caller {
    /// The user's id; `None` for a stranger.
    pub user: Option<Arc<str>>,
    /// The user's roles.
    pub roles: Vec<Arc<str>>,
    /// The tenant, in apps that have tenants.
    pub tenant: Option<Arc<str>>,
    /// Whether the caller may do everything.
    pub is_admin: bool,
    /// All that the caller's token says.
    pub claims: Map<String, Json>,
}

impl Caller {
    /// The names that `auth` has.
    pub(crate) const FIELDS: [&'static str; 5] = ["userId", "roles", "tenant", "isAdmin", "claims"];

    /// What an expression sees as `auth` that names these fields of it.
    pub(crate) fn to_cel(&self, named: &BTreeSet<&'static str>) -> Cel {
        let text = |text: &Option<Arc<str>>| text.as_ref().map_or(Cel::Null, |text| Cel::from(&**text));
        let value = |name: &str| match name {
            "userId" => text(&self.user),
            "roles" => Cel::from(self.roles.iter().map(|role| Cel::from(&**role)).collect::<Vec<Cel>>()),
            "tenant" => text(&self.tenant),
            "isAdmin" => Cel::Bool(self.is_admin),
            _ => from_object(&self.claims),
        };
        Cel::from(
            named.iter().map(|name| ((*name).to_owned(), value(name))).collect::<HashMap<String, Cel>>(),
        )
    }
}
