//! What was done to worlds, and how often it found something at risk. A fault that never does is no
//! fault: a run that has only such ones shows nothing.

use std::fmt;

/// A kind of thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(usize)]
pub enum Fault {
    /// The power goes between two steps.
    PowerLoss,
    /// The power goes during an operation of the log's disk.
    LogPowerCut,
    /// Bytes of the log that were not synced are gone.
    LogBytesLost,
    /// A prefix of them is left.
    LogBytesTorn,
    /// Later ones are left without earlier ones.
    LogBytesReordered,
    /// A new file has no name.
    EntryLost,
    /// A removed file is back.
    RemovalLost,
    /// The power goes during a checkpoint.
    CheckpointCut,
    /// The power goes during recovery.
    RecoveryCut,
    /// The process is killed; what it wrote stays.
    ProcessKilled,
    /// The disk refuses an operation of the log.
    LogError,
    /// The disk refuses an operation of the tables.
    TableError,
    /// The log's disk has no room for a while.
    LogFull,
    /// The node starts while the log's disk has no room.
    StartWithoutRoom,
    /// The disk of the tables has no room for a while.
    TablesFull,
    /// Syncs take long.
    SlowSync,
    /// A partition's thread does not get on.
    Stalled,
    /// Time passes at once.
    ClockJump,
    /// Somebody sets the wall clock.
    WallStep,
    /// The wall clock is set while the node is down.
    ClockBehind,
    /// Edges are held back.
    Overload,
    /// The invoker has no place for an attempt.
    StartRefused,
    /// A connection breaks.
    ConnectionCut,
    /// An attempt that was given up goes on.
    Zombie,
    /// An operator kills an invocation.
    Killed,
    /// An operator cancels an invocation.
    Cancelled,
    /// A deployment is registered while invocations are under way.
    Registered,
    /// A result is asked for again when it has expired.
    Expired,
    /// What has ended takes more room than it may.
    Budget,
    /// An awakeable is completed from outside.
    Completed,
    /// The node goes away while a client waits for an acknowledgement.
    ClientCutOff,
    /// An endpoint can't be reached.
    Unreachable,
    /// An endpoint can be reached again.
    ReachedAgain,
    /// An operator cancels an invocation that backs off.
    CancelledBackOff,
    /// Somebody holds rows for longer than a turn.
    Held,
    /// An observer's copy of the rows is compared.
    Followed,
    /// Messages between partitions are lost on the way.
    MessagesLost,
}

const FAULTS: usize = Fault::ALL.len();

impl Fault {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 37] = [
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
        Self::StartRefused,
        Self::ConnectionCut,
        Self::Zombie,
        Self::Killed,
        Self::Cancelled,
        Self::Registered,
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

    /// What it is, how often it was tried, and what counts as having found something.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::PowerLoss => ("power lost between steps", "applied records were not written"),
            Self::LogPowerCut => ("power lost in a log operation", "unsynced log bytes"),
            Self::LogBytesLost => ("unsynced log bytes: all lost", "a file was shorter after it"),
            Self::LogBytesTorn => ("unsynced log bytes: torn", "a part of them was left"),
            Self::LogBytesReordered => ("unsynced log bytes: reordered", "a hole before a rest"),
            Self::EntryLost => ("a new file's name unsynced", "the file was gone"),
            Self::RemovalLost => ("a file's removal unsynced", "the file was back"),
            Self::CheckpointCut => ("power lost in a checkpoint", "it was half written"),
            Self::RecoveryCut => ("power lost in recovery", "recovery did not get through"),
            Self::ProcessKilled => ("process killed", "unwritten records or unsynced bytes"),
            Self::LogError => ("disk error under the log", "the node ended"),
            Self::TableError => ("disk error under the tables", "the node ended"),
            Self::LogFull => ("log's disk full for a while", "new work was refused"),
            Self::StartWithoutRoom => {
                ("starts on a full disk", "there was too little room to start")
            }
            Self::TablesFull => ("tables' disk full for a while", "a checkpoint waited for room"),
            Self::SlowSync => ("slow sync", "more than one batch waited"),
            Self::Stalled => ("a partition stalled", "messages of others waited"),
            Self::ClockJump => ("clock jumps ahead", "a timer became due"),
            Self::WallStep => ("wall clock set", "an invocation was under way"),
            Self::ClockBehind => ("wall clock set over a restart", "it was behind the log"),
            Self::Overload => ("turns with a full overlay", "an event was held back"),
            Self::StartRefused => ("attempts offered", "there was no place"),
            Self::ConnectionCut => ("connections to cut", "an attempt broke off"),
            Self::Zombie => ("attempts given up but alive", "it still proposed something"),
            Self::Killed => ("kills asked for", "an invocation was ended"),
            Self::Cancelled => ("cancellations asked for", "an invocation was told or ended"),
            Self::Registered => ("deployments registered", "an older pin was kept after it"),
            Self::Expired => ("short-lived results asked again", "it had expired and ran anew"),
            Self::Budget => ("turns under a tiny budget", "more was kept than it allows"),
            Self::Completed => ("awakeables completed outside", "it was acknowledged"),
            Self::ClientCutOff => ("nodes gone", "a client was waiting"),
            Self::Unreachable => {
                ("attempts that could not be sent", "it was not the first in a row")
            }
            Self::ReachedAgain => ("attempts sent after such ones", "it ended their count"),
            Self::CancelledBackOff => ("what backs off cancelled", "it went on before its time"),
            Self::Held => ("rows held", "they had changed meanwhile"),
            Self::MessagesLost => ("messages lost, in worlds of their own", "some were under way"),
            Self::Followed => ("an observer's copy compared", "it was told of a batch"),
        }
    }
}

/// How often one fault was tried, and how often it found something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Tried.
    pub injected: u64,
    /// Found something at risk.
    pub bit: u64,
}

/// All counts of one world or of many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats([Count; FAULTS]);

impl Default for Stats {
    fn default() -> Self {
        Self([Count::default(); FAULTS])
    }
}

impl Stats {
    /// Notes that a fault was tried, and whether it found something.
    pub fn add(&mut self, fault: Fault, bit: bool) {
        self.inject(fault);
        self.bite(fault, bit);
    }

    /// Notes that it was tried.
    pub fn inject(&mut self, fault: Fault) {
        self.0[fault as usize].injected += 1;
    }

    /// Notes whether one that was tried has found something.
    pub fn bite(&mut self, fault: Fault, bit: bool) {
        self.0[fault as usize].bit += u64::from(bit);
    }

    /// Notes several at once.
    pub fn add_many(&mut self, fault: Fault, injected: u64, bit: u64) {
        let count = &mut self.0[fault as usize];
        count.injected += injected;
        count.bit += bit;
    }

    /// The counts of one fault.
    pub fn of(&self, fault: Fault) -> Count {
        self.0[fault as usize]
    }

    /// Adds those of another world.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(&other.0) {
            count.injected += more.injected;
            count.bit += more.bit;
        }
    }

    /// Faults that have never found anything.
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
