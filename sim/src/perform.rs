//! Executes one step of a program as ordinary code on the SDK.

use std::io;

use abide_sdk::{Durable, Request, prelude::*};
use bytes::{BufMut, Bytes, BytesMut};

use crate::{
    handlers::{Capabilities, Flow, Outside, append, helper, promise, promised},
    program::{Destination, Program, SERVICE, Step, WORKFLOW, encode},
};

const BUSY: State<u32> = State::new("busy");
const GO: Signal<u32> = Signal::new("go");

/// The value with which awakeables are completed through the ingress.
pub const FROM_OUTSIDE: &str = "from outside";

impl Outside {
    pub(crate) async fn step(
        &self,
        ctx: &Context,
        capabilities: Capabilities<'_>,
        at: usize,
        step: &Step,
        seen: &mut BytesMut,
    ) -> Result<()> {
        let name = (ctx.invocation_id().to_owned(), at);
        match step {
            Step::Append(tag) => append(object(capabilities)?, *tag).await?,
            Step::Busy(duration_ms) => {
                self.busy(object(capabilities)?, &name, *duration_ms).await?
            }
            Step::Run => {
                let run = ctx.run("run", async || {
                    let mut surroundings = self.surroundings();
                    surroundings.executions += 1;
                    Ok(Raw(Bytes::copy_from_slice(&surroundings.executions.to_be_bytes())))
                });
                see(seen, &settled(run.await)?);
            }
            Step::Sleep(duration_ms) => self.sleep_well(ctx, &name, *duration_ms).await?,
            Step::Call(program) => see(seen, &settled(call(ctx, program).await)?),
            Step::CallBoth(one, other) => {
                let (first, second) = (call(ctx, one), call(ctx, other));
                // Join every other pair with a combinator that is not ours.
                let both = if at.is_multiple_of(2) {
                    join_all([first, second]).await
                } else {
                    let (first, second) = futures::join!(first, second);
                    vec![first, second]
                };
                for answer in both {
                    see(seen, &settled(answer)?);
                }
            }
            Step::Idempotent(program) => {
                let key = format!("twice-{}", program.number);
                let ask = || request(program).idempotency_key(&*key);
                let (_, _, handler) = program.target();
                let input = Raw(encode(program));
                let first = settled(ask().call::<Raw>(ctx, handler, &input).await)?;
                let second = settled(ask().call::<Raw>(ctx, handler, &input).await)?;
                self.expect_same(&name, &first, &second);
                see(seen, &first);
            }
            Step::Send(program, delay_ms) => {
                self.expect_start(program, *delay_ms);
                let (_, _, handler) = program.target();
                let send = request(program).after(delay_ms.ms());
                send.call::<Raw>(ctx, handler, &Raw(encode(program)));
            }
            Step::Attach(program) => see(seen, &self.attach(ctx, &name, program).await?),
            Step::Workflow(program) => see(seen, &self.workflow(ctx, &name, program).await?),
            Step::Promise => {
                let Capabilities::Workflow(flow) = capabilities else {
                    return Err("no workflow".into());
                };
                let at = u32::try_from(at).unwrap_or(0);
                Request::object(WORKFLOW, flow.key()).send().call::<()>(ctx, "resolve", &at);
                if settled(promise(at).get(flow).await)? != Ok(promised(at)) {
                    self.fault(format!("{name:?}: a promise has the wrong value"));
                }
            }
            Step::Look(key) => {
                let look = Request::object(crate::program::OBJECT, &**key);
                let list = look.call::<Raw>(ctx, "look", &Raw(Bytes::new())).await;
                // What the list contains by now is random; that it can be read is not.
                see(seen, &settled(list)?.map(|_| Raw::default()));
            }
            Step::Awakeable => {
                let (id, completed) = ctx.awakeable::<Raw>();
                send_helper(ctx, Step::Complete(id));
                see(seen, &settled(completed.await)?);
            }
            Step::Outside => self.wait_for_outside(ctx, &name).await?,
            Step::Complete(awakeable) => {
                ctx.resolve_awakeable(awakeable, &Raw(Bytes::from("done")));
            }
            Step::Signal { at_once } => self.receive_signals(ctx, &name, *at_once).await?,
            Step::SendSignals(target, numbers) => {
                numbers.iter().for_each(|number| GO.send(ctx, target, number));
            }
            Step::Timeout(duration_ms) => self.time_out(ctx, &name, *duration_ms).await?,
            Step::Flaky(times) => {
                let mut surroundings = self.surroundings();
                let failures = surroundings.failures.entry(name).or_default();
                if *failures < *times {
                    *failures += 1;
                    return Err(io::Error::other("flaky").into());
                }
            }
            Step::Saga { step, undo, fails } => {
                let mut saga = ctx.saga();
                let undo = undo.clone();
                saga.compensate("undo", move |ctx: Context| async move {
                    // If an operator ends the compensation, nothing compensates for that.
                    let _ = call(&ctx, &undo).await;
                    Ok(())
                });
                see(seen, &settled(call(ctx, step).await)?);
                if *fails {
                    return Err(Terminal::new(418, "meant to be undone").into());
                }
                saga.commit();
            }
            Step::Fail => return Err(Terminal::new(418, "meant to").into()),
        }
        Ok(())
    }

