//! Long words of SDKs and endpoints are stored in part. A failed attempt is a record of the log and a
//! part of its invocation's row, written again with each try, and nobody reads a megabyte of it.

/// What is kept of a message, in bytes: an error with all its causes.
pub(super) const MESSAGE_BYTES_MAX: usize = 8 << 10;
/// What is kept of a stack trace, in bytes: some 400 frames.
pub(super) const STACKTRACE_BYTES_MAX: usize = 32 << 10;
/// What is kept of the name of a command, in bytes: it is in the journal as a whole.
pub(super) const NAME_BYTES_MAX: usize = 1 << 10;

pub(super) fn message(text: String) -> String {
    cut(text, MESSAGE_BYTES_MAX)
}

pub(super) fn stacktrace(text: String) -> String {
    cut(text, STACKTRACE_BYTES_MAX)
}

pub(super) fn name(text: String) -> String {
    cut(text, NAME_BYTES_MAX)
}

/// The text, or so much of its beginning that it has at most `bytes_max` bytes together with the word
/// that it is cut.
fn cut(mut text: String, bytes_max: usize) -> String {
    let len = text.len();
    if len <= bytes_max {
        return text;
    }
    let note = format!(" [cut: this was {len} bytes]");
    text.truncate(text.floor_char_boundary(bytes_max - note.len()));
    text.shrink_to_fit();
    text + &note
}
