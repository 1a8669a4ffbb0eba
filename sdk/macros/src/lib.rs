//! The attribute macros of `abide-sdk`: an ordinary `impl` block becomes a service, a virtual object
//! or a workflow.
//!
//! Reading order: `parse` (what the user wrote), `options` (the attributes' arguments), `duration`,
//! `expand` (what becomes of it).

mod duration;
mod expand;
mod options;
mod parse;

use proc_macro::TokenStream;
use syn::{ItemImpl, parse_macro_input};

use crate::{
    options::Options,
    parse::{Block, Kind},
};

/// Makes an `impl` block a service: every `pub async fn` that takes a `&Context` is a handler.
///
/// Arguments, all optional: `name = "…"`, `rename_all = "camelCase"` (or `"PascalCase"`,
/// `"snake_case"`), and whatever `#[handler(…)]` takes, for all handlers.
///
/// `#[handler(…)]` on a function takes:
///
/// | argument | meaning |
/// |---|---|
/// | `name = "…"` | another name than the function's |
/// | `private` | not to be called from outside |
/// | `lazy_state` | state is sent when it is asked for, not with the start |
/// | `inactivity_timeout = "1m"` | suspend a handler that waits for so long |
/// | `abort_timeout = "10m"` | break off an attempt that does not end so long after that |
/// | `journal_retention = "1d"` | keep the journal of a finished invocation |
/// | `idempotency_retention = "1d"` | keep the answer for an idempotency key |
/// | `retention = "7d"` | keep the answer of a workflow (on a workflow or its `run`) |
/// | `retry(initial = "50ms", factor = 2.0, max_interval = "10s", max_attempts = 5, on_max_attempts = "kill")` | how failed attempts are tried again; `on_max_attempts` is `"pause"` or `"kill"` |
/// | `metadata(team = "food")` | free text for operators |
///
/// A handler that is named like an option of a request (`send`, `after`, `header`, …) goes before it: for a
/// one-way request to it there is `Digest::after(Duration::ZERO).send(…)`.
///
/// Durations are a number and `ms`, `s`, `m`, `h` or `d`. Doc comments become the documentation of
/// services and handlers.
#[proc_macro_attribute]
pub fn service(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand(Kind::Service, arguments, item)
}

/// Makes an `impl` block a virtual object: a `pub async fn` that takes an `&ObjectContext` writes, one
/// at a time for each key; one that takes a `&SharedObjectContext` reads, beside the writer. For the
/// arguments see [`macro@service`].
#[proc_macro_attribute]
pub fn object(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand(Kind::Object, arguments, item)
}

/// Makes an `impl` block a workflow: the `pub async fn` that takes a `&WorkflowContext` runs once for
/// each key; those that take a `&SharedWorkflowContext` run beside it. For the arguments see
/// [`macro@service`].
#[proc_macro_attribute]
pub fn workflow(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand(Kind::Workflow, arguments, item)
}

fn expand(kind: Kind, arguments: TokenStream, item: TokenStream) -> TokenStream {
    let options = parse_macro_input!(arguments as Options);
    let item = parse_macro_input!(item as ItemImpl);
    let original = parse::without_attributes(item.clone());
    match Block::parse(kind, options, item) {
        Ok(block) => expand::expand(&block).into(),
        // The block itself stays, so that the fault is the only one that is reported.
        Err(error) => {
            let error = error.into_compile_error();
            quote::quote!(#original #error).into()
        }
    }
}
