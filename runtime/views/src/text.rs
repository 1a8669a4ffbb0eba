//! Status names for human readers, and cutting long texts.

use runtime_core::model::invocation::StatusKind;

/// The statuses of an invocation, and their names.
pub const STATUSES: [(StatusKind, &str); 7] = [
    (StatusKind::Scheduled, "scheduled"),
    (StatusKind::Inboxed, "pending"),
    (StatusKind::Running, "running"),
    (StatusKind::BackingOff, "backing-off"),
    (StatusKind::Suspended, "suspended"),
    (StatusKind::Paused, "paused"),
    (StatusKind::Completed, "completed"),
];

/// The name of a status.
pub fn status(kind: StatusKind) -> &'static str {
    let known = STATUSES.iter().find(|(known, _)| *known == kind);
    known.map_or("unknown", |(_, word)| word)
}

/// The status with this name. `None` if the name is unknown.
pub fn status_of(word: &str) -> Option<StatusKind> {
    STATUSES.iter().find(|(_, known)| *known == word).map(|(kind, _)| *kind)
}

/// The text itself if it has at most `bytes_max` bytes. Otherwise its beginning, with a note that
/// it was cut, in at most `bytes_max` bytes.
pub fn cut(text: &str, bytes_max: usize) -> String {
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

    #[test]
    fn each_status_has_a_word_of_its_own() {
        for (kind, word) in STATUSES {
            assert_eq!((status(kind), status_of(word)), (word, Some(kind)));
        }
        assert_eq!(status_of("Running"), None);
    }
}
