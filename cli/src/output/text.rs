//! Text for terminals: without anything that a terminal would obey, and how wide it is.

use std::borrow::Cow;
use std::fmt::Write;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The text with control characters written as escapes. Values are other people's data: printed as
/// they are, they could move the cursor, set the title or answer for the user.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_obeyed) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            // Writing to a string can't fail.
            it if is_obeyed(it) && u32::from(it) < 0x100 => {
                _ = write!(shown, "\\x{:02x}", u32::from(it))
            }
            it if is_obeyed(it) => _ = write!(shown, "\\u{{{:x}}}", u32::from(it)),
            it => shown.push(it),
        }
    }
    shown.into()
}

/// Control characters (C0, C1, DEL), line separators, and what reverses the direction of writing.
fn is_obeyed(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// How many columns of a terminal the text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// As much of the text as fits into so many columns of a terminal.
pub(crate) fn cut(text: &str, columns: usize) -> &str {
    let mut taken = 0;
    let end = text.char_indices().find_map(|(at, character)| {
        taken += character.width().unwrap_or(0);
        (taken > columns).then_some(at)
    });
    end.map_or(text, |end| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_that_it_would_obey() {
        assert_eq!(printable("plain ünï 漢 🦀 \\n"), "plain ünï 漢 🦀 \\n");
        assert_eq!(printable("a\nb\tc\r"), "a\\nb\\tc\\r");
        assert_eq!(printable("\u{1b}[2J\u{7}"), "\\x1b[2J\\x07");
        assert_eq!(printable("\u{9b}2J\u{7f}"), "\\x9b2J\\x7f");
        assert_eq!(printable("a\u{202e}b\u{2028}"), "a\\u{202e}b\\u{2028}");
    }

    #[test]
    fn a_cut_counts_columns_and_not_characters() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abc", 2), "ab");
        assert_eq!(cut("漢字", 3), "漢");
        assert_eq!(cut("", 0), "");
    }
}
