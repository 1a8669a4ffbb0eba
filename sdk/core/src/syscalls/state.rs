//! State of a virtual object or workflow: answered from what the attempt was started with, or asked
//! for. On replay the journal says which it was.

use std::collections::BTreeMap;

use bytes::Bytes;
use protocol::{
    journal::{Command, NamedCommand, NotificationId, NotificationResult},
    wire::control::Start,
};

use crate::{Handle, Vm, VmError, vm::Stage};

/// What is known of the state.
#[derive(Debug, Default)]
pub(crate) struct StateView {
    /// Known keys; `None` is known to be absent.
    known: BTreeMap<Bytes, Option<Bytes>>,
    /// Whether a key that is not known is absent.
    is_complete: bool,
}

impl StateView {
    pub(crate) fn new(start: &Start) -> Self {
        let known = start.state.iter().map(|(key, value)| (key.clone(), Some(value.clone())));
        Self { known: known.collect(), is_complete: !start.partial_state }
    }

    /// The value, if it is known which it is.
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
    /// Reads a key: a value, or void when it is absent.
    ///
    /// # Errors
    /// When the journal has something else here.
    pub fn sys_get_state(&mut self, key: Bytes) -> Result<Handle, VmError> {
        self.check_open()?;
        let (handle, completion) = self.new_completion();
        let replayed = self.replay.peek();
        let value = match self.or_fail(replayed)?.map(|named| named.command) {
            Some(Command::GetEagerState { value, .. }) if self.stage == Stage::Replaying => {
                Some(value)
            }
            Some(_) if self.stage == Stage::Replaying => None,
            Some(_) | None => self.view.get(&key),
        };
        let command = match &value {
            Some(value) => Command::GetEagerState { key, value: value.clone() },
            None => Command::GetLazyState { key, completion },
        };
        let issued = self.issue(command.into());
        self.or_fail(issued)?;
        if let Some(value) = value {
            let result = value.map_or(NotificationResult::Void, NotificationResult::Value);
            self.results.show(NotificationId::Completion(completion), result);
        }
        Ok(handle)
    }

    /// Reads all keys, in order.
    ///
    /// # Errors
    /// When the journal has something else here.
    pub fn sys_get_state_keys(&mut self) -> Result<Handle, VmError> {
        self.check_open()?;
        let (handle, completion) = self.new_completion();
        let replayed = self.replay.peek();
        let keys = match self.or_fail(replayed)?.map(|named| named.command) {
            Some(Command::GetEagerStateKeys { keys }) if self.stage == Stage::Replaying => {
                Some(keys)
            }
            Some(_) if self.stage == Stage::Replaying => None,
            Some(_) | None => self.view.keys(),
        };
        let command = match &keys {
            Some(keys) => Command::GetEagerStateKeys { keys: keys.clone() },
            None => Command::GetLazyStateKeys { completion },
        };
        let issued = self.issue(command.into());
        self.or_fail(issued)?;
        if let Some(keys) = keys {
            let id = NotificationId::Completion(completion);
            self.results.show(id, NotificationResult::StateKeys(keys));
        }
        Ok(handle)
    }

    /// Writes a key.
    ///
    /// # Errors
    /// When the journal has something else here.
    pub fn sys_set_state(&mut self, key: Bytes, value: Bytes) -> Result<(), VmError> {
        self.view.known.insert(key.clone(), Some(value.clone()));
        self.sys_state(Command::SetState { key, value })
    }

    /// Removes a key.
    ///
    /// # Errors
    /// When the journal has something else here.
    pub fn sys_clear_state(&mut self, key: Bytes) -> Result<(), VmError> {
        self.view.known.insert(key.clone(), None);
        self.sys_state(Command::ClearState { key })
    }

    /// Removes all keys.
    ///
    /// # Errors
    /// When the journal has something else here.
    pub fn sys_clear_all_state(&mut self) -> Result<(), VmError> {
        self.view = StateView { known: BTreeMap::new(), is_complete: true };
        self.sys_state(Command::ClearAllState)
    }

    fn sys_state(&mut self, command: Command) -> Result<(), VmError> {
        self.check_open()?;
        let issued = self.issue(NamedCommand::from(command));
        self.or_fail(issued)
    }
}
