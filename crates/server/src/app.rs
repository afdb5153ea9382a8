//! What every request and every connection share.

use std::net::IpAddr;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use corella_live::{Hub, OutboxLimits};
use corella_manifest::{EntityName, Manifest};
use corella_rowdoc::{RowId, RowKey, Tenant};
use corella_store::{SourceId, Store};
use corella_wire::{ErrorCode, RoomName};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::json;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    accounts::{AccountOptions, Accounts},
    admission::Admission,
    auth::{Authority, Principal},
    buckets::Buckets,
    failure::Failure,
    guard::{BlobKind, GuardError, GuardPool},
    limits::{Census, Counted, Limits, Requester, UserKey},
};

/// How much may come at once, in seconds of what may come evenly.
const BURST: u32 = 10;

fn requests(per_second: u32) -> Option<Buckets<Requester>> {
    let every = Duration::from_secs(1).checked_div(per_second)?;
    Some(Buckets::new(per_second.saturating_mul(BURST), every))
}

/// For whom the server runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// For users.
    #[default]
    Production,
    /// For a developer: `POST /dev/token` signs anybody in.
    Development,
}

/// How a server is to run.
#[derive(Debug, Clone, Default)]
pub struct AppOptions {
    /// For whom.
    pub mode: Mode,
    /// How much may wait for a slow connection.
    pub outbox: OutboxLimits,
    /// What `GET /metrics` shows; without it the path is not found.
    pub metrics: Option<PrometheusHandle>,
    /// Who looks at clients' updates first; without it the server decodes them itself, and some can end it.
    pub guard: Option<GuardPool>,
    /// What one client may take.
    pub limits: Limits,
    /// How accounts of the server's own are set; without it there are none.
    pub accounts: Option<AccountOptions>,
}

/// Everything that requests and connections share.
pub struct App {
    pub(crate) store: Store,
    pub(crate) hub: Arc<Hub>,
    pub(crate) authority: Authority,
    pub(crate) accounts: Option<Arc<Accounts>>,
    pub(crate) options: AppOptions,
    /// Connections, by the address that they come from.
    pub(crate) addresses: Arc<Census<IpAddr>>,
    /// Sockets, by the user whose they are.
    pub(crate) users: Arc<Census<UserKey>>,
    pub(crate) admission: Admission,
    /// Requests over HTTP, by who makes them; nothing where any number may be made.
    requests: Option<Buckets<Requester>>,
    /// Cancelled when the server is to stop.
    pub(crate) stop: CancellationToken,
    /// The connections that are open.
    pub(crate) connections: TaskTracker,
    next_source: AtomicU64,
}

impl App {
    /// A server's shared state; from now on live queries are kept true, keys are kept fresh, and changes of access are
    /// followed.
    ///
    /// # Panics
    /// Outside an async runtime.
    #[must_use]
    pub fn new(store: Store, hub: Arc<Hub>, authority: Authority, options: AppOptions) -> Arc<Self> {
        let stop = CancellationToken::new();
        hub.queries().start(&store, stop.child_token());
        authority.follow(&stop);
        let accounts =
            options.accounts.clone().map(|options| Accounts::start(options, store.accounts(), &stop));
        Arc::new(Self {
            store,
            hub,
            authority,
            accounts,
            addresses: Census::new(options.limits.connections_per_address),
            users: Census::new(options.limits.sockets_per_user),
            admission: Admission::new(options.limits.joins_at_once),
            requests: requests(options.limits.requests_per_second),
            options,
            stop,
            connections: TaskTracker::new(),
            next_source: AtomicU64::new(1),
        })
    }

    /// Has the guards look at clients' updates, where there are some; answers for each.
    pub(crate) async fn examine(&self, updates: &[Bytes]) -> Vec<Result<(), GuardError>> {
        match &self.options.guard {
            Some(guards) => guards.examine(BlobKind::Update, updates.iter().cloned()).await,
            None => vec![Ok(()); updates.len()],
        }
    }

    /// Counts a socket as its user's; those without a name are only counted by their address.
    ///
    /// # Errors
    /// When the user has as many as it may.
    pub(crate) fn seat(&self, principal: &Principal) -> Result<Option<Counted<UserKey>>, Failure> {
        if principal.caller.user.is_none() {
            return Ok(None);
        }
        let seat = self.users.enter((principal.tenant.clone(), Arc::clone(&principal.user)));
        let most = self.users.most();
        let refused = || {
            let detail = format!("expected at most {most} sockets of one user; close some first");
            Failure::new(ErrorCode::RateLimited, detail)
        };
        seat.map(Some).ok_or_else(refused)
    }

    /// Counts a request over HTTP.
    ///
    /// # Errors
    /// When there were too many; the failure says when to come back.
    pub(crate) fn count_request(&self, requester: Requester) -> Result<(), Failure> {
        let Some(requests) = &self.requests else { return Ok(()) };
        requests.take(requester, Instant::now()).map_err(|wait| {
            metrics::counter!("corella_requests_refused_total").increment(1);
            let most = self.options.limits.requests_per_second;
            let seconds = wait.as_secs() + 1;
            let detail = format!("expected at most {most} requests a second; come back in {seconds} seconds");
            Failure::new(ErrorCode::RateLimited, detail).with("retryAfter", json!(seconds))
        })
    }

    /// Counts something that no honest client does as all the requests of a second, so that whoever does so again and again
    /// is kept out for a while.
    pub(crate) fn count_offence(&self, requester: Requester) {
        let Some(requests) = &self.requests else { return };
        metrics::counter!("corella_offences_total").increment(1);
        requests.spill(requester, self.options.limits.requests_per_second, Instant::now());
    }

    pub(crate) fn next_source(&self) -> SourceId {
        SourceId(self.next_source.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn manifest(&self) -> Arc<Manifest> {
        self.store.manifest()
    }

    /// The row of an entity, both named by a caller.
    pub(crate) fn row_key(&self, tenant: &Tenant, entity: &str, id: &str) -> Result<RowKey, Failure> {
        let entity = self.entity_name(entity)?;
        let id = RowId::new(id).map_err(|error| Failure::new(ErrorCode::InvalidRowId, error.to_string()))?;
        Ok(RowKey { tenant: tenant.clone(), entity, id })
    }

    pub(crate) fn entity_name(&self, name: &str) -> Result<EntityName, Failure> {
        self.store.entity(name).map(|entity| entity.name.clone()).map_err(|error| {
            let manifest = self.manifest();
            let known: Vec<&str> = manifest.entities.iter().map(|entity| entity.name.as_str()).collect();
            Failure::new(ErrorCode::UnknownEntity, format!("{error}; there are {}", known.join(", ")))
        })
    }

    /// The row that a room name leads to: `Entity/rowid`, or an id of the default entity.
    pub(crate) fn room_key(&self, tenant: &Tenant, room: &RoomName) -> Result<RowKey, Failure> {
        match room.as_str().split_once('/') {
            Some((entity, id)) => self.row_key(tenant, entity, id),
            None => {
                let manifest = self.manifest();
                let entity = manifest.default_entity.as_ref().ok_or_else(|| {
                    Failure::new(
                        ErrorCode::UnknownRoom,
                        format!("expected a room name such as Entity/rowid, found {room}; the manifest has no defaultEntity"),
                    )
                })?;
                self.row_key(tenant, entity.as_str(), room.as_str())
            }
        }
    }
}
