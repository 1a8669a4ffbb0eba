//! The nouns of the command line.

pub(crate) mod sql;
