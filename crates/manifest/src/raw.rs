//! The JSON of a manifest as its author writes it: one struct per object, one member per key.
//!
//! The documentation of these members is what an editor shows while a manifest is being written. Each struct's
//! `read` asks for the same keys that its schema lists; a test compares the two.

pub(crate) mod read;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde_json::Value as Json;

use crate::{reader::At, shape};

/// What an app declares: its entities, who may do what, and where a caller's tenant comes from.
#[derive(Debug, JsonSchema)]
#[schemars(rename = "Manifest", rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RawManifest {
    /// The JSON Schema that an editor completes this manifest with. The server does not read it.
    #[schemars(rename = "$schema", schema_with = "shape::text", default)]
    #[expect(dead_code, reason = "for editors only")]
    schema: Option<At<String>>,
    /// The version of the manifest format.
    #[schemars(rename = "manifest_version", schema_with = "shape::manifest_version")]
    #[expect(dead_code, reason = "checked before the rest is read")]
    manifest_version: (),
    /// The name of the app.
    #[schemars(schema_with = "shape::text")]
    pub(crate) name: Option<At<String>>,
    /// The app's own version of this manifest, such as `0.1.0`.
    #[schemars(schema_with = "shape::text")]
    pub(crate) version: Option<At<String>>,
    /// The kinds of rows.
    #[schemars(with = "Vec<RawEntity>")]
    pub(crate) entities: Vec<At<RawEntity>>,
    /// Who may do what. Without a policy only administrators may do anything.
    #[schemars(with = "Vec<RawPolicy>", default)]
    pub(crate) policies: Vec<At<RawPolicy>>,
    /// Queries with a name. Not served yet.
    #[schemars(with = "Vec<Json>", default)]
    pub(crate) queries: Vec<At<Json>>,
    /// Server functions with a name. Not served yet.
    #[schemars(with = "Vec<Json>", default)]
    pub(crate) actions: Vec<At<Json>>,
    /// HTTP routes of the app's own. Not served yet.
    #[schemars(with = "Vec<Json>", default)]
    pub(crate) routes: Vec<At<Json>>,
    /// Where a caller's tenant comes from. Without it, all callers share one tenant.
    #[schemars(with = "RawTenancy", default)]
    pub(crate) tenancy: Option<At<RawTenancy>>,
    /// The entity whose row a room name without a slash addresses.
    #[schemars(schema_with = "shape::name", default)]
    pub(crate) default_entity: Option<At<String>>,
}

/// One kind of row: a Loro document each, and a row in the SQL table of the same name.
#[derive(Debug, JsonSchema)]
#[schemars(rename = "Entity", rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RawEntity {
    /// The name of the entity, which is also the name of its SQL table.
    #[schemars(schema_with = "shape::name")]
    pub(crate) name: Option<At<String>>,
    /// The fields of a row. Each row has an `id` besides, which is not declared.
    #[schemars(with = "Vec<RawField>", default)]
    pub(crate) fields: Vec<At<RawField>>,
    /// The indexes of the entity's table.
    #[schemars(with = "Vec<RawIndex>", default)]
    pub(crate) indexes: Vec<At<RawIndex>>,
    /// Named ways from a row to the rows that belong to it.
    #[schemars(with = "Vec<RawRelation>", default)]
    pub(crate) relations: Vec<At<RawRelation>>,
    /// What of the rows can be searched for words, with `$match` in a query.
    #[schemars(with = "RawSearch", default)]
    pub(crate) search: Option<At<RawSearch>>,
    /// Whether rows are Loro documents, which merge concurrent writes. `false` makes them plain rows.
    #[schemars(default = "yes")]
    pub(crate) crdt: bool,
    /// Whether documents may have containers of any shape beside the declared fields, as editors with a
    /// document model of their own need. The table then has a column `value` with the whole document as JSON.
    #[schemars(default)]
    pub(crate) open: bool,
    /// How much of each document's history is kept.
    #[schemars(with = "RawHistory", default)]
    pub(crate) history: Option<At<RawHistory>>,
    /// The name that the entity had before; its rows and its table take the new one.
    #[schemars(schema_with = "shape::name", default)]
    pub(crate) renamed_from: Option<At<String>>,
}

