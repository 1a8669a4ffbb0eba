//! One screen of a terminal, drawn again and again in the same place.

use std::io::{self, Write};

use rustix::termios::tcgetwinsize;

use super::text::{cut, printable};

/// What is drawn: as many lines as fit, and how many there are in all. Memory stays bounded by the
/// screen, however long the answer is.
#[derive(Debug)]
pub(crate) struct Screen {
    lines_max: usize,
    columns: usize,
    kept: Vec<u8>,
    lines: usize,
}

/// The cursor to the top left; the rest of a line, and of the screen, made blank. Drawing over the
/// old lines instead of clearing them first doesn't flicker.
const HOME: &str = "\x1b[H";
const BLANK_LINE: &str = "\x1b[K";
const BLANK_REST: &str = "\x1b[J";

/// The rows and columns of the terminal.
pub(crate) fn size() -> (usize, usize) {
    let size = tcgetwinsize(io::stdout()).ok().filter(|size| size.ws_row > 0 && size.ws_col > 0);
    size.map_or((24, 80), |size| (size.ws_row.into(), size.ws_col.into()))
}

impl Screen {
    /// An empty screen of the size of the terminal.
    pub(crate) fn of_terminal() -> Self {
        let (rows, columns) = size();
        Self::new(rows, columns)
    }

    fn new(rows: usize, columns: usize) -> Self {
        // The cursor stands below the last line.
        Self { lines_max: rows.saturating_sub(1).max(1), columns, kept: Vec::new(), lines: 0 }
    }

    /// Adds lines at the end.
    pub(crate) fn push(&mut self, lines: &[u8]) {
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            if self.lines < self.lines_max {
                self.kept.extend_from_slice(line);
            }
            self.lines += usize::from(line.ends_with(b"\n"));
        }
    }

    /// What draws it over the one before.
    pub(crate) fn drawn(&self) -> String {
        let text = String::from_utf8_lossy(&self.kept);
        let is_cut = self.lines > self.lines_max;
        let shown = self.lines_max - usize::from(is_cut);
        let mut drawn = HOME.to_owned();
        let mut line = |line: &str| {
            drawn.extend([cut(&printable(line), self.columns), BLANK_LINE, "\r\n"]);
        };
        text.lines().take(shown).for_each(&mut line);
        if is_cut {
            line(&format!("… and {} more lines", self.lines - shown));
        }
        drawn.push_str(BLANK_REST);
        drawn
    }
}

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(rows: usize, columns: usize, text: &str) -> String {
        let mut screen = Screen::new(rows, columns);
        screen.push(text.as_bytes());
        screen.drawn()
    }

    #[test]
    fn what_fits_is_drawn_over_what_was_there() {
        assert_eq!(drawn(4, 80, "a\nb\n"), "\x1b[Ha\x1b[K\r\nb\x1b[K\r\n\x1b[J");
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let cut = "\x1b[Ha\x1b[K\r\n… and 3 more lines\x1b[K\r\n\x1b[J";
        assert_eq!(drawn(3, 80, "a\nb\nc\nd\n"), cut);
        assert_eq!(drawn(3, 2, "abc\ndef\n"), "\x1b[Hab\x1b[K\r\nde\x1b[K\r\n\x1b[J");
    }
}
