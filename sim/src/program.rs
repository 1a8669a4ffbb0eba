//! What handlers do: small random programs, carried in the input of their invocation.
//!
//! Plain services call and send; objects append to their state and send on, but call nobody, so that
//! no two wait for each other's lock.

use bytes::Bytes;
use runtime_embedded::Random;
use serde::{Deserialize, Serialize};

use crate::limits::Limits;

/// The service without keys.
pub const SERVICE: &str = "Svc";
/// The virtual object.
pub const OBJECT: &str = "Obj";
/// The workflow.
pub const WORKFLOW: &str = "Flow";
/// The handler of the service and of the object.
pub const HANDLER: &str = "go";
/// The service's handler whose results are kept for a moment only.
pub const BRIEF_HANDLER: &str = "brief";
/// The handler of the workflow.
pub const RUN_HANDLER: &str = "run";
/// How many objects there are.
pub const OBJECTS: u64 = 4;

/// Where a program runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// On the plain service.
    Service,
    /// On the plain service, and its result is kept for a moment only.
    Brief,
    /// On the object with this key.
    Object(String),
    /// As the one run of the workflow with this key.
    Workflow(String),
}

/// What one invocation does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Its number, used nowhere else; 0 for helpers of another one.
    pub number: u32,
    /// Where it runs.
    pub place: Place,
    /// What it does.
    pub steps: Vec<Step>,
}

/// One thing a program does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Append a tag, used nowhere else, to the object's list.
    Append(u32),
    /// Hold a value in the object's state over a sleep of so many milliseconds, alone.
    Busy(u64),
    /// A side effect whose result nobody can guess.
    Run,
    /// Sleep so many milliseconds.
    Sleep(u64),
    /// Call and wait.
    Call(Program),
    /// Call two and wait for both.
    CallBoth(Program, Program),
    /// Call twice with one idempotency key.
    Idempotent(Program),
    /// Send, after so many milliseconds.
    Send(Program, u64),
    /// Send, look at the output, and wait for it.
    Attach(Program),
    /// Run a workflow, try to run it again, and attach to it.
    Workflow(Program),
    /// Wait for a promise that another handler of the workflow completes.
    Promise,
    /// Read an object's list beside its writers.
    Look(String),
    /// Make an awakeable, have somebody complete it, and wait.
    Awakeable,
    /// Make an awakeable that is completed through the ingress, and wait.
    Outside,
    /// Complete an awakeable.
    Complete(String),
    /// Have somebody send a signal twice, and receive it twice.
    Signal {
        /// Whether both are sent before the first is received.
        at_once: bool,
    },
    /// Send these signals to an invocation.
    SendSignals(String, Vec<u32>),
    /// Wait for whichever comes first of an awakeable that nobody completes and a sleep.
    Timeout(u64),
    /// Fail in a way worth another try, so many times.
    Flaky(u32),
    /// A saga of one step, undone if it is to be; nothing follows then.
    Saga {
        /// The step.
        step: Program,
        /// What undoes it.
        undo: Program,
        /// Whether it fails.
        fails: bool,
    },
    /// Fail for good; nothing follows.
    Fail,
}

impl Program {
    /// A helper of another program.
    pub fn helper(steps: Vec<Step>) -> Self {
        Self { number: 0, place: Place::Service, steps }
    }

    /// Programs that this one starts, each once.
    pub fn children(&self) -> impl Iterator<Item = &Self> {
        self.steps.iter().flat_map(|step| match step {
            Step::Call(program)
            | Step::Idempotent(program)
            | Step::Send(program, _)
            | Step::Attach(program)
            | Step::Workflow(program) => vec![program],
            Step::CallBoth(one, other) => vec![one, other],
            Step::Saga { step, undo, fails } => {
                if *fails {
                    vec![step, undo]
                } else {
                    vec![step]
                }
            }
            Step::Append(_)
            | Step::Busy(_)
            | Step::Run
            | Step::Sleep(_)
            | Step::Promise
            | Step::Look(_)
            | Step::Awakeable
            | Step::Outside
            | Step::Complete(_)
            | Step::Signal { .. }
            | Step::SendSignals(..)
            | Step::Timeout(_)
            | Step::Flaky(_)
            | Step::Fail => Vec::new(),
        })
    }

    /// Its own tags, in order.
    pub fn tags(&self) -> Vec<u32> {
        let tag = |step: &Step| if let Step::Append(tag) = step { Some(*tag) } else { None };
        self.steps.iter().filter_map(tag).collect()
    }

    /// Service, key and handler.
    pub fn target(&self) -> (&'static str, &str, &'static str) {
        match &self.place {
            Place::Service => (SERVICE, "", HANDLER),
            Place::Brief => (SERVICE, "", BRIEF_HANDLER),
            Place::Object(key) => (OBJECT, key, HANDLER),
            Place::Workflow(key) => (WORKFLOW, key, RUN_HANDLER),
        }
    }
}

/// The bytes of a program.
///
/// # Panics
/// Never: a program is numbers and texts.
pub fn encode(program: &Program) -> Bytes {
    match postcard::to_stdvec(program) {
        Ok(bytes) => Bytes::from(bytes),
        Err(error) => panic!("a program cannot be written: {error}"),
    }
}

