//! Whose tokens are good, and what their claims are called.

use std::path::PathBuf;

use clap::Args;
use corella_manifest::Manifest;
use corella_server::{ClaimPath, KeyLocation, TokenRules};

use crate::{failure::Failure, manifest_file};

/// What tokens have to say.
#[derive(Debug, Args)]
#[command(next_help_heading = "Tokens")]
pub(crate) struct TokenSettings {
    /// Who has to have issued a token (its claim `iss`); may be given more than once.
    #[arg(long = "jwt-issuer", value_name = "NAME", env = "CORELLA_JWT_ISSUER", value_delimiter = ',')]
    issuers: Vec<String>,
    /// For whom a token has to be (its claim `aud`); may be given more than once.
    #[arg(long = "jwt-audience", value_name = "NAME", env = "CORELLA_JWT_AUDIENCE", value_delimiter = ',')]
    audiences: Vec<String>,
    /// By how much clocks may differ.
    #[arg(long = "jwt-leeway", value_name = "TIME", default_value = "30s", env = "CORELLA_JWT_LEEWAY")]
    leeway: humantime::Duration,
    /// The claim with the user's id; a dotted path leads into objects.
    #[arg(
        long = "jwt-user-claim",
        value_name = "CLAIM",
        default_value = "sub",
        env = "CORELLA_JWT_USER_CLAIM"
    )]
    user_claim: String,
    /// The claim with the user's roles: a list, or a text with spaces between them.
    #[arg(
        long = "jwt-roles-claim",
        value_name = "CLAIM",
        default_value = "roles",
        env = "CORELLA_JWT_ROLES_CLAIM"
    )]
    roles_claim: String,
    /// The claim with the tenant, where it is not the one that the manifest's `tenancy` names.
    #[arg(long = "jwt-tenant-claim", value_name = "CLAIM", env = "CORELLA_JWT_TENANT_CLAIM")]
    tenant_claim: Option<String>,
    /// The role whose bearers are administrators, beside those with the claim `admin: true`.
    #[arg(long = "jwt-admin-role", value_name = "ROLE", env = "CORELLA_JWT_ADMIN_ROLE")]
    admin_role: Option<String>,
}

impl TokenSettings {
    pub(crate) fn rules(&self) -> TokenRules {
        TokenRules {
            issuers: self.issuers.clone(),
            audiences: self.audiences.clone(),
            leeway: self.leeway.into(),
            user: ClaimPath::new(&self.user_claim),
            roles: ClaimPath::new(&self.roles_claim),
            tenant: self.tenant_claim.as_deref().map(ClaimPath::new),
            admin_role: self.admin_role.clone(),
        }
    }
}

/// Who may issue tokens besides the server itself.
#[derive(Debug, Args)]
#[command(next_help_heading = "Tokens")]
pub(crate) struct KeySettings {
    /// Public keys that tokens may be signed with (RS256, ES256, EdDSA): a file as PEM or JWKS, or the https address of a
    /// JWKS. May be given more than once. Changes are followed.
    #[arg(long = "jwt-keys", value_name = "PLACE", env = "CORELLA_JWT_KEYS", value_delimiter = ',')]
    keys: Vec<String>,
    /// How often an address of keys is asked again.
    #[arg(long = "jwt-refresh", value_name = "TIME", default_value = "5m", env = "CORELLA_JWT_REFRESH")]
    pub(crate) refresh: humantime::Duration,
}

impl KeySettings {
    pub(crate) fn locations(&self) -> Result<Vec<KeyLocation>, Failure> {
        self.keys.iter().map(|place| place.parse().map_err(Failure::Keys)).collect()
    }
}

/// The manifest's claim of the tenant, where a manifest is given.
pub(crate) fn tenant_claim(path: Option<&PathBuf>) -> Result<Option<String>, Failure> {
    let manifest: Option<Manifest> = path.map(|path| manifest_file::read(path)).transpose()?;
    Ok(manifest.and_then(|manifest| manifest.tenant_claim().map(str::to_owned)))
}
