//! What each event does: the entry point of the Partition state machine.

use crate::{
    context::Context,
    effect::Effect,
    entries,
    event::{Event, Record},
    invocation,
    model::ids::Partition,
    partition_messages, producer_dedup, registry, retention, shared_result,
    tables::Tables,
    timer,
};

impl Partition {
    /// Applies one record. This is the only place that matches on the kind of event.
    ///
    /// # Panics
    /// Panics if a record is applied twice or out of order, or if an invariant of the rows is
    /// broken.
    pub fn apply(&self, tables: &mut Tables<'_>, record: &Record, effects: &mut Vec<Effect>) {
        tables.advance(record.lsn, record.stamp);
        let mut cx = Context::new(*self, tables, record, effects);
        match &record.event {
            Event::Invoked(invoke) => invocation::invoke::apply(&mut cx, invoke),
            Event::DeploymentPinned { attempt, pin } => {
                invocation::pin::apply(&mut cx, *attempt, *pin);
            }
            Event::CommandProposed { attempt, command, callee } => {
                entries::proposed::command(&mut cx, *attempt, command, callee.as_deref(), None);
            }
            Event::TimedCommandProposed { attempt, command, callee, delay_ms } => {
                let (callee, due) = (callee.as_deref(), Some(cx.at.after_ms(*delay_ms)));
                entries::proposed::command(&mut cx, *attempt, command, callee, due);
            }
            Event::RunProposed { attempt, completion, result } => {
                entries::proposed::run_result(&mut cx, *attempt, *completion, result);
            }
            Event::AttemptSuspended { attempt, awaiting, seen } => {
                invocation::suspend::apply(&mut cx, *attempt, awaiting, *seen);
            }
            Event::AttemptEnded { attempt } => invocation::complete::ended(&mut cx, *attempt),
            Event::AttemptFailed { attempt, failure, next } => {
                invocation::fail::apply(&mut cx, *attempt, failure, next);
            }
            Event::AttemptFailedOn { attempt, deployment, failure, next } => {
                invocation::incident::attempt_failed(&mut cx, *attempt, *deployment, failure);
                invocation::fail::apply(&mut cx, *attempt, failure, next);
            }
            Event::TimerFired { timer } => timer::fired(&mut cx, timer),
            Event::SignalReceived { target, signal, result } => {
                invocation::signal::apply(&mut cx, *target, signal, result);
            }
            Event::SignalRequested { request, target, signal, result } => {
                invocation::signal::requested(&mut cx, *request, *target, signal, result);
            }
            Event::CancelRequested { request, target } => {
                invocation::operate::unaudited(&mut cx, *request, *target, invocation::cancel::of);
            }
            Event::KillRequested { request, target } => {
                invocation::operate::unaudited(&mut cx, *request, *target, invocation::kill::of);
            }
            Event::MessageReceived { from, sequence, message } => {
                partition_messages::received(&mut cx, *from, *sequence, message);
            }
            Event::MessagesAcknowledged { by, sequence } => {
                partition_messages::acknowledged(&mut cx, *by, *sequence);
            }
            Event::RetentionDue { budget_bytes, limit } => {
                retention::apply(&mut cx, *budget_bytes, *limit);
            }
            Event::CleanupDue { budget_bytes, limit } => {
                retention::cleanup(&mut cx, *budget_bytes, *limit);
            }
            Event::DeploymentRegistered { request, deployment } => {
                registry::registered(&mut cx, *request, deployment);
            }
            Event::DeploymentOffered { request, deployment, replace, allow_breaking } => {
                registry::offered(&mut cx, *request, deployment, *replace, *allow_breaking);
            }
            Event::PurgeRequested { request, target } => {
                invocation::operate::unaudited(&mut cx, *request, *target, invocation::purge::of);
            }
            Event::OperationRequested { request, operator, target, operation } => {
                invocation::operate::requested(&mut cx, *request, operator, *target, *operation);
            }
            Event::StateEditRequested { request, operator, edit } => {
                invocation::edit_state::requested(&mut cx, *request, operator, edit);
            }
            Event::Produced { request, invoke } => {
                producer_dedup::produced(&mut cx, *request, invoke);
            }
            Event::ResultDue { of } => shared_result::due(&mut cx, *of),
            Event::DeploymentUpdated { request, deployment, overwrite } => {
                registry::updated(&mut cx, *request, deployment, *overwrite);
            }
            Event::ServiceConfigured { request, service, changes } => {
                registry::configured(&mut cx, *request, service, changes);
            }
            Event::RegistryChangeRequested { request, operator, change } => {
                registry::change::requested(&mut cx, *request, operator, change);
            }
            Event::DeploymentRemoved { request, deployment } => {
                registry::removed(&mut cx, *request, *deployment);
            }
        }
        partition_messages::deliver_local(&mut cx);
        tables.recount();
    }
}