    /// Checks that nothing else writes to the object in the meantime.
    async fn busy(
        &self,
        object: &ObjectContext,
        name: &(String, usize),
        duration_ms: u64,
    ) -> Result<()> {
        let mark = self.surroundings().executions;
        let mark = object.run("mark", async || Ok(mark)).await?;
        let mark = u32::try_from(mark).unwrap_or(0);
        BUSY.set(object, mark);
        self.sleep(object, name, duration_ms).await?;
        let (found, keys) = (BUSY.get(object).await?, object.state_keys().await?);
        if found != Some(mark) || !keys.iter().any(|key| key == "busy") {
            self.fault(format!("{name:?}: found {found:?} where it left {mark}, keys {keys:?}"));
        }
        BUSY.clear(object);
        if let Some(found) = BUSY.get(object).await? {
            self.fault(format!("{name:?}: found {found} after clearing it"));
        }
        Ok(())
    }

    async fn sleep_well(
        &self,
        ctx: &Context,
        name: &(String, usize),
        duration_ms: u64,
    ) -> Result<()> {
        self.sleep(ctx, name, duration_ms).await?;
        let end_ms = self.surroundings().wake_ups_ms.get(name).copied().unwrap_or(0);
        let now_ms = self.clock.elapsed_ms();
        if now_ms < end_ms {
            self.fault(format!("{name:?} woke {} ms early", end_ms - now_ms));
        }
        Ok(())
    }

    async fn attach(
        &self,
        ctx: &Context,
        name: &(String, usize),
        program: &Program,
    ) -> Result<Result<Raw, Terminal>> {
        let (_, _, handler) = program.target();
        let send = request(program).idempotency_key(format!("attach-{}", program.number)).send();
        let sent = send.call::<Raw>(ctx, handler, &Raw(encode(program)));
        let invocation = sent.invocation().await?;
        let early = settled(invocation.output().await)?;
        let answer = settled(invocation.attach().await)?;
        match early {
            Ok(None) => (),
            Ok(Some(early)) => self.expect_same(name, &Ok(early), &answer),
            Err(early) => self.expect_same(name, &Err(early), &answer),
        }
        if answer.as_ref().is_err_and(|failure| failure.code() == 404) {
            self.fault(format!("{name:?}: the invocation it sent does not exist"));
        }
        Ok(answer)
    }

    async fn workflow(
        &self,
        ctx: &Context,
        name: &(String, usize),
        program: &Program,
    ) -> Result<Result<Raw, Terminal>> {
        let Destination::Workflow(key) = &program.place else { return Err("no workflow".into()) };
        let first = settled(call(ctx, program).await)?;
        let second = settled(call(ctx, program).await)?;
        if second.as_ref().map_err(Terminal::code) != Err(409) {
            self.fault(format!("{name:?}: a workflow ran twice"));
        }
        let attached = settled(Flow::key(key).attach(ctx).await)?;
        self.expect_same(name, &first, &attached);
        Ok(first)
    }

    async fn wait_for_outside(&self, ctx: &Context, name: &(String, usize)) -> Result<()> {
        let (id, completed) = ctx.awakeable::<Raw>();
        let published = ctx.run("publish", async || {
            self.surroundings().awaiting.insert(id.clone());
            Ok(Raw(Bytes::new()))
        });
        settled(published.await)??;
        if settled(completed.await)?.map(|value| value.0) != Ok(Bytes::from(FROM_OUTSIDE)) {
            self.fault(format!("{name:?}: an awakeable has the wrong value"));
        }
        Ok(())
    }

