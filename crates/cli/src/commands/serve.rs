//! `corella serve`: the server.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use clap::{Args, ValueEnum};
use corella_live::{Hub, PresenceLimits};
use corella_manifest::Manifest;
use corella_server::{App, AppOptions, Authority, Mode, TokenOptions};
use corella_store::{CacheBudget, Durability, Store, StoreOptions, port::Backend};
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::{net::TcpListener, runtime::Runtime, signal::unix};
use tracing_subscriber::{EnvFilter, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use super::{
    accounts::AccountSettings,
    database::Place,
    guard::GuardChoice,
    limits::LimitOptions,
    tokens::{KeySettings, TokenSettings},
};
use crate::{failure::Failure, manifest_file};

/// Serve an app.
///
/// The rows live in DATA/corella.db, an ordinary SQLite database with one table per entity:
/// `sqlite3 DATA/corella.db 'select * from Note'`. With --database they live in PostgreSQL instead, and several servers
/// may share them; tokens are then signed with CORELLA_JWT_SECRET. SIGTERM and SIGINT stop the server in good order.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    options: ServeOptions,
}

/// What `serve` and `dev` have in common.
#[derive(Debug, Args)]
pub(crate) struct ServeOptions {
    /// The manifest: what the app's rows look like.
    #[arg(long, value_name = "FILE", env = "CORELLA_MANIFEST")]
    pub(crate) manifest: PathBuf,
    #[command(flatten)]
    place: Place,
    /// The address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4400", env = "CORELLA_LISTEN")]
    listen: SocketAddr,
    /// When a write counts as durable.
    #[arg(long, value_enum, default_value_t, env = "CORELLA_DURABILITY")]
    durability: DurabilityChoice,
    /// Memory for documents that are being worked with, in bytes.
    #[arg(long, value_name = "N", default_value_t = CacheBudget::default().0, env = "CORELLA_CACHE_BYTES")]
    cache_bytes: usize,
    /// Let callers without a token in, as the user `anonymous`.
    #[arg(long, env = "CORELLA_ALLOW_ANONYMOUS")]
    allow_anonymous: bool,
    #[command(flatten)]
    guard: GuardChoice,
    #[command(flatten)]
    limits: LimitOptions,
    #[command(flatten)]
    keys: KeySettings,
    #[command(flatten)]
    tokens: TokenSettings,
    #[command(flatten)]
    accounts: AccountSettings,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum DurabilityChoice {
    /// Once the disk has confirmed it.
    #[default]
    Full,
    /// Once the operating system has it: a power cut may lose the last moments.
    Relaxed,
}

impl Serve {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        self.options.run(Mode::Production, |_| {})
    }
}

impl ServeOptions {
    /// Serves until a signal comes; `started` is called once the server listens.
    pub(crate) fn run(self, mode: Mode, started: impl FnOnce(&Store)) -> Result<ExitCode, Failure> {
        let manifest = Arc::new(manifest_file::read(&self.manifest)?);
        corella_store::check_served(&manifest)
            .map_err(|source| Failure::Start { path: self.manifest.clone(), source })?;
        start_logging();
        let runtime =
            Runtime::new().map_err(|source| Failure::Process { what: "start the async threads", source })?;
        runtime.block_on(self.serve(manifest, mode, started))?;
        Ok(ExitCode::SUCCESS)
    }

    async fn serve(
        self,
        manifest: Arc<Manifest>,
        mode: Mode,
        started: impl FnOnce(&Store),
    ) -> Result<(), Failure> {
        let signals = Signals::new()?;
        let durability = match self.durability {
            DurabilityChoice::Full => Durability::Full,
            DurabilityChoice::Relaxed => Durability::Relaxed,
        };
        let accounts = self.accounts.options()?;
        let listen = self.listen.to_string();
        let listener = TcpListener::bind(self.listen)
            .await
            .map_err(|source| Failure::Listen { address: listen.clone(), source })?;
        let address = listener.local_addr().map_err(|source| Failure::Listen { address: listen, source })?;
        let backend = self.place.open(durability).await?;
        let authority = self.authority().await?;
        let hub = Arc::new(Hub::with_limits(PresenceLimits::default(), self.limits.live()));
        let store =
            start_store(&self.manifest, backend, manifest, &hub, CacheBudget(self.cache_bytes)).await?;
        let metrics = PrometheusBuilder::new().install_recorder().ok();
        let guard = self.guard.start()?;
        if guard.is_none() {
            tracing::warn!("there are no guards: an update can end the server");
        }
        let mut limits = self.limits.limits();
        // Pages that the server's own address is known by are its own, whatever a proxy calls the host.
        let public_url = accounts.as_ref().and_then(|accounts| accounts.public_url.as_ref());
        limits.origins.extend(public_url.map(ToString::to_string));
        let options = AppOptions { mode, metrics, guard, limits, accounts, ..AppOptions::default() };
        let app = App::new(store.clone(), hub, authority, options);
        println!("Corella is listening on http://{address}");
        started(&store);
        corella_server::serve(app, listener, signals.any()).await;
        println!("Corella has stopped; everything that was accepted is stored.");
        Ok(())
    }
}

impl ServeOptions {
    /// Whose tokens are good.
    async fn authority(&self) -> Result<Authority, Failure> {
        let keys = self.keys.locations()?;
        let options = TokenOptions {
            // Accounts are given tokens of our own.
            secret: self.place.secret(!keys.is_empty() && !self.accounts.are_on())?,
            keys,
            refresh: self.keys.refresh.into(),
            rules: self.tokens.rules(),
            allow_anonymous: self.allow_anonymous,
        };
        Authority::open(options).await.map_err(Failure::Keys)
    }
}

async fn start_store(
    path: &Path,
    backend: Arc<dyn Backend>,
    manifest: Arc<Manifest>,
    hub: &Arc<Hub>,
    cache: CacheBudget,
) -> Result<Store, Failure> {
    let sink = Arc::clone(hub);
    Store::start(backend, manifest, sink, StoreOptions { cache, ..StoreOptions::default() })
        .await
        .map_err(|source| Failure::Start { path: path.to_owned(), source })
}

fn start_logging() {
    // Loro tells of each export at the level `info`.
    let quiet = "info,loro=warn,loro_internal=warn";
    let mut filter = EnvFilter::try_from_env("CORELLA_LOG").unwrap_or_else(|_| EnvFilter::new(quiet));
    // They tell of whole messages and requests at lower levels, tokens included: whatever is asked for, not that.
    for directive in ["tungstenite=info", "tokio_tungstenite=info", "hyper=info"] {
        filter = filter.add_directive(directive.parse().expect("a directive as it has to be written"));
    }
    let output = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    // A second call in one process keeps the first subscriber.
    tracing_subscriber::registry().with(filter).with(output).try_init().ok();
}

/// The signals that stop a server, caught from the start, so that none is missed while it starts.
struct Signals {
    terminate: unix::Signal,
    interrupt: unix::Signal,
}

impl Signals {
    fn new() -> Result<Self, Failure> {
        let catch =
            |kind| unix::signal(kind).map_err(|source| Failure::Process { what: "catch signals", source });
        Ok(Self {
            terminate: catch(unix::SignalKind::terminate())?,
            interrupt: catch(unix::SignalKind::interrupt())?,
        })
    }

    async fn any(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
