//! The completions that a journal's commands requested: an SDK may wait only for these, and
//! complete only the runs among them.

use std::collections::BTreeSet;

use protocol::{
    journal::{Awaiting, CompletionId, Entry, NotificationId},
    wire::{self, MessageType},
};

use super::fault::Fault;

/// The requested completions. Journals are replayed on every attempt, so their entries are not
/// decoded but scanned for the two fields that matter.
#[derive(Debug, Default)]
pub(super) struct PendingCompletions {
    /// In ascending order, which is the order in which SDKs choose them.
    ids: Vec<CompletionId>,
    /// Runs whose result has not been proposed yet.
    runs: BTreeSet<CompletionId>,
}

impl PendingCompletions {
    /// Records an entry from the stored journal, which has been checked before.
    pub(super) fn replayed(&mut self, entry: &Entry) {
        if entry.ty.is_command() {
            let asked = wire::command::completions(entry);
            asked.into_iter().flatten().for_each(|id| _ = self.insert(id));
            self.runs.extend(asked[1].filter(|_| entry.ty == MessageType::RUN_COMMAND));
        } else if entry.ty == MessageType::RUN_COMPLETION
            && let Some(id) = wire::notification::completion_id(entry)
        {
            self.runs.remove(&id);
        }
    }

    /// Records a new command. Returns an error unless its completion ids are new and non-zero.
    pub(super) fn command(&mut self, entry: &Entry) -> Result<(), Fault> {
        let asked = wire::command::completions(entry);
        for id in asked.into_iter().flatten() {
            if id == 0 {
                return Err(protocol(format!("{:?} requests completion 0", entry.ty)));
            }
            if !self.insert(id) {
                let message = format!("{:?} requests completion {id} a second time", entry.ty);
                return Err(protocol(message));
            }
        }
        self.runs.extend(asked[1].filter(|_| entry.ty == MessageType::RUN_COMMAND));
        Ok(())
    }

    /// Records a run's result. Returns an error unless the run exists and has no result yet.
    pub(super) fn run_proposed(&mut self, id: CompletionId) -> Result<(), Fault> {
        if self.runs.remove(&id) {
            Ok(())
        } else {
            Err(protocol(format!("a result for run {id}, which is not a pending run")))
        }
    }

    /// Checks a suspension. Returns an error if it waits for a completion that no command
    /// requested, since that would never arrive.
    pub(super) fn awaited(&self, awaiting: &Awaiting) -> Result<(), Fault> {
        let unknown = awaiting.all_leaves().find_map(|leaf| match leaf {
            NotificationId::Completion(id) => Some(*id).filter(|id| !self.contains(*id)),
            NotificationId::Signal(_) => None,
        });
        match unknown {
            None => Ok(()),
            Some(id) => {
                let message =
                    format!("a suspension on completion {id}, which no command requested");
                Err(protocol(message))
            }
        }
    }

    fn contains(&self, id: CompletionId) -> bool {
        self.ids.binary_search(&id).is_ok()
    }

    /// Returns whether the id is new.
    fn insert(&mut self, id: CompletionId) -> bool {
        if self.ids.last().is_none_or(|last| *last < id) {
            self.ids.push(id);
            return true;
        }
        match self.ids.binary_search(&id) {
            Ok(_) => false,
            Err(at) => {
                self.ids.insert(at, id);
                true
            }
        }
    }
}

fn protocol(message: String) -> Fault {
    Fault::Protocol { message }
}
