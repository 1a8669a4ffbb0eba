//! Operators restart invocations that have ended, from their input or from a prefix of their
//! journal. In the end, each new invocation has begun with exactly that prefix and has ended as its
//! program demands; what the prefix contains was done once, and what came behind it once more.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use protocol::{
    InvocationId,
    journal::{
        Command, CompletionId, Entry, NotificationId, NotificationKind, NotificationResult,
        notification::{FIRST_AWAKEABLE_SIGNAL, SignalId},
    },
    wire::{self, MessageType},
};
use runtime_core::{
    Lsn,
    admission::{self, RestartOf},
    model::{
        invocation::{Pin, StatusKind},
        operation::{NotRestartable, Operation, Outcome, Restart},
        operator::Operator,
    },
    tables::{Order, Tables, audit::AuditEntry, walk::Budget},
    time::Timestamp,
};
use runtime_partition::RequestError;

use crate::{
    clients::{self, Heard, Waiting, answered},
    limits::Sabotage,
    program::{BRIEF_HANDLER, Destination, HANDLER, Program, Step, decode},
    stats::Fault,
    world::World,
};

/// The name of these operators in the audit.
const NAME: &str = "restarter";

/// An invocation that has ended and may be restarted.
struct Ended {
    id: InvocationId,
    program: Program,
    pin: Option<Pin>,
    journal: Vec<Entry>,
    result: Heard,
}

/// A restart, and what is known of it.
struct Asked {
    of: Ended,
    restart: Restart,
    prefix: Prefix,
    heard: Option<Result<Outcome, RequestError>>,
}

/// What a prefix of a journal contains.
#[derive(Default)]
struct Prefix {
    /// The entries, with the results of its commands.
    entries: Vec<Entry>,
    commands: usize,
    /// Commands without a result.
    open: BTreeSet<CompletionId>,
    /// The programs that it has called or sent.
    started: BTreeSet<u32>,
    /// Whether a handler with another id can repeat it: its own id was not sent to anybody, and no
    /// awakeable waits for somebody who knows only the old one.
    is_repeatable: bool,
}

/// The restarts so far. Each is known by its number, which is its reason in the audit.
#[derive(Default)]
pub(crate) struct Restarters {
    asked: Vec<Asked>,
    /// The restarts that have not been answered yet, by their numbers.
    requests: Vec<(usize, Waiting<Outcome>)>,
}

/// What was run again, and what the prefix kept from being started again.
pub(crate) struct Rerun {
    pub(crate) program: u32,
    pub(crate) started: BTreeSet<u32>,
}

impl Restarters {
    /// Drops the connections to the node.
    pub(crate) fn cut_off(&mut self) {
        self.requests.clear();
    }
}

impl World {
    /// Picks an invocation that has ended, and restarts it.
    pub(crate) fn restart_an_invocation(&mut self) -> Result<(), String> {
        let at = self.any_partition()?;
        let mut ended = self.node()?.tables(at, ended);
        if ended.is_empty() {
            return Ok(());
        }
        let is_within = |of: &Ended| {
            let is_old = of.pin.is_some_and(|pin| !pin.protocol.has_random_seed());
            !is_old && (1..of.journal.len()).any(|from| may_restart(of, from))
        };
        if self.random.chance(700) && ended.iter().any(is_within) {
            ended.retain(is_within);
        }
        let of = ended.swap_remove(self.random.index(ended.len()));
        let choices: Vec<usize> =
            (0..of.journal.len()).filter(|from| may_restart(&of, *from)).collect();
        let from =
            if self.random.chance(200) { 0 } else { choices[self.random.index(choices.len())] };
        let prefix = Prefix::of(&of.journal, from);
        let from = u32::try_from(from).unwrap_or(u32::MAX);
        let pin = self.place(&of, from);
        let (again, now) = (RestartOf { id: of.id, key: None }, Timestamp(self.clock.now_ms()));
        let restart = admission::restart(again, from, pin, now, &mut self.random);
        self.stats.inject(if from > 0 { Fault::RestartedWithin } else { Fault::Restarted });
        let number = self.restarters.asked.len();
        let mut sent = restart;
        let has_more = prefix.entries.len() < of.journal.len();
        if self.sabotage == Some(Sabotage::PrefixTooLong) && prefix.commands > 1 && has_more {
            sent.from += 1;
        }
        if from > 0 {
            self.outside.surroundings().restarted.insert(restart.id.to_string());
        }
        let operator = Operator { name: NAME.to_owned(), reason: Some(number.to_string()) };
        let (partitions, id) = (self.node()?.partitions().clone(), of.id);
        let operation = Operation::RestartAsNew(sent);
        let asking = Box::pin(async move { partitions.operate(operator, id, operation).await });
        self.restarters.asked.push(Asked { of, restart, prefix, heard: None });
        self.restarters.requests.push((number, asking));
        Ok(())
    }

