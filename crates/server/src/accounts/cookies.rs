//! How browsers carry a session, for web pages of the server's own site.
//!
//! Pages never see these cookies (`HttpOnly`), and browsers send them by TLS alone, except to the same machine. What goes
//! by a cookie has to prove that a page of this site asked for it: `docs/decisions/0096-cookies.md`.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, Method, header};
use corella_wire::ErrorCode;

use super::{AccountOptions, SignedIn};
use crate::{
    Failure,
    http::{is_local, is_trusted},
    limits::Limits,
};

/// The header with which a page says that it means what it asks for; other sites' pages cannot send it.
pub(crate) const PROOF: &str = "corella-csrf";
/// Where browsers send the refresh token and what belongs to a sign-in that is under way.
const AUTH_PATH: &str = "/auth";

/// A cookie of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cookie {
    /// The access token, sent with every request.
    Access,
    /// The refresh token.
    Refresh,
    /// What was agreed with the provider before it was asked who somebody is.
    Pending,
}

/// How cookies are written for a browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carriage {
    /// By TLS alone, under names that no other site can write.
    Secure,
    /// To the same machine, where there is no TLS.
    Loopback,
}

impl Carriage {
    /// How a browser that sends these headers gets its cookies.
    pub(crate) fn of(options: &AccountOptions, headers: &HeaderMap) -> Self {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let is_secure = match &options.public_url {
            Some(url) => url.is_secure(),
            None => !is_local(host),
        };
        if is_secure { Self::Secure } else { Self::Loopback }
    }

    fn name(self, cookie: Cookie) -> &'static str {
        match (self, cookie) {
            // The prefix has browsers refuse the cookie from any other host, and it is for all paths.
            (Self::Secure, Cookie::Access) => "__Host-corella-access",
            // For a part of the paths, only this prefix is possible.
            (Self::Secure, Cookie::Refresh) => "__Secure-corella-refresh",
            (Self::Secure, Cookie::Pending) => "__Secure-corella-pending",
            (Self::Loopback, Cookie::Access) => "corella-access",
            (Self::Loopback, Cookie::Refresh) => "corella-refresh",
            (Self::Loopback, Cookie::Pending) => "corella-pending",
        }
    }

    /// What a request brings in a cookie.
    pub(crate) fn read(self, cookie: Cookie, headers: &HeaderMap) -> Option<&str> {
        let name = self.name(cookie);
        let texts = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
        let mut found = texts.flat_map(|line| line.split(';')).filter_map(|pair| {
            let (key, value) = pair.trim().split_once('=')?;
            (key == name).then_some(value)
        });
        let value = found.next()?;
        // Two of a name: one of them is somebody else's, and nobody can tell which.
        (found.next().is_none() && !value.is_empty()).then_some(value)
    }

    /// The header that has a browser keep a cookie, or let go of it when its time is zero.
    pub(crate) fn write(self, cookie: Cookie, value: &str, lifetime: Duration) -> HeaderValue {
        let (path, same_site) = match cookie {
            // A link that leads here from elsewhere finds its user signed in.
            Cookie::Access => ("/", "Lax"),
            Cookie::Refresh => (AUTH_PATH, "Strict"),
            // The provider sends the browser back, which is a step from another site.
            Cookie::Pending => (AUTH_PATH, "Lax"),
        };
        let secure = match self {
            Self::Secure => "; Secure",
            Self::Loopback => "",
        };
        let text = format!(
            "{}={value}; Path={path}; Max-Age={}; HttpOnly; SameSite={same_site}{secure}",
            self.name(cookie),
            lifetime.as_secs()
        );
        HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    /// The headers that have a browser keep a session.
    pub(crate) fn keep(self, options: &AccountOptions, signed_in: &SignedIn) -> [HeaderValue; 2] {
        [
            self.write(Cookie::Access, &signed_in.access, options.access),
            self.write(Cookie::Refresh, &signed_in.refresh.to_text(), options.session),
        ]
    }

    /// The headers that have a browser forget a session.
    pub(crate) fn forget(self) -> [HeaderValue; 2] {
        [Cookie::Access, Cookie::Refresh].map(|cookie| self.write(cookie, "", Duration::ZERO))
    }
}

