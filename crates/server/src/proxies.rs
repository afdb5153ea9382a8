//! Proxies before the server: whose word is taken for where a request comes from.

use std::{fmt, net::IpAddr, str::FromStr};

use axum::http::HeaderMap;
use ipnet::IpNet;

/// The header in which proxies say for whom they ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProxyHeader {
    /// `X-Forwarded-For`, as most have it.
    #[default]
    XForwardedFor,
    /// `Forwarded`, RFC 7239.
    Forwarded,
}

impl ProxyHeader {
    fn name(self) -> &'static str {
        match self {
            Self::XForwardedFor => "x-forwarded-for",
            Self::Forwarded => "forwarded",
        }
    }
}

/// Addresses of proxies: one of them, or a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProxyNetwork(IpNet);

/// A text that is no address and no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an address such as 10.0.0.7 or a network such as 10.0.0.0/8, found {0:?}")]
pub struct ProxyNetworkError(String);

impl FromStr for ProxyNetwork {
    type Err = ProxyNetworkError;

    fn from_str(text: &str) -> Result<Self, ProxyNetworkError> {
        let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network.map(|network| Self(network.trunc())).map_err(|_| ProxyNetworkError(text.to_owned()))
    }
}

impl fmt::Display for ProxyNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The proxies that are believed. What anybody else says of where a request comes from is not read.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    /// Where they are.
    pub networks: Vec<ProxyNetwork>,
    /// Where they say it. They have to write this one, or clients could.
    pub header: ProxyHeader,
}

impl Proxies {
    /// Whether one of them has this address.
    pub(crate) fn include(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|ProxyNetwork(network)| network.contains(&address))
    }

    /// From where a request comes that the proxy at `peer` hands on: the last address on its way that is not a proxy's.
    ///
    /// Each proxy adds whom it hears at the end, and before that clients may have written anything.
    pub(crate) fn origin(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut origin = peer.to_canonical();
        let lines: Vec<_> = headers.get_all(self.header.name()).iter().collect();
        let steps = lines.iter().rev().flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
        for step in steps {
            if !self.include(origin) {
                break;
            }
            let address = match self.header {
                ProxyHeader::XForwardedFor => address(step),
                ProxyHeader::Forwarded => forwarded_for(step).and_then(address),
            };
            // A proxy that does not say it is where it is known to come from.
            let Some(address) = address else { break };
            origin = address;
        }
        origin
    }
}

/// The value of `for` in one step of `Forwarded`.
fn forwarded_for(step: &str) -> Option<&str> {
    let pairs = step.split(';').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for")).map(|(_, value)| value).next()
}

/// An address, with a port or without.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"').trim();
    let whole = text.parse::<IpAddr>().ok();
    let bracketed = || text.strip_prefix('[')?.split_once(']')?.0.parse::<IpAddr>().ok();
    let with_port = || text.split_once(':')?.0.parse::<IpAddr>().ok();
    whole.or_else(bracketed).or_else(with_port).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    /// From where a request comes, of which a proxy in 10.0.0.0/8, or at 2001:db8::1, says this.
    fn check(header: ProxyHeader, peer: &str, lines: &[&str]) -> String {
        let network = |text: &str| text.parse::<ProxyNetwork>().expect("a network");
        let proxies = Proxies { networks: vec![network("10.1.2.3/8"), network("2001:db8::1")], header };
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header.name(), HeaderValue::from_str(line).expect("a header's value"));
        }
        let peer: IpAddr = peer.parse().expect("an address");
        if !proxies.include(peer) {
            return "not asked".to_owned();
        }
        proxies.origin(peer, &headers).to_string()
    }

    #[test]
    fn the_last_step_that_is_no_proxys_counts() {
        for (peer, lines, expected) in [
            ("10.0.0.1", &["203.0.113.9"][..], "203.0.113.9"),
            ("::ffff:10.0.0.1", &["203.0.113.9"], "203.0.113.9"),
            ("2001:db8::1", &["2001:db8::2"], "2001:db8::2"),
            // What a client has written stands before what the proxy has heard.
            ("10.0.0.1", &["192.0.2.1, 203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["192.0.2.1", "203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["192.0.2.1, 203.0.113.9, 10.0.0.2"], "203.0.113.9"),
            ("10.0.0.1", &["203.0.113.9:4711"], "203.0.113.9"),
            ("10.0.0.1", &["[2001:db8::2]:4711"], "2001:db8::2"),
            // Who says nothing that can be read is taken for the one who asks.
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["unknown"], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.9, ,10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            ("203.0.113.1", &["192.0.2.1"], "not asked"),
        ] {
            assert_eq!(check(ProxyHeader::XForwardedFor, peer, lines), expected, "{peer} {lines:?}");
        }
        for (lines, expected) in [
            (&["for=203.0.113.9;proto=https;by=10.0.0.1"][..], "203.0.113.9"),
            (&["by=10.0.0.1; For=\"[2001:db8::2]:4711\""], "2001:db8::2"),
            (&["for=192.0.2.1, for=203.0.113.9"], "203.0.113.9"),
            (&["for=_hidden"], "10.0.0.1"),
            (&["proto=https"], "10.0.0.1"),
        ] {
            assert_eq!(check(ProxyHeader::Forwarded, "10.0.0.1", lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_network_is_one() {
        for (text, expected) in
            [("10.1.2.3/8", "10.0.0.0/8"), ("10.0.0.7", "10.0.0.7/32"), ("::1", "::1/128")]
        {
            assert_eq!(
                text.parse::<ProxyNetwork>().map(|network| network.to_string()),
                Ok(expected.to_owned())
            );
        }
        assert!("proxy.example".parse::<ProxyNetwork>().is_err());
        assert!("10.0.0.0/33".parse::<ProxyNetwork>().is_err());
    }
}
