//! Policies say the same of a row and of a table, and their mistakes point into them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use corella_manifest::{Entity, EntityName, Manifest, Value};
use corella_policy::{Action, Caller, Images, Memberships, NoMemberships, Policies, Verdict};
use corella_query::{Filter, RowView};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

fn manifest(policies: Json) -> Arc<Manifest> {
    let manifest = json!({
        "manifest_version": 1, "name": "test", "version": "1",
        "entities": [
            { "name": "Note", "fields": [
                { "name": "title", "type": "string" },
                { "name": "authorId", "type": "string", "optional": true },
                { "name": "stars", "type": "int", "optional": true },
                { "name": "price", "type": "float", "optional": true },
                { "name": "public", "type": "bool", "optional": true },
                { "name": "color", "type": "enum(red,green)", "optional": true },
                { "name": "due", "type": "datetime", "optional": true },
                { "name": "extra", "type": "json", "optional": true },
                { "name": "project", "type": "string", "optional": true }
            ] },
            { "name": "Member", "fields": [
                { "name": "project", "type": "string" }, { "name": "user", "type": "string" }
            ] }
        ],
        "policies": policies
    });
    Arc::new(Manifest::parse(&manifest.to_string()).unwrap().manifest)
}

fn one(key: &str, text: &str) -> Policies {
    Policies::new(manifest(json!([{ "name": "one", "entity": "Note", key: text }]))).unwrap()
}

fn note(manifest: &Manifest) -> Entity {
    manifest.entity("Note").unwrap().clone()
}

fn user(id: &str) -> Caller {
    Caller { user: Some(id.into()), ..Caller::default() }
}

/// A row: id, title, authorId, stars, price, public, color, due, extra, project.
fn row(author: Value, project: Value) -> Vec<Value> {
    let text = |text: &str| Value::Text(text.into());
    vec![
        text("n1"),
        text("Plan"),
        author,
        Value::Int(3),
        Value::Float(1.5),
        Value::Bool(true),
        text("red"),
        Value::Time("2026-01-02T03:04:05Z".parse().unwrap()),
        Value::Json(json!({ "tags": ["a"] })),
        project,
    ]
}

async fn may(policies: &Policies, caller: &Caller, action: Action, images: Images<'_>) -> Verdict {
    let entity = note(&manifest(json!([])));
    policies.may(caller, &entity, action, images, Timestamp::UNIX_EPOCH, &NoMemberships).await.unwrap()
}

async fn reads(text: &str, caller: &Caller, row: &(impl RowView + Sync)) -> bool {
    let images = Images { before: Some(row), after: None };
    may(&one("allowRead", text), caller, Action::Read, images).await == Verdict::Allowed
}

#[tokio::test]
async fn expressions_see_the_caller_and_the_row() {
    let ada = Caller {
        roles: vec!["editor".into()],
        claims: serde_json::from_value(json!({ "team": "red" })).unwrap(),
        ..user("ada")
    };
    let row = row(Value::Text("ada".into()), Value::Null);
    for (text, expected) in [
        ("auth.userId == data.authorId", true),
        ("auth.hasRole('editor')", true),
        ("auth.hasRole('owner')", false),
        ("'editor' in auth.roles", true),
        ("auth.claims.team == data.color", true),
        ("auth.claims.nothing == 'x'", false),
        ("data.stars > 2 && data.price < 2.0", true),
        ("data.title.startsWith('Pl') && data.title.contains('la')", true),
        ("has(data.project)", false),
        ("data.project == null", true),
        ("!(data.project == 'p')", true),
        ("data.extra.tags.exists(tag, tag == 'a')", true),
        ("data.due < timestamp('2027-01-01T00:00:00Z')", true),
        ("data.due.getFullYear() == 2026", true),
        ("data.public ? data.stars == 3 : false", true),
        ("now == timestamp('1970-01-01T00:00:00Z')", true),
        ("data.id == 'n1'", true),
    ] {
        assert_eq!(reads(text, &ada, &row).await, expected, "{text}");
    }
}

#[tokio::test]
async fn what_ends_in_an_error_does_not_allow_and_neither_does_its_opposite() {
    let stranger = Caller::default();
    let row = vec![Value::Text("n1".into())];
    assert!(!reads("data.stars > 2", &stranger, &row).await);
    assert!(!reads("!(data.stars > 2)", &stranger, &row).await);
    assert!(reads("data.stars > 2 || true", &stranger, &row).await);
}

#[tokio::test]
async fn nobody_may_do_what_no_policy_allows_but_administrators() {
    let policies = one("allowRead", "true");
    let row = row(Value::Null, Value::Null);
    let images = Images { before: Some(&row), after: None };
    assert_eq!(may(&policies, &user("ada"), Action::Delete, images).await, Verdict::Denied);
    let admin = Caller { is_admin: true, ..Caller::default() };
    assert_eq!(may(&policies, &admin, Action::Delete, images).await, Verdict::Allowed);
}

