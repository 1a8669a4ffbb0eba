//! Which requests are let in, and what of them reaches a handler: requests of pages, links, proxies
//! and clients.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use abide_sdk::prelude::*;
use e2e_client::{HttpResponse, Server};
use e2e_harness::process::Process;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use support::{serve_endpoint, start, start_with};

struct Mirror;

#[service]
impl Mirror {
    /// Returns all headers, in their order.
    pub async fn headers(&self, ctx: &Context) -> Result<Vec<(String, String)>> {
        Ok(ctx.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    pub async fn wait(&self, ctx: &Context) -> Result<String> {
        let (id, answer) = ctx.awakeable::<String>();
        ctx.run("tell", || async { Ok(id.clone()) }).await?;
        Ok(answer.await?)
    }

    #[handler(private)]
    pub async fn secret(&self, _ctx: &Context) -> Result<String> {
        Ok("for services only".to_owned())
    }

    /// Calls the private handler.
    pub async fn ask(&self, ctx: &Context) -> Result<String> {
        Ok(Mirror::call().secret(ctx).await?)
    }
}

async fn mirror(dir: &Path, more: &[&str]) -> (Process, Server) {
    let (abide, server) = start_with(dir, more).await;
    serve_endpoint(&server, Endpoint::new().bind(Mirror)).await;
    (abide, server)
}

/// The response to a request that is sent as is.
async fn raw(base: &str, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(base.strip_prefix("http://").unwrap()).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

async fn status_for_hosts(base: &str, path: &str, hosts: &[&str]) -> String {
    let hosts: String = hosts.iter().map(|host| format!("Host: {host}\r\n")).collect();
    let request = format!("GET {path} HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
    raw(base, request.as_bytes()).await.split(' ').nth(1).unwrap().to_owned()
}

fn header<'a>(answer: &'a HttpResponse, name: &str) -> &'a str {
    answer.headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_was_made_to_point_here_gets_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("abide.toml");
    std::fs::write(&config, "allowed-hosts = ['abide.example.com']").unwrap();
    let data = dir.path().join("data");
    let (_abide, server) = mirror(&data, &["--config", config.to_str().unwrap()]).await;
    for (base, path) in [(&server.ingress, "/Mirror/headers"), (&server.admin, "/deployments")] {
        for (hosts, status) in [
            (&["localhost"][..], "200"),
            (&["127.0.0.1:1234"], "200"),
            (&["abide"], "200"),
            (&["abide.example.com"], "200"),
            (&["evil.example"], "421"),
            (&["127.0.0.1.nip.io:8080"], "421"),
            (&[], "400"),
            (&["localhost", "evil.example"], "400"),
            (&["user@localhost"], "400"),
        ] {
            assert_eq!(status_for_hosts(base, path, hosts).await, status, "{base} {hosts:?}");
        }
        // The target is checked, too, whatever the header says.
        let request = format!(
            "GET http://evil.example{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        );
        let answer = raw(base, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 421 "), "{answer}");
        assert!(answer.contains("add the name to allowed-hosts"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_sites_do_not_reach_the_admin_and_send_no_credentials() {
    let dir = tempfile::tempdir().unwrap();
    let (_abide, server) = mirror(dir.path(), &[]).await;
    let deployments = format!("{}/deployments", server.admin);
    for (site, status) in [("cross-site", 403), ("same-origin", 200), ("none", 200)] {
        let answer =
            server.send(Method::GET, &deployments, &[("sec-fetch-site", site)], "").await.unwrap();
        assert_eq!(answer.status, status, "{site}");
    }
    // Browsers send no more than the origin to a server that they reach by plain HTTP elsewhere.
    let backups = format!("{}/backups", server.admin);
    let evil = [("origin", "http://evil.com")];
    let answer = server.send(Method::POST, &backups, &evil, "").await.unwrap();
    assert_eq!(answer.status, 403);
    let own = [("origin", server.admin.as_str())];
    let answer = server.send(Method::GET, &deployments, &own, "").await.unwrap();
    assert_eq!(answer.status, 200);
    let origin = ("origin", "https://app.example.com");
    let path = format!("{}/Mirror/headers", server.ingress);
    let answer = server.send(Method::POST, &path, &[origin], "").await.unwrap();
    assert_eq!(header(&answer, "access-control-allow-origin"), "*");
    assert_eq!(header(&answer, "access-control-allow-credentials"), "");
    let asks = [
        origin,
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "x-a"),
    ];
    let answer = server.send(Method::OPTIONS, &path, &asks, "").await.unwrap();
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(header(&answer, "access-control-allow-headers"), "x-a");
    assert!(header(&answer, "vary").contains("access-control-request-headers"));
}

#[tokio::test(flavor = "multi_thread")]
async fn listed_origins_may_read_and_others_may_not() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("abide.toml");
    std::fs::write(&config, "cors-allowed-origins = ['https://app.example.com']").unwrap();
    let data = dir.path().join("data");
    let (_abide, server) = mirror(&data, &["--config", config.to_str().unwrap()]).await;
    let path = format!("{}/Mirror/headers", server.ingress);
    for (origin, allowed) in
        [("https://app.example.com", "https://app.example.com"), ("https://other.example", "")]
    {
        let answer = server.send(Method::POST, &path, &[("origin", origin)], "").await.unwrap();
        assert_eq!(header(&answer, "access-control-allow-origin"), allowed);
        assert!(header(&answer, "vary").contains("origin"), "a cache must tell them apart");
    }
    let answer = server.send(Method::POST, &path, &[], "").await.unwrap();
    assert!(header(&answer, "vary").contains("origin"), "nor must it keep this one for all");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_path_takes_its_own_methods() {
    let dir = tempfile::tempdir().unwrap();
    let (_abide, server) = mirror(dir.path(), &[]).await;
    let sent = server.post("/Mirror/wait/send", &Value::Null).await.unwrap().ok().unwrap();
    let id = sent["invocationId"].as_str().unwrap();
    let ask = |method: Method, path: String| {
        let (server, uri) = (&server, format!("{}{path}", server.ingress));
        async move { server.send(method, &uri, &[], "").await.unwrap() }
    };
    let awakeable = "/restate/awakeables/sign_1AAAA/resolve".to_owned();
    for (method, path, status, allow) in [
        (Method::GET, awakeable.clone(), 405, "POST"),
        (Method::HEAD, awakeable.clone(), 405, "POST"),
        (Method::OPTIONS, awakeable, 204, "POST"),
        (Method::OPTIONS, "/Mirror/headers".to_owned(), 204, "GET, POST"),
        (Method::HEAD, "/Mirror/headers".to_owned(), 405, "GET, POST"),
        (Method::DELETE, "/Mirror/headers".to_owned(), 405, "GET, POST"),
        (Method::GET, "/restate/lookup".to_owned(), 405, "POST"),
        (Method::POST, "/restate/health".to_owned(), 405, "GET, HEAD"),
        (Method::HEAD, "/restate/health".to_owned(), 200, ""),
        (Method::GET, format!("/restate/output/{id}"), 470, ""),
        (Method::HEAD, format!("/restate/output/{id}"), 470, ""),
        (Method::POST, format!("/restate/output/{id}"), 405, "GET, HEAD"),
    ] {
        let answer = ask(method.clone(), path.clone()).await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(header(&answer, "allow"), allow, "{method} {path}");
        if method == Method::HEAD {
            assert!(answer.body.is_empty(), "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_handlers_result_is_not_read_from_outside() {
    let dir = tempfile::tempdir().unwrap();
    let (_abide, server) = mirror(dir.path(), &[]).await;
    let answer = server.post("/Mirror/ask", &Value::Null).await.unwrap();
    assert_eq!(answer.ok().unwrap(), json!("for services only"));
    // An operator can look up its id.
    let list = format!("{}/invocations?status=completed", server.admin);
    let list = server.send(Method::GET, &list, &[], "").await.unwrap().ok().unwrap();
    let all = list["invocations"].as_array().unwrap();
    let secret = all.iter().find(|row| row.to_string().contains("secret")).unwrap();
    let id = secret["id"].as_str().unwrap();
    for path in ["attach", "output"] {
        let uri = format!("{}/restate/{path}/{id}", server.ingress);
        let answer = server.send(Method::GET, &uri, &[], "").await.unwrap();
        answer.expect_failure(400, "'Mirror/secret' is private").unwrap();
        let body = json!({ "target": "invocation", "invocationId": id });
        let answer = server.post(&format!("/restate/{path}"), &body).await.unwrap();
        answer.expect_failure(400, "'Mirror/secret' is private").unwrap();
    }
    // Nor once its deployment, and with it whether it was private, has been removed.
    let deployments = format!("{}/deployments", server.admin);
    let listed = server.send(Method::GET, &deployments, &[], "").await.unwrap().ok().unwrap();
    let deployment = listed["deployments"][0]["id"].as_str().unwrap();
    let removed = format!("{deployments}/{deployment}?force=true");
    server.send(Method::DELETE, &removed, &[], "").await.unwrap().ok().unwrap();
    let uri = format!("{}/restate/output/{id}", server.ingress);
    let answer = server.send(Method::GET, &uri, &[], "").await.unwrap();
    answer.expect_failure(400, "the deployment of 'Mirror/secret' was removed").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn handlers_get_clients_headers_as_they_were_sent() {
    let dir = tempfile::tempdir().unwrap();
    let (_abide, server) = mirror(dir.path(), &[]).await;
    let request = "POST /Mirror/headers HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
                   Content-Length: 0\r\nX-A: 1\r\nX-A: 2\r\nX-U: grüße\r\nCookie: session=1\r\n\
                   Proxy-Authorization: Basic x\r\nAuthorization: Bearer t\r\n\
                   X-Restate-Ingress-Path: /forged\r\nX-Restate-User-Key: forged\r\n\r\n";
    let answer = raw(&server.ingress, request.as_bytes()).await;
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let headers: Vec<(String, String)> = serde_json::from_str(body).unwrap();
    let values = |name: &str| -> Vec<&str> {
        let of = headers.iter().filter(|(known, _)| known == name);
        of.map(|(_, value)| value.as_str()).collect()
    };
    assert_eq!(values("x-a"), ["1", "2"]);
    assert_eq!(values("x-u"), ["grüße"]);
    assert_eq!(values("authorization"), ["Bearer t"]);
    assert_eq!(values("x-restate-ingress-path"), ["/Mirror/headers"]);
    for gone in ["cookie", "proxy-authorization", "x-restate-user-key", "host", "connection"] {
        assert!(values(gone).is_empty(), "{gone}");
    }
    let latin = b"POST /Mirror/headers HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
                  Content-Length: 0\r\nX-U: gr\xfc\xdfe\r\n\r\n";
    let answer = raw(&server.ingress, latin).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("bad header x-u: its value is not UTF-8 text"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sends_a_body_to_a_handler_that_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let (_abide, server) = mirror(dir.path(), &[]).await;
    for path in ["Nobody/headers", "Mirror/nothing", "Mirror/nothing/send", "Mirror/secret"] {
        let address = server.ingress.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!("POST /{path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut status = [0; "HTTP/1.1 404".len()];
        stream.read_exact(&mut status).await.unwrap();
        let expected = if path == "Mirror/secret" { "400" } else { "404" };
        assert!(status.ends_with(expected.as_bytes()), "{path}: {status:?}");
    }
}

/// The files hold clients' headers and payloads.
#[tokio::test(flavor = "multi_thread")]
async fn data_is_its_owners_alone() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    // The directory exists already and is open to all, as that of a volume may be.
    std::fs::create_dir(&data).unwrap();
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o755)).unwrap();
    let (_abide, _server) = start(&data).await;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let mut files = 0;
    let mut dirs = vec![data];
    while let Some(dir) = dirs.pop() {
        assert_eq!(mode(&dir), 0o700, "{}", dir.display());
        for entry in std::fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else {
                assert_eq!(mode(&path), 0o600, "{}", path.display());
                files += 1;
            }
        }
    }
    assert!(files >= 5, "lock, layout, secret, log and tables: {files}");
}
