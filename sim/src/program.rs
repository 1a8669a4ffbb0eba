//! Handler behaviour: small random programs, carried in the input of their invocation.
//!
//! Plain services call and send. Objects append to their state and send on, but never call, so that
//! no two of them can wait for each other's lock.

use bytes::Bytes;
use runtime_embedded::Random;
use serde::{Deserialize, Serialize};

use crate::limits::Limits;

/// The plain service.
pub const SERVICE: &str = "Svc";
/// The virtual object.
pub const OBJECT: &str = "Obj";
/// The workflow.
pub const WORKFLOW: &str = "Flow";
/// The handler of the service and of the object.
pub const HANDLER: &str = "go";
/// The service's handler whose results are retained only briefly.
pub const BRIEF_HANDLER: &str = "brief";
/// The handler of the workflow.
pub const RUN_HANDLER: &str = "run";
/// The number of objects.
pub const OBJECTS: u64 = 4;

/// The service that a program runs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Destination {
    /// On the plain service.
    Service,
    /// On the plain service, with a result that is retained only briefly.
    Brief,
    /// On the object with this key.
    Object(String),
    /// As the one run of the workflow with this key.
    Workflow(String),
}

/// The steps of one invocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// A unique number; 0 for a helper of another program.
    pub number: u32,
    /// The service it runs on.
    pub place: Destination,
    /// What it does, in order.
    pub steps: Vec<Step>,
}

/// One step of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Append a unique tag to the object's list.
    Append(u32),
    /// Hold a value in the object's state across a sleep of this many milliseconds, as its only
    /// writer.
    Busy(u64),
    /// Run a side effect with an unpredictable result.
    Run,
    /// Sleep this many milliseconds.
    Sleep(u64),
    /// Call and wait for the result.
    Call(Program),
    /// Call two programs and wait for both.
    CallBoth(Program, Program),
    /// Call twice with the same idempotency key.
    Idempotent(Program),
    /// Send, after this many milliseconds.
    Send(Program, u64),
    /// Send, read the output, and attach to it.
    Attach(Program),
    /// Run a workflow, try to run it again, and attach to it.
    Workflow(Program),
    /// Wait for a promise that another handler of the workflow completes.
    Promise,
    /// Read an object's list concurrently with its writers.
    Look(String),
    /// Create an awakeable, have a helper complete it, and wait.
    Awakeable,
    /// Create an awakeable that is completed through the ingress, and wait.
    Outside,
    /// Complete an awakeable.
    Complete(String),
    /// Have a helper send two signals, and receive both.
    Signal {
        /// Whether both are sent before the first is received.
        at_once: bool,
    },
    /// Send these signals to an invocation.
    SendSignals(String, Vec<u32>),
    /// Wait for a sleep or an awakeable that is never completed, whichever comes first.
    Timeout(u64),
    /// Fail with a retryable error this many times.
    Flaky(u32),
    /// Run a saga of one step; if it fails, it is compensated and nothing follows.
    Saga {
        /// The step to perform.
        step: Program,
        /// The compensation.
        undo: Program,
        /// Whether the saga fails after its step.
        fails: bool,
    },
    /// Fail with a terminal error; nothing follows.
    Fail,
}

impl Program {
    /// Creates a helper of another program.
    pub fn helper(steps: Vec<Step>) -> Self {
        Self { number: 0, place: Destination::Service, steps }
    }

    /// The programs that this one starts, each once.
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

    /// The program's own tags, in order.
    pub fn tags(&self) -> Vec<u32> {
        let tag = |step: &Step| if let Step::Append(tag) = step { Some(*tag) } else { None };
        self.steps.iter().filter_map(tag).collect()
    }

    /// Returns the service, key and handler.
    pub fn target(&self) -> (&'static str, &str, &'static str) {
        match &self.place {
            Destination::Service => (SERVICE, "", HANDLER),
            Destination::Brief => (SERVICE, "", BRIEF_HANDLER),
            Destination::Object(key) => (OBJECT, key, HANDLER),
            Destination::Workflow(key) => (WORKFLOW, key, RUN_HANDLER),
        }
    }
}

/// Serialises a program.
///
/// # Panics
/// Never: every program can be serialised.
pub fn encode(program: &Program) -> Bytes {
    match postcard::to_stdvec(program) {
        Ok(bytes) => Bytes::from(bytes),
        Err(error) => panic!("a program cannot be serialised: {error}"),
    }
}

/// Deserialises a program.
///
/// # Panics
/// Panics if the bytes are not a program: all inputs in the simulation are.
pub fn decode(bytes: &[u8]) -> Program {
    match postcard::from_bytes(bytes) {
        Ok(program) => program,
        Err(error) => panic!("an input is not a program: {error}"),
    }
}

/// Generates programs with unique tags and numbers.
#[derive(Debug)]
pub struct Author {
    next_tag: u32,
    next_number: u32,
    relays: u64,
}

impl Author {
    /// Creates a generator for a simulation with these limits.
    pub fn new(limits: &Limits) -> Self {
        Self { next_tag: 0, next_number: 0, relays: limits.relays }
    }

    /// Generates a program for a client to start.
    pub fn root(&mut self, random: &mut Random) -> Program {
        match random.below(10) {
            0..=1 => self.object(random),
            2 => self.workflow(random),
            3 => {
                let steps = vec![Step::Run, Step::Sleep(random.below(30))];
                self.program(Destination::Brief, steps)
            }
            _ => self.service(random, 2),
        }
    }

    fn program(&mut self, place: Destination, steps: Vec<Step>) -> Program {
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
                    Step::CallBoth(one, self.program(Destination::Service, other))
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
        self.program(Destination::Service, steps)
    }

    /// Sends to an object, then has another object send to the same one: the second message takes
    /// another route, but must not overtake the first.
    fn relay(&mut self, random: &mut Random, steps: &mut Vec<Step>) {
        let (to, by) =
            (Destination::Object(object_key(random)), Destination::Object(object_key(random)));
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
        self.program(Destination::Workflow(key), steps)
    }

    fn object(&mut self, random: &mut Random) -> Program {
        // The first tag shows when the program started, the last one that it finished.
        let mut steps = vec![self.tag()];
        for _ in 0..random.below(3) {
            steps.push(match random.below(7) {
                0 => Step::Run,
                1 => Step::Sleep(random.below(100)),
                2 => Step::Flaky(1),
                3 => Step::Timeout(random.below(100)),
                4 => {
                    let (place, tag) = (Destination::Object(object_key(random)), self.tag());
                    Step::Send(self.program(place, vec![tag]), 0)
                }
                5 => Step::Busy(random.below(30)),
                _ => self.tag(),
            });
        }
        if random.chance(100) {
            steps.push(Step::Fail);
        }
        self.program(Destination::Object(object_key(random)), steps)
    }
}

fn object_key(random: &mut Random) -> String {
    format!("o{}", random.below(OBJECTS))
}
