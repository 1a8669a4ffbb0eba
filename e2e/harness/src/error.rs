//! What goes wrong with processes, in words for whoever started the run: nobody handles it otherwise.

use std::fmt;

/// A sentence that says what went wrong, and with what.
#[derive(Debug)]
pub struct Error(String);

/// The outcome of what this crate does.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }

    /// For `map_err`: what it was about, then what the system said.
    pub(crate) fn about(what: impl fmt::Display) -> impl FnOnce(std::io::Error) -> Self {
        move |error| Self(format!("{what}: {error}"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl From<Error> for String {
    fn from(error: Error) -> Self {
        error.0
    }
}