    /// Where the new invocation runs: wherever it likes, where the old one ran, or on the latest
    /// deployment, if that speaks its protocol.
    fn place(&mut self, of: &Ended, from: u32) -> Option<Pin> {
        if from == 0 && self.random.chance(500) {
            return None;
        }
        let (pin, is_moved) = (of.pin?, self.random.chance(500));
        let registry = self.registry.snapshot();
        let latest = registry.latest_deployment(of.program.target().0).filter(|_| is_moved);
        let fitting = latest.filter(|latest| {
            let (min, max) = latest.deployment.protocol_range;
            (min..=max).contains(&pin.protocol.number())
        });
        Some(fitting.map_or(pin, |latest| Pin { deployment: latest.deployment.id, ..pin }))
    }

    /// Polls the pending restarts; returns whether any was answered.
    pub(crate) fn listen_to_restarters(&mut self) -> bool {
        let answered = answered(&mut self.restarters.requests);
        let has_heard = !answered.is_empty();
        for (number, answer) in answered {
            self.restarters.asked[number].heard = Some(answer);
        }
        has_heard
    }

    /// Checks, once everything has completed, that each restart has become what its answer and the
    /// audit say; returns those that were done. What was asked to end need not end as its program
    /// demands.
    pub(crate) fn check_restarts(&mut self, doomed: &BTreeSet<u32>) -> Result<Vec<Rerun>, String> {
        let mut kept: BTreeMap<usize, Outcome> = BTreeMap::new();
        let mut began: BTreeMap<InvocationId, (Vec<Entry>, Option<Heard>)> = BTreeMap::new();
        for at in 0..self.node()?.count() {
            for (number, outcome) in self.node()?.tables(at, audited)? {
                if kept.insert(number, outcome).is_some() {
                    return Err(format!("restart {number} is kept twice"));
                }
                if let Outcome::Restarted(id) = outcome {
                    began.extend(self.node()?.tables(at, |tables| Some((id, new(tables, id)?))));
                }
            }
        }
        let mut reruns = Vec::new();
        for (number, asked) in self.restarters.asked.iter().enumerate() {
            let kept = kept.get(&number).copied();
            asked.check_answer(kept).map_err(|why| format!("restart {number}: {why}"))?;
            let is_done = kept == Some(Outcome::Restarted(asked.restart.id));
            let fault =
                if asked.restart.from > 0 { Fault::RestartedWithin } else { Fault::Restarted };
            let is_within = asked.prefix.commands > 1;
            self.stats.bite(fault, is_done && (is_within || fault == Fault::Restarted));
            if !is_done {
                continue;
            }
            if let Some((journal, result)) = began.get(&asked.restart.id) {
                let is_doomed = doomed.contains(&asked.of.program.number);
                let checked = asked.check_new(journal, result.as_ref(), is_doomed);
                checked.map_err(|why| format!("restart {number}: {why}"))?;
            }
            let program = asked.of.program.number;
            reruns.push(Rerun { program, started: asked.prefix.started.clone() });
        }
        Ok(reruns)
    }
}

