//! Runs a program on the Vm. All it knows of the world beside its input is [`Surroundings`].

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};
use protocol::{
    TerminalFailure,
    journal::{CallRequest, NotificationResult},
};
use sdk_core::{Await, Handle, Progress, Vm, VmError};

use crate::program::{HANDLER, OBJECT, Place, SERVICE, Step, encode};

/// The world outside, which no crash of the runtime touches.
#[derive(Debug, Default)]
pub struct Surroundings {
    /// Results of side effects: each execution has another.
    executions: u64,
    /// How often a flaky step has failed, by invocation and step.
    failures: BTreeMap<(String, usize), u32>,
    /// The earliest end that any attempt asked for, by invocation and step.
    wake_ups_ms: BTreeMap<(String, usize), u64>,
    /// What went wrong that nobody else can see.
    pub faults: Vec<String>,
}

/// A program under way.
#[derive(Debug)]
pub struct Interpreter {
    steps: Vec<Step>,
    at: usize,
    waiting: Option<Waiting>,
    /// What it has seen, in order: its output.
    seen: BytesMut,
}

#[derive(Debug)]
struct Waiting {
    wait: Await,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Results,
    Sleep,
    List(u32),
    Race { never: Handle, sleep: Handle },
}

impl Interpreter {
    /// A program that has not begun.
    pub fn new(steps: Vec<Step>) -> Self {
        Self { steps, at: 0, waiting: None, seen: BytesMut::new() }
    }

    /// Goes as far as it can.
    ///
    /// # Errors
    /// When the Vm finds a mismatch: in a simulation that is always a fault.
    pub fn go_on(
        &mut self,
        vm: &mut Vm,
        world: &mut Surroundings,
        now_ms: u64,
    ) -> Result<(), VmError> {
        while !vm.has_ended() {
            if self.waiting.is_some() {
                if !self.wait(vm, world, now_ms)? {
                    return Ok(());
                }
                continue;
            }
            let Some(step) = self.steps.get(self.at).cloned() else {
                vm.sys_output(Ok(self.seen.split().freeze()))?;
                return vm.end();
            };
            self.begin(&step, vm, world, now_ms)?;
            self.at += 1;
        }
        Ok(())
    }

    /// Waits; true when the wait is over.
    fn wait(
        &mut self,
        vm: &mut Vm,
        world: &mut Surroundings,
        now_ms: u64,
    ) -> Result<bool, VmError> {
        let Some(Waiting { wait, kind }) = &self.waiting else { return Ok(true) };
        match vm.progress(wait)? {
            Progress::NeedInput | Progress::Executing | Progress::Suspended => Ok(false),
            Progress::Execute(handle) => {
                world.executions += 1;
                let result = world.executions.to_be_bytes().to_vec();
                vm.propose_run(handle, Ok(result.into()))?;
                Ok(true)
            }
            Progress::Cancelled(failure) => {
                vm.sys_output(Err(failure))?;
                vm.end()?;
                Ok(false)
            }
            Progress::Ready => {
                let step = (id(vm), self.at - 1);
                match kind {
                    Kind::Results => {
                        for handle in wait.leaves.clone() {
                            self.see(vm, handle);
                        }
                    }
                    Kind::Sleep => {
                        let end_ms = world.wake_ups_ms.get(&step).copied().unwrap_or(0);
                        if now_ms < end_ms {
                            world
                                .faults
                                .push(format!("{step:?} woke {} ms early", end_ms - now_ms));
                        }
                    }
                    Kind::List(tag) => {
                        let mut list = match vm.take(wait.leaves[0]) {
                            Some(NotificationResult::Value(list)) => BytesMut::from(&list[..]),
                            Some(_) | None => BytesMut::new(),
                        };
                        list.put_u32(*tag);
                        vm.sys_set_state(Bytes::from("list"), list.freeze())?;
                    }
                    Kind::Race { never, sleep } => {
                        if vm.take(*never).is_some() || vm.take(*sleep).is_none() {
                            world.faults.push(format!("{step:?}: the wrong one won"));
                        }
                    }
                }
                self.waiting = None;
                Ok(true)
            }
        }
    }

