//! Ids derived from a name: of a workflow's run, and of what is invoked or restarted under an
//! idempotency key.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use super::{InvocationId, PartitionKey};

/// Length in bytes of a data directory's secret, the same as the output of the underlying hash.
pub const SECRET_BYTES: usize = 32;

/// How the id of a named invocation is derived from its name. Fixed for the lifetime of a data
/// directory: deduplication by name depends on it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Derivation {
    /// A hash of public strings, as in the real server: anyone who knows the name can compute the
    /// id.
    Plain,
    /// Keyed with a secret: the id can't be computed from the name alone.
    Secret([u8; SECRET_BYTES]),
}

impl Derivation {
    /// The id of a workflow key's one `run`.
    pub fn workflow(&self, scope: Option<&str>, name: &str, key: &str) -> InvocationId {
        let partition_key = PartitionKey::of_key(scope.unwrap_or(key));
        let uuid = match self {
            Self::Plain => {
                let mut parts = vec!["wf"];
                parts.extend(scope);
                parts.extend([name, key]);
                plain(&parts)
            }
            Self::Secret(secret) => {
                mixed(secret, &[Some("workflow"), scope, Some(name), Some(key)])
            }
        };
        InvocationId { partition_key, uuid }
    }

    /// The id of the invocation behind an idempotency key; `key` is empty for a plain service.
    pub fn idempotency_key(
        &self,
        scope: Option<&str>,
        service: &str,
        key: &str,
        handler: &str,
        idempotency_key: &str,
    ) -> InvocationId {
        let owner = scope.unwrap_or(if key.is_empty() { idempotency_key } else { key });
        let key = (!key.is_empty()).then_some(key);
        let uuid = match self {
            Self::Plain => {
                let mut parts = vec!["ik"];
                parts.extend(scope);
                parts.push(service);
                parts.extend(key);
                parts.extend([handler, idempotency_key]);
                plain(&parts)
            }
            Self::Secret(secret) => {
                let (service, handler) = (Some(service), Some(handler));
                let kind = Some("idempotency key");
                mixed(secret, &[kind, scope, service, key, handler, Some(idempotency_key)])
            }
        };
        InvocationId { partition_key: PartitionKey::of_key(owner), uuid }
    }

    /// The id of the one restart of an invocation that is asked for under a key.
    pub fn restart(&self, of: InvocationId, key: &str) -> InvocationId {
        let old = of.to_string();
        let uuid = match self {
            Self::Plain => plain(&["restart", &old, key]),
            Self::Secret(secret) => mixed(secret, &[Some("restart"), Some(&old), Some(key)]),
        };
        InvocationId { partition_key: of.partition_key, uuid }
    }

    /// Distinguishes secrets without revealing them; `None` if there is no secret.
    pub fn fingerprint(&self) -> Option<u128> {
        match self {
            Self::Plain => None,
            Self::Secret(secret) => Some(mixed(secret, &[Some("fingerprint")])),
        }
    }
}

/// Keeps the secret out of logs.
impl fmt::Debug for Derivation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "Plain",
            Self::Secret(_) => "Secret(..)",
        })
    }
}

/// The real server's rule. Names that contain commas may collide; that can't be fixed, since the
/// ids in existing data directories depend on it.
fn plain(parts: &[&str]) -> u128 {
    first_bytes(&Sha256::digest(parts.join(",").as_bytes()).into())
}

/// HMAC-SHA256 over the parts, encoded so that part boundaries and absent parts are unambiguous.
fn mixed(secret: &[u8; SECRET_BYTES], parts: &[Option<&str>]) -> u128 {
    // HMAC zero-pads a short key to the hash's block size.
    let mut block = [0; 64];
    block[..SECRET_BYTES].copy_from_slice(secret);
    let mut mac: Hmac<Sha256> = Mac::new(&block.into());
    for part in parts {
        match part {
            None => mac.update(&[0]),
            Some(text) => {
                mac.update(&[1]);
                mac.update(&(text.len() as u64).to_be_bytes());
                mac.update(text.as_bytes());
            }
        }
    }
    first_bytes(&mac.finalize().into_bytes().into())
}

fn first_bytes(digest: &[u8; 32]) -> u128 {
    let mut uuid = [0; 16];
    uuid.copy_from_slice(&digest[..16]);
    u128::from_be_bytes(uuid)
}
