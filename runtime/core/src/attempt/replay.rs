//! The opening frames of an attempt: Start, then the journal in order.

use bytes::BytesMut;
use protocol::wire::{MessageType, control, frame::Frame};

use super::Attempt;

impl Attempt {
    pub(super) fn replay(&mut self) {
        let journal = std::mem::take(&mut self.start.journal);
        let len = journal.len();
        let Ok(entries) = u32::try_from(len) else {
            panic!(
                "{:?} has a journal of {len} entries, more than a 32-bit index can address",
                self.name
            )
        };
        let frame = self.start_frame(entries);
        self.seen = entries;
        let mut buffer = BytesMut::with_capacity(1024);
        frame.encode(&mut buffer);
        for entry in journal {
            self.commands += u32::from(entry.ty.is_command());
            self.has_output |= entry.ty == MessageType::OUTPUT_COMMAND;
            self.asked.replayed(&entry);
            self.queue(Frame { ty: entry.ty, flags: 0, body: entry.body }, &mut buffer);
        }
        self.flush(buffer);
    }

    fn start_frame(&mut self, entries: u32) -> Frame {
        let state = std::mem::take(&mut self.start.state);
        let (state, partial_state) = if self.options.handler.lazy_state {
            (Vec::new(), true)
        } else {
            (state, self.start.partial_state)
        };
        let has_scope = self.version().has_scope();
        let since_last_ms = self.start.now.0.saturating_sub(self.start.last_entry_at.0);
        control::Start {
            id: self.start.id,
            debug_id: self.start.id.to_string(),
            known_entries: entries,
            state,
            partial_state,
            key: self.start.target.key.clone(),
            retry_count: self.start.retry_count,
            duration_since_last_entry_ms: since_last_ms,
            random_seed: self.start.random_seed,
            scope: self.start.scope.clone().filter(|_| has_scope),
            limit_key: self.start.limit_key.clone().filter(|_| has_scope),
            idempotency_key: self.start.idempotency_key.clone().filter(|_| has_scope),
        }
        .encode()
    }
}
