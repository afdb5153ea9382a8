//! A server that runs, and somebody who may call it.

use std::ops::Deref;

use crate::{Database, Http, Installation, Peer, Server};

/// An installation with its server running, and the token of a user called `ada`.
pub struct Stage {
    /// The data folder and the manifest.
    pub installation: Installation,
    /// The server.
    pub server: Server,
    token: String,
}

impl Deref for Stage {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl Stage {
    /// Starts `corella serve` with this manifest on a fresh data folder.
    pub async fn new(manifest: &str) -> Self {
        Self::with(manifest, &[]).await
    }

    /// The same, with more arguments.
    pub async fn with(manifest: &str, arguments: &[&str]) -> Self {
        Self::start(Installation::new(manifest), arguments).await
    }

    /// Starts `corella serve` with this manifest on a fresh database of that kind.
    pub async fn on(database: Database, manifest: &str) -> Self {
        Self::start(Installation::on(database, manifest), &[]).await
    }

    async fn start(installation: Installation, arguments: &[&str]) -> Self {
        let server = installation.start("serve", arguments).await;
        let token = installation.token("ada").await;
        Self { installation, server, token }
    }

    /// Ada's token.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Ada over HTTP.
    #[must_use]
    pub fn ada(&self) -> Http {
        self.server.http(&self.token)
    }

    /// Ada on the socket; each call is one more connection.
    pub async fn connect(&self) -> Peer {
        self.server.peer(&self.token).await
    }

    /// The last change of all.
    pub async fn seq(&self) -> i64 {
        self.server.stranger().get("/ready").await.expect(200)["seq"].as_i64().unwrap_or(-1)
    }

    /// Kills the server as a power cut would, and starts it again.
    pub async fn crash(self) -> Self {
        let Self { installation, server, token } = self;
        server.kill().await;
        let server = installation.serve().await;
        Self { installation, server, token }
    }
}
