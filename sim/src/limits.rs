//! The size of a simulation, the faults that may occur, and the parts of the design that can be
//! disabled.

/// The size of a simulation and the faults that may occur in it; shrinking a failing seed reduces
/// these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Invocations that clients start.
    pub operations: usize,
    /// Steps before the drain phase.
    pub steps: usize,
    /// Whether power may be lost between two steps, or the process killed.
    pub crashes: bool,
    /// Whether the node may be replaced by one that is restored from a backup.
    pub backups: bool,
    /// Whether power may be lost in the middle of a write, sync, creation or removal.
    pub power_cuts: bool,
    /// Whether the disk may fail operations of the log or the tables.
    pub disk_errors: bool,
    /// Whether disks may be full for a while.
    pub full_disks: bool,
    /// Whether connections may break, and attempts continue as zombies.
    pub cuts: bool,
    /// Whether endpoints may be unreachable for a while.
    pub outages: bool,
    /// Whether time may jump, and the wall clock be set, both while the node runs and across a
    /// restart.
    pub jumps: bool,
    /// Whether syncs may be slow.
    pub slow_syncs: bool,
    /// Whether overlays may be so small that edges have to wait.
    pub overload: bool,
    /// Whether operators kill, cancel, restart and register.
    pub operators: bool,
    /// Whether messages between partitions may be lost until a resend is requested. Order is then
    /// preserved per pair of partitions, not globally.
    pub lossy: bool,
    /// Whether every allowed fault occurs in every simulation, at its highest frequency.
    pub is_worst: bool,
    /// How many of a thousand programs send to an object and then have another object send to the
    /// same one, so that an ordering bug can show.
    pub relays: u64,
    /// A crash that always happens: just before or just after the commit with this number.
    pub crash_at: Option<(u64, Moment)>,
    /// Number of partitions; derived from the seed if absent.
    pub partitions: Option<usize>,
}

/// Which side of an fsync a crash happens on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Whatever was to be synced may be lost.
    Before,
    /// Whatever was synced must survive.
    After,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            operations: 12,
            steps: 1200,
            crashes: true,
            backups: true,
            power_cuts: true,
            disk_errors: true,
            full_disks: true,
            cuts: true,
            outages: true,
            jumps: true,
            slow_syncs: true,
            overload: true,
            operators: true,
            lossy: false,
            is_worst: false,
            relays: 200,
            crash_at: None,
            partitions: None,
        }
    }
}

impl Limits {
    /// A simulation without faults.
    #[must_use]
    pub fn quiet() -> Self {
        Self {
            crashes: false,
            backups: false,
            power_cuts: false,
            disk_errors: false,
            full_disks: false,
            cuts: false,
            outages: false,
            jumps: false,
            slow_syncs: false,
            overload: false,
            operators: false,
            lossy: false,
            ..Self::default()
        }
    }
}

/// A part of the design to disable, to show that its absence is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// Effects are released before their records are on disk.
    EffectsBeforeFsync,
    /// Reads are answered before the state they saw is on disk.
    ReadsBeforeFsync,
    /// Events proposed by a stale attempt are accepted.
    NoFencing,
    /// A redelivered message is processed again.
    NoDedup,
    /// Recovery acts on a log tail that it has read but not synced.
    RecoveryWithoutSync,
    /// Messages in transit are delivered by sender, not in stamp order.
    UnsortedHandOver,
    /// Free space reported along with a refusal is forgotten.
    ForgottenRoom,
    /// Stamps after a restart may repeat those from before it.
    ClockNotAdvanced,
    /// A running attempt gets each notification twice.
    AnsweredTwice,
    /// An attempt gets a notification that its replay already contained.
    ShownAgain,
    /// A failed log write is treated as successful.
    LogFailureIgnored,
    /// The completion of an awakeable is acknowledged as soon as it is proposed.
    CompletionAcknowledgedEarly,
    /// A restarted invocation begins with one entry more than it was asked for.
    PrefixTooLong,
    /// A backup ends where the log did before the tables were copied.
    CutBeforeTables,
    /// The same for one of the partitions.
    CutOfOneEarlier,
}

impl Sabotage {
    /// All sabotages.
    pub const ALL: [Self; 15] = [
        Self::EffectsBeforeFsync,
        Self::ReadsBeforeFsync,
        Self::NoFencing,
        Self::NoDedup,
        Self::RecoveryWithoutSync,
        Self::UnsortedHandOver,
        Self::ForgottenRoom,
        Self::ClockNotAdvanced,
        Self::AnsweredTwice,
        Self::ShownAgain,
        Self::LogFailureIgnored,
        Self::CompletionAcknowledgedEarly,
        Self::PrefixTooLong,
        Self::CutBeforeTables,
        Self::CutOfOneEarlier,
    ];

    /// The limits under which the sabotage must be noticed.
    pub fn limits(self) -> Limits {
        let mut limits = Limits::default();
        if self == Self::UnsortedHandOver {
            // An order can only be lost between three or more partitions, and the loss only shows
            // reliably if nothing but crashes and slow partitions interferes.
            limits = Limits {
                relays: 1000,
                partitions: Some(4),
                crashes: true,
                slow_syncs: true,
                is_worst: true,
                ..Limits::quiet()
            };
        }
        limits
    }
}
