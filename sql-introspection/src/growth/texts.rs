//! What a text takes while it is understood. Each of its parts becomes many times as large as it was,
//! and a text of a mebibyte may have a million of them. The sizes are estimates.

use std::sync::Arc;

use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};

use super::portions::Portion;
use crate::error::SqlError;

/// Largest text, in bytes: as large as a message of a client.
const TEXT_BYTES_MAX: usize = 1 << 20;
/// What the tokenizer takes for a token, in bytes.
const TOKEN_BYTES: usize = 200;
/// What a token takes until its statement is planned, in bytes: an expression of the parser and one of
/// the engine.
const PLANNED_BYTES: usize = 600;

/// Room for a text, until this is dropped.
#[derive(Debug)]
pub struct Room(MemoryReservation);

impl Room {
    /// Takes room for the tokens of a text.
    ///
    /// # Errors
    /// Returns an error if it is too large, or too little is left.
    pub(crate) fn of(text: &str, all: &Arc<dyn MemoryPool>) -> Result<Self, SqlError> {
        if text.len() > TEXT_BYTES_MAX {
            let what = format!("a text may have {TEXT_BYTES_MAX} bytes, not {}", text.len());
            return Err(SqlError::new("54000", what).hint("bind large values as parameters"));
        }
        let pool: Arc<dyn MemoryPool> = Portion::of(all);
        let room = Self(MemoryConsumer::new("statements").register(&pool));
        room.resize(text.len() + tokens_max(text) * TOKEN_BYTES)?;
        Ok(room)
    }

    /// Takes room for what becomes of so many tokens.
    ///
    /// # Errors
    /// Returns an error if too little is left.
    pub(crate) fn resize_to(&self, tokens: usize) -> Result<(), SqlError> {
        self.resize(tokens * PLANNED_BYTES)
    }

    fn resize(&self, bytes: usize) -> Result<(), SqlError> {
        self.0.try_resize(bytes).map_err(|_| {
            let what =
                format!("to understand the statement takes {bytes} bytes, which are not left");
            SqlError::new("53200", what)
                .hint("bind an array with = any($1) instead of a long list, or try again")
        })
    }
}

/// How many tokens a text has at most: as many as there would be if nothing were quoted. A number may
/// end where letters follow it.
fn tokens_max(text: &str) -> usize {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let mut before = b' ';
    let mut count = 1;
    for byte in text.bytes() {
        count += match (is_word(before), is_word(byte)) {
            (true, true) => usize::from(before.is_ascii_digit() && !byte.is_ascii_digit()),
            _ => 1,
        };
        before = byte;
    }
    count
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::{dialect::PostgreSqlDialect, tokenizer::Tokenizer};

    use super::*;

    #[test]
    fn there_are_no_more_tokens_than_that() {
        for text in [
            "",
            " ",
            "select 1",
            "select a.b, 'it''s \"é\" {1,2}', $1::int[] from c -- why\n where d <> 1.5e-3",
            "1,1,1,1,1,1",
            "((((('a'||'b')))))",
            "/* a b */ $tag$ c d $tag$ e'\\n' \"x y\"",
            "1.2.3a4_5é6 3a 1e5 0x1f 1_000a →→",
            "     \t\n  ",
        ] {
            let tokens = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize();
            assert!(tokens.unwrap().len() <= tokens_max(text), "{text}");
        }
    }
}
