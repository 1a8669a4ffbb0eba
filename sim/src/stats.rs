//! Counts how often each fault was injected, and how often it put something at risk. A fault that
//! never puts anything at risk tests nothing.

use std::fmt;

/// A kind of fault, or of event that exercises a rare path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(usize)]
pub enum Fault {
    /// Power is lost between two steps.
    PowerLoss,
    /// Power is lost during an operation on the log's disk.
    LogPowerCut,
    /// All unsynced bytes of the log are lost.
    LogBytesLost,
    /// Only a prefix of the unsynced log bytes survives.
    LogBytesTorn,
    /// Later unsynced log bytes survive without earlier ones.
    LogBytesReordered,
    /// A new file's directory entry is lost.
    EntryLost,
    /// A removed file reappears.
    RemovalLost,
    /// Power is lost during a checkpoint.
    CheckpointCut,
    /// Power is lost during recovery.
    RecoveryCut,
    /// The process is killed; everything it wrote survives.
    ProcessKilled,
    /// The node goes down, and the next one starts from a backup alone.
    Restored,
    /// The disk fails a log operation.
    LogError,
    /// The disk fails a table operation.
    TableError,
    /// The log's disk is full for a while.
    LogFull,
    /// The node starts while the log's disk is full.
    StartWithoutRoom,
    /// The tables' disk is full for a while.
    TablesFull,
    /// Syncs are slow.
    SlowSync,
    /// A partition's thread makes no progress.
    Stalled,
    /// Time jumps ahead.
    ClockJump,
    /// The wall clock is set while the node runs.
    WallStep,
    /// The wall clock is set while the node is down.
    ClockBehind,
    /// A partition with a full overlay holds back events from the edges.
    Overload,
    /// A turn adds as many bytes as it may.
    TurnCut,
    /// Large rows wait for a checkpoint.
    SetAside,
    /// There is no memory for messages from other partitions.
    PeersFull,
    /// Some results are passed on one copy at a time.
    LargeResults,
    /// The invoker has no permit for an attempt.
    StartRefused,
    /// A connection breaks.
    ConnectionCut,
    /// An attempt that the partition has given up on keeps running.
    Zombie,
    /// An operator kills an invocation.
    Killed,
    /// An operator cancels an invocation.
    Cancelled,
    /// An operator pauses an invocation.
    Paused,
    /// An operator resumes an invocation.
    Resumed,
    /// An operator edits a state.
    Edited,
    /// An edit of a state waits for an invocation that holds the key.
    EditQueued,
    /// An edit is for the version that the state has when it is asked for.
    EditConflict,
    /// An operator restarts an invocation from its input.
    Restarted,
    /// An operator restarts an invocation from a longer prefix of its journal.
    RestartedWithin,
    /// A deployment is registered while invocations are under way.
    Registered,
    /// A deployment is registered in place of another.
    Reregistered,
    /// A deployment moves to another address.
    Moved,
    /// Settings of a service are changed.
    Configured,
    /// A deployment is removed by force.
    Removed,
    /// A client asks again for a result that has expired.
    Expired,
    /// Completed invocations retain more bytes than the budget allows.
    Budget,
    /// An awakeable is completed from outside.
    Completed,
    /// The node goes down while a client waits for an acknowledgement.
    ClientCutOff,
    /// An endpoint cannot be reached.
    Unreachable,
    /// An endpoint becomes reachable again.
    ReachedAgain,
    /// An operator cancels an invocation that is backing off.
    CancelledBackOff,
    /// Rows are held for longer than a turn.
    Held,
    /// An observer's copy of the rows is compared with the partition's.
    Followed,
    /// Messages between partitions are lost in transit.
    MessagesLost,
}

const FAULTS: usize = Fault::ALL.len();

impl Fault {
    /// All faults, in declaration order.
    pub const ALL: [Self; 53] = [
        Self::PowerLoss,
        Self::LogPowerCut,
        Self::LogBytesLost,
        Self::LogBytesTorn,
        Self::LogBytesReordered,
        Self::EntryLost,
        Self::RemovalLost,
        Self::CheckpointCut,
        Self::RecoveryCut,
        Self::ProcessKilled,
        Self::Restored,
        Self::LogError,
        Self::TableError,
        Self::LogFull,
        Self::StartWithoutRoom,
        Self::TablesFull,
        Self::SlowSync,
        Self::Stalled,
        Self::ClockJump,
        Self::WallStep,
        Self::ClockBehind,
        Self::Overload,
        Self::TurnCut,
        Self::SetAside,
        Self::PeersFull,
        Self::LargeResults,
        Self::StartRefused,
        Self::ConnectionCut,
        Self::Zombie,
        Self::Killed,
        Self::Cancelled,
        Self::Paused,
        Self::Resumed,
        Self::Edited,
        Self::EditQueued,
        Self::EditConflict,
        Self::Restarted,
        Self::RestartedWithin,
        Self::Registered,
        Self::Reregistered,
        Self::Moved,
        Self::Configured,
        Self::Removed,
        Self::Expired,
        Self::Budget,
        Self::Completed,
        Self::ClientCutOff,
        Self::Unreachable,
        Self::ReachedAgain,
        Self::CancelledBackOff,
        Self::Held,
        Self::Followed,
        Self::MessagesLost,
    ];

