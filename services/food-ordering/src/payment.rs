//! The payment provider, as a stub: it writes down what it was asked to do.
//!
//! It is asked again after a crash in the middle, with the same token: that is how a real provider
//! knows a repeated request from a second charge.

use std::io::Write;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One request to charge.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Charge {
    /// For which order.
    pub order_id: String,
    /// The same for every request of one charge.
    pub token: String,
    /// How much, in cents.
    pub amount_cents: u64,
}

/// A line of the ledger: a charge, or a refund of one.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    #[serde(flatten)]
    charge: Charge,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    refund: bool,
}

impl Entry {
    /// The token of the charge.
    pub fn token(&self) -> &str {
        &self.charge.token
    }

    /// Whether money was taken.
    pub fn is_charge(&self) -> bool {
        !self.refund
    }

    /// Whether money was given back.
    pub fn is_refund(&self) -> bool {
        self.refund
    }
}

/// The provider.
#[derive(Debug, Clone)]
pub struct Payments {
    ledger: PathBuf,
}

/// Orders above this are refused: nobody eats for ten thousand.
const LIMIT_CENTS: u64 = 1_000_000;

impl Payments {
    /// A provider that keeps its ledger in this file.
    pub fn new(ledger: PathBuf) -> Self {
        Self { ledger }
    }

    /// Charges; false when the customer can't pay.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub fn charge(&self, charge: &Charge) -> std::io::Result<bool> {
        if charge.amount_cents > LIMIT_CENTS {
            return Ok(false);
        }
        self.write(&Entry { charge: charge.clone(), refund: false })?;
        Ok(true)
    }

    /// Gives the money of a charge back.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub fn refund(&self, charge: &Charge) -> std::io::Result<()> {
        self.write(&Entry { charge: charge.clone(), refund: true })
    }

    /// Everything that was asked for, repetitions included.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub fn entries(&self) -> std::io::Result<Vec<Entry>> {
        if !self.ledger.exists() {
            return Ok(Vec::new());
        }
        let lines = std::fs::read_to_string(&self.ledger)?;
        Ok(lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
    }

    fn write(&self, entry: &Entry) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        let mut ledger =
            std::fs::OpenOptions::new().create(true).append(true).open(&self.ledger)?;
        ledger.write_all(&line)
    }
}
