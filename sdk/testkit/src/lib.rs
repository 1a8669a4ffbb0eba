//! A test kit: the real runtime in process, without sockets and with a virtual clock.
//!
//! The state machine, log, tables, recovery, and ingress are those of the server. The disk is
//! memory that can lose whatever was not synced. Time jumps to the next timer when nothing else is
//! left to do.
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
//! Reading order: [`runtime`] (the interface for tests), `test_node` (the event loop), `attempt` (one
//! attempt, connected in memory), [`chaos`] (the faults to inject), `journal` (a journal as text).

mod attempt;
pub mod chaos;
mod journal;
pub mod runtime;
mod test_node;

pub use runtime::{Running, TestRuntime};