    /// Describes the fault, and what counts as an effect of it.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::PowerLoss => ("power lost between steps", "applied records were not written"),
            Self::LogPowerCut => ("power lost during a log operation", "unsynced log bytes"),
            Self::LogBytesLost => ("unsynced log bytes: all lost", "a file was shorter afterwards"),
            Self::LogBytesTorn => ("unsynced log bytes: torn", "a part of them survived"),
            Self::LogBytesReordered => {
                ("unsynced log bytes: reordered", "a hole before surviving bytes")
            }
            Self::EntryLost => ("a new file's name unsynced", "the file was gone"),
            Self::RemovalLost => ("a file's removal unsynced", "the file was back"),
            Self::CheckpointCut => ("power lost during a checkpoint", "it was half written"),
            Self::RecoveryCut => ("power lost during recovery", "recovery did not complete"),
            Self::ProcessKilled => ("process killed", "unwritten records or unsynced bytes"),
            Self::Restored => ("backups restored", "there were records besides the tables"),
            Self::LogError => ("disk error under the log", "the node ended"),
            Self::TableError => ("disk error under the tables", "the node ended"),
            Self::LogFull => ("log's disk full for a while", "new work was refused"),
            Self::StartWithoutRoom => {
                ("starts on a full disk", "there was too little space to start")
            }
            Self::TablesFull => {
                ("tables' disk full for a while", "a checkpoint waited for disk space")
            }
            Self::SlowSync => ("slow sync", "more than one batch waited"),
            Self::Stalled => ("a partition stalled", "messages from other partitions waited"),
            Self::ClockJump => ("clock jumps ahead", "a timer became due"),
            Self::WallStep => ("wall clock set", "an invocation was under way"),
            Self::ClockBehind => ("wall clock set across a restart", "it was behind the log"),
            Self::TurnCut => ("turns that may add little", "some events were left for the next"),
            Self::SetAside => ("turns in little memory", "an event waited for a checkpoint"),
            Self::PeersFull => ("turns with few messages at a time", "some were asked for again"),
            Self::LargeResults => ("turns with large results", "one was passed on later"),
            Self::Overload => ("turns with a full overlay", "an event was held back"),
            Self::StartRefused => ("attempts offered", "there was no permit"),
            Self::ConnectionCut => ("connections to cut", "an attempt was aborted"),
            Self::Zombie => ("attempts given up but alive", "one still proposed something"),
            Self::Killed => ("kills requested", "an invocation was ended"),
            Self::Cancelled => ("cancellations requested", "an invocation was signalled or ended"),
            Self::Paused => ("pauses requested", "an invocation was paused, or asked to suspend"),
            Self::Resumed => ("resumptions requested", "an invocation ran again"),
            Self::Edited => ("edits of state requested", "one was applied"),
            Self::EditQueued => ("edits queued behind an invocation", "one was applied later"),
            Self::EditConflict => ("edits for the known version", "it had changed by then"),
            Self::Restarted => ("restarts from the input", "an invocation ran again"),
            Self::RestartedWithin => {
                ("restarts from a prefix", "commands of the prefix were not done again")
            }
            Self::Registered => ("deployments registered", "an invocation kept an older pin"),
            Self::Reregistered => ("deployments registered anew", "one was replaced"),
            Self::Moved => ("deployments moved", "one got another address"),
            Self::Configured => ("settings of services changed", "one had another value"),
            Self::Removed => ("deployments removed by force", "invocations were pinned to it"),
            Self::Expired => {
                ("short-lived results requested again", "one had expired and ran again")
            }
            Self::Budget => ("turns under a tiny budget", "more was retained than it allows"),
            Self::Completed => ("awakeables completed from outside", "it was acknowledged"),
            Self::ClientCutOff => ("nodes taken down", "a client was waiting"),
            Self::Unreachable => {
                ("attempts that could not be sent", "it was not the first in sequence")
            }
            Self::ReachedAgain => ("attempts sent after unsent ones", "it reset their count"),
            Self::CancelledBackOff => {
                ("invocations cancelled while backing off", "one was retried before its time")
            }
            Self::Held => ("rows held", "they had changed in the meantime"),
            Self::MessagesLost => {
                ("messages lost, in separate simulations", "some were in transit")
            }
            Self::Followed => ("an observer's copy compared", "it had received a batch"),
        }
    }
}

/// How often a fault was injected, and how often it had an effect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Times it was injected.
    pub injected: u64,
    /// Times it put something at risk.
    pub bit: u64,
}

/// The counts of one simulation, or the sum of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats([Count; FAULTS]);

impl Default for Stats {
    fn default() -> Self {
        Self([Count::default(); FAULTS])
    }
}

impl Stats {
    /// Records that a fault was injected, and whether it had an effect.
    pub fn add(&mut self, fault: Fault, bit: bool) {
        self.inject(fault);
        self.bite(fault, bit);
    }

    /// Records that a fault was injected.
    pub fn inject(&mut self, fault: Fault) {
        self.0[fault as usize].injected += 1;
    }

    /// Records whether an injected fault had an effect.
    pub fn bite(&mut self, fault: Fault, bit: bool) {
        self.0[fault as usize].bit += u64::from(bit);
    }

    /// Adds to both counts of a fault at once.
    pub fn add_many(&mut self, fault: Fault, injected: u64, bit: u64) {
        let count = &mut self.0[fault as usize];
        count.injected += injected;
        count.bit += bit;
    }

    /// Returns the counts of one fault.
    pub fn of(&self, fault: Fault) -> Count {
        self.0[fault as usize]
    }

    /// Adds the counts of another simulation.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(&other.0) {
            count.injected += more.injected;
            count.bit += more.bit;
        }
    }

    /// Returns the faults that never had an effect.
    pub fn toothless(&self) -> Vec<Fault> {
        Fault::ALL.into_iter().filter(|fault| self.of(*fault).bit == 0).collect()
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<34}{:>10}{:>10}  that is", "fault", "injected", "found")?;
        for fault in Fault::ALL {
            let (what, found) = fault.words();
            let Count { injected, bit } = self.of(fault);
            writeln!(f, "{what:<34}{injected:>10}{bit:>10}  {found}")?;
        }
        Ok(())
    }
}
