//! The real binary on free ports, killed when it is dropped.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use http::Method;
use interop_suite::client::Server;

pub(crate) struct Abide(Child);

impl Abide {
    /// Asks it to stop.
    pub(crate) fn terminate(&self) {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    /// How it has ended.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.0.wait().unwrap()
    }
}

impl Drop for Abide {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) async fn start(dir: &Path) -> (Abide, Server) {
    start_with(dir, &[]).await
}

/// With more flags.
pub(crate) async fn start_with(dir: &Path, more: &[&str]) -> (Abide, Server) {
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (ingress, admin) = (free(), free());
    let child = Command::new(env!("CARGO_BIN_EXE_abide"))
        .arg("serve")
        .arg("--data-dir")
        .arg(dir)
        .arg(format!("--ingress-address={ingress}"))
        .arg(format!("--admin-address={admin}"))
        .args(more)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let server = Server::new(format!("http://{ingress}"), format!("http://{admin}"));
    let health = format!("{}/health", server.admin);
    let ready = server.eventually(|| async { server.send(Method::GET, &health, &[], "").await });
    ready.await.unwrap();
    (Abide(child), server)
}
