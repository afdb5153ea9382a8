//! Who is calling: tokens, whose signatures are good, and what they say.
//!
//! In reading order: [`Authority`], which says who a token's bearer is; [`Principal`], whoever that is; [`claims`], what
//! a token has to say; [`keys`] and [`places`], with which keys it may be signed and where those come from; [`Signer`],
//! which makes tokens.

mod authority;
mod claims;
mod fetch;
mod keys;
mod places;
mod principal;
mod signer;

pub use authority::{Authority, TokenOptions};
pub use claims::{ClaimPath, TokenRules};
pub use places::{KeyError, KeyLocation};
pub use principal::{AuthError, Principal};
pub use signer::{Grant, Signer};
