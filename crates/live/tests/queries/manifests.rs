//! Random manifests: what an app declares is a part of what is tried.
//!
//! All have the entities and most of the fields of [`MANIFEST`](crate::house::MANIFEST), in another order, of other types
//! and kinds, with other policies and indexes. A query that one of them cannot answer is not asked there.

use corella_manifest::Manifest;
use corella_testkit::Random;
use serde_json::{Value as Json, json};

/// Manifests that a history may move between; each has a field more than the one before.
pub(crate) const TURNS: u8 = 4;

/// An app whose manifest changes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct App(pub(crate) u64);

impl App {
    /// Its manifest at one of its turns.
    ///
    /// What a turn changes loses nothing: policies, indexes, words, what becomes of rows that name others. Fields come, so
    /// that `fields` must not go down while a database is served.
    pub(crate) fn manifest(self, turn: u8, fields: u8) -> Manifest {
        let mut of_app = Random::of(self.0);
        let mut of_turn = Random::of(self.0.wrapping_add(u64::from(turn) + 1));
        let mut item: Vec<Json> = ITEM_FIELDS.iter().map(|kinds| read(pick(&mut of_app, kinds))).collect();
        shuffle(&mut of_app, &mut item);
        for at in 0..fields {
            item.push(json!({"name": format!("more{at}"), "type": "string", "optional": true}));
        }
        if of_app.within(0..4) == 0 {
            let rule = pick(&mut of_turn, &["auth.userId == 'bob'", "auth.userId != null"]);
            if let Some(field) = item.iter_mut().find(|field| field["name"] == "stars") {
                field["allowRead"] = json!(rule);
            }
        }
        item.push(json!({
            "name": "team", "type": "id(Team)", "optional": true,
            "onDelete": pick(&mut of_turn, &["setNull", "cascade", "restrict"]),
        }));
        let mut items = json!({
            "name": "Item", "fields": item,
            "relations": [{"name": "group", "target": "Team", "field": "team"},
                {"name": "notes", "target": "Note", "field": "item", "many": true}],
            "indexes": read(pick(&mut of_turn, &["[]",
                r#"[{"name": "by_state", "fields": ["state", "stars"]}]"#,
                r#"[{"name": "by_owner", "fields": ["owner"]}, {"name": "by_team", "fields": ["team", "place"]}]"#])),
        });
        if of_app.within(0..8) == 0 {
            items["open"] = json!(true);
        }
        if let Some(search) = [
            None,
            Some(json!({"text": ["title", "body"], "language": "english"})),
            Some(json!({"text": ["title", "body"]})),
            Some(json!({"text": ["body"], "language": "english"})),
        ][place(&mut of_turn, 4)]
        .clone()
        {
            items["search"] = search;
        }
        let policy = |entity: &str, rule: &str| json!({"name": format!("{entity}s"), "entity": entity, "allowRead": rule});
        let manifest = json!({
            "manifest_version": 1, "name": "live", "version": "1",
            "entities": [items,
                {"name": "Team", "fields": [
                    {"name": "name", "type": "string", "optional": true},
                    {"name": "secret", "type": "bool", "optional": true},
                    {"name": "parent", "type": "id(Team)", "optional": true, "onDelete": "setNull"}],
                 "relations": [{"name": "members", "target": "Member", "field": "team", "many": true},
                    {"name": "items", "target": "Item", "field": "team", "many": true}]},
                {"name": "Member", "fields": [
                    {"name": "team", "type": "id(Team)", "optional": true, "onDelete": "cascade"},
                    {"name": "user", "type": "string", "optional": true}]},
                {"name": "Note", "fields": [
                    {"name": "item", "type": "id(Item)", "optional": true,
                     "onDelete": pick(&mut of_turn, &["setNull", "cascade"])},
                    {"name": "author", "type": "string", "optional": true},
                    {"name": "text", "type": "string", "optional": true, "crdt": pick(&mut of_app, &["text", "lww"])},
                    {"name": "hidden", "type": "bool", "optional": true}]}],
            "policies": [
                policy("Item", pick(&mut of_turn, &ITEM_RULES)),
                policy("Team", pick(&mut of_turn, &TEAM_RULES)),
                policy("Member", pick(&mut of_turn, &MEMBER_RULES)),
                policy("Note", pick(&mut of_turn, &NOTE_RULES))],
        });
        match Manifest::parse(&manifest.to_string()) {
            Ok(parsed) => parsed.manifest,
            Err(errors) => unreachable!("{manifest}: {errors}"),
        }
    }
}

/// Of what kinds each field may be.
const ITEM_FIELDS: [&[&str]; 10] = [
    &[
        r#"{"name":"title","type":"string","optional":true,"crdt":"text"}"#,
        r#"{"name":"title","type":"string","optional":true}"#,
        r#"{"name":"title","type":"richtext","optional":true}"#,
        r#"{"name":"title","type":"string","default":"a"}"#,
    ],
    &[
        r#"{"name":"state","type":"enum(open,busy,done)","optional":true}"#,
        r#"{"name":"state","type":"enum(open,busy,done)","default":"busy"}"#,
        r#"{"name":"state","type":"string","optional":true}"#,
    ],
    &[
        r#"{"name":"stars","type":"int","optional":true}"#,
        r#"{"name":"stars","type":"int","crdt":"counter","optional":true}"#,
        r#"{"name":"stars","type":"float","optional":true}"#,
    ],
    &[
        r#"{"name":"votes","type":"int","crdt":"counter","optional":true}"#,
        r#"{"name":"votes","type":"float","crdt":"counter","optional":true}"#,
        r#"{"name":"votes","type":"int","optional":true}"#,
    ],
    &[
        r#"{"name":"place","type":"float","optional":true}"#,
        r#"{"name":"place","type":"float","crdt":"counter","optional":true}"#,
    ],
    &[
        r#"{"name":"pinned","type":"bool","optional":true}"#,
        r#"{"name":"pinned","type":"bool","default":false}"#,
    ],
    &[r#"{"name":"due","type":"datetime","optional":true}"#],
    &[
        r#"{"name":"owner","type":"string","optional":true}"#,
        r#"{"name":"owner","type":"string","optional":true,"crdt":"text"}"#,
        r#"{"name":"owner","type":"enum(p1,p2,P1)","optional":true}"#,
    ],
    &[
        r#"{"name":"tags","type":"json","crdt":"list","optional":true}"#,
        r#"{"name":"tags","type":"json","crdt":"movable-list","optional":true}"#,
        r#"{"name":"tags","type":"json","optional":true}"#,
    ],
    &[
        r#"{"name":"body","type":"richtext","optional":true}"#,
        r#"{"name":"body","type":"string","optional":true,"crdt":"text"}"#,
        r#"{"name":"body","type":"string","optional":true}"#,
    ],
];

const ITEM_RULES: [&str; 6] = [
    "data.state != 'done' || data.owner == auth.userId || exists(Member, {team: data.team, user: auth.userId})",
    "true",
    "data.owner == 'p1' || data.pinned == true",
    "exists(Member, {team: data.team, user: auth.userId})",
    "!(data.state == 'busy')",
    "auth.userId == 'bob' || data.place > 0.25",
];
const TEAM_RULES: [&str; 4] = [
    "data.secret != true || exists(Member, {team: data.id, user: auth.userId})",
    "true",
    "data.secret != true",
    "exists(Member, {team: data.id, user: auth.userId})",
];
const MEMBER_RULES: [&str; 3] = [
    "data.user == auth.userId || exists(Member, {user: auth.userId, team: 't0'})",
    "true",
    "data.user == auth.userId",
];
const NOTE_RULES: [&str; 3] =
    ["data.hidden != true", "true", "data.author == auth.userId || data.hidden == false"];

fn read(text: &str) -> Json {
    serde_json::from_str(text).unwrap()
}

fn place(random: &mut Random, count: usize) -> usize {
    usize::try_from(random.within(0..u64::try_from(count).unwrap())).unwrap()
}

fn pick<'t>(random: &mut Random, texts: &[&'t str]) -> &'t str {
    texts[place(random, texts.len())]
}

fn shuffle(random: &mut Random, items: &mut [Json]) {
    for at in (1..items.len()).rev() {
        items.swap(at, place(random, at + 1));
    }
}
