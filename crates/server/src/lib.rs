//! Corella over HTTP and WebSocket.
//!
//! [`serve`] takes a listener and an [`App`]: the rows, the hub through which they are watched, and the
//! [`Authority`] that says who is calling. Every refusal, on HTTP as on the socket, is a [`Failure`] with a stable
//! code.
//!
//! In reading order: [`App`], [`Authority`], [`accounts`], [`Failure`], the guards of [`guard`], the routes in `http`, the
//! conversation in `socket`.
//!
//! This crate does not know SQL or Loro.

pub mod accounts;
mod admission;
mod app;
mod auth;
mod buckets;
mod failure;
#[cfg(test)]
mod failure_tests;
mod following;
pub mod guard;
mod http;
mod limits;
mod listen;
mod proxies;
mod serve;
mod socket;

pub use app::{App, AppOptions, Mode};
pub use auth::{
    AuthError, Authority, Carrier, ClaimPath, Grant, KeyError, KeyLocation, Principal, Signer, TokenOptions,
    TokenRules,
};
pub use failure::Failure;
pub use limits::Limits;
pub use proxies::{Proxies, ProxyHeader, ProxyNetwork, ProxyNetworkError};
pub use serve::serve;
