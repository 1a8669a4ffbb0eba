//! The list of behaviours. Each is independent and uses its own keys, so that they can run
//! concurrently.

mod awakeables;
mod calls;
mod cancellation;
mod combinators;
mod crashes;
mod deployments;
mod divergence;
mod errors;
mod ingress;
mod operations;
mod runs;
mod state;
mod timers;
mod workflows;

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, ensure};
use e2e_client::Server;
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::{bed::TestBed, sdk::Sdk};

/// The environment of a behaviour.
pub struct Env {
    /// The server.
    pub server: Server,
    /// The processes behind the server, for behaviours that kill them.
    pub bed: Mutex<TestBed>,
    /// The SDK of the services.
    pub sdk: Sdk,
    /// Makes the keys of this run differ from those of earlier runs on the same server.
    pub run: String,
    next_key: AtomicU64,
}

impl Env {
    /// Creates the environment for a running setup.
    pub fn new(bed: TestBed) -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let run = format!("{:x}", now.unwrap_or_default().as_micros());
        let (server, sdk) = (bed.server.clone(), bed.sdk());
        Self { server, sdk, bed: Mutex::new(bed), run, next_key: AtomicU64::new(0) }
    }

    /// Returns a key that nothing else uses.
    pub fn key(&self) -> String {
        format!("k{}-{}", self.next_key.fetch_add(1, Ordering::Relaxed), self.run)
    }

    /// Waits for a handler to store a value in a cell, and returns it.
    ///
    /// # Errors
    /// Returns an error if it is not there in time.
    pub async fn told(&self, cell: &str, name: &str) -> Result<String> {
        let path = format!("/Cell/{cell}/get");
        let found = self.server.eventually(|| async {
            let value = self.server.call(&path, name.into()).await?;
            value.as_str().map(str::to_owned).context("nothing there yet")
        });
        found.await.with_context(|| format!("{name} of cell {cell}"))
    }
}

/// Checks that two values are equal.
fn expect(actual: &Value, expected: &Value) -> Result<()> {
    ensure!(actual == expected, "{actual}, expected {expected}");
    Ok(())
}

/// A behaviour that users rely on.
#[derive(Clone, Copy)]
pub struct Behaviour {
    /// Theme and name.
    pub name: &'static str,
    /// Tests the behaviour.
    pub ask: for<'a> fn(&'a Env) -> BoxFuture<'a, Result<()>>,
    /// Whether it kills or upgrades processes and so must not run concurrently with others.
    pub is_alone: bool,
}

/// Lists functions of this module as behaviours.
macro_rules! behaviours {
    ($theme:literal: $($name:ident),* $(,)?) => {
        pub(super) const BEHAVIOURS: &[$crate::behaviours::Behaviour] = &[$(
            $crate::behaviours::Behaviour {
                name: concat!($theme, ".", stringify!($name)),
                ask: |env| Box::pin($name(env)),
                is_alone: false,
            },
        )*];
    };
}
pub(crate) use behaviours;

/// All behaviours, those that must run alone last, and at the very end those after which the services
/// are of another version.
pub fn all() -> Vec<Behaviour> {
    let mut all = [
        state::BEHAVIOURS,
        calls::BEHAVIOURS,
        runs::BEHAVIOURS,
        timers::BEHAVIOURS,
        awakeables::BEHAVIOURS,
        workflows::BEHAVIOURS,
        combinators::BEHAVIOURS,
        cancellation::BEHAVIOURS,
        errors::BEHAVIOURS,
        divergence::BEHAVIOURS,
        ingress::BEHAVIOURS,
        operations::BEHAVIOURS,
    ]
    .concat();
    let alone = [crashes::BEHAVIOURS, deployments::BEHAVIOURS].concat();
    all.extend(alone.iter().map(|behaviour| Behaviour { is_alone: true, ..*behaviour }));
    all
}
