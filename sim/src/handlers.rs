//! A service, an object and a workflow on the real SDK, whose handlers do what their input says.
//! Their only connection to the rest of the simulation is [`Surroundings`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use abide_sdk::{Clock, prelude::*};
use bytes::{BufMut, Bytes, BytesMut};
use runtime_embedded::VirtualClock;

use crate::{
    editors::EDITED,
    program::{Program, Step, decode},
};

/// External state, which a crash of the runtime does not affect.
#[derive(Debug, Default)]
pub struct Surroundings {
    /// How many side effects have been executed; the count is each one's result, so results are
    /// unique.
    pub(crate) executions: u64,
    /// How often a flaky step has failed, by invocation and step.
    pub(crate) failures: BTreeMap<(String, usize), u32>,
    /// The earliest wake-up that any attempt requested, by invocation and step.
    pub(crate) wake_ups_ms: BTreeMap<(String, usize), u64>,
    /// The earliest start that any attempt requested, by program.
    pub(crate) starts_ms: BTreeMap<u32, u64>,
    /// Invocations that may have slept already, as the ones that they are restarts of.
    pub(crate) restarted: BTreeSet<String>,
    /// Awakeables waiting to be completed from outside.
    pub(crate) awaiting: BTreeSet<String>,
    /// Lists that readers saw, by object key.
    pub(crate) looks: BTreeMap<String, BTreeSet<Bytes>>,
    /// Faults that only a handler can detect.
    pub(crate) faults: Vec<String>,
}

/// More than one record stores copies of.
const LARGE_BYTES: usize = 1_100_000;

/// The external state shared by all handlers, and its clock.
#[derive(Clone)]
pub struct Outside {
    surroundings: Arc<Mutex<Surroundings>>,
    pub(crate) clock: Arc<VirtualClock>,
    /// Whether some results are so large that they are passed on one at a time.
    has_large_results: bool,
}

struct Time(Arc<VirtualClock>);

impl Clock for Time {
    fn now_ms(&self) -> u64 {
        self.0.wall_ms()
    }
}

impl Outside {
    /// Creates the state with nothing recorded.
    pub fn new(clock: Arc<VirtualClock>, has_large_results: bool) -> Self {
        Self { surroundings: Arc::default(), clock, has_large_results }
    }

    /// Whether some results are so large that they are passed on one at a time.
    pub fn has_large_results(&self) -> bool {
        self.has_large_results
    }

    /// The SDK endpoint with all services.
    pub fn endpoint(&self) -> Endpoint {
        let clock = Arc::new(Time(Arc::clone(&self.clock)));
        let endpoint = Endpoint::new().clock(clock);
        endpoint.bind(Service(self.clone())).bind(Object(self.clone())).bind(Flow(self.clone()))
    }

    /// Locks the external state.
    pub fn surroundings(&self) -> MutexGuard<'_, Surroundings> {
        self.surroundings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn fault(&self, fault: String) {
        self.surroundings().faults.push(fault);
    }
}

/// What a handler can use in addition to the plain context.
#[derive(Clone, Copy)]
pub(crate) enum Capabilities<'c> {
    /// Nothing.
    Empty,
    /// An object's state, writable.
    Object(&'c ObjectContext),
    /// A workflow's promises.
    Workflow(&'c WorkflowContext),
}

impl Capabilities<'_> {
    /// What operators have written into the object's state.
    async fn edited(self) -> Result<Option<Bytes>> {
        match self {
            Self::Object(object) => Ok(BY_OPERATORS.get(object).await?.map(|value| value.0)),
            Self::Empty | Self::Workflow(_) => Ok(None),
        }
    }
}

pub(crate) struct Service(Outside);

#[service(name = "Svc")]
impl Service {
    pub async fn go(&self, ctx: &Context, program: Raw) -> Result<Raw> {
        self.0.perform(ctx, Capabilities::Empty, &decode(&program.0)).await
    }

    #[handler(idempotency_retention = "400ms")]
    pub async fn brief(&self, ctx: &Context, program: Raw) -> Result<Raw> {
        self.0.perform(ctx, Capabilities::Empty, &decode(&program.0)).await
    }
}

pub(crate) struct Object(Outside);

pub(crate) const LIST: State<Raw> = State::new("list");
const BY_OPERATORS: State<Raw> = State::new(EDITED);

#[object(name = "Obj")]
impl Object {
    pub async fn go(&self, ctx: &ObjectContext, program: Raw) -> Result<Raw> {
        self.0.perform(ctx, Capabilities::Object(ctx), &decode(&program.0)).await
    }

