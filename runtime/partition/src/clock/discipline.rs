//! What time it is, given what the boot clock and the wall clock show. Pure.
//!
//! The boot clock carries ours: a wall clock that is set forward must not fire timers early, and one
//! that is set back must not hold them up. But the wall clock is right in the end, so ours moves
//! toward it by at most a thousandth of its rate. So no sleep is shorter or longer than it should
//! be by more than a thousandth, whatever is done to the wall clock.

/// Ours gains or loses at most one microsecond in so many: 0.1 %, twice what NTP slews by, so that a
/// wall clock that is only slewed never runs away from ours.
const SLEW_DIVISOR: u64 = 1000;

/// A difference below this is everyday life: time servers step what they can't slew.
const WARN_US: u64 = 1_000_000;

/// Our clock as it runs until the wall is looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Course {
    boot_us: u64,
    ours_us: u64,
    wall_us: u64,
}

impl Course {
    /// What our clock shows when the boot clock shows this. Never stands still and never goes back.
    pub fn now_us(&self, boot_us: u64) -> u64 {
        let elapsed_us = self.age_us(boot_us);
        let slew_max_us = elapsed_us / SLEW_DIVISOR;
        let behind_us = self.wall_us.saturating_sub(self.ours_us);
        let ahead_us = self.ours_us.saturating_sub(self.wall_us);
        self.ours_us + elapsed_us + behind_us.min(slew_max_us) - ahead_us.min(slew_max_us)
    }

    /// How long ago the wall was looked at. Nought before that: another thread may have been faster.
    pub fn age_us(&self, boot_us: u64) -> u64 {
        boot_us.saturating_sub(self.boot_us)
    }
}

/// How far the wall clock is from ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variant says what its field is")]
pub enum Difference {
    /// The wall shows more than ours.
    Ahead { by_us: u64 },
    /// The wall shows less.
    Behind { by_us: u64 },
}

/// Decides our clock's course, and when somebody should hear of a difference.
#[derive(Debug)]
pub struct Discipline {
    course: Course,
    /// The difference, wall less ours, that the last warning told of, less what has been made up for
    /// since; `None` when there is nothing to tell.
    told_us: Option<i128>,
}

impl Discipline {
    /// Begins with the wall time.
    pub fn new(boot_us: u64, wall_us: u64) -> Self {
        Self { course: Course { boot_us, ours_us: wall_us, wall_us }, told_us: None }
    }

    /// How our clock runs now.
    pub fn course(&self) -> Course {
        self.course
    }

    /// Shows at least this from now on: the log knows of it already.
    pub fn advance(&mut self, boot_us: u64, ours_us: u64) {
        let Course { wall_us, .. } = self.course;
        let wall_us = wall_us.saturating_add(self.course.age_us(boot_us));
        let ours_us = ours_us.max(self.course.now_us(boot_us));
        self.course = Course { boot_us, ours_us, wall_us };
    }

    /// Takes note of what the wall shows; returns the difference if it has to be told.
    pub fn observe(&mut self, boot_us: u64, wall_us: u64) -> Option<Difference> {
        let elapsed_us = i128::from(self.course.age_us(boot_us));
        let ours_us = self.course.now_us(boot_us);
        let slewed_us = i128::from(ours_us) - i128::from(self.course.ours_us) - elapsed_us;
        self.course = Course { boot_us: boot_us.max(self.course.boot_us), ours_us, wall_us };
        let difference_us = i128::from(wall_us) - i128::from(ours_us);
        self.tell(difference_us, slewed_us)
    }

    /// Tells of a difference once; again when it is quite another one, or was gone.
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