/// The program in these bytes.
///
/// # Panics
/// When there is none: inputs of the simulation are programs.
pub fn decode(bytes: &[u8]) -> Program {
    match postcard::from_bytes(bytes) {
        Ok(program) => program,
        Err(error) => panic!("an input is not a program: {error}"),
    }
}

/// Makes programs; every tag and number is used once.
#[derive(Debug)]
pub struct Author {
    next_tag: u32,
    next_number: u32,
    relays: u64,
}

impl Author {
    /// One who writes for worlds of these limits.
    pub fn new(limits: &Limits) -> Self {
        Self { next_tag: 0, next_number: 0, relays: limits.relays }
    }

    /// A program for a client to start.
    pub fn root(&mut self, random: &mut Random) -> Program {
        match random.below(10) {
            0..=1 => self.object(random),
            2 => self.workflow(random),
            3 => {
                let steps = vec![Step::Run, Step::Sleep(random.below(30))];
                self.program(Place::Brief, steps)
            }
            _ => self.service(random, 2),
        }
    }

    fn program(&mut self, place: Place, steps: Vec<Step>) -> Program {
        self.next_number += 1;
        Program { number: self.next_number, place, steps }
    }

    fn tag(&mut self) -> Step {
        self.next_tag += 1;
        Step::Append(self.next_tag)
    }

    fn service(&mut self, random: &mut Random, depth: u32) -> Program {
        let mut steps = Vec::new();
        if random.chance(self.relays) {
            self.relay(random, &mut steps);
        }
        for _ in 0..1 + random.below(5) {
            steps.push(match random.below(20) {
                0 | 1 => Step::Run,
                2 => Step::Sleep(random.below(300)),
                3 | 4 => Step::Call(self.object(random)),
                5 if depth > 0 => Step::Call(self.service(random, depth - 1)),
                6 => {
                    let (one, other) = (self.object(random), vec![Step::Run]);
                    Step::CallBoth(one, self.program(Place::Service, other))
                }
                7 => Step::Awakeable,
                8 => Step::Timeout(random.below(200)),
                9 => Step::Flaky(1 + u32::try_from(random.below(2)).unwrap_or(0)),
                10 => {
                    let delay_ms = random.below(2) * random.below(400);
                    Step::Send(self.object(random), delay_ms)
                }
                11 => Step::Outside,
                12 => Step::Signal { at_once: random.chance(500) },
                13 => Step::Attach(self.object(random)),
                14 => Step::Idempotent(self.object(random)),
                15 if depth > 0 => Step::Workflow(self.workflow(random)),
                16 | 17 => Step::Look(object_key(random)),
                _ => Step::Send(self.object(random), 0),
            });
        }
        match random.below(20) {
            0 | 1 => steps.push(Step::Fail),
            2 | 3 => {
                let (step, undo) = (self.object(random), self.object(random));
                steps.push(Step::Saga { step, undo, fails: random.chance(500) });
            }
            _ => (),
        }
        self.program(Place::Service, steps)
    }

    /// Sends to an object, then has another object send to the same one: the second comes by another way,
    /// but not before the first.
    fn relay(&mut self, random: &mut Random, steps: &mut Vec<Step>) {
        let (to, by) = (Place::Object(object_key(random)), Place::Object(object_key(random)));
        let (first, between, second) = (self.tag(), self.tag(), self.tag());
        steps.push(Step::Send(self.program(to.clone(), vec![first]), 0));
        let relayed = Step::Send(self.program(to, vec![second]), 0);
        steps.push(Step::Call(self.program(by, vec![between, relayed])));
    }

    fn workflow(&mut self, random: &mut Random) -> Program {
        let mut steps = Vec::new();
        for _ in 0..1 + random.below(3) {
            steps.push(match random.below(6) {
                0 => Step::Run,
                1 => Step::Sleep(random.below(100)),
                2 => Step::Call(self.object(random)),
                3 => Step::Flaky(1),
                _ => Step::Promise,
            });
        }
        let key = format!("w{}", self.next_number);
        self.program(Place::Workflow(key), steps)
    }

    fn object(&mut self, random: &mut Random) -> Program {
        // The first tag tells when it came, the last that it was finished.
        let mut steps = vec![self.tag()];
        for _ in 0..random.below(3) {
            steps.push(match random.below(7) {
                0 => Step::Run,
                1 => Step::Sleep(random.below(100)),
                2 => Step::Flaky(1),
                3 => Step::Timeout(random.below(100)),
                4 => {
                    let (place, tag) = (Place::Object(object_key(random)), self.tag());
                    Step::Send(self.program(place, vec![tag]), 0)
                }
                5 => Step::Busy(random.below(30)),
                _ => self.tag(),
            });
        }
        if random.chance(100) {
            steps.push(Step::Fail);
        }
        self.program(Place::Object(object_key(random)), steps)
    }
}

fn object_key(random: &mut Random) -> String {
    format!("o{}", random.below(OBJECTS))
}
