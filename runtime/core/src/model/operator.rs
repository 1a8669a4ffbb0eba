//! Operators.

use serde::{Deserialize, Serialize};

/// Who asks for something, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operator {
    /// Who it is.
    pub name: String,
    /// Why, in their own words.
    pub reason: Option<String>,
}
