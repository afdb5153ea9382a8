//! Accounts of the server's own, as the binary has them.

mod browser;
mod docs;
mod provider;
mod revoked;
mod sessions;

use corella_testkit::{Database, Finished, Http, Installation, Server};
use serde_json::{Value as Json, json};

use crate::stage::TEAM;

pub(crate) const NOTES: &str = "/api/entities/Note";
/// The password of everybody here.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// An app whose server has accounts.
pub(crate) struct House {
    pub(crate) server: Server,
    pub(crate) installation: Installation,
}

/// Somebody's tokens.
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
    pub(crate) session: String,
    pub(crate) user: String,
}

impl House {
    pub(crate) async fn new(database: Database, more: &[&str]) -> Self {
        Self::with(database, TEAM, more, &[]).await
    }

    pub(crate) async fn with(
        database: Database,
        manifest: &str,
        more: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let installation = Installation::on(database, manifest);
        let arguments = [&["--accounts"][..], more].concat();
        let server = installation.start_with("serve", &arguments, environment).await;
        Self { server, installation }
    }

    /// Runs `corella user`, with the password as its input.
    pub(crate) async fn user(&self, arguments: &[&str]) -> Finished {
        let arguments = [&["user"][..], arguments].concat();
        self.installation.run_piped(&arguments, &format!("{PASSWORD}\n")).await
    }

    /// Makes an account of this name at example.com; says its id.
    pub(crate) async fn add(&self, name: &str, more: &[&str]) -> String {
        let email = format!("{name}@example.com");
        let added = self.user(&[&["add", &email][..], more].concat()).await;
        assert_eq!(added.code, Some(0), "{}", added.stderr);
        added.stdout.trim().to_owned()
    }

    /// Signs somebody in.
    pub(crate) async fn sign_in(&self, name: &str) -> Tokens {
        let asked = json!({ "email": format!("{name}@example.com"), "password": PASSWORD });
        Tokens::of(&self.server.stranger().post("/auth/sign-in", asked).await.expect(200))
    }

    pub(crate) fn http(&self, tokens: &Tokens) -> Http {
        self.server.http(&tokens.access)
    }
}

impl Tokens {
    pub(crate) fn of(answer: &Json) -> Self {
        let text = |value: &Json| value.as_str().expect("a text").to_owned();
        Self {
            access: text(&answer["accessToken"]),
            refresh: text(&answer["refreshToken"]),
            session: text(&answer["user"]["session"]),
            user: text(&answer["user"]["id"]),
        }
    }
}