impl Asked {
    /// Checks what the audit has kept, if anything, against what was heard, and what is possible.
    fn check_answer(&self, kept: Option<Outcome>) -> Result<(), String> {
        let is_as_heard = match &self.heard {
            None | Some(Err(RequestError::Stopped(_))) => true,
            Some(Ok(outcome)) => kept == Some(*outcome),
            Some(Err(RequestError::DiskFull)) => kept.is_none(),
        };
        let is_whole = self.prefix.open.is_empty();
        // What expires soon may have run again under its id.
        let is_brief = self.of.program.place == Destination::Brief;
        let is_possible = match kept {
            None | Some(Outcome::NotFound) => true,
            Some(Outcome::Restarted(id)) => id == self.restart.id && (is_whole || is_brief),
            Some(Outcome::NotRestartable(why)) => match why {
                NotRestartable::Uncompleted { .. } => !is_whole || is_brief,
                NotRestartable::NoJournal => true,
                NotRestartable::OldProtocol => self.restart.from > 0,
                NotRestartable::NoSuchEntry { .. } | NotRestartable::Mistaken => is_brief,
                NotRestartable::Workflow | NotRestartable::TooLarge => false,
            },
            Some(Outcome::Refused(_)) => is_brief,
            Some(Outcome::Done | Outcome::Requested | Outcome::NotPinned) => false,
        };
        if is_as_heard && is_possible {
            return Ok(());
        }
        Err(format!("heard {:?}, but {kept:?} is kept of {:?}", self.heard, self.restart))
    }

    /// Checks a new invocation that is still there, perhaps without its journal.
    fn check_new(
        &self,
        journal: &[Entry],
        result: Option<&Heard>,
        is_doomed: bool,
    ) -> Result<(), String> {
        let is_brief = self.of.program.place == Destination::Brief;
        if is_brief {
            return Ok(()); // The old one may be another than the one that was looked at.
        }
        let own = journal.get(..self.prefix.entries.len());
        if !journal.is_empty() && own != Some(&self.prefix.entries) {
            return Err(format!("{journal:?} does not begin with {:?}", self.prefix.entries));
        }
        let result = result.ok_or("it has not ended")?;
        match (&self.of.result, result) {
            _ if is_doomed => Ok(()),
            (Ok(_), Ok(again)) => {
                let is_there = |value: &Bytes| again.windows(value.len()).any(|it| it == value);
                match self.prefix.side_effects().find(|value| !is_there(value)) {
                    None => Ok(()),
                    Some(lost) => Err(format!("{lost:?} of the prefix is not in {again:?}")),
                }
            }
            (Err(code), Err(again)) if code == again => Ok(()),
            (before, again) => Err(format!("it ended with {again:?}, and before with {before:?}")),
        }
    }
}

impl Prefix {
    /// The prefix up to an entry.
    fn of(journal: &[Entry], from: usize) -> Self {
        let mut prefix = Self { is_repeatable: true, ..Self::default() };
        let mut published = 0;
        for (index, entry) in journal.iter().enumerate() {
            let is_behind = index > from;
            if entry.ty.is_command() {
                if !is_behind {
                    prefix.add(entry, &mut published);
                }
                continue;
            }
            let completion = wire::notification::completion_id(entry);
            let is_result = completion.is_some_and(|completion| prefix.open.remove(&completion));
            if !is_behind || is_result {
                published -= i32::from(is_awakeable(entry));
                prefix.entries.push(entry.clone());
            }
        }
        prefix.is_repeatable &= published == 0;
        prefix
    }

    fn add(&mut self, entry: &Entry, published: &mut i32) {
        self.commands += 1;
        self.open.extend(wire::command::completions(entry).into_iter().flatten());
        self.entries.push(entry.clone());
        let Ok(named) = wire::command::decode(entry) else { return };
        *published += i32::from(named.name == "publish");
        if let Command::Call { request, .. } | Command::OneWayCall { request, .. } = named.command
            && request.handler != "look"
        {
            let number = decode(&request.parameter).number;
            // A helper is told the id of the one that sends it.
            self.is_repeatable &= number > 0;
            self.started.insert(number);
        }
    }

