//! The `VERSION` file: which version has last written to the directory, and in which formats. A
//! version that cannot read them refuses the directory before it touches anything.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use backup::Writer;

use super::{cannot_write, settle, write_draft};
use crate::formats;

/// Name of the file. Directories that older versions have used lack it.
pub(super) const FILE: &str = "VERSION";

/// Refuses a directory that a newer version has written to.
pub(super) fn check(dir: &Path) -> Result<()> {
    let cannot_use = || format!("the data directory {} cannot be used", dir.display());
    match read(dir)? {
        Some(writer) => formats::check(&writer).with_context(cannot_use),
        None => Ok(()),
    }
}

/// What the file says, if there is one.
pub(super) fn read(dir: &Path) -> Result<Option<Writer>> {
    let file = dir.join(FILE);
    match fs::read_to_string(&file) {
        Ok(text) => {
            let unusable = || format!("{} cannot be used", file.display());
            Ok(Some(parse(&text).with_context(unusable)?))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", file.display())),
    }
}

/// Notes that this version writes to the directory, before it does.
pub(super) fn note(dir: &Path) -> Result<()> {
    let ours = formats::ours();
    if read(dir)?.as_ref() == Some(&ours) {
        return Ok(());
    }
    let write = || {
        write_draft(dir, FILE, text(&ours).as_bytes())?;
        settle(dir, FILE)
    };
    write().with_context(|| cannot_write(dir))
}

fn text(writer: &Writer) -> String {
    let mut text = format!("abide {}\nneeds {}\n", writer.version, writer.needs);
    for (kind, format) in &writer.formats {
        text += &format!("{kind} {format}\n");
    }
    text
}

fn parse(text: &str) -> Result<Writer> {
    let mut lines = text.lines();
    let mut word = |name: &str| Some(lines.next()?.strip_prefix(name)?.trim().to_owned());
    let (version, needs) = word("abide ").zip(word("needs ")).context(
        "it does not say which version has written here; restore the whole data directory from one \
         copy",
    )?;
    let formats = lines.map(|line| {
        let (kind, format) = line.split_once(' ')?;
        Some((kind.to_owned(), format.parse().ok()?))
    });
    let formats = formats.collect::<Option<std::collections::BTreeMap<_, _>>>();
    let formats = formats.filter(|formats| !formats.is_empty());
    ensure!(
        formats.is_some(),
        "it does not say which formats are in use; restore the whole data directory from one copy"
    );
    Ok(Writer { version, needs, formats: formats.unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(parse(&text(&formats::ours())).unwrap(), formats::ours());
        for broken in ["", "abide 1", "abide 1\nneeds 1\n", "abide 1\nneeds 1\nrows x\n"] {
            parse(broken).unwrap_err();
        }
    }
}
