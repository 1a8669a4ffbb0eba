//! Templates of PostgreSQL's `to_char`, by which times are written.

mod field;

use chrono::NaiveDateTime;

use crate::error::SqlError;

use field::Field;

/// A template that was read.
#[derive(Debug)]
pub(super) struct Template(Vec<Part>);

#[derive(Debug)]
enum Part {
    Text(char),
    Field { field: Field, case: Case, is_filled: bool },
}

/// How a keyword is spelled, and so what it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    Upper,
    Title,
    Lower,
}

/// PostgreSQL's keywords, each before those that it begins with. Those without a field are not
/// supported.
const KEYWORDS: [(&str, Option<Field>); 55] = [
    ("A.D.", None),
    ("A.M.", Some(Field::HalfOfDayDotted)),
    ("AD", None),
    ("AM", Some(Field::HalfOfDay)),
    ("B.C.", None),
    ("BC", None),
    ("CC", None),
    ("DAY", Some(Field::DayName)),
    ("DDD", Some(Field::DayOfYear)),
    ("DD", Some(Field::Day)),
    ("DY", Some(Field::DayShort)),
    ("D", Some(Field::Weekday)),
    ("FF1", Some(Field::Fraction(1))),
    ("FF2", Some(Field::Fraction(2))),
    ("FF3", Some(Field::Fraction(3))),
    ("FF4", Some(Field::Fraction(4))),
    ("FF5", Some(Field::Fraction(5))),
    ("FF6", Some(Field::Fraction(6))),
    ("FX", None),
    ("HH24", Some(Field::Hour24)),
    ("HH12", Some(Field::Hour12)),
    ("HH", Some(Field::Hour12)),
    ("IDDD", None),
    ("ID", Some(Field::IsoWeekday)),
    ("IW", Some(Field::IsoWeek)),
    ("IYYY", Some(Field::IsoYear(4))),
    ("IYY", Some(Field::IsoYear(3))),
    ("IY", Some(Field::IsoYear(2))),
    ("I", Some(Field::IsoYear(1))),
    ("J", None),
    ("MI", Some(Field::Minute)),
    ("MM", Some(Field::Month)),
    ("MONTH", Some(Field::MonthName)),
    ("MON", Some(Field::MonthShort)),
    ("MS", Some(Field::Fraction(3))),
    ("OF", Some(Field::ZoneHours)),
    ("P.M.", Some(Field::HalfOfDayDotted)),
    ("PM", Some(Field::HalfOfDay)),
    ("Q", Some(Field::Quarter)),
    ("RM", None),
    ("SSSSS", Some(Field::SecondOfDay)),
    ("SSSS", Some(Field::SecondOfDay)),
    ("SS", Some(Field::Second)),
    ("TM", None),
    ("TZH", Some(Field::ZoneHours)),
    ("TZM", Some(Field::ZoneMinutes)),
    ("TZ", Some(Field::Zone)),
    ("US", Some(Field::Fraction(6))),
    ("WW", Some(Field::Week)),
    ("W", Some(Field::WeekOfMonth)),
    ("Y,YYY", None),
    ("YYYY", Some(Field::Year(4))),
    ("YYY", Some(Field::Year(3))),
    ("YY", Some(Field::Year(2))),
    ("Y", Some(Field::Year(1))),
];

/// What may follow a keyword in PostgreSQL: an ordinal's ending, and spelling out.
const SUFFIXES: [&str; 3] = ["TH", "th", "SP"];

impl Template {
    /// Reads a template. What is no keyword stands for itself, as in PostgreSQL.
    ///
    /// # Errors
    /// Returns an error that names the first keyword that is not supported.
    pub(super) fn read(text: &str) -> Result<Self, SqlError> {
        let mut parts = Vec::new();
        let mut rest = text;
        let mut is_filled = true;
        while let Some(next) = rest.chars().next() {
            if let Some(after) = rest.strip_prefix("FM").or_else(|| rest.strip_prefix("fm")) {
                (rest, is_filled) = (after, false);
                continue;
            }
            if let Some((keyword, case, field)) = keyword(rest) {
                let field = field.ok_or_else(|| not_supported(keyword))?;
                rest = &rest[keyword.len()..];
                if let Some(suffix) = SUFFIXES.iter().find(|it| rest.starts_with(**it)) {
                    return Err(not_supported(suffix));
                }
                parts.push(Part::Field { field, case, is_filled });
            } else if next == '"' {
                rest = quoted(&rest[1..], &mut parts);
            } else {
                // Outside of quotes, a backslash is for a quote only.
                let next = if rest.starts_with("\\\"") { '"' } else { next };
                rest = rest.split_once(next).map_or("", |(_, after)| after);
                parts.push(Part::Text(next));
            }
            is_filled = true;
        }
        Ok(Self(parts))
    }

    /// Writes a time, in a zone if it has one, which is UTC.
    pub(super) fn write(&self, time: NaiveDateTime, has_zone: bool) -> String {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(character) => text.push(*character),
                Part::Field { field, case, is_filled } => {
                    let written = field.write(time, has_zone, *is_filled);
                    match case {
                        Case::Upper if field.is_word() => text += &written.to_uppercase(),
                        Case::Lower if field.is_word() => text += &written.to_lowercase(),
                        Case::Upper | Case::Lower | Case::Title => text += &written,
                    }
                }
            }
        }
        text
    }
}

/// The keyword that a text begins with, as it is written there.
fn keyword(text: &str) -> Option<(&str, Case, Option<Field>)> {
    KEYWORDS.iter().find_map(|(keyword, field)| {
        let written = text.get(..keyword.len())?;
        let lower = keyword.to_lowercase();
        let case = if written == *keyword {
            Case::Upper
        } else if written == lower {
            Case::Lower
        } else if field.is_some_and(Field::is_name)
            && written == keyword[..1].to_owned() + &lower[1..]
        {
            Case::Title
        } else {
            return None;
        };
        Some((written, case, *field))
    })
}

/// Takes a text over until its closing quote, where a backslash quotes the next character; returns
/// what follows.
fn quoted<'t>(text: &'t str, parts: &mut Vec<Part>) -> &'t str {
    let mut rest = text.chars();
    while let Some(next) = rest.next() {
        match next {
            '"' => break,
            '\\' => parts.push(Part::Text(rest.next().unwrap_or(next))),
            other => parts.push(Part::Text(other)),
        }
    }
    rest.as_str()
}

fn not_supported(keyword: &str) -> SqlError {
    let what = format!("to_char does not support \"{keyword}\" in a template");
    SqlError::new("0A000", what)
        .hint("put what is to be written as it is in double quotes, as in YYYY-MM-DD\"T\"HH24:MI")
}
