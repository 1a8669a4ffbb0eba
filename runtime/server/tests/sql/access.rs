//! Who may ask: passwords and encrypted connections.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use anyhow::Context;
use e2e_client::{Server, ready};
use e2e_harness::{abide::Abide, process::Process};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::json;

use crate::psql::{Rig, psql, said};

#[tokio::test]
async fn users_have_to_show_their_password() {
    let rig = Rig::start(&[("ABIDE_SQL_USERS", "ann:secret,bob:other:with:colons")]).await;
    let try_as = |user: &str, password: &str| {
        let mut command = psql(rig.abide.sql);
        command.args(["-U", user, "-A", "-t", "-c", "select 1"]).env("PGPASSWORD", password);
        said(&command.output().unwrap())
    };
    assert_eq!(try_as("ann", "secret"), "1\n");
    assert_eq!(try_as("bob", "other:with:colons"), "1\n");
    for (user, password) in [("ann", "wrong"), ("nobody", "secret"), ("ann", ""), ("", "secret")] {
        let said = try_as(user, password);
        assert!(said.contains("error") && !said.contains("1\n"), "{user}: {said}");
    }
    let refused = try_as("ann", "wrong");
    assert!(refused.contains("password authentication failed for user \"ann\""), "{refused}");
}

#[tokio::test]
async fn what_fails_is_in_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let abide = Abide::on_free_ports(env!("CARGO_BIN_EXE_abide").into(), dir.path().join("data"));
    let abide = abide.unwrap();
    let log = dir.path().join("log");
    let mut command = abide.command();
    command.env("ABIDE_SQL_USERS", "ann:secret");
    let process = Process::start("abide", command, &log).unwrap();
    let _process = ready(process, abide.admin).await.unwrap();
    let server = Server::new(abide.ingress, abide.admin);

    let mut login = psql(abide.sql);
    login.args(["-U", "eve\nx", "-c", "select 1"]).env("PGPASSWORD", "a-guess").output().unwrap();
    let late = json!({"query": "select 1 / (50000 - value) from generate_series(1, 100000)"});
    let late = late.to_string();
    let mut query = TcpStream::connect(abide.admin).unwrap();
    write!(
        query,
        "POST /query HTTP/1.1\r\nhost: a\r\naccept: application/json\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{late}",
        late.len()
    )
    .unwrap();
    let mut answer = Vec::new();
    // The connection may be reset.
    _ = query.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer:.500}");
    assert!(!answer.ends_with("0\r\n\r\n"), "it would look complete");
    server
        .eventually(|| async {
            let log = std::fs::read_to_string(&log)?;
            let line = |what: &str| log.lines().find(|line| line.contains(what));
            let refused = line("wrong user or password").context("no refused login")?;
            assert!(refused.contains("WARN") && refused.contains("eve\\nx"), "{refused}");
            assert!(refused.contains("127.0.0.1:"), "{refused}");
            let broken = line("was broken off").context("no query that broke off")?;
            assert!(broken.contains("WARN") && broken.contains("22012"), "{broken}");
            assert!(!log.contains("a-guess"));
            Ok(())
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn sql_may_be_off_and_the_admin_api_still_answers() {
    let dir = tempfile::tempdir().unwrap();
    let abide = Abide::on_free_ports(env!("CARGO_BIN_EXE_abide").into(), dir.path().join("data"));
    let abide = abide.unwrap();
    let log = dir.path().join("log");
    let mut command = Command::new(&abide.program);
    command.arg("serve").arg("--data-dir").arg(&abide.data).arg("--sql-address=off");
    command.arg(format!("--ingress-address={}", abide.ingress));
    command.arg(format!("--admin-address={}", abide.admin));
    let process = Process::start("abide", command, &log).unwrap();
    let mut process = ready(process, abide.admin).await.unwrap();
    assert!(TcpStream::connect(abide.sql).is_err());
    let mut asked = Command::new(env!("CARGO_BIN_EXE_abide"));
    asked
        .args(["sql", "select 1 as one"])
        .env("ABIDE_ADMIN_URL", format!("http://{}", abide.admin));
    assert_eq!(said(&asked.output().unwrap()), "[{\"one\":1}]\n");
    process.terminate().unwrap();
    assert!(process.wait().unwrap().success());
    let printed = std::fs::read_to_string(&log).unwrap();
    assert!(printed.contains("  sql      off\n"), "{printed}");
}

#[tokio::test]
async fn connections_are_encrypted_where_there_is_a_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    std::fs::write(&certificate, cert.pem()).unwrap();
    std::fs::write(&key, signing_key.serialize_pem()).unwrap();
    let path = |path: &std::path::Path| -> &'static str {
        Box::leak(path.display().to_string().into_boxed_str())
    };
    let rig = Rig::start(&[
        ("ABIDE_SQL_CERTIFICATE_FILE", path(&certificate)),
        ("ABIDE_SQL_KEY_FILE", path(&key)),
        ("ABIDE_SQL_USERS", "ann:secret"),
    ])
    .await;
    let try_with = |mode: &str, root: &std::path::Path| {
        let mut command = psql(rig.abide.sql);
        command.args(["-U", "ann", "-c", "\\conninfo"]);
        command.env("PGPASSWORD", "secret").env("PGSSLMODE", mode).env("PGSSLROOTCERT", root);
        said(&command.output().unwrap())
    };
    let verified = try_with("verify-full", &certificate);
    assert!(verified.contains("SSL connection"), "{verified}");
    let mistrusted = try_with("verify-full", &key);
    assert!(mistrusted.contains("error"), "{mistrusted}");
}

#[tokio::test]
async fn without_a_certificate_an_encrypted_connection_is_refused() {
    let rig = Rig::start(&[]).await;
    let mut command = psql(rig.abide.sql);
    command.args(["-c", "select 1"]).env("PGSSLMODE", "require");
    let said = said(&command.output().unwrap());
    assert!(said.contains("server does not support SSL"), "{said}");
}
