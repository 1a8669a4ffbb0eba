//! The behaviour that users rely on, tested on a running server through services on an official
//! SDK.
//!
//! Reading order: [`behaviours`] (the list, one file per theme), [`sdk`] (the services on each
//! SDK), [`bed`] (starting the server and the services), [`gaps`] (what an SDK cannot do),
//! [`runner`], [`page`] (the results as a page), [`surface`] (the requests of the API, one by one),
//! [`drivers`] (PostgreSQL's drivers and tools).
//!
//! The same list is run against the real server, which shows that it tests the right things.

pub mod bed;
pub mod behaviours;
pub mod drivers;
pub mod gaps;
pub mod page;
pub mod runner;
pub mod sdk;
pub mod surface;
