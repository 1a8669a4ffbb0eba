//! The formats of everything that this version writes, and whether it can read what another version
//! has written.

use anyhow::{Result, bail};
use backup::Writer;
use runtime_core::{event::Rules, tables::row::ROW_FORMAT};

/// This version.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The oldest version that can read all of the formats below; it changes with any of them.
const READABLE_SINCE: &str = "0.1.0";

/// What this version writes.
pub(crate) fn ours() -> Writer {
    let formats = [
        ("log", runtime_log::FORMAT.into()),
        ("records", Rules::CURRENT.format().into()),
        ("rows", ROW_FORMAT.into()),
        ("tables", runtime_store::STORE_FORMAT),
    ];
    Writer {
        version: VERSION.to_owned(),
        needs: READABLE_SINCE.to_owned(),
        formats: formats.map(|(kind, format)| (kind.to_owned(), format)).into(),
    }
}

/// Refuses what a newer version has written in formats that this one does not know.
///
/// # Errors
/// Returns which version has written it, in which format, and which version can read it.
pub(crate) fn check(writer: &Writer) -> Result<()> {
    let ours = ours();
    for (kind, format) in &writer.formats {
        let known = ours.formats.get(kind).copied().unwrap_or(0);
        if *format > known {
            let Writer { version, needs, .. } = writer;
            bail!(
                "it was last written by abide {version}, with {kind} of format {format}; this version, \
                 {VERSION}, reads formats up to {known}: start abide {needs} or newer, or restore a \
                 backup that an older version has made"
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A raised number is a new version's: [`READABLE_SINCE`] changes in the same commit.
    #[test]
    fn the_oldest_version_that_reads_these_formats_is_named() {
        let formats: Vec<_> = ours().formats.into_values().collect();
        assert_eq!((formats, READABLE_SINCE), (vec![3, 6, 6, 1], "0.1.0"));
    }

    #[test]
    fn newer_data_is_refused_with_the_version_that_can_read_it() {
        check(&ours()).unwrap();
        let mut newer = Writer { version: "0.9.1".to_owned(), needs: "0.8.0".to_owned(), ..ours() };
        check(&newer).unwrap();
        newer.formats.insert("rows".to_owned(), 7);
        let refusal = check(&newer).unwrap_err().to_string();
        assert!(refusal.contains("by abide 0.9.1, with rows of format 7"), "{refusal}");
        assert!(refusal.contains("up to 6: start abide 0.8.0 or newer"), "{refusal}");
        newer.formats = [("pictures".to_owned(), 1)].into();
        check(&newer).unwrap_err();
    }
}
