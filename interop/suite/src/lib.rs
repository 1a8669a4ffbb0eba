//! What a user relies on, asked of a running server through services on an official SDK.
//!
//! Reading order: [`client`] (the ingress and the admin API as a client sees them), [`behaviours`]
//! (the list, one file a theme), [`stage`] (which server, which services), [`runner`].
//!
//! The same list is asked of the real server, which shows that it asks the right questions.

pub mod behaviours;
pub mod client;
pub mod runner;
pub mod stage;
