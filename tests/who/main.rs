//! Who may do what, as callers of the binary meet it.

mod reads;
mod revocation;
mod stage;
mod tokens;
mod writes;
