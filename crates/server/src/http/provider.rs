//! Signing in through a provider: away to it, and back.

use std::{sync::Arc, time::Duration};

use axum::{
    Json as JsonBody,
    extract::{Path, Query as QueryString, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use corella_rowdoc::Tenant;
use corella_store::port::Identity;
use corella_wire::ErrorCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::accounts::{accounts, label, never_kept};
use crate::{
    App, Failure,
    accounts::{
        Accounts, Pending, Provider,
        cookies::{Carriage, Cookie},
    },
    http::is_local,
};

/// How long somebody may take at the provider.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// The query string on the way there.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Away {
    then: Option<String>,
}

/// The query string on the way back.
#[derive(Deserialize)]
pub(super) struct Back {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
}

/// One of the providers, by its name if it has one.
#[derive(Clone, Copy)]
struct Chosen<'a> {
    provider: &'a Provider,
    name: Option<&'a str>,
}

impl<'a> Chosen<'a> {
    fn of(accounts: &'a Accounts, name: Option<&'a str>) -> Result<Self, Failure> {
        let provider = match name {
            None => accounts.provider.as_ref(),
            Some(name) => accounts.providers.get(name),
        };
        provider.map(|provider| Self { provider, name }).ok_or_else(|| {
            let detail = "this server asks no identity provider under this path; `--oidc-issuer` and `--oidc` name \
                          some, and GET /auth/providers tells their paths";
            Failure::new(ErrorCode::NotFound, detail)
        })
    }

    /// The path under which one goes there.
    fn path(self) -> String {
        match self.name {
            None => "/auth/provider".to_owned(),
            Some(name) => format!("/auth/provider/{name}"),
        }
    }

    /// Where the provider is to send the browser back to.
    fn redirect(self, accounts: &Accounts, headers: &HeaderMap) -> Result<String, Failure> {
        Ok(format!("{}{}/callback", site(accounts, headers)?, self.path()))
    }
}

