//! The order flow of `services/food-ordering` on the official SDK. Only the parts that use an SDK
//! are reimplemented; the order, the payment, the HTTP client and the restaurant come from that
//! crate.
//!
//! Reading order: [`workflow`] (the flow), [`status`] (what the customer sees), [`delivery`].

#![expect(missing_docs, reason = "the macros of the SDK make items without docs")]

pub mod delivery;
pub mod status;
pub mod workflow;
