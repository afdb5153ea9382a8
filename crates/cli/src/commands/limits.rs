//! What clients may take of a served app, as options.

use std::time::Duration;

use clap::{Args, ValueEnum};
use corella_live::LiveLimits;
use corella_server::{Limits, Proxies, ProxyHeader, ProxyNetwork};

/// Bounds on what one client may take; the defaults are beyond what honest clients need.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitOptions {
    /// An origin of web pages that may use the server beside its own, such as `https://app.example.com`; `*` for any.
    /// May be given several times.
    #[arg(long, value_name = "ORIGIN", env = "CORELLA_ALLOW_ORIGIN", value_delimiter = ',')]
    allow_origin: Vec<String>,
    /// Connections from one address; behind a proxy that --trusted-proxy names, requests and sockets.
    #[arg(long, value_name = "N", default_value_t = Limits::default().connections_per_address, env = "CORELLA_CONNECTIONS_PER_ADDRESS")]
    connections_per_address: usize,
    /// A proxy before the server, or a network of them, such as `10.0.0.0/8`: it is believed where a request comes from. One that
    /// is not named is one address. May be given several times.
    #[arg(long, value_name = "ADDRESS", env = "CORELLA_TRUSTED_PROXY", value_delimiter = ',')]
    trusted_proxy: Vec<ProxyNetwork>,
    /// The header in which these proxies say so. They must write it themselves, whatever clients send.
    #[arg(long, value_enum, default_value_t, env = "CORELLA_PROXY_HEADER")]
    proxy_header: ProxyHeaderChoice,
    /// Sockets of one user.
    #[arg(long, value_name = "N", default_value_t = Limits::default().sockets_per_user, env = "CORELLA_SOCKETS_PER_USER")]
    sockets_per_user: usize,
    /// Rooms that one socket may be in.
    #[arg(long, value_name = "N", default_value_t = Limits::default().rooms_per_socket, env = "CORELLA_ROOMS_PER_SOCKET")]
    rooms_per_socket: usize,
    /// Live queries that one socket may follow.
    #[arg(long, value_name = "N", default_value_t = LiveLimits::default().subscriptions, env = "CORELLA_QUERIES_PER_SOCKET")]
    queries_per_socket: usize,
    /// Rows of a live query's answer without a limit of its own.
    #[arg(long, value_name = "N", default_value_t = LiveLimits::default().rows, env = "CORELLA_ROWS_PER_ANSWER")]
    rows_per_answer: usize,
    /// Different live queries of one tenant.
    #[arg(long, value_name = "N", default_value_t = LiveLimits::default().queries, env = "CORELLA_QUERIES_PER_TENANT")]
    queries_per_tenant: usize,
    /// Bytes that the rows of one tenant's live queries may take.
    #[arg(long, value_name = "N", default_value_t = LiveLimits::default().bytes, env = "CORELLA_QUERY_BYTES_PER_TENANT")]
    query_bytes_per_tenant: usize,
    /// Different live queries of one entity that no index finds: each is asked about every change of the entity.
    #[arg(long, value_name = "N", default_value_t = LiveLimits::default().scanned, env = "CORELLA_SCANNED_QUERIES")]
    scanned_queries: usize,
    /// Updates and messages that one socket may send a second, over ten seconds; 0 for any number.
    #[arg(long, value_name = "N", default_value_t = Limits::default().updates_per_second, env = "CORELLA_UPDATES_PER_SECOND")]
    updates_per_second: u32,
    /// Requests over HTTP that one user may make a second, over ten seconds, and an address without a user; 0 for any
    /// number.
    #[arg(long, value_name = "N", default_value_t = Limits::default().requests_per_second, env = "CORELLA_REQUESTS_PER_SECOND")]
    requests_per_second: u32,
    /// Joins that are answered at the same time; one that needs the whole document counts for four.
    #[arg(long, value_name = "N", default_value_t = Limits::default().joins_at_once, env = "CORELLA_JOINS_AT_ONCE")]
    joins_at_once: u32,
    /// Seconds that a request's head may take to arrive, and that a connection may be idle between requests.
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().head_time.as_secs(), env = "CORELLA_HEAD_SECONDS")]
    head_seconds: u64,
    /// Seconds that a request may take, its body included.
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().request_time.as_secs(), env = "CORELLA_REQUEST_SECONDS")]
    request_seconds: u64,
    /// Seconds that a socket may be silent before it is closed; it is asked whether it is there before.
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().silence.as_secs(), env = "CORELLA_SILENCE_SECONDS")]
    silence_seconds: u64,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum ProxyHeaderChoice {
    /// As most proxies have it.
    #[default]
    XForwardedFor,
    /// RFC 7239.
    Forwarded,
}

impl LimitOptions {
    pub(crate) fn live(&self) -> LiveLimits {
        LiveLimits {
            subscriptions: self.queries_per_socket,
            rows: self.rows_per_answer,
            queries: self.queries_per_tenant,
            bytes: self.query_bytes_per_tenant,
            scanned: self.scanned_queries,
            ..LiveLimits::default()
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits {
            connections_per_address: self.connections_per_address,
            sockets_per_user: self.sockets_per_user,
            rooms_per_socket: self.rooms_per_socket,
            updates_per_second: self.updates_per_second,
            requests_per_second: self.requests_per_second,
            joins_at_once: self.joins_at_once,
            head_time: Duration::from_secs(self.head_seconds),
            request_time: Duration::from_secs(self.request_seconds),
            silence: Duration::from_secs(self.silence_seconds),
            proxies: Proxies {
                networks: self.trusted_proxy.clone(),
                header: match self.proxy_header {
                    ProxyHeaderChoice::XForwardedFor => ProxyHeader::XForwardedFor,
                    ProxyHeaderChoice::Forwarded => ProxyHeader::Forwarded,
                },
            },
            origins: self.allow_origin.iter().map(|origin| origin.trim_end_matches('/').to_owned()).collect(),
        }
    }
}
