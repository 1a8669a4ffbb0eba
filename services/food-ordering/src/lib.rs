//! The order flow: an order is paid for, prepared by a restaurant that calls back when it is ready,
//! and delivered. Every step survives a crash of the services and of the runtime.
//!
//! Reading order: [`order`] (an order and its status), [`workflow`] (the flow), [`status`] (what
//! the customer sees), [`delivery`], [`payment`] and [`restaurant`] (the outside world), [`http`]
//! (the HTTP client), [`args`].

pub mod args;
pub mod delivery;
pub mod http;
pub mod order;
pub mod payment;
pub mod restaurant;
pub mod status;
pub mod workflow;
