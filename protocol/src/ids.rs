//! Identifiers and their textual forms.
//!
//! A textual id is a prefix, `_1`, and integers in base 62, each byte-reversed first and written
//! with a fixed number of digits, as the open protocol specifies.
//!
//! Anyone who knows an id can attach to the invocation and complete its awakeables, so ids are
//! either random or derived with a secret: see [`Derivation`].

mod derivation;

use std::fmt;
use std::str::FromStr;

use base64::{
    Engine as _,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

pub use derivation::{Derivation, SECRET_BYTES};

/// Selects the partition: a hash of whatever has to live together.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct PartitionKey(pub u64);

impl PartitionKey {
    /// Hashes an object or workflow key, or an idempotency key: XXH3 over the text and a 0xFF byte.
    pub fn of_key(key: &str) -> Self {
        let mut bytes = Vec::with_capacity(key.len() + 1);
        bytes.extend_from_slice(key.as_bytes());
        bytes.push(255);
        Self(xxh3_64(&bytes))
    }
}

/// Identifies an invocation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct InvocationId {
    /// Selects the partition it lives on.
    pub partition_key: PartitionKey,
    /// Time-ordered and random, or derived from a key.
    pub uuid: u128,
}

/// Length in bytes of an invocation id's raw form: partition key, then uuid, both big-endian.
pub const INVOCATION_ID_BYTES: usize = 24;

impl InvocationId {
    /// The raw form used in frames and in awakeable ids.
    pub fn to_raw(self) -> [u8; INVOCATION_ID_BYTES] {
        let mut raw = [0; INVOCATION_ID_BYTES];
        raw[..8].copy_from_slice(&self.partition_key.0.to_be_bytes());
        raw[8..].copy_from_slice(&self.uuid.to_be_bytes());
        raw
    }

    /// Parses the raw form; `None` if the length is wrong.
    pub fn from_raw(raw: &[u8]) -> Option<Self> {
        let (partition_key, uuid) = raw.split_first_chunk::<8>()?;
        let uuid: [u8; 16] = uuid.try_into().ok()?;
        Some(Self {
            partition_key: PartitionKey(u64::from_be_bytes(*partition_key)),
            uuid: u128::from_be_bytes(uuid),
        })
    }
}

impl fmt::Display for InvocationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = *b"inv_1000000000000000000000000000000000";
        encode_base62(u128::from(self.partition_key.0.swap_bytes()), &mut text[5..16]);
        encode_base62(self.uuid.swap_bytes(), &mut text[16..38]);
        // INVARIANT: base 62 digits are ASCII.
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for InvocationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for InvocationId {
    type Err = IdParseError;

    fn from_str(text: &str) -> Result<Self, IdParseError> {
        let digits = digits(text, "inv", 33)?;
        let partition_key = decode_base62(&digits[..11])?;
        let partition_key =
            u64::try_from(partition_key).map_err(|_| IdParseError::OutOfRange)?.swap_bytes();
        let uuid = decode_base62(&digits[11..])?.swap_bytes();
        Ok(Self { partition_key: PartitionKey(partition_key), uuid })
    }
}

/// Identifies a deployment; time-ordered, see [`ulid`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeploymentId(pub u128);

impl fmt::Display for DeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = *b"dp_10000000000000000000000";
        encode_base62(self.0.swap_bytes(), &mut text[4..26]);
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for DeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for DeploymentId {
    type Err = IdParseError;

    fn from_str(text: &str) -> Result<Self, IdParseError> {
        Ok(Self(decode_base62(digits(text, "dp", 22)?)?.swap_bytes()))
    }
}

/// Identifies an awakeable: a numbered signal of the invocation that created it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AwakeableId {
    /// The invocation that created it and may wait for it.
    pub invocation: InvocationId,
    /// The signal number within that invocation.
    pub signal: u32,
}

/// Some SDKs pad and others don't: written without padding, accepted with or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl fmt::Display for AwakeableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut raw = self.invocation.to_raw().to_vec();
        raw.extend_from_slice(&self.signal.to_be_bytes());
        write!(f, "sign_1{}", BASE64.encode(raw))
    }
}

