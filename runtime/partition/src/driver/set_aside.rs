//! Events that have to wait for a checkpoint because they would bring large rows: a few bytes can
//! ask for a result or a value of any size. Small events overtake them.

use std::collections::BTreeSet;

use runtime_core::{Lsn, event::Event, tables::Tables};

use crate::lanes::weight;

/// With this many bytes, nothing more is taken from edges and peers. What an attempt proposes after
/// an event that waits has to wait, too, but only what was queued already: the attempt is told.
const BYTES_MAX: usize = 8 << 20;

/// Rows that a turn may look at to learn what events would bring. Looking at a row in the file
/// reads all of it.
const LOOKED_BYTES_MAX: usize = 32 << 20;

/// An event to apply, and how many bytes it brings, as far as that is known.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) event: Event,
    brings_bytes: Option<usize>,
}

/// The events that wait, in order.
#[derive(Default)]
pub(super) struct SetAside {
    events: Vec<Pending>,
    bytes: usize,
    invocations: BTreeSet<Lsn>,
}

/// Looks at the rows that events of a turn would bring.
#[derive(Debug, Default)]
pub(super) struct Looks {
    bytes: usize,
}

impl From<Event> for Pending {
    fn from(event: Event) -> Self {
        Self { event, brings_bytes: None }
    }
}

impl SetAside {
    /// Whether an event has to wait because one before it does: the events of an attempt are
    /// applied in order.
    pub(super) fn is_before(&self, event: &Event) -> bool {
        event.attempt().is_some_and(|attempt| self.invocations.contains(&attempt.invocation))
    }

    pub(super) fn push(&mut self, pending: Pending) {
        let event = &pending.event;
        self.invocations.extend(event.attempt().map(|attempt| attempt.invocation));
        self.bytes += weight(event);
        self.events.push(pending);
    }

    /// Takes all of them.
    pub(super) fn take(&mut self) -> Vec<Pending> {
        std::mem::take(self).events
    }

    /// The invocations whose events wait.
    pub(super) fn invocations(&self) -> &BTreeSet<Lsn> {
        &self.invocations
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes >= BYTES_MAX
    }
}

impl Looks {
    /// Whether an event brings more than `max` bytes. If the turn has looked at too many rows
    /// already, it may.
    pub(super) fn brings_more(
        &mut self,
        max: usize,
        pending: &mut Pending,
        tables: &Tables<'_>,
    ) -> bool {
        let brings = pending.event.brings();
        let bytes = match pending.brings_bytes {
            Some(known) => known,
            None if !brings.is_read_whole() => brings.bytes(tables),
            None if self.bytes >= LOOKED_BYTES_MAX => return true,
            None => {
                let bytes = brings.bytes(tables);
                self.bytes += bytes;
                *pending.brings_bytes.insert(bytes)
            }
        };
        bytes > max
    }
}
