//! The errors that end a handler or one of its attempts.

use std::any::Any;
use std::error::Error;
use std::fmt;

use protocol::TerminalFailure;

/// The return type of handlers; the error defaults to [`HandlerError`].
pub type Result<T, E = HandlerError> = std::result::Result<T, E>;

/// The final failure of an invocation, a call, or a run: it is never retried, and the caller
/// receives it.
///
/// ```
/// use abide_sdk::Terminal;
/// let sold_out = Terminal::new(409, "sold out").with("sku", "x-1");
/// assert_eq!(sold_out.code(), 409);
/// assert_eq!(sold_out.metadata("sku"), Some("x-1"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terminal {
    failure: TerminalFailure,
    cause: Cause,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Failure,
    Cancelled,
    Elapsed,
}

/// HTTP status of a wait that timed out (408 Request Timeout, RFC 9110).
const REQUEST_TIMEOUT: u16 = 408;

impl Terminal {
    /// Creates a failure with an HTTP-like code (clients expect 400 to 599) and a human-readable
    /// message.
    pub fn new(code: u16, message: impl Into<String>) -> Self {
        Self { failure: TerminalFailure::new(u32::from(code), message), cause: Cause::Failure }
    }

    /// Attaches a metadata entry, which the caller can read. Transmitted by protocol 6 or newer.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.failure.metadata.push((key.into(), value.into()));
        self
    }

    /// The HTTP-like code; 500 if the code that was received does not fit into 16 bits.
    pub fn code(&self) -> u16 {
        u16::try_from(self.failure.code).unwrap_or(500)
    }

    /// The human-readable message.
    pub fn message(&self) -> &str {
        &self.failure.message
    }

    /// The metadata value attached under `key`, if any.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        let mut facts = self.failure.metadata.iter();
        facts.find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    /// Whether this invocation was cancelled while it was waiting. (A callee that was cancelled is
    /// an ordinary failure with code 409.)
    pub fn is_cancelled(&self) -> bool {
        self.cause == Cause::Cancelled
    }

    /// Whether a [`timeout`](crate::Durable::timeout) set by this invocation has elapsed.
    pub fn is_elapsed(&self) -> bool {
        self.cause == Cause::Elapsed
    }

    pub(crate) fn elapsed() -> Self {
        let failure = TerminalFailure::new(u32::from(REQUEST_TIMEOUT), "the wait took too long");
        Self { failure, cause: Cause::Elapsed }
    }

    pub(crate) fn cancelled(failure: TerminalFailure) -> Self {
        Self { failure, cause: Cause::Cancelled }
    }

    pub(crate) fn into_failure(self) -> TerminalFailure {
        self.failure
    }
}

impl From<TerminalFailure> for Terminal {
    fn from(failure: TerminalFailure) -> Self {
        Self { failure, cause: Cause::Failure }
    }
}

impl fmt::Display for Terminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.failure, f)
    }
}

impl Error for Terminal {}

/// Why a handler did not return a value: a [`Terminal`] error ends the invocation; any other error
/// ends only the attempt, which the runtime retries according to its policy.
///
/// `?` converts any error, including `anyhow` errors. If a [`Terminal`] error is anywhere in the
/// chain of causes, the result is that terminal error, however it is wrapped.
///
/// ```
/// use abide_sdk::prelude::*;
/// fn parse(text: &str) -> Result<u16> {
///     Ok(text.parse::<u16>()?) // retried
/// }
/// fn parse_or_end(text: &str) -> Result<u16> {
///     Ok(text.parse::<u16>().terminal_with(400)?) // the caller's fault, so terminal
/// }
/// assert!(parse("x").unwrap_err().terminal().is_none());
/// assert_eq!(parse_or_end("x").unwrap_err().terminal().unwrap().code(), 400);
/// ```
pub struct HandlerError(Kind);

enum Kind {
    Terminal(Terminal),
    Retryable(Box<dyn Error + Send + Sync>),
}