/// Whether a page of this site asks for what a request with a cookie wants to have done.
///
/// # Errors
/// `forbidden` when nothing shows that.
pub(crate) fn check_page(
    limits: &Limits,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
) -> Result<(), Failure> {
    let is_socket = path == "/ws";
    if !is_socket && matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    let text = |name: &header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let refused = |expected: &str| {
        metrics::counter!("corella_cookies_refused_total").increment(1);
        let detail = format!("expected {expected}, as requests that go by a cookie have to show");
        Err(Failure::new(ErrorCode::Forbidden, detail))
    };
    let host = text(&header::HOST).unwrap_or_default();
    match text(&header::ORIGIN) {
        Some(origin) if is_trusted(limits, origin, host) => {}
        Some(origin) => {
            return refused(&format!(
                "a page of this server's own origin, or of one that `--allow-origin` names, not {origin:.200}"
            ));
        }
        None => return refused("the header Origin, which browsers send"),
    }
    // A socket cannot be opened with headers of a page's own.
    if !is_socket && headers.get(PROOF).is_none() {
        return refused("the header Corella-Csrf: 1");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (header::HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn cookies_are_secure_but_on_the_same_machine() {
        let public = |url: &str| AccountOptions { public_url: url.parse().ok(), ..AccountOptions::default() };
        for (options, host, expected) in [
            (AccountOptions::default(), "127.0.0.1:4400", Carriage::Loopback),
            (AccountOptions::default(), "localhost", Carriage::Loopback),
            (AccountOptions::default(), "app.example.com", Carriage::Secure),
            (AccountOptions::default(), "", Carriage::Secure),
            (public("https://app.example.com"), "127.0.0.1:4400", Carriage::Secure),
            (public("http://localhost:4400"), "localhost:4400", Carriage::Loopback),
        ] {
            let found = Carriage::of(
                &options,
                &HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(host))]),
            );
            assert_eq!(found, expected, "{host}");
        }
        let text = |carriage: Carriage, cookie| {
            carriage.write(cookie, "x.y", Duration::from_secs(900)).to_str().unwrap().to_owned()
        };
        assert_eq!(
            text(Carriage::Secure, Cookie::Access),
            "__Host-corella-access=x.y; Path=/; Max-Age=900; HttpOnly; SameSite=Lax; Secure"
        );
        assert_eq!(
            text(Carriage::Secure, Cookie::Refresh),
            "__Secure-corella-refresh=x.y; Path=/auth; Max-Age=900; HttpOnly; SameSite=Strict; Secure"
        );
        assert_eq!(
            text(Carriage::Loopback, Cookie::Access),
            "corella-access=x.y; Path=/; Max-Age=900; HttpOnly; SameSite=Lax"
        );
    }

    #[test]
    fn a_cookie_is_read_when_there_is_one_of_its_name() {
        let read = |line: &'static str, carriage: Carriage| {
            let headers = headers(&[("cookie", line)]);
            carriage.read(Cookie::Access, &headers).map(str::to_owned)
        };
        assert_eq!(read("a=b; corella-access=x.y; c=d", Carriage::Loopback).as_deref(), Some("x.y"));
        assert_eq!(read("corella-access=x.y", Carriage::Secure), None, "not of that name");
        assert_eq!(read("__Host-corella-access=x", Carriage::Secure).as_deref(), Some("x"));
        assert_eq!(read("corella-access=x; corella-access=y", Carriage::Loopback), None);
        assert_eq!(read("corella-access=", Carriage::Loopback), None);
    }

    #[test]
    fn only_pages_of_the_site_may_use_cookies() {
        let allowed = ["https://app.example.com".to_owned(), "*".to_owned()];
        let limits = Limits { origins: allowed.into(), ..Limits::default() };
        let (own, named, star) =
            ("https://api.example.com", "https://app.example.com", "https://evil.example");
        for (method, path, origin, proof, expected) in [
            (Method::GET, "/api/entities/Note", None, false, true),
            (Method::POST, "/api/entities/Note", Some(own), true, true),
            (Method::POST, "/api/entities/Note", Some(named), true, true),
            (Method::POST, "/api/entities/Note", Some(own), false, false),
            (Method::POST, "/api/entities/Note", Some(star), true, false),
            (Method::DELETE, "/auth/sessions/x", None, true, false),
            (Method::GET, "/ws", Some(own), false, true),
            (Method::GET, "/ws", Some(star), false, false),
            (Method::GET, "/ws", None, false, false),
        ] {
            let mut given = headers(&[("host", "api.example.com")]);
            if let Some(origin) = origin {
                given.insert(header::ORIGIN, HeaderValue::from_static(origin));
            }
            if proof {
                given.insert(PROOF, HeaderValue::from_static("1"));
            }
            let found = check_page(&limits, &method, path, &given).is_ok();
            assert_eq!(found, expected, "{method} {path} from {origin:?} with proof: {proof}");
        }
    }
}
