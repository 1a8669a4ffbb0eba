//! Quotes user input in messages.

/// How much of the input a message repeats, in bytes: little enough that the advice at its end gets
/// read.
const REPEATED_BYTES_MAX: usize = 256;

/// Cuts input to the length that a message may repeat.
pub(crate) fn shown(sent: &str) -> String {
    runtime_views::text::cut(sent, REPEATED_BYTES_MAX)
}