    /// The results of the side effects that a program returns.
    fn side_effects(&self) -> impl Iterator<Item = Bytes> {
        let runs = self.entries.iter().filter(|entry| entry.ty == MessageType::RUN_COMPLETION);
        runs.filter_map(|entry| {
            let NotificationResult::Value(value) = wire::notification::decode(entry).ok()?.result
            else {
                return None;
            };
            (value.len() == size_of::<u64>()).then_some(value)
        })
    }
}

fn is_awakeable(entry: &Entry) -> bool {
    entry.ty == MessageType::SIGNAL_NOTIFICATION
        && wire::notification::decode(entry).is_ok_and(|notification| {
            notification.kind == NotificationKind::Signal
                && matches!(
                    notification.id,
                    NotificationId::Signal(SignalId::Index(index)) if index >= FIRST_AWAKEABLE_SIGNAL
                )
        })
}

/// Whether a prefix can be repeated by an invocation with another id, at another time. The state of
/// an object has changed since, so its handlers only start from their input.
fn may_restart(of: &Ended, from: usize) -> bool {
    let is_of_object = matches!(of.program.place, Destination::Object(_));
    from == 0 || (!is_of_object && Prefix::of(&of.journal, from).is_repeatable)
}

/// Some invocations that have ended with their journals.
fn ended(tables: &Tables<'_>) -> Vec<Ended> {
    let lsns = tables.by_status(StatusKind::Completed, Lsn(0), 64).into_iter();
    lsns.filter_map(|lsn| {
        let row = tables.invocation(lsn)?;
        if row.journal_len == 0 || ![HANDLER, BRIEF_HANDLER].contains(&&*row.target.handler) {
            return None;
        }
        let journal = tables.journal(lsn, row.journal_len);
        let Command::Input { value, .. } = wire::command::decode(&journal[0]).ok()?.command else {
            return None;
        };
        let program = decode(&value);
        if program.number == 0 || !is_restartable(&program) {
            return None;
        }
        let result = clients::heard(row.status.completion()?);
        Some(Ended { id: row.id, program, pin: row.pin, journal, result })
    })
    .collect()
}

/// Whether a program can run twice: the run of a workflow cannot.
fn is_restartable(program: &Program) -> bool {
    let has_workflow = program.steps.iter().any(|step| matches!(step, Step::Workflow(_)));
    !has_workflow && program.children().all(is_restartable)
}

/// What the audit has kept of restarts, by their numbers.
fn audited(tables: &Tables<'_>) -> Result<Vec<(usize, Outcome)>, String> {
    let all = Budget { rows_max: usize::MAX, bytes_max: usize::MAX };
    let kept = tables.walk_audit((None, Order::Ascending), all).map(|(_, entry)| entry);
    let restarts = kept.filter_map(|entry| match entry {
        AuditEntry::Operation(audited) if audited.operator.name == NAME => Some(audited),
        AuditEntry::Operation(_) | AuditEntry::StateEdit(_) | AuditEntry::Change(_) => None,
    });
    restarts
        .map(|audited| {
            let number = audited.operator.reason.as_deref().and_then(|it| it.parse().ok());
            Ok((number.ok_or("a restart has no number")?, audited.outcome))
        })
        .collect()
}

/// The journal and the result of an invocation, if it is still there.
fn new(tables: &Tables<'_>, id: InvocationId) -> Option<(Vec<Entry>, Option<Heard>)> {
    let lsn = tables.invocation_lsn(id)?;
    let row = tables.invocation(lsn)?;
    let result = row.status.completion().map(|completion| clients::heard(completion));
    Some((tables.journal(lsn, row.journal_len), result))
}