/// The origin under which a browser that sends these headers finds the server.
fn site(accounts: &Accounts, headers: &HeaderMap) -> Result<String, Failure> {
    if let Some(url) = &accounts.options.public_url {
        return Ok(url.to_string());
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if is_local(host) {
        return Ok(format!("http://{host}"));
    }
    let detail = "expected --public-url, which says where browsers find this server, found none";
    Err(Failure::new(ErrorCode::Unavailable, detail))
}

/// The place of this site that somebody is to go to afterwards; never one of another.
fn place(then: Option<String>) -> Result<String, Failure> {
    let Some(then) = then else { return Ok("/".to_owned()) };
    let is_here = then.starts_with('/')
        && !then.starts_with("//")
        && then.len() <= 1_024
        && then.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_here {
        return Ok(then);
    }
    let detail = "expected \"then\" as a path of this site such as /board, found another text";
    Err(Failure::new(ErrorCode::InvalidValue, detail))
}

fn to(address: &str, cookies: impl IntoIterator<Item = HeaderValue>) -> Result<Response, Failure> {
    let location = HeaderValue::from_str(address)
        .map_err(|_| Failure::new(ErrorCode::Internal, "an address cannot be written in a header"))?;
    let mut response = (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response();
    for cookie in cookies {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    never_kept(&mut response);
    Ok(response)
}

/// `GET /auth/providers`: through whom one may sign in here, for pages that offer it.
pub(super) async fn list(State(app): State<Arc<App>>) -> Result<JsonBody<Json>, Failure> {
    let accounts = accounts(&app)?;
    let unnamed = accounts.provider.iter().map(|provider| Chosen { provider, name: None });
    let named =
        accounts.providers.iter().map(|(name, provider)| Chosen { provider, name: Some(name.as_str()) });
    let told = |chosen: Chosen<'_>| json!({ "name": chosen.name, "issuer": chosen.provider.issuer(), "path": chosen.path() });
    Ok(JsonBody(json!({ "providers": unnamed.chain(named).map(told).collect::<Vec<Json>>() })))
}

/// `GET /auth/provider` and `/auth/provider/{name}`: sends the browser to the provider.
pub(super) async fn begin(
    State(app): State<Arc<App>>,
    name: Option<Path<String>>,
    headers: HeaderMap,
    query: Result<QueryString<Away>, QueryRejection>,
) -> Result<Response, Failure> {
    let name = name.as_ref().map(|Path(name)| name.as_str());
    let accounts = accounts(&app)?;
    let chosen = Chosen::of(accounts, name)?;
    let QueryString(Away { then }) =
        query.map_err(|error| Failure::new(ErrorCode::InvalidValue, error.body_text()))?;
    let end =
        Timestamp::now().as_second().saturating_add(i64::try_from(PATIENCE.as_secs()).unwrap_or(i64::MAX));
    let redirect = chosen.redirect(accounts, &headers)?;
    let (address, pending) = chosen.provider.begin(name, redirect, place(then)?, end).await?;
    let kept = app.authority.keep(&pending)?;
    to(&address, [Carriage::of(&accounts.options, &headers).write(Cookie::Pending, &kept, PATIENCE)])
}

/// `GET /auth/provider/callback` and `/auth/provider/{name}/callback`: the browser has come back, and is signed in if the
/// provider says who it is.
pub(super) async fn finish(
    State(app): State<Arc<App>>,
    name: Option<Path<String>>,
    headers: HeaderMap,
    query: Result<QueryString<Back>, QueryRejection>,
) -> Result<Response, Failure> {
    let name = name.as_ref().map(|Path(name)| name.as_str());
    let accounts = accounts(&app)?;
    let chosen = Chosen::of(accounts, name)?;
    let QueryString(Back { code, state, error }) =
        query.map_err(|error| Failure::new(ErrorCode::InvalidValue, error.body_text()))?;
    let carriage = Carriage::of(&accounts.options, &headers);
    let kept = carriage.read(Cookie::Pending, &headers).and_then(|kept| app.authority.kept::<Pending>(kept));
    let pending = kept.ok_or_else(|| {
        let detail = "expected a browser whose sign-in began here within the last ten minutes; begin again";
        Failure::new(ErrorCode::Forbidden, detail)
    })?;
    if let Some(error) = error {
        let detail = format!("the sign-in did not succeed: the provider says {error:.100?}; begin again");
        return Err(Failure::new(ErrorCode::Unauthorized, detail));
    }
    let (Some(code), Some(state)) = (code, state) else {
        return Err(Failure::new(
            ErrorCode::InvalidValue,
            "expected \"code\" and \"state\" from the provider",
        ));
    };
    let redirect = chosen.redirect(accounts, &headers)?;
    let found = chosen.provider.finish(name, redirect, &state, code, &pending).await?;
    let tenant = match app.manifest().tenant_claim() {
        None => Tenant::none(),
        Some(claim) => app.authority.tenant_in(&found.claims, claim)?,
    };
    let identity = Identity { issuer: found.issuer, subject: found.subject };
    let account = accounts.by_identity(&tenant, identity).await?;
    let signed_in = accounts.begin(&app, account, label(&headers)).await?;
    let done = carriage.write(Cookie::Pending, "", Duration::ZERO);
    to(&pending.then, carriage.keep(&accounts.options, &signed_in).into_iter().chain([done]))
}

#[cfg(test)]
mod tests {
    #[test]
    fn nobody_is_sent_to_another_site() {
        let place = |text: &str| super::place(Some(text.to_owned())).ok();
        assert_eq!(place("/board?x=1#y").as_deref(), Some("/board?x=1#y"));
        assert_eq!(super::place(None).ok().as_deref(), Some("/"));
        for elsewhere in ["https://evil.example", "//evil.example", "/\\evil.example", "/a\nb", "board", ""] {
            assert_eq!(place(elsewhere), None, "{elsewhere}");
        }
    }
}
