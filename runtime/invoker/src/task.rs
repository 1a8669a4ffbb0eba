//! One attempt: moves bytes from the endpoint into the state machine, and its outputs to the
//! endpoint and the partition.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use http::Uri;
use protocol::surface;
use runtime_core::{
    PartitionId,
    attempt::{Attempt, AttemptOptions, Fault, Output, Placement, Unplaced, place},
    effect::{Effect, StartAttempt},
    model::{
        deployment::{Deployment, StoredDeployment},
        ids::AttemptRef,
    },
    obligations,
    registry::RegistrySnapshot,
    tables::Tables,
};
use runtime_partition::{Stopped, random::SystemEntropy};
use runtime_schema::address;
use tokio::{sync::mpsc, time};

use crate::{
    incoming::{Incoming, late},
    outgoing::guarded,
    report,
    stream::{Exchange, Received, request},
    supervisor::{Invoker, Notice, Permit},
    unsent::{Load, Unsent},
};

/// Runs an attempt to its end. Its permit is released as soon as it has sent its final message.
pub(crate) async fn run(
    permit: Permit,
    start: Box<StartAttempt>,
    notices: mpsc::UnboundedReceiver<Notice>,
) {
    let (invoker, name) = (Arc::clone(&permit.invoker), permit.name);
    // Boxed, since the runtime moves a task's future when it starts and when it ends, and this one
    // is large.
    guard(&invoker, name, Box::pin(attempt(permit, start, notices))).await;
}

/// Turns a panic into a failure of this attempt: otherwise its invocation would appear to be
/// running until a restart.
pub(crate) async fn guard(
    invoker: &Invoker,
    (partition, name): (PartitionId, AttemptRef),
    attempt: impl Future<Output = ()> + Unpin,
) {
    if let Err(panic) = AssertUnwindSafe(attempt).catch_unwind().await {
        let message = said(&*panic).to_owned();
        Box::pin(fail(invoker, partition, name, message)).await;
    }
}

/// Fails an attempt that panicked.
async fn fail(invoker: &Invoker, partition: PartitionId, name: AttemptRef, message: String) {
    let read = move |tables: &Tables<'_>| obligations::start(tables, name);
    if let Ok(Some(Effect::StartAttempt(start))) = invoker.partitions.read(partition, read).await {
        let registry = invoker.registry.snapshot();
        let options = match place(&registry, &start, &invoker.settings.attempts) {
            Ok(placement) => placement.options,
            Err(unplaced) => unplaced.options,
        };
        give_up(invoker, partition, *start, options, Fault::Internal { message }).await;
    }
}

/// The message of a panic.
fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no panic message")
}

async fn attempt(
    mut permit: Permit,
    start: Box<StartAttempt>,
    mut notices: mpsc::UnboundedReceiver<Notice>,
) {
    let invoker = Arc::clone(&permit.invoker);
    let registry = invoker.registry.snapshot();
    let placement = match place(&registry, &start, &invoker.settings.attempts) {
        Ok(placement) => placement,
        Err(unplaced) => {
            let Unplaced { fault, options } = *unplaced;
            return give_up(&invoker, permit.name.0, *start, options, fault).await;
        }
    };
    let exchange = match exchange(&invoker, &start, &placement, permit.take_load()) {
        Ok(exchange) => exchange,
        Err(fault) => {
            return give_up(&invoker, permit.name.0, *start, placement.options, fault).await;
        }
    };
    let Placement { deployment, options } = placement;
    let attempt = Attempt::new(*start, options);
    let (has_stored, is_over) = (false, false);
    let mut conversation =
        Conversation { permit, registry, attempt, deployment, exchange, has_stored, is_over };
    // The only possible error is that the node is shutting down; the attempt then restarts later.
    if conversation.run_to_end(&mut notices).await.is_err() {
        return;
    }
    let Conversation { permit, attempt, mut exchange, is_over, .. } = conversation;
    // The next attempt may start while the endpoint ends its stream.
    drop(permit);
    if is_over && attempt.is_last_said() {
        exchange.drain(invoker.settings.drain_timeout).await;
    }
}

/// Proposes the failure of an attempt that could not start.
async fn give_up(
    invoker: &Invoker,
    partition: PartitionId,
    start: StartAttempt,
    options: AttemptOptions,
    fault: Fault,
) {
    let mut attempt = Attempt::new(start, options);
    attempt.broken(fault, &mut SystemEntropy);
    let outputs = attempt.take_outputs();
    let proposals = outputs.into_iter().filter_map(|output| match output {
        Output::Propose(event) => {
            report::note(attempt.start(), None, false, &event);
            Some(event)
        }
        Output::Send(_) | Output::HalfClose | Output::Finish => None,
    });
    let _ = invoker.partitions.propose_all(partition, proposals.collect()).await;
}