/// One field of an entity.
#[derive(Debug, JsonSchema)]
#[schemars(rename = "Field", rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RawField {
    /// The name of the field, which is also the name of its SQL column.
    #[schemars(schema_with = "shape::name")]
    pub(crate) name: Option<At<String>>,
    /// What the field holds: `string`, `enum(a,b)`, `id(Entity)`, `datetime`, `int`, `float`, `bool`, `bytes`,
    /// `json`, `richtext` (text with marks) or `document` (an editor's node tree).
    #[schemars(schema_with = "shape::field_type")]
    pub(crate) r#type: Option<At<String>>,
    /// Whether a row may lack the field.
    #[schemars(default)]
    pub(crate) optional: bool,
    /// Whether no two rows may hold the same value.
    #[schemars(default)]
    pub(crate) unique: bool,
    /// How concurrent writes merge, where the type leaves a choice.
    #[schemars(schema_with = "shape::crdt", default)]
    pub(crate) crdt: Option<At<String>>,
    /// What a new row gets when its author says nothing: a value of the field's type, or `now` (datetime),
    /// `uuid` (string, id) or `auth.userId` (string, id).
    #[schemars(with = "Option<Json>")]
    pub(crate) default: Option<At<Json>>,
    /// What becomes of the row when the row that an `id(…)` field names is deleted: `restrict` (that row cannot be
    /// deleted), `cascade` (this one is deleted, too) or `setNull` (this field is emptied).
    #[schemars(schema_with = "shape::on_delete", default)]
    pub(crate) on_delete: Option<At<String>>,
    /// Who may read the field, as a CEL expression. Without it, whoever may read the row.
    #[schemars(schema_with = "shape::expression", default)]
    pub(crate) allow_read: Option<At<String>>,
    /// Who may write the field, as a CEL expression. Without it, whoever may write the row.
    #[schemars(schema_with = "shape::expression", default)]
    pub(crate) allow_write: Option<At<String>>,
    /// The first name that the field had. Documents hold the field under it for ever, so that what was written
    /// before the rename, or is written by somebody who has not heard of it, stays in its place.
    #[schemars(schema_with = "shape::name", default)]
    pub(crate) renamed_from: Option<At<String>>,
    /// How values are read that were written while the field had another type or merge rule. Without it, they
    /// stay in the documents, and the field reads as null until it is written again.
    #[schemars(with = "RawConversion", default)]
    pub(crate) convert: Option<At<RawConversion>>,
}

/// How values are read that were written while a field had another type or merge rule.
#[derive(Debug, JsonSchema)]
#[schemars(rename = "Conversion", rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RawConversion {
    /// The type that the field had.
    #[schemars(schema_with = "shape::field_type")]
    pub(crate) from: Option<At<String>>,
    /// The merge rule that it had, where that was not the type's usual one.
    #[schemars(schema_with = "shape::crdt", default)]
    pub(crate) crdt: Option<At<String>>,
    /// What becomes of single values, each as a text: `{"open": "todo"}`.
    #[schemars(with = "std::collections::BTreeMap<String, Json>", default)]
    pub(crate) values: Option<At<Json>>,
    /// What takes the place of a value that cannot be converted. Without it, the field reads as null, and the row is
    /// reported.
    #[schemars(with = "Option<Json>")]
    pub(crate) otherwise: Option<At<Json>>,
}