    pub async fn look(&self, ctx: &SharedObjectContext) -> Result<Raw> {
        let list = LIST.get(ctx).await?.unwrap_or_default();
        let mut surroundings = self.0.surroundings();
        surroundings.looks.entry(ctx.key().to_owned()).or_default().insert(list.0.clone());
        drop(surroundings);
        Ok(list)
    }
}

pub(crate) struct Flow(Outside);

/// The value with which a step's promise is completed.
pub(crate) fn promised(at: u32) -> u32 {
    at * 7
}

pub(crate) fn promise(at: u32) -> Promise<u32> {
    Promise::named(format!("p{at}"))
}

#[workflow(name = "Flow")]
impl Flow {
    pub async fn run(&self, ctx: &WorkflowContext, program: Raw) -> Result<Raw> {
        self.0.perform(ctx, Capabilities::Workflow(ctx), &decode(&program.0)).await
    }

    pub async fn resolve(&self, ctx: &SharedWorkflowContext, at: u32) -> Result<()> {
        promise(at).resolve(ctx, promised(at)).await?;
        // A promise completes once, no matter how often and by which attempt it is tried.
        if promise(at).resolve(ctx, 0).await.map_err(|failure| failure.code()) != Err(409) {
            self.0.fault(format!("{}: a promise was completed twice", ctx.invocation_id()));
        }
        if promise(at).peek(ctx).await? != Some(promised(at)) {
            self.0.fault(format!("{}: a promise has changed its value", ctx.invocation_id()));
        }
        Ok(())
    }
}

impl Outside {
    /// Performs all steps in turn; the result is everything they returned.
    async fn perform(
        &self,
        ctx: &Context,
        capabilities: Capabilities<'_>,
        program: &Program,
    ) -> Result<Raw> {
        let earliest_ms = self.surroundings().starts_ms.get(&program.number).copied();
        let now_ms = self.clock.elapsed_ms();
        if program.number > 0 && earliest_ms.is_some_and(|earliest_ms| now_ms < earliest_ms) {
            self.fault(format!("program {} started before its time", program.number));
        }
        let edited = capabilities.edited().await?;
        let mut seen = BytesMut::new();
        for (at, step) in program.steps.iter().enumerate() {
            self.step(ctx, capabilities, at, step, &mut seen).await?;
        }
        let edited_since = capabilities.edited().await?;
        if edited_since != edited {
            let number = program.number;
            self.fault(format!("program {number}: {edited:?} was edited to {edited_since:?}"));
        }
        if self.has_large_results && program.number % 3 == 1 {
            seen.resize(LARGE_BYTES, 0);
        }
        Ok(Raw(seen.freeze()))
    }

    /// The earliest time at which a delay that starts now may end: the clock may run up to a
    /// thousandth fast, and rounding to whole milliseconds loses a few more.
    pub(crate) fn earliest_ms(&self, delay_ms: u64) -> u64 {
        self.clock.elapsed_ms() + (delay_ms - delay_ms.div_ceil(1000)).saturating_sub(2)
    }

    /// Accounts for `by_ms` of apparently elapsed time: everything pending may end that much
    /// earlier.
    pub(crate) fn forgive(&self, by_ms: u64) {
        let mut surroundings = self.surroundings();
        let Surroundings { wake_ups_ms, starts_ms, .. } = &mut *surroundings;
        for at_ms in wake_ups_ms.values_mut().chain(starts_ms.values_mut()) {
            *at_ms = at_ms.saturating_sub(by_ms);
        }
    }

    /// Records when a delayed program may start.
    pub(crate) fn expect_start(&self, program: &Program, delay_ms: u64) {
        let start_ms = self.earliest_ms(delay_ms);
        let mut surroundings = self.surroundings();
        let earliest_ms = surroundings.starts_ms.entry(program.number).or_insert(start_ms);
        *earliest_ms = start_ms.min(*earliest_ms);
    }
}

pub(crate) async fn append(object: &ObjectContext, tag: u32) -> Result<()> {
    let list = LIST.get(object).await?.unwrap_or_default();
    let mut list = BytesMut::from(&list.0[..]);
    list.put_u32(tag);
    LIST.set(object, Raw(list.freeze()));
    Ok(())
}

/// A program that does one step on another program's behalf.
pub(crate) fn helper(step: Step) -> Program {
    Program::helper(vec![step])
}
