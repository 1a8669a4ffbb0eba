//! What a message repeats of what was sent.

/// What a message repeats of what was sent, in bytes, so that its end, the advice, is read too.
const REPEATED_BYTES_MAX: usize = 256;

/// As much of something that was sent as a message repeats.
pub(crate) fn shown(sent: &str) -> String {
    runtime_views::text::cut(sent, REPEATED_BYTES_MAX)
}
