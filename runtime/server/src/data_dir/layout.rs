//! The text of the `LAYOUT` file.

use std::fmt;

use anyhow::{Context, Result, bail, ensure};

use crate::config::PARTITIONS_MAX;

/// Version of directories created before secrets existed.
const WITHOUT_SECRET: &str = "abide-data 1";
/// Version of directories created now.
const WITH_SECRET: &str = "abide-data 2";

/// The contents of `LAYOUT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// Number of partitions.
    pub(super) partitions: u16,
    /// Fingerprint of the secret. `None` if the directory was created before secrets existed.
    pub(super) secret: Option<u128>,
}

impl Layout {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut lines = text.lines();
        let version = lines.next().unwrap_or_default();
        let has_secret = match version {
            WITHOUT_SECRET => false,
            WITH_SECRET => true,
            _ => bail!(
                "its layout is '{version}', this version can only read '{WITHOUT_SECRET}' and \
                 '{WITH_SECRET}'"
            ),
        };
        let partitions: u16 = lines
            .next()
            .and_then(|line| line.strip_prefix("partitions ")?.parse().ok())
            .context("it does not say how many partitions")?;
        ensure!(
            (1..=PARTITIONS_MAX).contains(&partitions),
            "it says that there are {partitions} partitions, expected 1 to {PARTITIONS_MAX}; \
             restore the whole data directory from one copy"
        );
        let secret = lines.next().and_then(|line| line.strip_prefix("secret "));
        let secret = secret.and_then(|digits| u128::from_str_radix(digits, 16).ok());
        ensure!(
            secret.is_some() || !has_secret,
            "it does not say which secret; restore the whole data directory from one copy"
        );
        Ok(Self { partitions, secret: secret.filter(|_| has_secret) })
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let partitions = self.partitions;
        match self.secret {
            None => writeln!(f, "{WITHOUT_SECRET}\npartitions {partitions}"),
            Some(secret) => {
                writeln!(f, "{WITH_SECRET}\npartitions {partitions}\nsecret {secret:032x}")
            }
        }
    }
}
