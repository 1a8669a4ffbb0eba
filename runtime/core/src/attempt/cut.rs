//! Truncates long texts from SDKs and endpoints before they are stored. A failed attempt is a log
//! record and part of its invocation's row, written again on each retry, and nothing needs a
//! megabyte of it.

/// The maximum size of a message, in bytes: enough for an error with all its causes.
pub(super) const MESSAGE_BYTES_MAX: usize = 8 << 10;
/// The maximum size of a stack trace, in bytes: some 400 frames.
pub(super) const STACKTRACE_BYTES_MAX: usize = 32 << 10;
/// The maximum size of a command's name, in bytes; the journal has the full name.
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

/// Truncates the text so that, including a note of its original length, it fits into `bytes_max`
/// bytes.
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