    async fn receive_signals(
        &self,
        ctx: &Context,
        name: &(String, usize),
        at_once: bool,
    ) -> Result<()> {
        let first = u32::try_from(name.1).unwrap_or(0) * 2;
        let send = |numbers: &[u32]| {
            let target = ctx.invocation_id().to_owned();
            send_helper(ctx, Step::SendSignals(target, numbers.to_vec()));
        };
        if at_once {
            send(&[first, first + 1]);
        }
        for number in [first, first + 1] {
            if !at_once {
                send(&[number]);
            }
            let received = settled(GO.receive(ctx).await)?;
            if received != Ok(number) {
                self.fault(format!("{name:?}: received {received:?} for {number}"));
            }
        }
        Ok(())
    }

    async fn time_out(
        &self,
        ctx: &Context,
        name: &(String, usize),
        duration_ms: u64,
    ) -> Result<()> {
        let (_, never) = ctx.awakeable::<Raw>();
        let sleep = self.sleep(ctx, name, duration_ms);
        let is_right = abide_sdk::select! {
            came = never => settled(came).map(|_| false)?,
            slept = sleep => slept.map(|()| true)?,
        };
        if !is_right {
            self.fault(format!("{name:?}: the wrong branch won"));
        }
        Ok(())
    }

    fn sleep<'c>(
        &self,
        ctx: &'c Context,
        name: &(String, usize),
        duration_ms: u64,
    ) -> Durable<'c, ()> {
        let mut end_ms = self.earliest_ms(duration_ms);
        let mut surroundings = self.surroundings();
        if surroundings.restarted.contains(&name.0) {
            end_ms = 0;
        }
        let earliest_ms = surroundings.wake_ups_ms.entry(name.clone()).or_insert(end_ms);
        *earliest_ms = end_ms.min(*earliest_ms);
        drop(surroundings);
        ctx.sleep(duration_ms.ms())
    }

    fn expect_same(
        &self,
        name: &(String, usize),
        one: &Result<Raw, Terminal>,
        other: &Result<Raw, Terminal>,
    ) {
        let plain = |answer: &Result<Raw, Terminal>| match answer {
            Ok(value) => Ok(value.0.clone()),
            Err(failure) => Err(failure.code()),
        };
        let (one, other) = (plain(one), plain(other));
        if one != other {
            self.fault(format!("{name:?}: got {one:?}, then {other:?}"));
        }
    }
}

/// Propagates a cancellation of this invocation; any other outcome is a result.
fn settled<T>(answer: Result<T, Terminal>) -> Result<Result<T, Terminal>> {
    match answer {
        Err(failure) if failure.is_cancelled() => Err(failure.into()),
        other => Ok(other),
    }
}

fn object(capabilities: Capabilities<'_>) -> Result<&ObjectContext> {
    match capabilities {
        Capabilities::Object(object) => Ok(object),
        Capabilities::Empty | Capabilities::Workflow(_) => Err("only objects have a list".into()),
    }
}

fn see(seen: &mut BytesMut, answer: &Result<Raw, Terminal>) {
    match answer {
        Ok(value) => {
            seen.put_u8(1);
            seen.put_u32(u32::try_from(value.0.len()).unwrap_or(u32::MAX));
            // Otherwise the result of whoever calls for a large one would be large, too.
            seen.extend_from_slice(&value.0[..value.0.len().min(256)]);
        }
        Err(failure) => {
            seen.put_u8(2);
            seen.put_u32(u32::from(failure.code()));
        }
    }
}

fn request(program: &Program) -> Request<abide_sdk::InHandler> {
    let (service, key, _) = program.target();
    Request::object(service, key)
}

fn call<'c>(ctx: &'c Context, program: &Program) -> abide_sdk::Call<'c, Raw> {
    let (_, _, handler) = program.target();
    request(program).call::<Raw>(ctx, handler, &Raw(encode(program)))
}

fn send_helper(ctx: &Context, step: Step) {
    let program = helper(step);
    let (_, _, handler) = program.target();
    Request::service(SERVICE).send().call::<Raw>(ctx, handler, &Raw(encode(&program)));
}
