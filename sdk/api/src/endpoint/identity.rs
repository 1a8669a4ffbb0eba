//! Verifies that a request comes from a trusted runtime: that it is signed with a configured key.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::HeaderMap;
use ring::signature::{ED25519, UnparsedPublicKey};
use serde::Deserialize;

const SCHEME_HEADER: &str = "x-restate-signature-scheme";
const TOKEN_HEADER: &str = "x-restate-jwt-v1";
const KEY_PREFIX: &str = "publickeyv1_";
/// Length of an Ed25519 public key in bytes (RFC 8032).
const KEY_BYTES: usize = 32;

/// A public key, as a runtime prints it: `publickeyv1_…`.
#[derive(Debug, Clone)]
pub(crate) struct IdentityKey(Vec<u8>);

/// A text that is not a valid identity key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{text}' is not an identity key: {fault}; expected {KEY_PREFIX} followed by {KEY_BYTES} bytes in base58"
)]
pub struct IdentityKeyError {
    text: String,
    fault: String,
}

/// Why a request is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("the request is not signed")]
    Unsigned,
    #[error("the signature's token is malformed")]
    Malformed,
    #[error("the signature does not match any key of this endpoint")]
    Signature,
    #[error("the signature is for another path")]
    Audience,
    #[error("the signature is not valid at this time")]
    Time,
}

impl IdentityKey {
    pub(crate) fn parse(text: &str) -> Result<Self, IdentityKeyError> {
        let fault = |fault: String| IdentityKeyError { text: text.to_owned(), fault };
        let encoded =
            text.strip_prefix(KEY_PREFIX).ok_or_else(|| fault("the prefix is missing".into()))?;
        let key = bs58::decode(encoded).into_vec().map_err(|error| fault(error.to_string()))?;
        if key.len() != KEY_BYTES {
            return Err(fault(format!("it has {} bytes", key.len())));
        }
        Ok(Self(key))
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
}

#[derive(Deserialize)]
struct Claims {
    aud: Audience,
    /// Seconds since the Unix epoch.
    exp: u64,
    nbf: u64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// Checks a request; `path` is `/discover` or `/invoke/{service}/{handler}`.
pub(crate) fn verify(
    keys: &[IdentityKey],
    headers: &HeaderMap,
    path: &str,
    now_ms: u64,
) -> Result<(), Refused> {
    if keys.is_empty() {
        return Ok(());
    }
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if text(SCHEME_HEADER) != Some("v1") {
        return Err(Refused::Unsigned);
    }
    let token = text(TOKEN_HEADER).ok_or(Refused::Unsigned)?;
    let (signed, signature) = token.rsplit_once('.').ok_or(Refused::Malformed)?;
    let (header, claims) = signed.split_once('.').ok_or(Refused::Malformed)?;
    let header: Header = parse(header)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Refused::Malformed)?;
    if header.alg != "EdDSA" {
        return Err(Refused::Malformed);
    }
    let is_signed = |key: &IdentityKey| {
        UnparsedPublicKey::new(&ED25519, &key.0).verify(signed.as_bytes(), &signature).is_ok()
    };
    if !keys.iter().any(is_signed) {
        return Err(Refused::Signature);
    }
    let claims: Claims = parse(claims)?;
    let is_for_us = match &claims.aud {
        Audience::One(audience) => audience == path,
        Audience::Many(audiences) => audiences.iter().any(|audience| audience == path),
    };
    if !is_for_us {
        return Err(Refused::Audience);
    }
    let now_s = now_ms / 1000;
    if now_s < claims.nbf || now_s >= claims.exp { Err(Refused::Time) } else { Ok(()) }
}

fn parse<T: serde::de::DeserializeOwned>(part: &str) -> Result<T, Refused> {
    let json = URL_SAFE_NO_PAD.decode(part).map_err(|_| Refused::Malformed)?;
    serde_json::from_slice(&json).map_err(|_| Refused::Malformed)
}

#[cfg(test)]
mod tests {
    use ring::signature::{Ed25519KeyPair, KeyPair};

    use super::*;

    /// RFC 8032, test 1.
    const SEED: [u8; 32] = [
        0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c,
        0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae,
        0x7f, 0x60,
    ];
    const KEY: &str = "publickeyv1_FVen3X669xLzsi6N2V91DoiyzHzg1uAgqiT8jZ9nS96Z";

    fn signed(claims: &str) -> HeaderMap {
        let pair = Ed25519KeyPair::from_seed_unchecked(&SEED).unwrap();
        let part = |json: &str| URL_SAFE_NO_PAD.encode(json);
        let text = format!("{}.{}", part(r#"{"typ":"JWT","alg":"EdDSA"}"#), part(claims));
        let signature = URL_SAFE_NO_PAD.encode(pair.sign(text.as_bytes()));
        let mut headers = HeaderMap::new();
        headers.insert(SCHEME_HEADER, "v1".parse().unwrap());
        headers.insert(TOKEN_HEADER, format!("{text}.{signature}").parse().unwrap());
        headers
    }

    #[test]
    fn a_key_reads_as_the_runtime_prints_it() {
        let pair = Ed25519KeyPair::from_seed_unchecked(&SEED).unwrap();
        assert_eq!(IdentityKey::parse(KEY).unwrap().0, pair.public_key().as_ref());
        for wrong in ["", "publickeyv1_", "publickeyv1_0", &KEY[12..], &KEY[..30]] {
            IdentityKey::parse(wrong).unwrap_err();
        }
    }

    #[test]
    fn only_what_is_signed_for_this_path_and_time_passes() {
        let keys = [IdentityKey::parse(KEY).unwrap()];
        let check =
            |headers: &HeaderMap, path, now_s: u64| verify(&keys, headers, path, now_s * 1000);
        let good = signed(r#"{"aud":"/discover","nbf":100,"exp":200}"#);
        assert_eq!(check(&good, "/discover", 150), Ok(()));
        assert_eq!(check(&good, "/discover", 99), Err(Refused::Time));
        assert_eq!(check(&good, "/discover", 200), Err(Refused::Time));
        assert_eq!(check(&good, "/invoke/A/b", 150), Err(Refused::Audience));
        let several = signed(r#"{"aud":["/x","/invoke/A/b"],"nbf":100,"exp":200}"#);
        assert_eq!(check(&several, "/invoke/A/b", 150), Ok(()));
        assert_eq!(check(&HeaderMap::new(), "/discover", 150), Err(Refused::Unsigned));
        let mut forged = good.clone();
        let token = forged[TOKEN_HEADER].to_str().unwrap().replace("eyJhdWQ", "eyJhdWR");
        forged.insert(TOKEN_HEADER, token.parse().unwrap());
        assert_eq!(check(&forged, "/discover", 150), Err(Refused::Signature));
        let e2e = "publickeyv1_ChjENKeMvCtRnqG2mrBK1HmPKufgFUc98K8B3ononQvp";
        let other = [IdentityKey::parse(e2e).unwrap()];
        assert_eq!(verify(&other, &good, "/discover", 150_000), Err(Refused::Signature));
        assert_eq!(verify(&[], &HeaderMap::new(), "/discover", 0), Ok(()));
    }
}