/// Builds the request of an attempt without sending it.
fn exchange(
    invoker: &Invoker,
    start: &StartAttempt,
    placement: &Placement,
    load: Option<Load>,
) -> Result<Exchange, Fault> {
    let deployment: &Deployment = &placement.deployment.deployment;
    let (target, version) = (&start.target, placement.options.pin.protocol);
    let path = format!("/{}/{}/{}", surface::path::INVOKE, target.service, target.handler);
    let uri = address::at(&deployment.uri, &path);
    let uri: Uri = uri.parse().map_err(|error| Fault::Unreachable {
        message: format!("'{uri}' is not a valid address: {error}"),
    })?;
    let route = invoker.connector.route(deployment, &uri);
    let request = request(uri, version, start.id, deployment);
    Ok(Exchange::new(route, request, version, Arc::clone(&invoker.clock), load))
}

struct Conversation {
    permit: Permit,
    registry: Arc<RegistrySnapshot>,
    attempt: Attempt,
    deployment: Arc<StoredDeployment>,
    exchange: Exchange,
    /// Whether any of its proposals have been handed to the partition.
    has_stored: bool,
    is_over: bool,
}

impl Conversation {
    /// Runs until the attempt is over or aborted.
    async fn run_to_end(
        &mut self,
        notices: &mut mpsc::UnboundedReceiver<Notice>,
    ) -> Result<(), Stopped> {
        let invoker = Arc::clone(&self.permit.invoker);
        self.attempt.open(invoker.now_ms());
        // Start and journal are sent along with the request.
        self.drain_outputs(None).await?;
        self.permit.note(&self.attempt);
        let deadline = time::sleep_until(until(&invoker, &self.attempt));
        tokio::pin!(deadline);
        let (mut memory, mut wanted) = (Incoming::default(), None);
        while !self.is_over {
            let mut unsent = None;
            let awaited = memory.awaited();
            tokio::select! {
                biased;
                () = memory.take(&invoker.settings.incoming, self.permit.pool, wanted.unwrap_or_default()),
                    if wanted.is_some() => wanted = None,
                fault = late(awaited) => self.attempt.broken(fault, &mut SystemEntropy),
                received = self.exchange.receive(), if wanted.is_none() => match received {
                    Ok(Received::Data(bytes)) => self.hear(bytes),
                    Ok(Received::End) => self.attempt.broken(Fault::EndedEarly, &mut SystemEntropy),
                    Err(fault) => self.attempt.broken(fault, &mut SystemEntropy),
                },
                notice = notices.recv() => match notice {
                    Some(Notice::Entry { index, entry, unsent: of_entry }) => {
                        self.attempt.notify(invoker.now_ms(), index, entry);
                        unsent = Some(of_entry);
                    }
                    Some(Notice::Yield) => self.attempt.yield_permit(),
                    Some(Notice::Suspend) => self.attempt.half_close(),
                    Some(Notice::Abort) | None => return Ok(()),
                },
                () = &mut deadline => {
                    self.attempt.on_timeout(invoker.now_ms(), &mut SystemEntropy);
                    deadline.as_mut().reset(until(&invoker, &self.attempt));
                }
            }
            self.drain_outputs(unsent).await?;
            if wanted.is_none() {
                wanted = memory.wanted(self.attempt.expected_bytes());
            }
            self.permit.note_wanted(wanted);
            self.permit.note(&self.attempt);
        }
        Ok(())
    }

    fn hear(&mut self, bytes: Bytes) {
        let invoker = &self.permit.invoker;
        let (now_ms, wall_ms) = (invoker.now_ms(), invoker.wall_ms());
        self.attempt.receive(now_ms, wall_ms, bytes, &self.registry, &mut SystemEntropy);
    }

    /// Carries out what the attempt asks for. If it sends an entry, that stays counted as `unsent`
    /// until the connection has written it.
    async fn drain_outputs(&mut self, unsent: Option<Unsent>) -> Result<(), Stopped> {
        let unsent = unsent.map(Arc::new);
        let mut proposals = Vec::new();
        for output in self.attempt.take_outputs() {
            match output {
                Output::Send(bytes) => {
                    self.exchange.send(match &unsent {
                        Some(unsent) => guarded(bytes, Arc::clone(unsent)),
                        None => bytes,
                    });
                }
                Output::HalfClose => self.exchange.half_close(),
                Output::Propose(event) => {
                    let (start, has_stored) = (self.attempt.start(), self.has_stored);
                    report::note(start, Some(&self.deployment), has_stored, &event);
                    self.has_stored = true;
                    proposals.push(event);
                }
                Output::Finish => {
                    self.exchange.half_close();
                    self.is_over = true;
                }
            }
        }
        if !proposals.is_empty() {
            let partition = self.permit.name.0;
            self.permit.invoker.partitions.propose_all(partition, proposals).await?;
        }
        Ok(())
    }
}

fn until(invoker: &Invoker, attempt: &Attempt) -> time::Instant {
    let at_ms = attempt.deadline_ms().unwrap_or(u64::MAX);
    time::Instant::from_std(invoker.instant(at_ms))
}