/// An index over fields of the entity.
#[derive(Debug, JsonSchema)]
#[schemars(rename = "Index", rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RawIndex {
    /// The name of the index.
    #[schemars(schema_with = "shape::name")]
    pub(crate) name: Option<At<String>>,
    /// The fields, most significant first.
    #[schemars(schema_with = "shape::names")]
    pub(crate) fields: Vec<At<String>>,
    /// Whether no two rows may agree in all of these fields.
    #[schemars(default)]
    pub(crate) unique: bool,
}

/// A named way from a row to the rows that belong to it.
#[derive(Debug, JsonSchema)]
#[schemars(rename = "Relation", rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RawRelation {
    /// The name of the relation in queries.
    #[schemars(schema_with = "shape::name")]
    pub(crate) name: Option<At<String>>,
    /// The entity that it leads to.
    #[schemars(schema_with = "shape::name")]
    pub(crate) target: Option<At<String>>,
    /// The `id(…)` field that carries it: of this entity, or of the target when `many` is true.
    #[schemars(schema_with = "shape::name")]
    pub(crate) field: Option<At<String>>,
    /// Whether it leads to many rows.
    #[schemars(default)]
    pub(crate) many: bool,
}

/// What of an entity's rows can be searched for words.
#[derive(Debug, JsonSchema)]
#[schemars(rename = "Search", rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RawSearch {
    /// The fields whose texts are searched: of type `string`, `richtext` or `document`.
    #[schemars(schema_with = "shape::names")]
    pub(crate) text: Vec<At<String>>,
    /// The language of the texts, in which forms of a word find each other, as `plans` finds `plan`. `simple` takes words
    /// as they are.
    #[schemars(schema_with = "shape::language", default)]
    pub(crate) language: Option<At<String>>,
}

/// How much of each document's history is kept.
#[derive(Debug, JsonSchema)]
#[schemars(rename = "History", rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RawHistory {
    /// `all`, `latest` (the present state and the last minute), or what is younger than some days or hours, such as `30d`
    /// or `12h`.
    #[schemars(schema_with = "shape::keep", default)]
    pub(crate) keep: Option<At<String>>,
}

/// One rule of who may do what, for one entity or one action.
#[derive(Debug, JsonSchema)]
#[schemars(rename = "Policy", rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RawPolicy {
    /// The name of the policy.
    #[schemars(schema_with = "shape::text")]
    pub(crate) name: Option<At<String>>,
    /// The entity that it speaks of.
    #[schemars(schema_with = "shape::name", default)]
    pub(crate) entity: Option<At<String>>,
    /// The action that it speaks of.
    #[schemars(schema_with = "shape::text", default)]
    pub(crate) action: Option<At<String>>,
    /// Who may do whatever has no expression of its own, as a CEL expression.
    #[schemars(schema_with = "shape::expression", default)]
    pub(crate) allow: Option<At<String>>,
    /// Who may read, as a CEL expression.
    #[schemars(schema_with = "shape::expression", default)]
    pub(crate) allow_read: Option<At<String>>,
    /// Who may write, where insert, update or delete have no expression of their own.
    #[schemars(schema_with = "shape::expression", default)]
    pub(crate) allow_write: Option<At<String>>,
    /// Who may add rows, as a CEL expression.
    #[schemars(schema_with = "shape::expression", default)]
    pub(crate) allow_insert: Option<At<String>>,
    /// Who may change rows, as a CEL expression.
    #[schemars(schema_with = "shape::expression", default)]
    pub(crate) allow_update: Option<At<String>>,
    /// Who may delete rows, as a CEL expression.
    #[schemars(schema_with = "shape::expression", default)]
    pub(crate) allow_delete: Option<At<String>>,
}

/// Where a caller's tenant comes from.
#[derive(Debug, JsonSchema)]
#[schemars(rename = "Tenancy", rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RawTenancy {
    /// The claim of the caller's token that names the tenant.
    #[schemars(schema_with = "shape::text")]
    pub(crate) claim: Option<At<String>>,
}

/// The default of `RawEntity::crdt`.
fn yes() -> bool {
    true
}
