//! The version of the state of a virtual object or workflow key: a hash of all its entries. Clients
//! compute it from what they have read, and so say what they believe to change.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Length in bytes of a version.
const BYTES: usize = 32;

/// The version of a state. Its textual form is unpadded URL-safe base64.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateVersion([u8; BYTES]);

impl StateVersion {
    /// The version of a state with these entries, which are sorted by key. Of each entry, SHA-256 is
    /// fed its number from 0 on (eight bytes, big-endian), 1, the key, 2, the value, and 3.
    pub fn of<B: AsRef<[u8]>>(entries: impl IntoIterator<Item = (B, B)>) -> Self {
        let mut hash = Sha256::new();
        for (number, (key, value)) in (0_u64..).zip(entries) {
            hash.update(number.to_be_bytes());
            hash.update([1]);
            hash.update(key);
            hash.update([2]);
            hash.update(value);
            hash.update([3]);
        }
        Self(hash.finalize().into())
    }
}

impl fmt::Display for StateVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for StateVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text is not the version of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not {BYTES} bytes in unpadded URL-safe base64")]
pub struct StateVersionError;

impl FromStr for StateVersion {
    type Err = StateVersionError;

    fn from_str(text: &str) -> Result<Self, StateVersionError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| StateVersionError)?;
        bytes.try_into().map(Self).map_err(|_| StateVersionError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_what_other_clients_compute() {
        // Computed apart from this code, with Python's hashlib.
        let entries = [("a", "1"), ("b", "\"two\"")];
        for (entries, expected) in [
            (&entries[..0], "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"),
            (&entries[..1], "l16B69MLUj81zlEwdtKCVvbaFHDccOkJnpZVc8SZ42s"),
            (&entries[..], "FJ5BT-2St_W4pnvThRAOWImbcwtRM2nk1yP6tmWxqFI"),
        ] {
            let version = StateVersion::of(entries.iter().copied());
            assert_eq!(version.to_string(), expected);
            assert_eq!(expected.parse(), Ok(version));
        }
        for wrong in ["", "47DEQpj8", "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU=", "ä"] {
            assert_eq!(wrong.parse::<StateVersion>(), Err(StateVersionError), "{wrong}");
        }
    }
}
