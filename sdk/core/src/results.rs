//! Results that have arrived, in journal order, and results that were known without arriving.

use std::collections::{BTreeMap, VecDeque};

use protocol::{
    journal::{CompletionId, Entry, NotificationId, NotificationResult},
    wire::{self, MessageType, control::RunAck, frame::Frame},
};

use crate::error::VmError;

/// Results by id; a signal may arrive several times.
#[derive(Debug, Default)]
pub(crate) struct Results {
    queue: VecDeque<(NotificationId, NotificationResult)>,
    visible: BTreeMap<NotificationId, VecDeque<NotificationResult>>,
    /// Results of runs that were proposed and not yet confirmed by the runtime.
    proposed: BTreeMap<CompletionId, NotificationResult>,
}

impl Results {
    /// Takes a result that arrived, or the acknowledgement of one that was proposed.
    pub(crate) fn take_frame(&mut self, frame: Frame) -> Result<(), VmError> {
        if frame.ty == MessageType::PROPOSE_RUN_COMPLETION_ACK {
            let RunAck { completion } = RunAck::decode(&frame)?;
            let Some(result) = self.proposed.remove(&completion) else {
                let message = format!("run {completion} is acknowledged but was not proposed");
                return Err(VmError::Protocol(message));
            };
            self.queue.push_back((NotificationId::Completion(completion), result));
            return Ok(());
        }
        if !frame.ty.is_notification() {
            return Err(VmError::Protocol(format!(
                "{:?} is not valid for an SDK at this point",
                frame.ty
            )));
        }
        let notification = wire::notification::decode(&Entry { ty: frame.ty, body: frame.body })?;
        if let NotificationId::Completion(completion) = notification.id {
            self.proposed.remove(&completion);
        }
        self.queue.push_back((notification.id, notification.result));
        Ok(())
    }

    /// Records that the result of a run was sent to the runtime, whose reply makes it available.
    pub(crate) fn propose(&mut self, completion: CompletionId, result: NotificationResult) {
        self.proposed.insert(completion, result);
    }

    /// Removes the first wanted result from the queue, in journal order, and returns its position.
    pub(crate) fn take_first(
        &mut self,
        wants: impl Fn(&NotificationId) -> bool,
    ) -> Option<(usize, NotificationId, NotificationResult)> {
        let at = self.queue.iter().position(|(id, _)| wants(id))?;
        let (id, result) = self.queue.remove(at)?;
        Some((at, id, result))
    }

    /// Like [`Self::take_first`] for the last wanted result: wrong on purpose, for tests that must
    /// detect it.
    pub(crate) fn take_last(
        &mut self,
        wants: impl Fn(&NotificationId) -> bool,
    ) -> Option<(usize, NotificationId, NotificationResult)> {
        let at = self.queue.iter().rposition(|(id, _)| wants(id))?;
        let (id, result) = self.queue.remove(at)?;
        Some((at, id, result))
    }

    /// Returns a result to where [`Self::take_first`] found it. Results that have arrived since
    /// come after it.
    pub(crate) fn put_back(&mut self, at: usize, id: NotificationId, result: NotificationResult) {
        self.queue.insert(at.min(self.queue.len()), (id, result));
    }

    /// Finds a result in the queue.
    pub(crate) fn find(&self, id: &NotificationId) -> Option<&NotificationResult> {
        self.queue.iter().find(|(known, _)| known == id).map(|(_, result)| result)
    }

    /// Adds a result that is known without having been waited for.
    pub(crate) fn show(&mut self, id: NotificationId, result: NotificationResult) {
        self.visible.entry(id).or_default().push_back(result);
    }

    /// Removes a result that was known without having arrived.
    pub(crate) fn take(&mut self, id: &NotificationId) -> Option<NotificationResult> {
        let results = self.visible.get_mut(id)?;
        let result = results.pop_front();
        if results.is_empty() {
            self.visible.remove(id);
        }
        result
    }
}