#[tokio::test]
async fn an_update_cannot_carry_a_row_out_of_reach() {
    let policies = one("allowWrite", "auth.userId == data.authorId");
    let (own, foreign) =
        (row(Value::Text("ada".into()), Value::Null), row(Value::Text("bob".into()), Value::Null));
    let update = async |before: &Vec<Value>, after: &Vec<Value>| {
        let images = Images { before: Some(before as _), after: Some(after as _) };
        may(&policies, &user("ada"), Action::Update, images).await
    };
    assert_eq!(update(&own, &own).await, Verdict::Allowed);
    assert_eq!(update(&own, &foreign).await, Verdict::Denied);
    assert_eq!(update(&foreign, &own).await, Verdict::Denied);
    let insert = Images { before: None, after: Some(&foreign as _) };
    assert_eq!(may(&policies, &user("ada"), Action::Insert, insert).await, Verdict::Denied);
}

struct Members;

#[async_trait]
impl Memberships for Members {
    type Error = std::convert::Infallible;

    async fn exists(&self, entity: &EntityName, filter: Filter) -> Result<bool, Self::Error> {
        assert_eq!(entity.as_str(), "Member");
        let text = |text: &str| Value::Text(text.into());
        Ok(filter.matches(&vec![text("m1"), text("p1"), text("ada")]))
    }
}

#[tokio::test]
async fn memberships_are_looked_up() {
    let policies = one("allowRead", "exists(Member, {project: data.project, 'user': auth.userId})");
    let entity = note(&manifest(json!([])));
    for (project, who, expected) in
        [("p1", "ada", Verdict::Allowed), ("p2", "ada", Verdict::Denied), ("p1", "bob", Verdict::Denied)]
    {
        let row = row(Value::Null, Value::Text(project.into()));
        let images = Images { before: Some(&row), after: None };
        let caller = user(who);
        let verdict = policies.may(&caller, &entity, Action::Read, images, Timestamp::UNIX_EPOCH, &Members);
        assert_eq!(verdict.await.unwrap(), expected);
    }
    let reach = policies.reach(&user("ada"), &entity, &BTreeSet::new(), Timestamp::UNIX_EPOCH);
    assert!(reach.is_exact);
    let [related] = reach.filter.related()[..] else { unreachable!("{:?}", reach.filter) };
    let ties: Vec<_> = related.ties.iter().map(|tie| (tie.own.name(), tie.theirs.name())).collect();
    assert_eq!((related.entity.as_str(), ties), ("Member", vec![("project", "project")]));
    let text = |text: &str| Value::Text(text.into());
    let meets = |who: &str| related.filter.matches(&vec![text("m1"), text("p1"), text(who)]);
    assert!(meets("ada") && !meets("bob"));
    let anywhere = one("allowRead", "exists(Member, {user: auth.userId})");
    let reach = anywhere.reach(&user("ada"), &entity, &BTreeSet::new(), Timestamp::UNIX_EPOCH);
    let [related] = reach.filter.related()[..] else { unreachable!("{:?}", reach.filter) };
    assert!(related.ties.is_empty() && reach.is_exact);
    let both = one("allowRead", "exists(Member, {project: data.project, user: data.authorId})");
    let reach = both.reach(&user("ada"), &entity, &BTreeSet::new(), Timestamp::UNIX_EPOCH);
    assert_eq!((reach.filter.related()[0].ties.len(), reach.is_exact), (2, true));
    let open = one("allowRead", "exists(Member, {project: data.project + 'x', user: auth.userId})");
    let reach = open.reach(&user("ada"), &entity, &BTreeSet::new(), Timestamp::UNIX_EPOCH);
    assert!(!reach.is_exact, "what is asked for is worked out of the row");
}

#[test]
fn answers_can_be_waited_for_on_any_thread() {
    fn sent<T: Send>(_: T) {}
    let policies = one("allowRead", "data.public && exists(Member, {user: auth.userId})");
    let entity = note(&manifest(json!([])));
    let (caller, images) = (user("ada"), Images::default());
    sent(policies.explain(&caller, &entity, Action::Read, images, Timestamp::UNIX_EPOCH, &Members));
}

#[test]
fn mistakes_point_into_the_expression() {
    let policies = json!([
        { "name": "a", "entity": "Note", "allowRead": "data.autorId == auth.userId" },
        { "name": "b", "entity": "Note", "allowRead": "data.stars == 'three'" },
        { "name": "c", "entity": "Note", "allowRead": "data.color == 'gren'" },
        { "name": "d", "entity": "Note", "allowRead": "data.title" },
        { "name": "e", "entity": "Note", "allowRead": "data.title ==" },
        { "name": "f", "entity": "Note", "allowRead": "exists(Membre, {user: auth.userId})" },
        { "name": "g", "entity": "Note", "allowRead": "next.public" },
        { "name": "h", "entity": "Note", "allowRead": "data.title\n  .startWith('x')" },
        { "name": "i", "entity": "Note", "allow": "auth.userID == 'ada'" },
        { "name": "j", "entity": "Note", "allowRead": "exists(Member, {user: auth.userId}) == true" },
        { "name": "k", "entity": "Note", "allowRead": "exists(Member, {usr: 3, project: data.stars})" }
    ]);
    let problems = Policies::new(manifest(policies)).unwrap_err();
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(told.join("\n"));
}

