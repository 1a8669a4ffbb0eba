//! The server that a service is tried with: one that runs already, or one of our own.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::time::sleep;

use super::{
    group::{Group, tell},
    stop::Stop,
};
use crate::{
    client::Client,
    error::{DevError, Error},
};

/// How often it is tried whether the server is ready.
const PAUSE: Duration = Duration::from_millis(50);

/// A server, which ends with this if it is our own.
pub(super) struct Node {
    server: Option<Group>,
    /// Removed once the server has ended.
    _data: Option<TempDir>,
}

impl Node {
    pub(super) async fn start(
        client: &Client,
        data_dir: Option<&Path>,
        stop: &mut Stop,
    ) -> Result<Self, Error> {
        match client.get::<Value>("/version").await {
            Ok(_) => {
                tell(&format!("using the server at {}, and its data", client.url()));
                return Ok(Self { server: None, _data: None });
            }
            Err(error) if !error.is_unreachable() => return Err(error.into()),
            Err(_) => (),
        }
        let address = client
            .url()
            .local_address()
            .ok_or_else(|| DevError::Elsewhere { url: client.url().to_string() })?;
        let (data, path) = match data_dir {
            Some(path) => (None, path.to_owned()),
            None => {
                let data = TempDir::with_prefix("abide-dev-").map_err(Error::Start)?;
                let path = data.path().to_owned();
                (Some(data), path)
            }
        };
        let program = std::env::current_exe().map_err(Error::Start)?;
        let words = [
            program.to_string_lossy().into_owned(),
            "serve".to_owned(),
            format!("--data-dir={}", path.display()),
            format!("--admin-address={address}"),
        ];
        let mut server = Group::start("server", &words)?;
        tokio::select! {
            () = ready(client) => (),
            status = server.ended() => return Err(DevError::Server(status).into()),
            () = stop.wanted() => {
                server.stop().await;
                return Err(Error::Interrupted);
            }
        }
        Ok(Self { server: Some(server), _data: data })
    }

    pub(super) async fn stop(self) {
        if let Some(server) = self.server {
            server.stop().await;
        }
    }
}

async fn ready(client: &Client) {
    while client.get::<Value>("/health").await.is_err() {
        sleep(PAUSE).await;
    }
}
