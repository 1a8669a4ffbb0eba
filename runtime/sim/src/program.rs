//! What handlers do: small random programs, carried in the input of their invocation.
//!
//! Plain services call and send; objects append to their state and send on, but call nobody, so that
//! no two wait for each other's lock.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::random::Random;

/// The service without keys.
pub const SERVICE: &str = "Svc";
/// The virtual object.
pub const OBJECT: &str = "Obj";
/// The handler of both.
pub const HANDLER: &str = "go";
/// How many objects there are.
pub const OBJECTS: u64 = 4;

/// Where a program runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// On the plain service.
    Service,
    /// On the object with this key.
    Object(String),
}

/// One thing a program does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Append a tag, used nowhere else, to the object's list.
    Append(u32),
    /// A side effect whose result nobody can guess.
    Run,
    /// Sleep so many milliseconds.
    Sleep(u64),
    /// Call and wait.
    Call(Place, Vec<Step>),
    /// Call two and wait for both.
    CallBoth((Place, Vec<Step>), (Place, Vec<Step>)),
    /// Send, after so many milliseconds.
    Send(Place, Vec<Step>, u64),
    /// Make an awakeable, have somebody complete it, and wait.
    Awakeable,
    /// Complete an awakeable.
    Complete(String),
    /// Wait for whichever comes first of an awakeable that nobody completes and a sleep.
    Timeout(u64),
    /// Fail in a way worth another try, so many times.
    Flaky(u32),
    /// Fail for good; nothing follows.
    Fail,
}

/// The bytes of a program.
pub fn encode(steps: &[Step]) -> Bytes {
    postcard::to_stdvec(steps).map(Bytes::from).unwrap_or_default()
}

/// The program in these bytes.
///
/// # Panics
/// When there is none: inputs of the simulation are programs.
pub fn decode(bytes: &[u8]) -> Vec<Step> {
    match postcard::from_bytes(bytes) {
        Ok(steps) => steps,
        Err(error) => panic!("an input is not a program: {error}"),
    }
}

/// Makes programs; every tag is used once.
#[derive(Debug, Default)]
pub struct Author {
    next_tag: u32,
}

impl Author {
    /// A program for a client to start, and where.
    pub fn root(&mut self, random: &mut Random) -> (Place, Vec<Step>) {
        if random.chance(300) {
            let place = object(random);
            let steps = self.object_steps(random);
            (place, steps)
        } else {
            (Place::Service, self.service_steps(random, 2))
        }
    }

    fn tag(&mut self) -> Step {
        self.next_tag += 1;
        Step::Append(self.next_tag)
    }

    fn service_steps(&mut self, random: &mut Random, depth: u32) -> Vec<Step> {
        let mut steps = Vec::new();
        for _ in 0..1 + random.below(5) {
            steps.push(match random.below(12) {
                0 | 1 => Step::Run,
                2 => Step::Sleep(random.below(300)),
                3 | 4 => Step::Call(object(random), self.object_steps(random)),
                5 if depth > 0 => Step::Call(Place::Service, self.service_steps(random, depth - 1)),
                6 => Step::CallBoth(
                    (object(random), self.object_steps(random)),
                    (Place::Service, vec![Step::Run]),
                ),
                7 => Step::Awakeable,
                8 => Step::Timeout(random.below(200)),
                9 => Step::Flaky(1 + u32::try_from(random.below(2)).unwrap_or(0)),
                10 => {
                    let delay_ms = random.below(2) * random.below(400);
                    Step::Send(object(random), self.object_steps(random), delay_ms)
                }
                _ => Step::Send(object(random), self.object_steps(random), 0),
            });
        }
        if random.chance(100) {
            steps.push(Step::Fail);
        }
        steps
    }

    fn object_steps(&mut self, random: &mut Random) -> Vec<Step> {
        // The first tag tells when it came, the last that it was finished.
        let mut steps = vec![self.tag()];
        for _ in 0..random.below(3) {
            steps.push(match random.below(6) {
                0 => Step::Run,
                1 => Step::Sleep(random.below(100)),
                2 => Step::Flaky(1),
                3 => Step::Timeout(random.below(100)),
                4 => Step::Send(object(random), vec![self.tag()], 0),
                _ => self.tag(),
            });
        }
        if random.chance(100) {
            steps.push(Step::Fail);
        }
        steps
    }
}

fn object(random: &mut Random) -> Place {
    Place::Object(format!("o{}", random.below(OBJECTS)))
}