/// Expressions of all that can be lowered, and of some that cannot.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("auth.userId == data.authorId".to_owned()),
        Just("data.public".to_owned()),
        Just("!data.public".to_owned()),
        Just("data.public == true".to_owned()),
        Just("auth.hasRole('editor')".to_owned()),
        Just("data.authorId == null".to_owned()),
        Just("has(data.stars)".to_owned()),
        Just("data.authorId in ['ada', 'bob']".to_owned()),
        Just("data.authorId in auth.roles".to_owned()),
        Just("data.stars in [1, 2, null]".to_owned()),
        Just("auth.claims.level < data.stars".to_owned()),
        Just("data.price == auth.claims.level".to_owned()),
        Just("data.title.contains('a')".to_owned()),
        Just("data.title.endsWith('%')".to_owned()),
        Just("data.authorId.startsWith('a')".to_owned()),
        Just("data.due <= now".to_owned()),
        Just("data.stars + 1 > 3".to_owned()),
        Just("data.authorId == data.project".to_owned()),
        Just("data.color != 'red'".to_owned()),
        (
            prop_oneof![Just("<"), Just("<="), Just(">"), Just(">="), Just("=="), Just("!=")],
            -2_i64..5,
            any::<bool>()
        )
            .prop_map(|(operator, literal, turned)| match turned {
                false => format!("data.stars {operator} {literal}"),
                true => format!("{literal} {operator} data.stars"),
            }),
        (prop_oneof![Just("<"), Just(">="), Just("=="), Just("!=")], -2_i32..5)
            .prop_map(|(operator, literal)| format!("data.price {operator} {literal}.5")),
        (prop_oneof![Just("<"), Just(">="), Just("=="), Just("!=")], -2_i32..5)
            .prop_map(|(operator, literal)| format!("data.price {operator} {literal}")),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left} && {right})")),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left} || {right})")),
            inner.clone().prop_map(|inner| format!("!({inner})")),
            (inner.clone(), inner.clone(), inner)
                .prop_map(|(test, yes, no)| format!("({test} ? {yes} : {no})")),
        ]
    })
}

fn maybe(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    prop_oneof![1 => Just(Value::Null), 3 => value]
}

fn any_row() -> impl Strategy<Value = Vec<Value>> {
    let name =
        || prop_oneof![Just("ada"), Just("bob"), Just("eve")].prop_map(|name| Value::Text(name.into()));
    (
        prop_oneof![Just("plan"), Just("100%"), Just("")].prop_map(|text| Value::Text(text.into())),
        maybe(name()),
        maybe((-2_i64..5).prop_map(Value::Int)),
        maybe((-4_i32..10).prop_map(|half| Value::Float(f64::from(half) / 2.0))),
        maybe(any::<bool>().prop_map(Value::Bool)),
        maybe(prop_oneof![Just("red"), Just("green")].prop_map(|text| Value::Text(text.into()))),
        maybe((-5_i64..5).prop_map(|second| Value::Time(Timestamp::from_second(second).unwrap()))),
        maybe(name()),
    )
        .prop_map(|(title, author, stars, price, public, color, due, project)| {
            vec![
                Value::Text("n1".into()),
                title,
                author,
                stars,
                price,
                public,
                color,
                due,
                Value::Null,
                project,
            ]
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// The filter for the database has the rows that the expression allows one by one.
    #[test]
    fn a_table_is_asked_as_its_rows_are(text in expression(), row in any_row(), level in prop_oneof![Just(json!(2)), Just(json!("x")), Just(Json::Null)]) {
        let policies = one("allowRead", &text);
        let entity = note(&manifest(json!([])));
        let caller = Caller {
            roles: vec!["editor".into(), "ada".into()],
            claims: serde_json::from_value(json!({ "level": level })).unwrap(),
            ..user("ada")
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let images = Images { before: Some(&row), after: None };
            let now = Timestamp::UNIX_EPOCH;
            let asked = policies.may(&caller, &entity, Action::Read, images, now, &NoMemberships).await.unwrap();
            let reach = policies.reach(&caller, &entity, &BTreeSet::new(), now);
            let found = reach.filter.matches(&row);
            if reach.is_exact {
                assert_eq!(found, asked == Verdict::Allowed, "{text}: {:?}", reach.filter);
            } else {
                assert!(found || asked == Verdict::Denied, "{text}: {:?}", reach.filter);
            }
        });
    }
}
