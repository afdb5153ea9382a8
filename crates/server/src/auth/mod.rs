//! Who is calling: tokens, whose signatures are good, and what they say.
//!
//! In reading order: [`Authority`], which says who a token's bearer is; [`Principal`], whoever that is; [`claims`], what
//! a token has to say; [`keys`] and [`places`], with which keys it may be signed and where those come from; [`Signer`],
//! which makes tokens.

mod authority;
mod claims;
pub(crate) mod fetch;
mod keys;
mod places;
mod principal;
mod signer;

pub use authority::{Authority, TokenOptions};
pub use claims::{ClaimPath, TokenRules};
pub(crate) use places::is_near;
pub use places::{KeyError, KeyLocation};
pub use principal::{AuthError, Carrier, Principal};
pub use signer::{Grant, Signer};
