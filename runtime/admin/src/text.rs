//! Long texts, shown in part.

/// What a message repeats of what was sent, in bytes, so that its end, the advice, is read too.
const REPEATED_BYTES_MAX: usize = 256;

/// As much of something that was sent as a message repeats.
pub(crate) fn shown(sent: &str) -> String {
    cut(sent, REPEATED_BYTES_MAX)
}

/// The text, or so much of its beginning that it has at most `bytes_max` bytes together with the word
/// that it is cut.
pub(crate) fn cut(text: &str, bytes_max: usize) -> String {
    let len = text.len();
    if len <= bytes_max {
        return text.to_owned();
    }
    let note = format!("… [cut: this was {len} bytes]");
    format!("{}{note}", &text[..text.floor_char_boundary(bytes_max.saturating_sub(note.len()))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_says_so_and_fits() {
        assert_eq!(cut("short", 5), "short");
        let long = "ß".repeat(1000);
        let shown = cut(&long, 101);
        assert!(shown.len() <= 101 && shown.ends_with("ß… [cut: this was 2000 bytes]"), "{shown}");
    }
}
