//! Rows: fills the store with live state for the store-size test, many rows per invocation.

use restate_sdk::prelude::*;
use runtime_seeded::Random;

/// Maximum rows per invocation; keeps the journal far below a server's message limits.
const ROWS_PER_CALL_MAX: u64 = 10_000;
const VALUE_BYTES: usize = 100;

/// An object that writes as many rows of state as requested.
///
/// It retains no journal afterwards, so that only the state remains.
pub(crate) struct Rows;

#[object(journal_retention = "0s", client_visibility = "pub(crate)")]
impl Rows {
    #[handler]
    async fn fill(&self, ctx: ObjectContext<'_>, rows: u64) -> HandlerResult<()> {
        if rows > ROWS_PER_CALL_MAX {
            return Err(TerminalError::new("too many rows for one call").into());
        }
        // The values must be the same on replay, and must not be compressible.
        let mut random = seeded_by(ctx.key());
        for row in 0..rows {
            ctx.set(&format!("row{row:05}"), value(&mut random));
        }
        Ok(())
    }
}

/// Returns a random number generator whose seed depends only on `text`.
fn seeded_by(text: &str) -> Random {
    let fnv = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    Random::new(text.bytes().fold(0xcbf2_9ce4_8422_2325, fnv))
}

fn value(random: &mut Random) -> String {
    let mut text = String::with_capacity(VALUE_BYTES + 16);
    while text.len() < VALUE_BYTES {
        text.push_str(&format!("{:016x}", random.next_u64()));
    }
    text.truncate(VALUE_BYTES);
    text
}
