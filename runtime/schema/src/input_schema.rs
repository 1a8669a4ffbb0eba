//! JSON schemas of inputs that the ingress enforces, for handlers whose endpoint asks for it.
//!
//! A schema is compiled when its deployment is registered, to refuse what cannot be enforced, and again
//! with the first input that it checks ([`enforced`]). It has to be all that is needed: nothing is
//! fetched, and references lead nowhere but into the schema itself.
//!
//! Whatever a schema says, checking an input takes bounded time, memory and stack. The schemas within
//! it and what each costs are read from its keywords (`graph`, `pattern`), and what an input
//! costs at most is known before it is checked (`effort`): one that would take too long is left to
//! the SDK, which decodes it in any case.

mod effort;
pub mod enforced;
mod graph;
mod pattern;

use std::error::Error as StdError;
use std::fmt;

use boon::{Compiler, ErrorKind, SchemaIndex, Schemas, UrlLoader, ValidationError};
use serde::de::IgnoredAny;
use serde_json::Value;

use effort::{Effort, Load};
use graph::Graph;

/// The largest schema that is enforced, in bytes: many times the largest that types yield in
/// practice.
pub const SCHEMA_BYTES_MAX: usize = 256 << 10;
/// The largest size of a schema once it is compiled, in bytes.
pub const COMPILED_BYTES_MAX: u64 = 16 << 20;
/// The largest input that is checked, in bytes. Parsed, it takes up to 32 times that in memory.
pub const INPUT_BYTES_MAX: usize = 1 << 20;
/// The most steps that a check may take: some hundredths of a second. Each step may find something
/// wrong, which is kept in memory until the end.
const STEPS_MAX: u64 = 200_000;
/// The largest input that is parsed on a thread that others wait for, and the most steps that its check
/// may take there: a fraction of a millisecond.
const QUICK_BYTES_MAX: usize = 16 << 10;
const QUICK_STEPS_MAX: u64 = 2_000;
/// The stack that one of the nested calls of a check takes without optimisation, generously.
const CALL_BYTES: usize = 24 << 10;
/// The stack that compiling takes: a schema is itself checked against the schema of schemas, which
/// takes several nested calls for each of its up to 128 levels.
const COMPILER_BYTES: usize = 32 << 20;
/// How many characters of a reason are shown.
const REASON_CHARS_MAX: usize = 500;
/// How many characters of a reference or pattern are shown.
const SHOWN_CHARS_MAX: usize = 200;
/// How many alternatives a reason explains.
const ALTERNATIVES_MAX: usize = 3;
/// The address of a schema while it is compiled.
const PLACE: &str = "https://schema.invalid/";

/// A schema cannot be enforced.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// It exceeds [`SCHEMA_BYTES_MAX`].
    #[error("it has {0} bytes, more than the limit of {SCHEMA_BYTES_MAX}")]
    TooLarge(usize),
    /// It exceeds [`COMPILED_BYTES_MAX`].
    #[error(
        "compiled it takes more than {COMPILED_BYTES_MAX} bytes, the limit, because of repetitions \
         in its patterns or of the number of schemas within it"
    )]
    TooComplex,
    /// It is not JSON.
    #[error("it is not JSON: {0}")]
    NotJson(String),
    /// It is of a draft that is not known.
    #[error("its $schema is '{0}', which is none of the drafts 4, 6, 7, 2019-09 and 2020-12")]
    Draft(String),
    /// It refers to something outside of itself.
    #[error(
        "it refers to '{0}'; references may only lead into the schema itself, as in #/$defs/Item"
    )]
    Outside(String),
    /// It refers to a part of itself that it does not have.
    #[error("it refers to '{0}', which it does not have")]
    Missing(String),
    /// It refers to a part of itself that is no schema.
    #[error(
        "it refers to '{0}', which is no place for a schema in its draft; those are definitions, and $defs \
         from 2019-09 on"
    )]
    NoSchema(String),
    /// It uses a keyword that is not supported.
    #[error("it uses '{0}', which is not supported")]
    Unsupported(&'static str),
    /// It refers to itself without going into the value.
    #[error("it refers to itself in a circle that no value ends")]
    Endless,
    /// A pattern of it can't be enforced.
    #[error("its pattern '{pattern}' cannot be used: {reason}")]
    Pattern {
        /// The pattern, shortened.
        pattern: String,
        /// Why.
        reason: String,
    },
    /// It is not a valid schema.
    #[error("{0}")]
    Invalid(String),
}

/// An input does not match its schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Where, as a JSON pointer; empty for the whole input.
    pub at: String,
    /// What was expected there.
    pub reason: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, reason } = self;
        if at.is_empty() { write!(f, "{reason}") } else { write!(f, "at '{at}': {reason}") }
    }
}

/// A compiled schema.
pub struct InputSchema {
    schemas: Schemas,
    root: SchemaIndex,
    effort: Effort,
    bytes: u64,
}

