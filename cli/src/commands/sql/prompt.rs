//! The prompt: lines with history and completion, until a statement is complete.
//!
//! rustyline rather than reedline: it asks for the rest of a statement, completes and keeps a
//! history all the same, with far fewer dependencies.

use rustyline::{
    CompletionType, Config, Context, Editor, Helper, completion::Completer, error::ReadlineError,
    highlight::Highlighter, hint::Hinter, history::FileHistory, validate::ValidationContext,
    validate::ValidationResult, validate::Validator,
};
use tokio::{
    runtime::Runtime,
    signal::unix::{Signal, SignalKind, signal},
};

use super::{
    completion::Names,
    history,
    script::{Script, Step},
    session::{Flow, Session},
};
use crate::{
    error::{Error, complain},
    terminal::say,
};

const PROMPT: &str = "abide> ";

/// Reads and carries out statements and commands until the user leaves.
pub(crate) fn prompt(runtime: &Runtime, mut session: Session) -> Result<(), Error> {
    let names = runtime.block_on(Names::fetch(&session.printer.client))?;
    let mut editor = editor(names)?;
    let history = history::file();
    if let Some(file) = &history {
        // The first time, there is none.
        _ = editor.load_history(file);
    }
    say(&format!("{}; \\? lists the commands, \\q leaves\n", session.printer.client.url()))?;
    let _within = runtime.enter();
    loop {
        // From here on, so that a Ctrl-C right after a line is not lost, nor ends the process.
        let mut interrupts = signal(SignalKind::interrupt()).map_err(Error::Start)?;
        let text = match editor.readline(PROMPT) {
            Ok(text) => text,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let is_new = editor.add_history_entry(&text)?;
        if let Some(file) = history.as_ref().filter(|_| is_new) {
            // Without a place for it, the history is that of this session.
            _ = editor.append_history(file);
        }
        for step in Script::of(meant(&text)).all() {
            match runtime.block_on(uninterrupted(&mut interrupts, session.step(step))) {
                Ok(Some(Flow::Next)) => (),
                Ok(Some(Flow::Quit)) => return Ok(()),
                Ok(None) => {
                    // Ctrl-C is also how \watch ends.
                    if matches!(step, Step::Statement(_)) {
                        complain("cancelled");
                    }
                    break;
                }
                Err(error) => {
                    complain(error);
                    break;
                }
            }
        }
    }
}

/// What somebody means who does not know the commands, and types one of these words alone.
fn meant(text: &str) -> &str {
    match &*text.trim().trim_end_matches(';').to_ascii_lowercase() {
        "quit" | "exit" => "\\q",
        "help" => "\\?",
        _ => text,
    }
}

/// Carries out a step, unless Ctrl-C interrupts it: `None`.
async fn uninterrupted(
    interrupts: &mut Signal,
    step: impl Future<Output = Result<Flow, Error>>,
) -> Result<Option<Flow>, Error> {
    tokio::select! {
        flow = step => flow.map(Some),
        _ = interrupts.recv() => Ok(None),
    }
}

fn editor(names: Names) -> Result<Editor<Typing, FileHistory>, ReadlineError> {
    let config = Config::builder()
        .max_history_size(history::ENTRIES_MAX)?
        .history_ignore_space(true)
        .completion_type(CompletionType::List)
        .build();
    let mut editor = Editor::with_config(config)?;
    editor.set_helper(Some(Typing { names }));
    Ok(editor)
}

/// What rustyline asks while the user types.
struct Typing {
    names: Names,
}

impl Helper for Typing {}

impl Completer for Typing {
    type Candidate = String;

    fn complete(
        &self,
        text: &str,
        cursor: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.names.complete(text, cursor))
    }
}

impl Validator for Typing {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let is_complete = Script::of(meant(context.input())).rest.is_empty();
        Ok(if is_complete { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

impl Hinter for Typing {
    type Hint = String;
}

impl Highlighter for Typing {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_alone_is_a_command() {
        assert_eq!((meant("quit"), meant(" EXIT; "), meant("help")), ("\\q", "\\q", "\\?"));
        for statement in ["select 1", "help me", "quit\nselect 1"] {
            assert_eq!(meant(statement), statement);
        }
    }
}
