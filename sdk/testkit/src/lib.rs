//! The runtime in a test: the real one, in process, without sockets, with a virtual clock.
//!
//! Its state machine, log, tables, recovery and ingress are those of the server; its disk is memory
//! that can lose what was not synced; its time jumps to the next timer when nothing else is left to do.
//!
//! ```
//! use abide_sdk::prelude::*;
//! use abide_test::TestRuntime;
//!
//! struct Greeter;
//! #[service]
//! impl Greeter {
//!     pub async fn greet(&self, ctx: &Context, name: String) -> Result<String> {
//!         ctx.sleep(30.minutes()).await?;
//!         Ok(format!("Hello {name}"))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let abide = TestRuntime::new().bind(Greeter).replay_every_step().start();
//! let greeting = Greeter::client(&abide).greet("Ada".to_owned()).await.unwrap();
//! assert_eq!(greeting, "Hello Ada");
//! # }
//! ```
//!
//! Reading order: [`runtime`] (what a test calls), `world` (the loop), `attempt` (one attempt, wired in
//! memory), [`chaos`] (what can go wrong), `journal` (text to review).

mod attempt;
pub mod chaos;
mod journal;
pub mod runtime;
mod world;

pub use runtime::{Running, TestRuntime};
