//! Who may do what, as callers of the binary meet it.

mod accounts;
mod explain;
mod joins;
mod keys;
mod reads;
mod revocation;
mod routes;
mod stage;
mod tenants;
mod tokens;
mod writes;