impl HandlerError {
    /// The failure that ends the invocation; `None` if the attempt is retried.
    pub fn terminal(&self) -> Option<&Terminal> {
        match &self.0 {
            Kind::Terminal(terminal) => Some(terminal),
            Kind::Retryable(_) => None,
        }
    }

    pub(crate) fn into_terminal(self) -> Result<Terminal, Box<dyn Error + Send + Sync>> {
        match self.0 {
            Kind::Terminal(terminal) => Ok(terminal),
            Kind::Retryable(error) => Err(error),
        }
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>> + 'static> From<E> for HandlerError {
    fn from(error: E) -> Self {
        let mut error = Some(error);
        // Once boxed as a `dyn Error`, an `anyhow::Error` can no longer be downcast to what it
        // holds.
        let anyhow = (&mut error as &mut dyn Any).downcast_mut::<Option<anyhow::Error>>();
        if let Some(anyhow) = anyhow.and_then(Option::take) {
            let terminal = anyhow.chain().find_map(|cause| cause.downcast_ref::<Terminal>());
            return match terminal {
                Some(terminal) => Self(Kind::Terminal(terminal.clone())),
                None => Self(Kind::Retryable(anyhow.into())),
            };
        }
        // INVARIANT: `error` is only taken above, and that branch returns.
        let Some(error) = error else { return Self(Kind::Retryable("no error".into())) };
        let error = error.into();
        match terminal_within(&*error) {
            Some(terminal) => Self(Kind::Terminal(terminal.clone())),
            None => Self(Kind::Retryable(error)),
        }
    }
}

/// The first terminal error in the chain of `error` and its causes.
fn terminal_within<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e Terminal> {
    let mut chain = std::iter::successors(Some(error), |error| (*error).source());
    chain.find_map(|error| error.downcast_ref::<Terminal>())
}

impl fmt::Debug for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Terminal(terminal) => terminal.fmt(f),
            Kind::Retryable(error) => fmt::Debug::fmt(error, f),
        }
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Terminal(terminal) => fmt::Display::fmt(terminal, f),
            Kind::Retryable(error) => f.write_str(&chain(&**error)),
        }
    }
}

/// An error and its causes on one line.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |error| (*error).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Turns an error into a terminal one, which ends the invocation instead of being retried.
pub trait TerminalExt<T> {
    /// Makes the error terminal, with code 500.
    ///
    /// # Errors
    /// Returns the same error as a [`Terminal`]. An error that is terminal already keeps its code.
    fn terminal(self) -> Result<T, Terminal>;

    /// Makes the error terminal, with this HTTP-like code.
    ///
    /// # Errors
    /// Returns the same error as a [`Terminal`]. An error that is terminal already keeps its code.
    fn terminal_with(self, code: u16) -> Result<T, Terminal>;
}

impl<T, E: Into<HandlerError>> TerminalExt<T> for Result<T, E> {
    fn terminal(self) -> Result<T, Terminal> {
        self.terminal_with(500)
    }

    fn terminal_with(self, code: u16) -> Result<T, Terminal> {
        self.map_err(|error| match error.into().into_terminal() {
            Ok(terminal) => terminal,
            Err(error) => Terminal::new(code, chain(&*error)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("wrapped")]
    struct Wrapped(#[from] Terminal);

    #[test]
    fn a_terminal_error_stays_one_however_it_is_wrapped() {
        let terminal = || Terminal::new(409, "no");
        let code = |error: HandlerError| error.terminal().map(Terminal::code);
        assert_eq!(code(terminal().into()), Some(409));
        assert_eq!(code(Wrapped(terminal()).into()), Some(409));
        assert_eq!(code(anyhow::Error::new(terminal()).into()), Some(409));
        assert_eq!(code(anyhow::Error::new(terminal()).context("while").into()), Some(409));
        assert_eq!(code(anyhow::Error::new(Wrapped(terminal())).into()), Some(409));
        assert_eq!(code(anyhow::anyhow!("other").into()), None);
        assert_eq!(code("other".into()), None);
        assert_eq!(code(std::io::Error::other("other").into()), None);
    }
}
