//! Accounts, sessions, and how servers hear that access has changed.

use corella_rowdoc::Tenant;
use corella_store::port::{
    AccessChanges, Account, AccountBook, AccountChange, AccountKey, AddedAccount, Backend, DumpScope,
    EndingSessions, Identity, Kept, RestoreOnto, RestoreOutcome, Rights, Session, Standing,
};
use jiff::Timestamp;

use super::{
    Subject,
    keep::{dumped, restored},
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

fn account(tenant: &str, id: &str, email: Option<&str>) -> Account {
    Account {
        tenant: Tenant::new(tenant),
        id: id.into(),
        email: email.map(str::to_owned),
        password: email.map(|_| "a hash".to_owned()),
        identity: None,
        roles: vec!["editor".into(), "a \"role\"".into()],
        admin: false,
        disabled: false,
        created_at: at(7),
    }
}

fn session(of: &Account, id: &str, refreshed_at: i64) -> Session {
    Session {
        tenant: of.tenant.clone(),
        id: id.into(),
        account: of.id.clone(),
        label: "a browser".into(),
        chain: vec![0, 255, 1],
        created_at: at(10),
        refreshed_at: at(refreshed_at),
        granted_to: at(20),
        ends_at: at(1_000),
    }
}

async fn changes(book: &dyn AccountBook, since: i64) -> (Vec<String>, i64) {
    let AccessChanges { changed, last, missed } = book.access_changes(since).await.expect("it is told");
    assert!(!missed, "nothing is forgotten so soon");
    (changed.iter().map(|(tenant, id)| format!("{}/{id}", tenant.as_str())).collect(), last)
}

async fn ids(book: &dyn AccountBook, of: &Account) -> Vec<String> {
    let sessions = book.sessions(&of.tenant, &of.id).await.expect("they are told");
    sessions.iter().map(|session| session.id.to_string()).collect()
}

pub(super) async fn an_account_is_its_tenants_and_found_by_its_names(
    Subject { backend, keep: _keep, .. }: Subject,
) {
    let identity = Identity { issuer: "https://id.example.com".into(), subject: "7".into() };
    let ada = account("acme", "ada", Some("ada@example.com"));
    let of_provider = Account { identity: Some(identity.clone()), ..account("acme", "bob", None) };
    let other = account("zeta", "ada", Some("ada@example.com"));
    for account in [&ada, &of_provider, &other] {
        assert_eq!(backend.add_account(account).await.expect("it is taken"), AddedAccount::Added);
    }
    for taken in [
        account("acme", "ada", None),
        account("acme", "new", Some("ada@example.com")),
        Account { identity: Some(identity.clone()), ..account("acme", "new", None) },
    ] {
        assert_eq!(backend.add_account(&taken).await.expect("it is answered"), AddedAccount::Taken);
    }
    let (acme, zeta) = (Tenant::new("acme"), Tenant::new("zeta"));
    let find =
        async |tenant: &Tenant, key: AccountKey| backend.account(tenant, &key).await.expect("it is told");
    assert_eq!(find(&acme, AccountKey::Id("ada".into())).await, Some(ada.clone()));
    assert_eq!(find(&zeta, AccountKey::Email("ada@example.com".into())).await, Some(other.clone()));
    assert_eq!(find(&acme, AccountKey::Identity(identity.clone())).await, Some(of_provider.clone()));
    assert_eq!(find(&zeta, AccountKey::Identity(identity)).await, None);
    assert_eq!(
        backend.accounts(Some(&acme)).await.expect("they are told"),
        [ada.clone(), of_provider.clone()]
    );
    assert_eq!(backend.accounts(None).await.expect("they are told").len(), 3);

    let asked =
        AccountChange { roles: Some(vec!["boss".into()]), admin: Some(true), ..AccountChange::default() };
    assert_eq!(backend.change_account(&acme, "ada", asked.clone()).await.expect("it is done"), Some(0));
    assert_eq!(backend.change_account(&acme, "nobody", asked).await.expect("it is answered"), None);
    let expected = Account { roles: vec!["boss".into()], admin: true, ..ada };
    assert_eq!(find(&acme, AccountKey::Id("ada".into())).await, Some(expected));
    assert_eq!(find(&zeta, AccountKey::Id("ada".into())).await, Some(other));
    assert_eq!(changes(&*backend, 0).await, (vec!["acme/ada".to_owned()], 1));
    assert_eq!(changes(&*backend, 1).await, (Vec::new(), 1));
}

pub(super) async fn a_session_ends_as_asked_and_is_told(Subject { backend, keep: _keep, .. }: Subject) {
    let ada = account("", "ada", Some("ada@example.com"));
    let bob = account("", "bob", Some("bob@example.com"));
    for account in [&ada, &bob] {
        backend.add_account(account).await.expect("it is taken");
    }
    let open = async |session: &Session, of: &Account| {
        backend.open_session(session, of, 3).await.expect("it is answered")
    };
    for (id, refreshed) in [("s1", 11), ("s2", 12), ("s3", 13)] {
        assert!(open(&session(&ada, id, refreshed), &ada).await);
    }
    assert!(open(&session(&bob, "s4", 11), &bob).await);
    assert_eq!(ids(&*backend, &ada).await, ["s3", "s2", "s1"]);
    assert_eq!(changes(&*backend, 0).await, (Vec::new(), 0));
    // More than one may have: the one that was not used for longest goes.
    assert!(open(&session(&ada, "s5", 14), &ada).await);
    assert_eq!(ids(&*backend, &ada).await, ["s5", "s3", "s2"]);
    assert_eq!(changes(&*backend, 0).await, (vec!["/ada".to_owned()], 1));
    // What is over is forgotten when the next one comes.
    let late = Session { created_at: at(2_000), ends_at: at(3_000), ..session(&bob, "s6", 2_000) };
    assert!(open(&late, &bob).await);
    assert_eq!((ids(&*backend, &ada).await.len(), ids(&*backend, &bob).await), (0, vec!["s6".to_owned()]));

    let first = session(&ada, "s7", 11);
    assert!(open(&first, &ada).await);
    assert_eq!(backend.session(&ada.tenant, "s7").await.expect("it is told"), Some(first.clone()));
    let next =
        Session { chain: vec![9], refreshed_at: at(30), granted_to: at(40), ends_at: at(2_000), ..first };
    assert!(!backend.replace_session(&next, &[1]).await.expect("it is answered"), "another chain");
    assert!(backend.replace_session(&next, &[0, 255, 1]).await.expect("it is answered"));
    assert_eq!(backend.session(&ada.tenant, "s7").await.expect("it is told"), Some(next));

    let standing = async |id: &str, session: Option<&str>| {
        backend.standing(&ada.tenant, id, session).await.expect("it is told")
    };
    let rights = |account: &Account| Rights { roles: account.roles.clone(), admin: account.admin };
    assert_eq!(standing("ada", Some("s7")).await, Standing::Good(rights(&ada)));
    assert_eq!(standing("ada", None).await, Standing::Unknown, "the token alone says what it gives");
    assert_eq!(standing("bob", Some("s7")).await, Standing::Ended, "it is Ada's");
    assert_eq!(standing("eve", None).await, Standing::Unknown, "nobody here knows Eve");
    assert_eq!(standing("eve", Some("s7")).await, Standing::Ended);

    for id in ["s8", "s9"] {
        assert!(open(&session(&ada, id, 12), &ada).await);
    }
    let end = async |ends: EndingSessions| {
        let change = AccountChange { ends, ..AccountChange::default() };
        backend.change_account(&ada.tenant, "ada", change).await.expect("it is done")
    };
    assert_eq!(end(EndingSessions::One("s8".into())).await, Some(1));
    assert_eq!(end(EndingSessions::One("s6".into())).await, Some(0), "it is Bob's");
    assert_eq!(end(EndingSessions::AllBut("s9".into())).await, Some(1));
    assert_eq!(
        (standing("ada", Some("s7")).await, standing("ada", Some("s9")).await),
        (Standing::Ended, Standing::Good(rights(&ada)))
    );
    let promoted = Rights { roles: vec!["boss".into()], admin: true };
    let change = AccountChange {
        roles: Some(promoted.roles.clone()),
        admin: Some(promoted.admin),
        ..AccountChange::default()
    };
    assert_eq!(backend.change_account(&ada.tenant, "ada", change).await.expect("it is done"), Some(0));
    assert_eq!(standing("ada", Some("s9")).await, Standing::Good(promoted));
    let (_, last) = changes(&*backend, 0).await;
    let disable =
        AccountChange { disabled: Some(true), ends: EndingSessions::All, ..AccountChange::default() };
    assert_eq!(backend.change_account(&ada.tenant, "ada", disable).await.expect("it is done"), Some(1));
    assert_eq!(changes(&*backend, last).await, (vec!["/ada".to_owned()], last + 1));
    for session in [None, Some("s9")] {
        assert_eq!(standing("ada", session).await, Standing::Disabled);
    }
    assert!(!open(&session(&ada, "s10", 50), &ada).await, "she is disabled");
    let known = Account { password: Some("an older hash".into()), ..bob.clone() };
    assert!(!open(&session(&bob, "s11", 50), &known).await, "the password was changed meanwhile");
    assert_eq!(standing("bob", Some("s6")).await, Standing::Good(rights(&bob)));
}

pub(super) async fn accounts_are_dumped_without_their_sessions(
    from: Subject,
    Subject { backend, keep: _keep, .. }: Subject,
) {
    let ada = Account { disabled: true, ..account("acme", "ada", Some("ada@example.com")) };
    let bob = account("", "bob", Some("bob@example.com"));
    for account in [&ada, &bob] {
        from.backend.add_account(account).await.expect("it is taken");
    }
    from.backend.open_session(&session(&bob, "s1", 1), &bob, 9).await.expect("it is answered");
    let pieces = dumped(&*from.backend, DumpScope::everything()).await;
    let accounts: Vec<&Account> = pieces
        .iter()
        .filter_map(|piece| if let Kept::Account(account) = piece { Some(account) } else { None })
        .collect();
    assert_eq!(accounts, [&bob, &ada]);
    assert!(dumped(&*from.backend, DumpScope::default()).await.len() == 2, "rows alone");

    let old = account("", "old", Some("old@example.com"));
    backend.add_account(&old).await.expect("it is taken");
    backend.open_session(&session(&old, "s2", 1), &old, 9).await.expect("it is answered");
    assert_eq!(restored(&*backend, &pieces, RestoreOnto::Empty).await, RestoreOutcome::NotEmpty);
    assert_eq!(restored(&*backend, &pieces, RestoreOnto::Anything).await, RestoreOutcome::Restored);
    assert_eq!(backend.accounts(None).await.expect("they are told"), [bob, ada]);
    assert_eq!(backend.session(&Tenant::none(), "s2").await.expect("it is told"), None);
    let book: &dyn Backend = &*backend;
    assert_eq!(book.standing(&Tenant::none(), "old", Some("s2")).await.expect("it is told"), Standing::Ended);
}
