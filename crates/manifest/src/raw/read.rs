//! Reads each object of a manifest, key by key.

use super::{
    RawConversion, RawEntity, RawField, RawHistory, RawIndex, RawManifest, RawPolicy, RawRelation, RawSearch,
    RawTenancy, yes,
};
use crate::reader::{At, ObjectReader, ReadObject};

const NAME: &str = "a name";
const ENTITY: &str = "the name of an entity";
pub(crate) const ON_DELETE: &str = "restrict, cascade or setNull";
const EXPRESSION: &str = "a CEL expression as a text";

impl ReadObject for RawManifest {
    fn read(object: &mut ObjectReader<'_>) -> Self {
        let _ = object.text("$schema", "the address of a JSON Schema");
        object.require("manifest_version", "1");
        let _ = object.json("manifest_version");
        let name = object.required_text("name", "the name of the app");
        let version = object.required_text("version", "the app's version, such as \"0.1.0\"");
        object.require("entities", "a list of entities");
        Self {
            schema: None,
            manifest_version: (),
            name,
            version,
            entities: object.objects("entities", "an entity"),
            policies: object.objects("policies", "a policy"),
            queries: opaque(object, "queries"),
            actions: opaque(object, "actions"),
            routes: opaque(object, "routes"),
            tenancy: object.object("tenancy", "an object with the key `claim`"),
            default_entity: object.text("defaultEntity", ENTITY),
        }
    }
}

fn opaque(object: &mut ObjectReader<'_>, key: &'static str) -> Vec<At<serde_json::Value>> {
    let items = object.items(key, "a list");
    items.into_iter().map(|At { path, value }| At { path, value: value.clone() }).collect()
}

impl ReadObject for RawEntity {
    fn read(object: &mut ObjectReader<'_>) -> Self {
        Self {
            name: object.required_text("name", NAME),
            fields: object.objects("fields", "a field"),
            indexes: object.objects("indexes", "an index"),
            relations: object.objects("relations", "a relation"),
            search: object.object("search", "an object with the key `text`"),
            crdt: object.flag("crdt", yes()),
            open: object.flag("open", false),
            history: object.object("history", "an object with the key `keep`"),
            renamed_from: object.text("renamedFrom", NAME),
        }
    }
}

impl ReadObject for RawField {
    fn read(object: &mut ObjectReader<'_>) -> Self {
        Self {
            name: object.required_text("name", NAME),
            r#type: object.required_text("type", &crate::type_text::expected()),
            optional: object.flag("optional", false),
            unique: object.flag("unique", false),
            crdt: object.text("crdt", "a merge rule"),
            default: object.json("default").map(|At { path, value }| At { path, value: value.clone() }),
            on_delete: object.text("onDelete", ON_DELETE),
            allow_read: object.text("allowRead", EXPRESSION),
            allow_write: object.text("allowWrite", EXPRESSION),
            renamed_from: object.text("renamedFrom", NAME),
            convert: object.object("convert", "an object with the key `from`"),
        }
    }
}

impl ReadObject for RawConversion {
    fn read(object: &mut ObjectReader<'_>) -> Self {
        Self {
            from: object.required_text("from", &crate::type_text::expected()),
            crdt: object.text("crdt", "a merge rule"),
            values: object.json("values").map(|At { path, value }| At { path, value: value.clone() }),
            otherwise: object.json("otherwise").map(|At { path, value }| At { path, value: value.clone() }),
        }
    }
}

impl ReadObject for RawIndex {
    fn read(object: &mut ObjectReader<'_>) -> Self {
        let name = object.required_text("name", NAME);
        object.require_items("fields", "a list of at least one field name");
        Self {
            name,
            fields: object.texts("fields", "the name of a field"),
            unique: object.flag("unique", false),
        }
    }
}

impl ReadObject for RawRelation {
    fn read(object: &mut ObjectReader<'_>) -> Self {
        Self {
            name: object.required_text("name", NAME),
            target: object.required_text("target", ENTITY),
            field: object.required_text("field", "the name of a field"),
            many: object.flag("many", false),
        }
    }
}

impl ReadObject for RawSearch {
    fn read(object: &mut ObjectReader<'_>) -> Self {
        object.require_items("text", "a list of at least one field name");
        Self {
            text: object.texts("text", "the name of a field"),
            language: object.text("language", "the name of a language, such as \"english\""),
        }
    }
}

impl ReadObject for RawHistory {
    fn read(object: &mut ObjectReader<'_>) -> Self {
        Self { keep: object.text("keep", crate::history::EXPECTED) }
    }
}

impl ReadObject for RawPolicy {
    fn read(object: &mut ObjectReader<'_>) -> Self {
        Self {
            name: object.required_text("name", NAME),
            entity: object.text("entity", ENTITY),
            action: object.text("action", "the name of an action"),
            allow: object.text("allow", EXPRESSION),
            allow_read: object.text("allowRead", EXPRESSION),
            allow_write: object.text("allowWrite", EXPRESSION),
            allow_insert: object.text("allowInsert", EXPRESSION),
            allow_update: object.text("allowUpdate", EXPRESSION),
            allow_delete: object.text("allowDelete", EXPRESSION),
        }
    }
}

impl ReadObject for RawTenancy {
    fn read(object: &mut ObjectReader<'_>) -> Self {
        Self { claim: object.required_text("claim", "the name of a claim") }
    }
}
