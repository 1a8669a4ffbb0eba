//! What a user relies on, asked of a running server through services on an official SDK.
//!
//! Reading order: [`behaviours`] (the list, one file a theme), [`stage`] (which server, which services),
//! [`runner`]; [`surface`] (the requests of the API, one by one).
//!
//! The same list is asked of the real server, which shows that it asks the right questions.

pub mod behaviours;
pub mod runner;
pub mod stage;
pub mod surface;
