//! How large a world is, what may go wrong in it, and what is left out of the design on purpose.

/// How large a world is and what may go wrong in it; a failing one is made smaller with these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Invocations that clients start.
    pub operations: usize,
    /// Steps before peace.
    pub steps: usize,
    /// Whether the power goes between two steps, or the process is killed.
    pub crashes: bool,
    /// Whether the power goes in the middle of a write, sync, creation or removal.
    pub power_cuts: bool,
    /// Whether the disk refuses an operation of the log or of the tables.
    pub disk_errors: bool,
    /// Whether disks get full, for a while.
    pub full_disks: bool,
    /// Whether connections break and zombies go on.
    pub cuts: bool,
    /// Whether endpoints can't be reached for a while.
    pub outages: bool,
    /// Whether time jumps, and the wall clock is set: while the node runs, and over a restart.
    pub jumps: bool,
    /// Whether syncs take long.
    pub slow_syncs: bool,
    /// Whether overlays are so small that edges must wait.
    pub overload: bool,
    /// Whether operators kill, cancel and register.
    pub operators: bool,
    /// Messages between partitions may be lost until somebody asks for them again: their order is then kept
    /// for each pair of partitions, and not for all.
    pub lossy: bool,
    /// Whether all that may go wrong does so in each world, and as often as it ever does.
    pub is_worst: bool,
    /// How many of a thousand programs have another send where they have sent, so that an order can be
    /// lost.
    pub relays: u64,
    /// A crash for sure: just before, or just after, the commit with this number.
    pub crash_at: Option<(u64, Moment)>,
    /// How many partitions; chosen by the seed when absent.
    pub partitions: Option<usize>,
}

/// On which side of an fsync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// What was to be synced may be lost.
    Before,
    /// What was synced may not be.
    After,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            operations: 12,
            steps: 1200,
            crashes: true,
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
    /// A world in which nothing goes wrong.
    #[must_use]
    pub fn quiet() -> Self {
        Self {
            crashes: false,
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

/// A part of the design left out, to show that its absence is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// Effects leave before their records are on disk.
    EffectsBeforeFsync,
    /// Reads are answered before what they saw is on disk.
    ReadsBeforeFsync,
    /// What a stale attempt proposes counts.
    NoFencing,
    /// A message that is handed over again counts again.
    NoDedup,
    /// Recovery acts on a tail that it has read, but not synced.
    RecoveryWithoutSync,
    /// Messages that were under way are handed over by sender, not in the order of their stamps.
    UnsortedHandOver,
    /// Room that is announced with a refusal is forgotten.
    ForgottenRoom,
    /// Stamps after a restart may be those of before.
    ClockNotAdvanced,
    /// A live attempt is shown each notification twice.
    AnsweredTwice,
    /// An attempt is shown again what its replay had.
    ShownAgain,
    /// A failed write of the log is taken for a success.
    LogFailureIgnored,
    /// The completion of an awakeable is acknowledged when it is proposed.
    CompletionAcknowledgedEarly,
}

impl Sabotage {
    /// All of them.
    pub const ALL: [Self; 12] = [
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
    ];

    /// The worlds in which it is to be noticed.
    pub fn limits(self) -> Limits {
        let mut limits = Limits::default();
        if self == Self::UnsortedHandOver {
            // Where there is an order to lose: between three partitions or more.
            // And where nothing but a crash of a node with a slow partition is under way.
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
