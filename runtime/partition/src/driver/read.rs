//! Reads: answered once everything that they have seen is durable.

use runtime_core::tables::Tables;
use runtime_store::Base;
use tokio::sync::oneshot;

use super::Driver;
use crate::lanes::{Read, SendReply};

/// Frozen layers that rows may be read through. At this limit, and if rows have changed since, a
/// reader that wants to hold rows waits for a checkpoint to write the layers, which starts at once.
pub(crate) const LAYERS_MAX: usize = 8;

impl Driver {
    /// Answers reads, including earlier ones that had to wait.
    pub(super) fn look(&mut self, reads: Vec<Read>) {
        let mut answers: Vec<SendReply> = Vec::new();
        for read in reads {
            match read {
                Read::Look(look) => {
                    answers.push(look(&Tables::new(&mut self.live, self.store.base())));
                }
                Read::Hold(reader) => self.holders.push(reader),
            }
        }
        let may_hold = self.live.is_empty() || self.store.layers() < LAYERS_MAX;
        if may_hold && !self.holders.is_empty() {
            let base = self.store.snapshot(&mut self.live, self.applied);
            answers.extend(self.holders.drain(..).map(|reader| held(reader, base.clone())));
        }
        if !answers.is_empty() {
            self.after_durable(0, move || answers.into_iter().for_each(|answer| answer()));
        }
    }
}

fn held(reader: oneshot::Sender<Base>, base: Base) -> SendReply {
    Box::new(move || {
        let _ = reader.send(base); // The reader may be gone.
    })
}
