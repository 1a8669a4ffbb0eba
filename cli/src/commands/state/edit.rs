//! A state is edited as JSON, for the version that was read.

use std::{env, fs, io::Write as _, path::Path, process::Command};

use super::{
    change::{Change, Outcome},
    document,
    flags::{How, Of},
    stored::{Entries, read, version},
};
use crate::{
    client::Client,
    error::{Error, complain},
    terminal::{confirm, remark},
};

/// Which state.
#[derive(Debug, clap::Args)]
pub struct Edit {
    #[command(flatten)]
    of: Of,

    /// Do not ask.
    #[arg(short, long)]
    yes: bool,

    #[command(flatten)]
    how: How,
}

pub(super) async fn edit(flags: &Edit) -> Result<(), Error> {
    let client = Client::new(flags.how.server.admin.clone());
    let before = read(&client, &flags.of).await?;
    let text = document::write(&before).map_err(|error| Error::NotState(error.to_string()))?;
    // Only its owner can read such a file: states are nobody else's business.
    let file = tempfile::Builder::new().prefix("abide-state-").suffix(".json").tempfile();
    let mut file = file.map_err(Error::File)?;
    file.write_all(text.as_bytes()).map_err(Error::File)?;
    let path = file.into_temp_path();
    open(&editor(), &path)?;
    let text = fs::read_to_string(&path).map_err(Error::File)?;
    let end = apply(&client, flags, &before, &text).await;
    if end.is_err() {
        // What was written by hand is not thrown away.
        match path.keep() {
            Ok(path) => complain(format!("what you have written is in {}", path.display())),
            Err(error) => complain(error),
        }
    }
    end
}

/// Does what was written.
async fn apply(client: &Client, flags: &Edit, before: &Entries, text: &str) -> Result<(), Error> {
    let after = document::read(text).map_err(Error::NotState)?;
    let Of { service, key } = &flags.of;
    let change = Change::between(key, before, &after, version(before));
    if change.is_empty() {
        let outcome = "unchanged".to_owned();
        return Outcome { outcome, behind: None, version: None }.print(&flags.how);
    }
    change.lines(before).lines().for_each(remark);
    confirm(&format!("Change the state of {service}/{key} at {}?", client.url()), flags.yes)?;
    change.carry_out(client, &flags.of, &flags.how).await
}

/// The command line of the editor, as other programs choose it.
fn editor() -> String {
    let named = ["VISUAL", "EDITOR"].into_iter().filter_map(|name| env::var(name).ok());
    named.into_iter().find(|editor| !editor.trim().is_empty()).unwrap_or_else(|| "vi".to_owned())
}

/// Has a file edited. The shell takes the command line apart, which may have arguments.
fn open(command: &str, file: &Path) -> Result<(), Error> {
    let failed = |what: String| Error::Editor { command: command.to_owned(), what };
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("{command} \"$1\"")).arg("sh").arg(file);
    let status = shell.status().map_err(|error| failed(format!("cannot be started: {error}")))?;
    if status.success() { Ok(()) } else { Err(failed(format!("failed ({status})"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_editor_may_have_arguments_and_has_to_succeed() {
        let file = tempfile::NamedTempFile::with_suffix("a b.json").unwrap();
        fs::write(&file, "{\"a\": 1}").unwrap();
        open("sed -i -e s/1/2/", file.path()).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "{\"a\": 2}");
        for (command, says) in
            [("exit 3;", "'exit 3;' failed (exit status: 3)"), ("/nowhere", "status: 127")]
        {
            let said = open(command, file.path()).unwrap_err().to_string();
            assert!(said.contains(says), "{said}");
            assert!(said.contains("$EDITOR"), "{said}");
        }
    }
}
