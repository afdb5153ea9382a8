//! The PostgreSQL backend does what the port says, also when several servers share it and when it fails.

mod faults;
mod sharing;
mod stage;
mod suite;
mod tenants;
mod values;
