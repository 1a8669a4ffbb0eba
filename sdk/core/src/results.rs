//! What has arrived, in journal order, and what was known without having to arrive.

use std::collections::{BTreeMap, VecDeque};

use protocol::{
    journal::{CompletionId, Entry, NotificationId, NotificationResult},
    wire::{self, MessageType, control::RunAck, frame::Frame},
};

use crate::error::VmError;

/// Results by id; a signal may come several times.
#[derive(Debug, Default)]
pub(crate) struct Results {
    queue: VecDeque<(NotificationId, NotificationResult)>,
    visible: BTreeMap<NotificationId, VecDeque<NotificationResult>>,
    /// Of runs, proposed and not yet answered.
    proposed: BTreeMap<CompletionId, NotificationResult>,
}

impl Results {
    /// A result has arrived, or the acknowledgement of one that was proposed.
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
            return Err(VmError::Protocol(format!("{:?} is not for an SDK now", frame.ty)));
        }
        let notification = wire::notification::decode(&Entry { ty: frame.ty, body: frame.body })?;
        if let NotificationId::Completion(completion) = notification.id {
            self.proposed.remove(&completion);
        }
        self.queue.push_back((notification.id, notification.result));
        Ok(())
    }

    /// The result of a run is on its way to the runtime, whose answer makes it arrive.
    pub(crate) fn propose(&mut self, completion: CompletionId, result: NotificationResult) {
        self.proposed.insert(completion, result);
    }

    /// Takes the first one out of the queue that is wanted, in journal order, and says where it was.
    pub(crate) fn take_first(
        &mut self,
        wants: impl Fn(&NotificationId) -> bool,
    ) -> Option<(usize, NotificationId, NotificationResult)> {
        let at = self.queue.iter().position(|(id, _)| wants(id))?;
        let (id, result) = self.queue.remove(at)?;
        Some((at, id, result))
    }

    /// The same for the last one that is wanted: wrong, for tests that must notice.
    pub(crate) fn take_last(
        &mut self,
        wants: impl Fn(&NotificationId) -> bool,
    ) -> Option<(usize, NotificationId, NotificationResult)> {
        let at = self.queue.iter().rposition(|(id, _)| wants(id))?;
        let (id, result) = self.queue.remove(at)?;
        Some((at, id, result))
    }

    /// Puts one back where [`Self::take_first`] found it. What has arrived since stands behind.
    pub(crate) fn put_back(&mut self, at: usize, id: NotificationId, result: NotificationResult) {
        self.queue.insert(at.min(self.queue.len()), (id, result));
    }

    /// One that is in the queue.
    pub(crate) fn find(&self, id: &NotificationId) -> Option<&NotificationResult> {
        self.queue.iter().find(|(known, _)| known == id).map(|(_, result)| result)
    }

    /// Something is known without having been waited for.
    pub(crate) fn show(&mut self, id: NotificationId, result: NotificationResult) {
        self.visible.entry(id).or_default().push_back(result);
    }

    /// Hands over what was known.
    pub(crate) fn take(&mut self, id: &NotificationId) -> Option<NotificationResult> {
        let results = self.visible.get_mut(id)?;
        let result = results.pop_front();
        if results.is_empty() {
            self.visible.remove(id);
        }
        result
    }
}