impl fmt::Debug for InputSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InputSchema").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl InputSchema {
    /// Compiles a schema, which may take up to some tenths of a second.
    ///
    /// # Errors
    /// Returns an error if it is not valid, or cannot be enforced within bounds.
    pub fn compile(text: &str) -> Result<Self, SchemaError> {
        if text.len() > SCHEMA_BYTES_MAX {
            return Err(SchemaError::TooLarge(text.len()));
        }
        let mut schema: Value =
            serde_json::from_str(text).map_err(|error| SchemaError::NotJson(error.to_string()))?;
        let graph = Graph::of(&schema, text.len())?;
        let effort = Effort::of(&graph)?;
        let bytes = graph.bytes;
        if let Value::Object(keywords) = &mut schema {
            // Whatever it is called, it is found here.
            keywords.remove("$id");
            keywords.remove("id");
        }
        let (schemas, root) = stacker::maybe_grow(COMPILER_BYTES, COMPILER_BYTES, || {
            let mut compiler = Compiler::new();
            compiler.use_loader(Box::new(Nowhere));
            compiler.add_resource(PLACE, schema).map_err(|error| invalid(&error))?;
            let mut schemas = Schemas::new();
            let root = compiler.compile(PLACE, &mut schemas).map_err(|error| invalid(&error))?;
            Ok((schemas, root))
        })?;
        Ok(Self { schemas, root, effort, bytes })
    }

    /// About how much memory it takes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Checks an input, which may take some hundredths of a second. One that takes longer passes: the
    /// SDK decodes it in any case.
    ///
    /// # Errors
    /// Returns the first thing that is wrong with it.
    pub fn check(&self, input: &[u8]) -> Result<(), Mismatch> {
        self.check_within(input, INPUT_BYTES_MAX, STEPS_MAX).unwrap_or(Ok(()))
    }

    /// Checks an input if that is a matter of a fraction of a millisecond.
    pub fn check_quickly(&self, input: &[u8]) -> Option<Result<(), Mismatch>> {
        self.check_within(input, QUICK_BYTES_MAX, QUICK_STEPS_MAX)
    }

    fn check_within(
        &self,
        input: &[u8],
        bytes_max: usize,
        steps_max: u64,
    ) -> Option<Result<(), Mismatch>> {
        if input.len() > bytes_max {
            return None;
        }
        let value: Value = match serde_json::from_slice(input) {
            Ok(value) => value,
            // It is JSON, and only exceeds what is parsed here: in its depth, or with a number or an
            // escape that Rust has no value for.
            Err(_) if is_json(input) => return None,
            Err(error) => {
                let reason = format!("it is not JSON: {error}");
                return Some(Err(Mismatch { at: String::new(), reason }));
            }
        };
        let Load { nesting, .. } =
            self.effort.to_check(&value).filter(|load| load.steps <= steps_max)?;
        Some(self.validate(&value, nesting))
    }

    /// Validates on a stack that has room for so many nested calls.
    fn validate(&self, value: &Value, nesting: u64) -> Result<(), Mismatch> {
        let stack = CALL_BYTES.saturating_mul(1 + usize::try_from(nesting).unwrap_or(usize::MAX));
        stacker::maybe_grow(stack, stack, || {
            self.schemas.validate(value, self.root).map_err(|error| explained(&error))
        })
    }
}

fn is_json(input: &[u8]) -> bool {
    std::str::from_utf8(input).is_ok() && serde_json::from_slice::<IgnoredAny>(input).is_ok()
}

/// Loads nothing: what a schema needs is in it.
struct Nowhere;

impl UrlLoader for Nowhere {
    fn load(&self, _: &str) -> Result<Value, Box<dyn StdError>> {
        Err("nothing is fetched".into())
    }
}

fn invalid(error: &boon::CompileError) -> SchemaError {
    if let boon::CompileError::ValidationError { src, .. } = error {
        let wrong = explained(src);
        return SchemaError::Invalid(format!("it is not a valid schema: {wrong}"));
    }
    SchemaError::Invalid(cut(&format!("{error:#}").replace(PLACE, "")))
}

/// The first thing that is wrong, as deep in the value as it is certain: where none of several
/// alternatives matches, any of them may have been meant.
fn explained(error: &ValidationError<'_, '_>) -> Mismatch {
    let mut first = error;
    loop {
        match (&first.kind, &first.causes[..]) {
            (ErrorKind::AnyOf | ErrorKind::OneOf(_), [_, _, ..]) => {
                let alternatives = first.causes.iter().take(ALTERNATIVES_MAX).map(explained);
                let alternatives: Vec<_> = alternatives.map(|it| it.reason).collect();
                let reason = cut(&format!("none of these: {}", alternatives.join("; or ")));
                return Mismatch { at: first.instance_location.to_string(), reason };
            }
            (_, [deeper, ..]) => first = deeper,
            (kind, []) => {
                let at = first.instance_location.to_string();
                return Mismatch { at, reason: cut(&kind.to_string()) };
            }
        }
    }
}

fn cut(reason: &str) -> String {
    reason.chars().take(REASON_CHARS_MAX).collect()
}

fn shortened(text: &str) -> String {
    text.chars().take(SHOWN_CHARS_MAX).collect()
}

#[cfg(test)]
mod bounds_tests;
#[cfg(test)]
mod tests;
