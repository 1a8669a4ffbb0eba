//! Next steps, as commands for a shell.

use protocol::InvocationId;

use super::Advice;

/// A next step with its command.
pub(super) fn command(text: impl Into<String>, command: String) -> Advice {
    Advice { text: text.into(), command: Some(command) }
}

/// A next step that no single command takes.
pub(super) fn plain(text: impl Into<String>) -> Advice {
    Advice { text: text.into(), command: None }
}

pub(super) fn resume(id: InvocationId, text: &str) -> Advice {
    command(text, format!("abide invocations resume {id}"))
}

pub(super) fn resume_on_latest(id: InvocationId) -> Advice {
    let text = "to go on with the latest deployment of its service";
    command(text, format!("abide invocations resume {id} --deployment latest"))
}

pub(super) fn cancel(id: InvocationId, text: &str) -> Advice {
    command(text, format!("abide invocations cancel {id}"))
}

pub(super) fn kill(id: InvocationId, text: &str) -> Advice {
    command(text, format!("abide invocations kill {id}"))
}

/// The ways to give up.
pub(super) fn abandon(id: InvocationId) -> [Advice; 2] {
    [
        cancel(id, "to give it up, with its compensations"),
        kill(id, "to give it up at once, without compensations"),
    ]
}

/// A text as one word of a shell.
pub(super) fn word(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
