//! The person at the terminal, if there is one: what is said there, and asked.

use std::io::{self, BufRead, IsTerminal, Write};

use crate::{
    error::{Error, UsageError},
    output::{OutputError, text::printable},
};

/// Whether what is printed appears on a terminal.
pub(crate) fn is_to_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Prints a text.
pub(crate) fn say(text: &str) -> Result<(), OutputError> {
    let mut stdout = io::stdout();
    stdout.write_all(text.as_bytes())?;
    Ok(stdout.flush()?)
}

/// Says something beside the output, for a person only: programs do not expect it.
pub(crate) fn remark(text: &str) {
    let mut stderr = io::stderr();
    if stderr.is_terminal() {
        // There is nobody left to tell that this failed.
        _ = writeln!(stderr, "{}", printable(text));
    }
}

/// Asks whether to go on. Where nobody can answer, `--yes` has to have done so.
pub(crate) fn confirm(question: &str, is_confirmed: bool) -> Result<(), Error> {
    if is_confirmed {
        return Ok(());
    }
    let mut stderr = io::stderr();
    if !(io::stdin().is_terminal() && stderr.is_terminal()) {
        return Err(UsageError::Unconfirmed(question.to_owned()).into());
    }
    // What is not read is not a yes.
    _ = write!(stderr, "{} [y/N] ", printable(question));
    _ = stderr.flush();
    let mut answer = String::new();
    _ = io::stdin().lock().read_line(&mut answer);
    if is_yes(&answer) { Ok(()) } else { Err(Error::Declined) }
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_one() {
        for yes in ["y\n", "Yes\n", " YES "] {
            assert!(is_yes(yes), "{yes:?}");
        }
        for no in ["", "\n", "n\n", "yep\n", "no\n"] {
            assert!(!is_yes(no), "{no:?}");
        }
    }
}