impl FromStr for AwakeableId {
    type Err = IdParseError;

    fn from_str(text: &str) -> Result<Self, IdParseError> {
        let encoded = versioned(text, "sign")?;
        let raw = BASE64.decode(encoded).map_err(|_| IdParseError::NotBase64)?;
        let wrong_length = || IdParseError::Length { expected: 38, actual: encoded.len() };
        let (invocation, signal) = raw.split_last_chunk::<4>().ok_or_else(wrong_length)?;
        let invocation = InvocationId::from_raw(invocation).ok_or_else(wrong_length)?;
        Ok(Self { invocation, signal: u32::from_be_bytes(*signal) })
    }
}

/// The text is not a valid id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdParseError {
    /// It is a different kind of id, or not an id at all.
    #[error("it does not start with '{expected}_'")]
    Prefix {
        /// The prefix of the expected kind of id.
        expected: &'static str,
    },
    /// Its version is unknown.
    #[error("its version is '{0}', but only '1' is supported")]
    Version(char),
    /// It is too short or too long.
    #[error("it has {actual} characters after the version, expected {expected}")]
    Length {
        /// How many characters it should have.
        expected: usize,
        /// How many it has.
        actual: usize,
    },
    /// It contains a character that is not a base 62 digit.
    #[error("'{0}' is not a base 62 digit")]
    Digit(char),
    /// The digits encode a number that is too large.
    #[error("its digits encode a number that is out of range")]
    OutOfRange,
    /// The payload is not URL-safe base 64.
    #[error("it is not URL-safe base 64")]
    NotBase64,
}

/// A time-ordered id: 48 bits of milliseconds since the epoch, then the low 80 bits of `random`.
pub fn ulid(at_ms: u64, random: u128) -> u128 {
    (u128::from(at_ms) << 80) | (random & ((1 << 80) - 1))
}

const DIGITS: &[u8; 62] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

fn encode_base62(mut value: u128, into: &mut [u8]) {
    // Ten digits fit in a u64, whose division is many times faster than a u128's.
    const CHUNK_DIGITS: usize = 10;
    const CHUNK: u128 = 62_u128.pow(10);
    for chunk in into.rchunks_mut(CHUNK_DIGITS) {
        // INVARIANT: a remainder modulo 62^10 fits in 64 bits, and one modulo 62 indexes the 62
        // digits.
        let mut rest = u64::try_from(value % CHUNK).unwrap_or_default();
        value /= CHUNK;
        for digit in chunk.iter_mut().rev() {
            *digit = DIGITS[usize::try_from(rest % 62).unwrap_or_default()];
            rest /= 62;
        }
    }
}

fn decode_base62(digits: &[u8]) -> Result<u128, IdParseError> {
    let mut value: u128 = 0;
    for &digit in digits {
        let worth = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'z' => digit - b'a' + 10,
            b'A'..=b'Z' => digit - b'A' + 36,
            _ => return Err(IdParseError::Digit(char::from(digit))),
        };
        value = value
            .checked_mul(62)
            .and_then(|value| value.checked_add(u128::from(worth)))
            .ok_or(IdParseError::OutOfRange)?;
    }
    Ok(value)
}

fn digits<'a>(
    text: &'a str,
    prefix: &'static str,
    expected: usize,
) -> Result<&'a [u8], IdParseError> {
    let digits = versioned(text, prefix)?;
    if digits.len() != expected {
        return Err(IdParseError::Length { expected, actual: digits.len() });
    }
    Ok(digits.as_bytes())
}

fn versioned<'a>(text: &'a str, expected: &'static str) -> Result<&'a str, IdParseError> {
    let rest = text.strip_prefix(expected).and_then(|rest| rest.strip_prefix('_'));
    let rest = rest.ok_or(IdParseError::Prefix { expected })?;
    match rest.chars().next() {
        Some('1') => Ok(&rest[1..]),
        Some(other) => Err(IdParseError::Version(other)),
        None => Err(IdParseError::Length { expected: 1, actual: 0 }),
    }
}
