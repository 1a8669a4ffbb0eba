//! What time it is, given what the boot clock and the wall clock show. Pure.
//!
//! Our clock advances with the boot clock: a wall clock that is set forward must not fire timers
//! early, and one that is set back must not delay them. But the wall clock is right in the long
//! run, so ours moves toward it, by at most a thousandth of its rate. No sleep is therefore too
//! short or too long by more than a thousandth, whatever happens to the wall clock.

/// Our clock gains or loses at most one microsecond in this many: 0.1 %, twice the rate at which
/// NTP slews, so that a wall clock that is only slewed never runs away from ours.
const SLEW_DIVISOR: u64 = 1000;

/// Smaller differences are normal: time servers step what they cannot slew.
const WARN_US: u64 = 1_000_000;

/// How our clock runs until the wall clock is next read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Course {
    boot_us: u64,
    ours_us: u64,
    wall_us: u64,
}

impl Course {
    /// What our clock shows when the boot clock shows `boot_us`. Never stands still and never goes
    /// back.
    pub fn now_us(&self, boot_us: u64) -> u64 {
        let elapsed_us = self.age_us(boot_us);
        let slew_max_us = elapsed_us / SLEW_DIVISOR;
        let behind_us = self.wall_us.saturating_sub(self.ours_us);
        let ahead_us = self.ours_us.saturating_sub(self.wall_us);
        self.ours_us + elapsed_us + behind_us.min(slew_max_us) - ahead_us.min(slew_max_us)
    }

    /// How long ago the wall clock was read. 0 if `boot_us` is before that, since another thread
    /// may have been faster.
    pub fn age_us(&self, boot_us: u64) -> u64 {
        boot_us.saturating_sub(self.boot_us)
    }
}

/// How far the wall clock is from ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variant explains its field")]
pub enum Difference {
    /// The wall clock is ahead of ours.
    Ahead { by_us: u64 },
    /// The wall clock is behind ours.
    Behind { by_us: u64 },
}

/// Determines our clock's course, and when a difference should be reported.
#[derive(Debug)]
pub struct Discipline {
    course: Course,
    /// The difference, wall minus ours, that was last reported, minus what has been slewed since;
    /// `None` if there is none to compare with.
    told_us: Option<i128>,
}

impl Discipline {
    /// Starts at the wall time.
    pub fn new(boot_us: u64, wall_us: u64) -> Self {
        Self { course: Course { boot_us, ours_us: wall_us, wall_us }, told_us: None }
    }

    /// The current course of our clock.
    pub fn course(&self) -> Course {
        self.course
    }

    /// Makes our clock show at least `ours_us` from now on, because the log already contains that
    /// time.
    pub fn advance(&mut self, boot_us: u64, ours_us: u64) {
        let Course { wall_us, .. } = self.course;
        let wall_us = wall_us.saturating_add(self.course.age_us(boot_us));
        let ours_us = ours_us.max(self.course.now_us(boot_us));
        self.course = Course { boot_us, ours_us, wall_us };
    }

    /// Takes a reading of the wall clock; returns the difference if it should be reported.
    pub fn observe(&mut self, boot_us: u64, wall_us: u64) -> Option<Difference> {
        let elapsed_us = i128::from(self.course.age_us(boot_us));
        let ours_us = self.course.now_us(boot_us);
        let slewed_us = i128::from(ours_us) - i128::from(self.course.ours_us) - elapsed_us;
        self.course = Course { boot_us: boot_us.max(self.course.boot_us), ours_us, wall_us };
        let difference_us = i128::from(wall_us) - i128::from(ours_us);
        self.tell(difference_us, slewed_us)
    }

    /// Reports a difference once, and again if it has changed considerably or was gone in between.
    fn tell(&mut self, difference_us: i128, slewed_us: i128) -> Option<Difference> {
        let warn_us = i128::from(WARN_US);
        if difference_us.abs() < warn_us / 2 {
            self.told_us = None;
            return None;
        }
        let is_news = match self.told_us {
            None => difference_us.abs() >= warn_us,
            Some(told_us) => {
                let told_us = told_us - slewed_us;
                self.told_us = Some(told_us);
                (difference_us - told_us).abs() >= warn_us.max(told_us.abs() / 2)
            }
        };
        if !is_news {
            return None;
        }
        self.told_us = Some(difference_us);
        let by_us = u64::try_from(difference_us.unsigned_abs()).unwrap_or(u64::MAX);
        Some(if difference_us > 0 {
            Difference::Ahead { by_us }
        } else {
            Difference::Behind { by_us }
        })
    }
}
