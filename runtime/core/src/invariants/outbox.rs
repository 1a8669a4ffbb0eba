//! Messages to one receiver have no gaps, and the last one has the last sequence number that was
//! sent.

use std::collections::BTreeMap;

use super::checked::Checked;
use crate::{model::ids::PartitionId, tables::Tables};

pub(super) fn check(tables: &Tables<'_>) -> Checked {
    let mut last: BTreeMap<PartitionId, u64> = BTreeMap::new();
    for (to, sequence, _) in tables.outgoing((PartitionId(0), 0), usize::MAX) {
        let before = last.insert(to, sequence);
        let follows = before.is_none_or(|before| before + 1 == sequence);
        ensure!(follows, "message {sequence} to {to:?} follows {before:?}");
    }
    for (to, sequence) in last {
        let sent = tables.meta().sent;
        let sent = sent.iter().find(|(known, _)| *known == to).map(|(_, sent)| *sent);
        ensure!(sent == Some(sequence), "the last message to {to:?} is {sequence}, not {sent:?}");
    }
    Ok(())
}
