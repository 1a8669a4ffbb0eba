//! The services' handler tally, read over a connection of its own.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

const POLL_PAUSE: Duration = Duration::from_millis(10);

/// How many handler attempts one services' process has run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Attempts started.
    pub started: u64,
    /// Attempts that ran to completion.
    pub finished: u64,
    /// Attempts currently in memory.
    pub live: u64,
}

impl Tally {
    pub(super) async fn read(address: SocketAddr) -> anyhow::Result<Self> {
        let mut text = String::new();
        TcpStream::connect(address).await?.read_to_string(&mut text).await?;
        Self::parse(&text).with_context(|| format!("malformed tally {text:?}"))
    }

    /// Polls until the condition holds.
    pub(super) async fn wait(
        address: SocketAddr,
        limit: Duration,
        condition: impl Fn(Self) -> bool,
    ) -> anyhow::Result<()> {
        let start = Instant::now();
        loop {
            let tally = Self::read(address).await?;
            if condition(tally) {
                return Ok(());
            }
            if start.elapsed() > limit {
                bail!("the services are still at {tally:?} after {limit:?}");
            }
            tokio::time::sleep(POLL_PAUSE).await;
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split_whitespace().map(|number| number.parse().ok());
        Some(Self { started: numbers.next()??, finished: numbers.next()??, live: numbers.next()?? })
    }
}
