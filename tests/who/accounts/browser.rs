//! Cookies, as browsers carry them.

use corella_testkit::{Answer, Database, Peer, Server, row::set};
use corella_wire::AckStatus;
use serde_json::json;

use super::{House, NOTES, PASSWORD};

/// What a browser keeps, as it sends it.
struct Jar {
    origin: String,
    cookies: Vec<(String, String)>,
}

impl Jar {
    fn of(server: &Server) -> Self {
        Self { origin: format!("http://{}", server.address()), cookies: Vec::new() }
    }

    fn take(&mut self, answer: &Answer) {
        for line in answer.headers.get_all("set-cookie") {
            let line = line.to_str().expect("a text");
            assert!(
                line.contains("; HttpOnly; SameSite=") && !line.contains("Secure"),
                "on loopback: {line}"
            );
            let (name, rest) = line.split_once('=').expect("a pair");
            let value = rest.split(';').next().unwrap_or_default();
            self.cookies.retain(|(known, _)| known != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    fn line(&self) -> String {
        let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    async fn ask(
        &mut self,
        server: &Server,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let line = self.line();
        let headers = [&[("cookie", line.as_str())][..], headers].concat();
        let answer =
            server.stranger().send(method.parse().expect("a method"), path, &headers, body.to_owned()).await;
        self.take(&answer);
        answer
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_the_site_goes_by_cookies_and_others_do_not() {
    let house = House::new(Database::Sqlite, &["--allow-origin", "*"]).await;
    house.add("ada", &[]).await;
    let server = &house.server;
    let mut jar = Jar::of(server);
    let origin = jar.origin.clone();
    let own = [("origin", origin.as_str()), ("corella-csrf", "1")];
    let asked = json!({ "email": "ada@example.com", "password": PASSWORD, "cookies": true }).to_string();
    let no_proof = jar.ask(server, "POST", "/auth/sign-in", &own[..1], &asked).await;
    assert_eq!(no_proof.problem(), "403 forbidden");
    let signed_in = jar.ask(server, "POST", "/auth/sign-in", &own, &asked).await;
    let told = signed_in.expect(200);
    assert!(told["accessToken"].is_null() && told["refreshToken"].is_null(), "pages do not see them: {told}");
    assert_eq!(signed_in.header("cache-control"), "no-store");
    assert_eq!(jar.cookies.len(), 2);

    jar.ask(server, "GET", NOTES, &[], "").await.expect(200);
    let note = json!({ "title": "by a page" }).to_string();
    jar.ask(server, "POST", NOTES, &own, &note).await.expect(201);
    let evil = [("origin", "https://evil.example"), ("corella-csrf", "1")];
    for (headers, about) in [
        (&own[..1], "no header of the page's own"),
        (&own[1..], "no origin"),
        (&evil[..], "another origin, which may use tokens but no cookies"),
    ] {
        assert_eq!(
            jar.ask(server, "POST", NOTES, headers, &note).await.problem(),
            "403 forbidden",
            "{about}"
        );
    }
    // So with the socket, which takes no headers of the page's own.
    let upgrade = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let line = jar.line();
    for (from, expected) in [(&own[..1], 101), (&evil[..1], 403), (&[][..], 403)] {
        let headers = [&upgrade[..], &[("cookie", line.as_str())], from].concat();
        let status = server.stranger().status("GET".parse().unwrap(), "/ws", &headers).await;
        assert_eq!(status.as_u16(), expected, "{from:?}");
    }

    let before = jar.cookies.clone();
    assert_eq!(jar.ask(server, "POST", "/auth/refresh", &own[..1], "{}").await.problem(), "403 forbidden");
    jar.ask(server, "POST", "/auth/refresh", &own, "{}").await.expect(200);
    let refresh =
        |cookies: &[(String, String)]| cookies.iter().find(|(name, _)| name == "corella-refresh").cloned();
    assert!(refresh(&jar.cookies).is_some_and(|fresh| Some(fresh) != refresh(&before)), "it is good once");
    jar.ask(server, "POST", "/auth/sign-out", &own, "{}").await.expect(200);
    assert!(jar.cookies.is_empty(), "the browser forgets them: {:?}", jar.cookies);
    let mut old = Jar { origin, cookies: before };
    assert_eq!(old.ask(server, "GET", NOTES, &[], "").await.problem(), "401 unauthorized");
}

#[tokio::test(flavor = "multi_thread")]
async fn cookies_of_a_public_address_are_for_tls_alone() {
    let house = House::new(Database::Sqlite, &["--public-url", "https://app.example.com"]).await;
    house.add("ada", &[]).await;
    let asked = json!({ "email": "ada@example.com", "password": PASSWORD, "cookies": true }).to_string();
    let headers = [("origin", "https://app.example.com"), ("corella-csrf", "1")];
    let answer =
        house.server.stranger().send("POST".parse().unwrap(), "/auth/sign-in", &headers, asked).await;
    answer.expect(200);
    let mut cookies = answer.headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap());
    assert!(cookies.next().is_some_and(|line| line.starts_with("__Host-corella-access=")
        && line.ends_with("; Path=/; Max-Age=900; HttpOnly; SameSite=Lax; Secure")));
    assert!(cookies.next().is_some_and(|line| line.starts_with("__Secure-corella-refresh=")
        && line.ends_with("; Path=/auth; Max-Age=2592000; HttpOnly; SameSite=Strict; Secure")));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_option_there_are_no_accounts() {
    let stage = corella_testkit::Stage::new(crate::stage::TEAM).await;
    let asked = json!({ "email": "ada@example.com", "password": PASSWORD });
    let refused = stage.stranger().post("/auth/sign-in", asked).await;
    assert_eq!(refused.problem(), "404 not_found");
    assert!(refused.text().contains("--accounts"), "{}", refused.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_goes_on_as_long_as_its_page_refreshes_the_session() {
    let house = House::new(Database::Sqlite, &["--access-ttl", "2s", "--jwt-leeway", "0s"]).await;
    house.add("ada", &[]).await;
    let server = &house.server;
    let (mut kept, mut left) = (Jar::of(server), Jar::of(server));
    let origin = kept.origin.clone();
    let own = [("origin", origin.as_str()), ("corella-csrf", "1")];
    let asked = json!({ "email": "ada@example.com", "password": PASSWORD, "cookies": true }).to_string();
    for jar in [&mut kept, &mut left] {
        jar.ask(server, "POST", "/auth/sign-in", &own, &asked).await.expect(200);
    }
    let note = json!({ "id": "n1", "title": "by a page" }).to_string();
    kept.ask(server, "POST", NOTES, &own, &note).await.expect(201);
    let stays = Peer::connect_as_browser(server.address(), &kept.line()).await;
    let goes = Peer::connect_as_browser(server.address(), &left.line()).await;
    stays.join("Note/n1").await;
    let refreshing = async {
        loop {
            kept.ask(server, "POST", "/auth/refresh", &own, "{}").await.expect(200);
        }
    };
    let ended = tokio::select! {
        ended = goes.ended() => ended,
        () = refreshing => unreachable!("it goes on for ever"),
    };
    assert_eq!(ended.code, Some(4401), "the page has gone");
    assert_eq!(stays.change("Note/n1", |doc| set(doc, "title", "still here")).await, AckStatus::Ok);
}
