//! A stub of the payment provider, which records the requests it receives.
//!
//! After a crash in the middle of a request, it receives the request again, with the same token:
//! that is how a real provider tells a repeated request from a second charge.

use std::io::Write;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A request to charge a customer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Charge {
    /// Id of the order.
    pub order_id: String,
    /// Idempotency token: the same for every request of one charge.
    pub token: String,
    /// Amount, in cents.
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

    /// Whether this entry is a charge.
    pub fn is_charge(&self) -> bool {
        !self.refund
    }

    /// Whether this entry is a refund.
    pub fn is_refund(&self) -> bool {
        self.refund
    }
}

/// The payment provider, which appends to a ledger file.
#[derive(Debug, Clone)]
pub struct Payments {
    ledger: PathBuf,
}

/// Charges above this are declined: no meal costs ten thousand.
const LIMIT_CENTS: u64 = 1_000_000;

impl Payments {
    /// A provider that keeps its ledger in this file.
    pub fn new(ledger: PathBuf) -> Self {
        Self { ledger }
    }

    /// Records a charge; false if the charge is declined.
    ///
    /// # Errors
    /// Returns an error if the ledger cannot be written.
    pub fn charge(&self, charge: &Charge) -> std::io::Result<bool> {
        if charge.amount_cents > LIMIT_CENTS {
            return Ok(false);
        }
        self.write(&Entry { charge: charge.clone(), refund: false })?;
        Ok(true)
    }

    /// Refunds a charge.
    ///
    /// # Errors
    /// Returns an error if the ledger cannot be written.
    pub fn refund(&self, charge: &Charge) -> std::io::Result<()> {
        self.write(&Entry { charge: charge.clone(), refund: true })
    }

    /// All charges and refunds that were requested, including repetitions.
    ///
    /// # Errors
    /// Returns an error if the ledger cannot be read.
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
