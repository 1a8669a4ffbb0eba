//! The attribute macros of `abide-sdk`, which turn an ordinary `impl` block into a service, a
//! virtual object, or a workflow.
//!
//! Reading order: `parse` (the user's code), `options` (the attributes' arguments), `duration`,
//! `expand` (the generated code).

mod duration;
mod expand;
mod options;
mod parse;

use proc_macro::TokenStream;
use syn::{ItemImpl, parse_macro_input};

use crate::{
    options::Attributes,
    parse::{Block, Kind},
};

/// Turns an `impl` block into a service: every `pub async fn` that takes a `&Context` is a handler.
///
/// Arguments, all optional: `name = "…"`, `rename_all = "camelCase"` (or `"PascalCase"`,
/// `"snake_case"`), and any argument of `#[handler(…)]`, which then applies to all handlers.
///
/// The arguments of `#[handler(…)]` on a function:
///
/// | argument | meaning |
/// |---|---|
/// | `name = "…"` | a name that differs from the function's |
/// | `private` | cannot be called from outside, through the ingress |
/// | `lazy_state` | state is sent on demand, not at the start of an attempt |
/// | `inactivity_timeout = "1m"` | suspend a handler that has waited this long |
/// | `abort_timeout = "10m"` | abort an attempt that has not ended this long after that |
/// | `journal_retention = "1d"` | how long to keep the journal of a completed invocation |
/// | `idempotency_retention = "1d"` | how long to keep the result for an idempotency key |
/// | `retention = "7d"` | how long to keep the result of a workflow (on a workflow or its `run`) |
/// | `retry(…)` | how failed attempts are retried, see below |
/// | `input_validation = "off"` | let requests through whose body does not match the argument's schema; `"strict"`, the default, has the runtime answer them with 400 |
/// | `metadata(team = "food")` | free text for operators |
///
/// `retry(…)` takes `initial = "50ms"`, `factor = 2.0`, `max_interval = "10s"`, `max_attempts = 5`,
/// and `on_max_attempts`, which is `"pause"` or `"kill"`.
///
/// A handler with the name of a request option (`send`, `after`, `header`, …) takes precedence over
/// it: a one-way request to it is written `Digest::after(Duration::ZERO).send(…)`.
///
/// Durations are a number followed by `ms`, `s`, `m`, `h`, or `d`. Doc comments become the
/// documentation of services and handlers.
#[proc_macro_attribute]
pub fn service(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand(Kind::Service, arguments, item)
}

/// Turns an `impl` block into a virtual object: a `pub async fn` that takes an `&ObjectContext` is
/// a writer, of which one runs at a time per key; one that takes a `&SharedObjectContext` is a
/// reader, which runs concurrently with the writer. For the arguments, see [`macro@service`].
#[proc_macro_attribute]
pub fn object(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand(Kind::Object, arguments, item)
}

/// Turns an `impl` block into a workflow: the `pub async fn` that takes a `&WorkflowContext` runs
/// once per key; those that take a `&SharedWorkflowContext` run concurrently with it. For the
/// arguments, see [`macro@service`].
#[proc_macro_attribute]
pub fn workflow(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand(Kind::Workflow, arguments, item)
}

fn expand(kind: Kind, arguments: TokenStream, item: TokenStream) -> TokenStream {
    let options = parse_macro_input!(arguments as Attributes);
    let item = parse_macro_input!(item as ItemImpl);
    let original = parse::without_attributes(item.clone());
    match Block::parse(kind, options, item) {
        Ok(block) => expand::expand(&block).into(),
        // Keep the block itself, so that this is the only error that the compiler reports.
        Err(error) => {
            let error = error.into_compile_error();
            quote::quote!(#original #error).into()
        }
    }
}
