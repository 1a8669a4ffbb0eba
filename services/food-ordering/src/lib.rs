//! The order flow: an order is paid, prepared by a restaurant that answers when it is done, and
//! delivered; every step survives a crash of the services and of the runtime.
//!
//! Reading order: [`order`] (what is ordered and how far it is), [`workflow`] (the flow), [`status`]
//! (what the customer sees), [`delivery`], [`payment`] and [`restaurant`] (the outside world), [`http`]
//! (the one HTTP client), [`args`].

pub mod args;
pub mod delivery;
pub mod http;
pub mod order;
pub mod payment;
pub mod restaurant;
pub mod status;
pub mod workflow;
