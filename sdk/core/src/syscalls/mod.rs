//! The requests a handler can make, one module per kind of command.

pub(crate) mod attach;
pub(crate) mod awakeable;
pub(crate) mod call;
pub(crate) mod output;
pub(crate) mod promise;
pub(crate) mod run;
pub(crate) mod send;
pub(crate) mod signal;
pub(crate) mod sleep;
pub(crate) mod state;
