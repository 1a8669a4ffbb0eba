//! State of a virtual object or workflow: read from what the attempt was started with, or requested
//! from the runtime. On replay the journal says which of the two it was.

use std::collections::BTreeMap;

use bytes::Bytes;
use protocol::{
    journal::{Command, NotificationId, NotificationResult},
    wire::control::Start,
};

use crate::{Handle, Vm, VmError, replay::Progress, running::Running};

/// The known part of the state.
#[derive(Debug, Default)]
pub(crate) struct StateView {
    /// Known keys; `None` if the key is known to be absent.
    known: BTreeMap<Bytes, Option<Bytes>>,
    /// Whether keys that are not in `known` are absent.
    is_complete: bool,
}

impl StateView {
    pub(crate) fn new(start: &Start) -> Self {
        let known = start.state.iter().map(|(key, value)| (key.clone(), Some(value.clone())));
        Self { known: known.collect(), is_complete: !start.partial_state }
    }

    /// The value, if it is known; the inner `None` is an absent key.
    fn get(&self, key: &Bytes) -> Option<Option<Bytes>> {
        match self.known.get(key) {
            Some(value) => Some(value.clone()),
            None => self.is_complete.then_some(None),
        }
    }

    /// All keys in order, if they are known.
    fn keys(&self) -> Option<Vec<Bytes>> {
        let present = self.known.iter().filter(|(_, value)| value.is_some());
        self.is_complete.then(|| present.map(|(key, _)| key.clone()).collect())
    }
}

impl Vm {
    /// Reads a key: a value, or void if it is absent.
    ///
    /// # Errors
    /// Returns an error if the journal has a different command here.
    pub fn sys_get_state(&mut self, key: Bytes) -> Result<Handle, VmError> {
        self.with_running(|running| {
            let (handle, completion) = running.new_completion();
            let value = match running.replayed()? {
                Some(Command::GetEagerState { value, .. }) => Some(value),
                Some(_) => None,
                None => running.state.get(&key),
            };
            let Some(value) = value else {
                running.issue(Command::GetLazyState { key, completion })?;
                return Ok(handle);
            };
            running.issue(Command::GetEagerState { key, value: value.clone() })?;
            let result = value.map_or(NotificationResult::Void, NotificationResult::Value);
            running.results.show(NotificationId::Completion(completion), result);
            Ok(handle)
        })
    }

    /// Lists all keys, in order.
    ///
    /// # Errors
    /// Returns an error if the journal has a different command here.
    pub fn sys_get_state_keys(&mut self) -> Result<Handle, VmError> {
        self.with_running(|running| {
            let (handle, completion) = running.new_completion();
            let keys = match running.replayed()? {
                Some(Command::GetEagerStateKeys { keys }) => Some(keys),
                Some(_) => None,
                None => running.state.keys(),
            };
            let Some(keys) = keys else {
                running.issue(Command::GetLazyStateKeys { completion })?;
                return Ok(handle);
            };
            running.issue(Command::GetEagerStateKeys { keys: keys.clone() })?;
            let result = NotificationResult::StateKeys(keys);
            running.results.show(NotificationId::Completion(completion), result);
            Ok(handle)
        })
    }

    /// Writes a key.
    ///
    /// # Errors
    /// Returns an error if the journal has a different command here.
    pub fn sys_set_state(&mut self, key: Bytes, value: Bytes) -> Result<(), VmError> {
        self.with_running(|running| {
            running.state.known.insert(key.clone(), Some(value.clone()));
            running.issue(Command::SetState { key, value })
        })
    }

    /// Removes a key.
    ///
    /// # Errors
    /// Returns an error if the journal has a different command here.
    pub fn sys_clear_state(&mut self, key: Bytes) -> Result<(), VmError> {
        self.with_running(|running| {
            running.state.known.insert(key.clone(), None);
            running.issue(Command::ClearState { key })
        })
    }

    /// Removes all keys.
    ///
    /// # Errors
    /// Returns an error if the journal has a different command here.
    pub fn sys_clear_all_state(&mut self) -> Result<(), VmError> {
        self.with_running(|running| {
            running.state = StateView { known: BTreeMap::new(), is_complete: true };
            running.issue(Command::ClearAllState)
        })
    }
}

impl Running {
    /// The journal's next command; `None` if the handler is past the end of the journal.
    fn replayed(&self) -> Result<Option<Command>, VmError> {
        match &self.progress {
            Progress::Replaying(replay) => Ok(Some(replay.peek()?.command)),
            Progress::Processing { .. } => Ok(None),
        }
    }
}
