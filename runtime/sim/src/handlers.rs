//! Runs programs on the real SDK: two services whose handlers do what their input says. All they know of
//! the world beside it is [`Surroundings`].

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use abide_sdk::{Clock, Durable, Request, prelude::*};
use bytes::{BufMut, Bytes, BytesMut};

use crate::{
    clock::SimClock,
    program::{HANDLER, OBJECT, Place, SERVICE, Step, decode, encode},
};

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

/// The world outside, as all handlers share it, and its time.
#[derive(Clone)]
pub struct World {
    surroundings: Arc<Mutex<Surroundings>>,
    clock: Arc<SimClock>,
}

struct Time(Arc<SimClock>);

impl Clock for Time {
    fn now_ms(&self) -> u64 {
        self.0.now_ms()
    }
}

impl World {
    /// A world in which nothing has happened.
    pub fn new(clock: Arc<SimClock>) -> Self {
        Self { surroundings: Arc::default(), clock }
    }

    /// Both services.
    pub fn endpoint(&self) -> Endpoint {
        let clock = Arc::new(Time(Arc::clone(&self.clock)));
        Endpoint::new().clock(clock).bind(Service(self.clone())).bind(Object(self.clone()))
    }

    /// What has happened.
    pub fn surroundings(&self) -> MutexGuard<'_, Surroundings> {
        self.surroundings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Service(World);

#[service(name = "Svc")]
impl Service {
    pub async fn go(&self, ctx: &Context, program: Raw) -> Result<Raw> {
        self.0.perform(ctx, None, &decode(&program.0)).await
    }
}

struct Object(World);

#[object(name = "Obj")]
impl Object {
    pub async fn go(&self, ctx: &ObjectContext, program: Raw) -> Result<Raw> {
        self.0.perform(ctx, Some(ctx), &decode(&program.0)).await
    }
}

const LIST: State<Raw> = State::new("list");

impl World {
    /// Does everything in turn; answers with what was seen.
    async fn perform(
        &self,
        ctx: &Context,
        object: Option<&ObjectContext>,
        steps: &[Step],
    ) -> Result<Raw> {
        let mut seen = BytesMut::new();
        for (at, step) in steps.iter().enumerate() {
            self.step(ctx, object, at, step, &mut seen).await?;
        }
        Ok(Raw(seen.freeze()))
    }

    async fn step(
        &self,
        ctx: &Context,
        object: Option<&ObjectContext>,
        at: usize,
        step: &Step,
        seen: &mut BytesMut,
    ) -> Result<()> {
        let name = (ctx.invocation_id().to_owned(), at);
        match step {
            Step::Append(tag) => {
                let Some(object) = object else { return Err("only objects append".into()) };
                let list = LIST.get(object).await?.unwrap_or_default();
                let mut list = BytesMut::from(&list.0[..]);
                list.put_u32(*tag);
                LIST.set(object, Raw(list.freeze()));
            }
            Step::Run => {
                let run = ctx.run("run", async || {
                    let mut surroundings = self.surroundings();
                    surroundings.executions += 1;
                    Ok(Raw(Bytes::copy_from_slice(&surroundings.executions.to_be_bytes())))
                });
                see(seen, &run.await);
            }
            Step::Sleep(duration_ms) => {
                self.sleep(ctx, &name, *duration_ms).await?;
                let end_ms = self.surroundings().wake_ups_ms.get(&name).copied().unwrap_or(0);
                let now_ms = self.clock.now_ms();
                if now_ms < end_ms {
                    let fault = format!("{name:?} woke {} ms early", end_ms - now_ms);
                    self.surroundings().faults.push(fault);
                }
            }
            Step::Call(place, steps) => {
                let answer = request(place).call::<Raw>(ctx, HANDLER, &Raw(encode(steps))).await;
                see(seen, &answer);
            }
            Step::CallBoth((one, its), (other, others)) => {
                let first = request(one).call::<Raw>(ctx, HANDLER, &Raw(encode(its)));
                let second = request(other).call::<Raw>(ctx, HANDLER, &Raw(encode(others)));
                // Every other pair is joined by what knows nothing of us.
                if at.is_multiple_of(2) {
                    join_all([first, second]).await.iter().for_each(|answer| see(seen, answer));
                } else {
                    let (first, second) = futures::join!(first, second);
                    see(seen, &first);
                    see(seen, &second);
                }
            }
            Step::Send(place, steps, delay_ms) => {
                let send = request(place).after(delay_ms.ms());
                send.call::<Raw>(ctx, HANDLER, &Raw(encode(steps)));
            }
            Step::Awakeable => {
                let (id, completed) = ctx.awakeable::<Raw>();
                let program = Raw(encode(&[Step::Complete(id)]));
                Request::service(SERVICE).send().call::<Raw>(ctx, HANDLER, &program);
                see(seen, &completed.await);
            }
            Step::Complete(awakeable) => {
                ctx.resolve_awakeable(awakeable, &Raw(Bytes::from("done")));
            }
            Step::Timeout(duration_ms) => {
                let (_, never) = ctx.awakeable::<Raw>();
                let sleep = self.sleep(ctx, &name, *duration_ms);
                let is_right = abide_sdk::select! {
                    _ = never => false,
                    slept = sleep => slept.map(|()| true)?,
                };
                if !is_right {
                    self.surroundings().faults.push(format!("{name:?}: the wrong one won"));
                }
            }
            Step::Flaky(times) => {
                let mut surroundings = self.surroundings();
                let failures = surroundings.failures.entry(name).or_default();
                if *failures < *times {
                    *failures += 1;
                    return Err(io::Error::other("flaky").into());
                }
            }
            Step::Fail => return Err(Terminal::new(418, "meant to").into()),
        }
        Ok(())
    }

    fn sleep<'c>(
        &self,
        ctx: &'c Context,
        name: &(String, usize),
        duration_ms: u64,
    ) -> Durable<'c, ()> {
        let end_ms = self.clock.now_ms() + duration_ms;
        let mut surroundings = self.surroundings();
        let earliest_ms = surroundings.wake_ups_ms.entry(name.clone()).or_insert(end_ms);
        *earliest_ms = end_ms.min(*earliest_ms);
        drop(surroundings);
        ctx.sleep(duration_ms.ms())
    }
}

fn see(seen: &mut BytesMut, answer: &Result<Raw, Terminal>) {
    match answer {
        Ok(value) => {
            seen.put_u8(1);
            seen.put_u32(u32::try_from(value.0.len()).unwrap_or(u32::MAX));
            seen.extend_from_slice(&value.0);
        }
        Err(failure) => {
            seen.put_u8(2);
            seen.put_u32(u32::from(failure.code()));
        }
    }
}

fn request(place: &Place) -> Request<abide_sdk::InHandler> {
    match place {
        Place::Service => Request::service(SERVICE),
        Place::Object(key) => Request::object(OBJECT, key),
    }
}
