//! The state of a key as it is stored, and its version.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::flags::Of;
use crate::{client::Client, error::Error, printer::fetch, sql_text::literal};

/// The entries of a state.
pub(super) type Entries = BTreeMap<String, Vec<u8>>;

/// Reads the state of a key.
pub(super) async fn read(client: &Client, of: &Of) -> Result<Entries, Error> {
    #[derive(Deserialize)]
    struct Row {
        key: String,
        #[serde(default)]
        hex: String,
    }
    let statement = format!(
        "select key, encode(value, 'hex') as hex from state \
         where service_name = {} and service_key = {}",
        literal(&of.service),
        literal(&of.key)
    );
    let rows: Vec<Row> = fetch(client, &statement).await?;
    Ok(rows.into_iter().map(|row| (row.key, of_hex(&row.hex).unwrap_or_default())).collect())
}

/// The version of a state, which an edit of it is for: a hash of its entries in order, each as its
/// number (eight bytes, big-endian), 1, the key, 2, the value, and 3.
pub(super) fn version(state: &Entries) -> String {
    let mut hash = Sha256::new();
    for (number, (key, value)) in (0_u64..).zip(state) {
        hash.update(number.to_be_bytes());
        hash.update([1]);
        hash.update(key);
        hash.update([2]);
        hash.update(value);
        hash.update([3]);
    }
    URL_SAFE_NO_PAD.encode(hash.finalize())
}

/// The bytes that hexadecimal digits stand for.
pub(super) fn of_hex(digits: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        digits.chars().map(|it| u8::try_from(it.to_digit(16)?).ok()).collect();
    let (pairs, rest) = digits.as_deref()?.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_what_the_server_computes() {
        assert_eq!(version(&Entries::new()), "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU");
        let entries = [("b", "\"two\""), ("a", "1")];
        let entries = entries.map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec()));
        assert_eq!(version(&Entries::from(entries)), "FJ5BT-2St_W4pnvThRAOWImbcwtRM2nk1yP6tmWxqFI");
    }

    #[test]
    fn bytes_come_in_pairs_of_digits() {
        assert_eq!(of_hex("00fF7a"), Some(vec![0, 255, 0x7a]));
        assert_eq!(of_hex(""), Some(Vec::new()));
        for wrong in ["0", "0g", "ü"] {
            assert_eq!(of_hex(wrong), None, "{wrong}");
        }
    }
}
