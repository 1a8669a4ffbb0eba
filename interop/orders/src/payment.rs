//! The payment provider, as a stub: it writes down what it was asked to charge.
//!
//! It is asked again after a crash in the middle, with the same token: that is how a real provider
//! knows a repeated request from a second charge.

use std::io::Write;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One request to charge, a line of the ledger.
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
        let mut line = serde_json::to_vec(charge)?;
        line.push(b'\n');
        let mut ledger =
            std::fs::OpenOptions::new().create(true).append(true).open(&self.ledger)?;
        ledger.write_all(&line)?;
        Ok(true)
    }
}
