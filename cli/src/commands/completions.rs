//! `abide completions`: what makes a shell complete the command line.

use clap::ValueEnum;
use clap_complete::{generate, shells};

use crate::{error::Error, terminal::say};

/// How to use what is printed.
pub(crate) const HELP: &str = "\
For the current shell:
  bash  source <(abide completions bash)
  zsh   source <(abide completions zsh)
  fish  abide completions fish | source
For every new one, put that line into ~/.bashrc, ~/.zshrc or ~/.config/fish/config.fish.";

/// The flags of `abide completions`.
#[derive(Debug, clap::Args)]
pub struct Completions {
    /// The shell.
    shell: Shell,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

pub(super) fn run(completions: &Completions, whole: clap::Command) -> Result<(), Error> {
    Ok(say(&script(completions.shell, whole))?)
}

fn script(shell: Shell, mut whole: clap::Command) -> String {
    let name = whole.get_name().to_owned();
    let mut script = Vec::new();
    match shell {
        Shell::Bash => generate(shells::Bash, &mut whole, name, &mut script),
        Shell::Zsh => generate(shells::Zsh, &mut whole, name, &mut script),
        Shell::Fish => generate(shells::Fish, &mut whole, name, &mut script),
    }
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;
    use crate::commands::Command;

    #[derive(Parser)]
    #[command(name = "abide")]
    struct Line {
        #[command(subcommand)]
        _command: Command,
    }

    #[test]
    fn each_shell_gets_the_whole_command_line() {
        Line::command().debug_assert();
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = script(shell, Line::command());
            for word in ["invocations", "purge-journal", "dry-run", "use-http1.1"] {
                assert!(script.contains(word), "{shell:?} does not complete {word}");
            }
        }
    }
}
