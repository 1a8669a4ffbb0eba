//! What a template can write of a time.

use chrono::{Datelike, NaiveDateTime, Timelike};

/// Width of the names of months and days.
const NAME_WIDTH: usize = 9;

/// What of a time is written. Some are cut to so many of their last or first digits.
#[derive(Debug, Clone, Copy)]
pub(super) enum Field {
    Year(usize),
    IsoYear(usize),
    Quarter,
    Month,
    MonthName,
    MonthShort,
    Week,
    WeekOfMonth,
    IsoWeek,
    DayOfYear,
    Day,
    DayName,
    DayShort,
    Weekday,
    IsoWeekday,
    Hour12,
    Hour24,
    HalfOfDay,
    HalfOfDayDotted,
    Minute,
    Second,
    SecondOfDay,
    Fraction(usize),
    Zone,
    ZoneHours,
    ZoneMinutes,
}

impl Field {
    /// Whether it is written as the keyword is: in capitals, with one, or without.
    pub(super) fn is_name(self) -> bool {
        matches!(self, Self::MonthName | Self::MonthShort | Self::DayName | Self::DayShort)
    }

    /// Whether it is written in capitals or in small letters as the keyword is.
    pub(super) fn is_word(self) -> bool {
        self.is_name() || matches!(self, Self::HalfOfDay | Self::HalfOfDayDotted | Self::Zone)
    }

    /// Writes it of a time, with the zeros and blanks that give it its width, or without.
    pub(super) fn write(self, time: NaiveDateTime, has_zone: bool, is_filled: bool) -> String {
        let number = |number: u32, width: usize| {
            let width = if is_filled { width } else { 0 };
            format!("{number:0width$}")
        };
        let name = |format: &str, width: usize| {
            let width = if is_filled { width } else { 0 };
            format!("{:width$}", time.format(format).to_string())
        };
        let half = |before: &str, after: &str| {
            let half = if time.hour() < 12 { before } else { after };
            half.to_owned()
        };
        let year = |year: i32, digits: usize| match digits {
            4 => number(year.unsigned_abs(), 4),
            3 => number(year.unsigned_abs() % 1000, 3),
            2 => number(year.unsigned_abs() % 100, 2),
            _ => number(year.unsigned_abs() % 10, 1),
        };
        match self {
            Self::Year(digits) => year(time.year(), digits),
            Self::IsoYear(digits) => year(time.iso_week().year(), digits),
            Self::Quarter => number(time.month0() / 3 + 1, 1),
            Self::Month => number(time.month(), 2),
            Self::MonthName => name("%B", NAME_WIDTH),
            Self::MonthShort => name("%b", 0),
            Self::Week => number(time.ordinal0() / 7 + 1, 2),
            Self::WeekOfMonth => number(time.day0() / 7 + 1, 1),
            Self::IsoWeek => number(time.iso_week().week(), 2),
            Self::DayOfYear => number(time.ordinal(), 3),
            Self::Day => number(time.day(), 2),
            Self::DayName => name("%A", NAME_WIDTH),
            Self::DayShort => name("%a", 0),
            Self::Weekday => number(time.weekday().number_from_sunday(), 1),
            Self::IsoWeekday => number(time.weekday().number_from_monday(), 1),
            Self::Hour12 => number(time.hour12().1, 2),
            Self::Hour24 => number(time.hour(), 2),
            Self::HalfOfDay => half("AM", "PM"),
            Self::HalfOfDayDotted => half("A.M.", "P.M."),
            Self::Minute => number(time.minute(), 2),
            Self::Second => number(time.second(), 2),
            Self::SecondOfDay => number(time.num_seconds_from_midnight(), 1),
            // Not changed by FM: without its zeros, a fraction is another one.
            Self::Fraction(digits) => format!("{:09}", time.nanosecond())[..digits].to_owned(),
            Self::Zone if has_zone => "UTC".to_owned(),
            Self::Zone => String::new(),
            Self::ZoneHours => "+00".to_owned(),
            Self::ZoneMinutes => "00".to_owned(),
        }
    }
}
