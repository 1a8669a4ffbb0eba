//! One entry of a state is set.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use serde_json::value::RawValue;

use super::{
    change::Change,
    document::compact,
    flags::{How, Of},
};
use crate::{
    client::Client,
    error::{Error, UsageError},
};

/// The largest request that a server takes, in bytes.
const VALUE_BYTES_MAX: u64 = 32 << 20;

/// Which entry, and its new value.
#[derive(Debug, clap::Args)]
pub struct Set {
    #[command(flatten)]
    of: Of,

    /// Name of the entry.
    #[arg(value_name = "STATE_KEY")]
    entry: String,

    /// Its new value as JSON, such as 7, '"paid"' or '{"items": []}'.
    #[arg(required_unless_present = "raw_file", conflicts_with = "raw_file")]
    value: Option<String>,

    /// Take the bytes of a file for the value, whatever they are.
    #[arg(long, value_name = "FILE")]
    raw_file: Option<PathBuf>,

    #[command(flatten)]
    how: How,
}

pub(super) async fn set(flags: &Set) -> Result<(), Error> {
    let value = value(flags)?;
    let change = Change {
        object_key: &flags.of.key,
        set: [(&*flags.entry, value[..].into())].into(),
        ..Change::default()
    };
    let client = Client::new(flags.how.server.admin.clone());
    change.carry_out(&client, &flags.of, &flags.how).await
}

fn value(flags: &Set) -> Result<Vec<u8>, UsageError> {
    match (&flags.raw_file, &flags.value) {
        (Some(path), _) => read(path)
            .map_err(|cause| UsageError::Unreadable { what: path.display().to_string(), cause }),
        (None, value) => {
            let value = value.as_deref().unwrap_or_default();
            let json = serde_json::from_str::<&RawValue>(value);
            let json = json.map_err(|error| UsageError::NotJson(error.to_string()))?;
            Ok(compact(json.get()).into_bytes())
        }
    }
}

/// Reads a file, unless no server takes so much: some files, such as `/dev/zero`, have no end.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(VALUE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > VALUE_BYTES_MAX {
        let what = format!("it has more than the {VALUE_BYTES_MAX} bytes that a value may have");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        set: Set,
    }

    fn typed(more: &[&str]) -> Result<Vec<u8>, String> {
        let line = ["set", "Cart", "k", "entry"].iter().chain(more);
        let line = Line::try_parse_from(line).map_err(|error| error.to_string())?;
        value(&line.set).map_err(|error| error.to_string())
    }

    #[test]
    fn a_value_is_json_or_the_bytes_of_a_file() {
        assert_eq!(typed(&["{ \"a\": 1.0 }"]), Ok(br#"{"a":1.0}"#.to_vec()));
        assert!(typed(&["paid"]).unwrap_err().contains("a text is written with quotes"));
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, b"\xff{").unwrap();
        let path = file.path().to_str().unwrap();
        assert_eq!(typed(&["--raw-file", path]), Ok(b"\xff{".to_vec()));
        assert!(typed(&["1", "--raw-file", path]).unwrap_err().contains("cannot be used with"));
        assert!(typed(&[]).unwrap_err().contains("required"));
        let endless = typed(&["--raw-file", "/dev/zero"]).unwrap_err();
        assert!(endless.contains("/dev/zero cannot be read: it has more than"), "{endless}");
        assert!(
            typed(&["--raw-file", "/nowhere"]).unwrap_err().contains("/nowhere cannot be read")
        );
    }
}