    fn see(&mut self, vm: &mut Vm, handle: Handle) {
        match vm.take(handle) {
            Some(NotificationResult::Value(value)) => {
                self.seen.put_u8(1);
                self.seen.put_u32(u32::try_from(value.len()).unwrap_or(u32::MAX));
                self.seen.extend_from_slice(&value);
            }
            Some(NotificationResult::Failure(failure)) => {
                self.seen.put_u8(2);
                self.seen.put_u32(failure.code);
            }
            Some(
                NotificationResult::Void
                | NotificationResult::InvocationId(_)
                | NotificationResult::StateKeys(_),
            )
            | None => self.seen.put_u8(3),
        }
    }

    fn begin(
        &mut self,
        step: &Step,
        vm: &mut Vm,
        world: &mut Surroundings,
        now_ms: u64,
    ) -> Result<(), VmError> {
        let mut wait_for = |wait: Await, kind: Kind| self.waiting = Some(Waiting { wait, kind });
        match step {
            Step::Append(tag) => {
                let handle = vm.sys_get_state(Bytes::from("list"))?;
                wait_for(Await::first([handle]), Kind::List(*tag));
            }
            Step::Run => {
                let handle = vm.sys_run("run")?;
                wait_for(Await::first([handle]), Kind::Results);
            }
            Step::Sleep(duration_ms) => {
                let handle = sleep(vm, world, self.at, now_ms + duration_ms)?;
                wait_for(Await::first([handle]), Kind::Sleep);
            }
            Step::Call(place, steps) => {
                let (_, handle) = vm.sys_call(request(place, steps))?;
                wait_for(Await::first([handle]), Kind::Results);
            }
            Step::CallBoth((one, its), (other, others)) => {
                let (_, first) = vm.sys_call(request(one, its))?;
                let (_, second) = vm.sys_call(request(other, others))?;
                wait_for(Await::all([first, second]), Kind::Results);
            }
            Step::Send(place, steps, delay_ms) => {
                let at_ms = if *delay_ms == 0 { 0 } else { now_ms + delay_ms };
                vm.sys_send(request(place, steps), at_ms)?;
            }
            Step::Awakeable => {
                let (awakeable, handle) = vm.sys_awakeable()?;
                let helper = request(&Place::Service, &[Step::Complete(awakeable)]);
                vm.sys_send(helper, 0)?;
                wait_for(Await::first([handle]), Kind::Results);
            }
            Step::Complete(awakeable) => {
                vm.sys_complete_awakeable(awakeable, Ok(Bytes::from("done")))?;
            }
            Step::Timeout(duration_ms) => {
                let (_, never) = vm.sys_awakeable()?;
                let sleep = sleep(vm, world, self.at, now_ms + duration_ms)?;
                wait_for(Await::first([never, sleep]), Kind::Race { never, sleep });
            }
            Step::Flaky(times) => {
                let failures = world.failures.entry((id(vm), self.at)).or_default();
                if *failures < *times {
                    *failures += 1;
                    vm.fail("flaky", "")?;
                }
            }
            Step::Fail => {
                vm.sys_output(Err(TerminalFailure::new(418, "meant to")))?;
                vm.end()?;
            }
        }
        Ok(())
    }
}

fn sleep(vm: &mut Vm, world: &mut Surroundings, at: usize, end_ms: u64) -> Result<Handle, VmError> {
    let earliest_ms = world.wake_ups_ms.entry((id(vm), at)).or_insert(end_ms);
    *earliest_ms = end_ms.min(*earliest_ms);
    vm.sys_sleep("", end_ms)
}

fn id(vm: &Vm) -> String {
    vm.start().map(|start| start.debug_id.clone()).unwrap_or_default()
}

fn request(place: &Place, steps: &[Step]) -> CallRequest {
    let (service, key) = match place {
        Place::Service => (SERVICE, String::new()),
        Place::Object(key) => (OBJECT, key.clone()),
    };
    CallRequest {
        service: service.to_owned(),
        handler: HANDLER.to_owned(),
        key,
        parameter: encode(steps),
        headers: Vec::new(),
        idempotency_key: None,
        scope: None,
        limit_key: None,
    }
}
