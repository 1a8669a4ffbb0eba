//! `time at time zone zone`, which is `timezone(zone, time)`: what clocks show in a zone, or, of what
//! they show, the time.

use std::sync::Arc;

use chrono::{LocalResult, NaiveDateTime, Offset, TimeDelta, TimeZone};
use datafusion::{
    arrow::{
        array::{ArrayRef, AsArray, PrimitiveArray, timezone::Tz},
        compute::cast,
        datatypes::{
            ArrowTimestampType, DataType, TimeUnit, TimestampMicrosecondType,
            TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
        },
        temporal_conversions::as_datetime,
    },
    common::{DataFusionError, Result, exec_err},
    execution::FunctionRegistry,
    logical_expr::{
        ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
    },
};

use crate::{arguments::text, column::UTC, error::SqlError};

/// The function's name.
pub(super) const TIME_ZONE: &str = "timezone";

/// Abbreviations that are none of the zones' names, or that PostgreSQL takes for an offset that is the
/// same in winter and in summer.
const ABBREVIATIONS: [(&str, &str); 14] = [
    ("BST", "Etc/GMT-1"),
    ("CDT", "Etc/GMT+5"),
    ("CEST", "Etc/GMT-2"),
    ("CET", "Etc/GMT-1"),
    ("CST", "Etc/GMT+6"),
    ("EDT", "Etc/GMT+4"),
    ("EEST", "Etc/GMT-3"),
    ("EET", "Etc/GMT-2"),
    ("JST", "Etc/GMT-9"),
    ("MDT", "Etc/GMT+6"),
    ("PDT", "Etc/GMT+7"),
    ("PST", "Etc/GMT+8"),
    ("WET", "Etc/GMT"),
    ("Z", "Etc/GMT"),
];

pub(super) fn register(functions: &mut dyn FunctionRegistry) -> Result<()> {
    let signature = Signature::any(2, Volatility::Immutable);
    functions.register_udf(Arc::new(ScalarUDF::new_from_impl(AtTimeZone(signature))))?;
    Ok(())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct AtTimeZone(Signature);

impl ScalarUDFImpl for AtTimeZone {
    fn name(&self) -> &'static str {
        TIME_ZONE
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [_, time] => {
                let (unit, has_zone) = read_as(time)?;
                Ok(timestamp(unit, !has_zone))
            }
            _ => exec_err!("{TIME_ZONE} has two arguments: a zone and a time"),
        }
    }

    fn invoke_with_args(&self, called: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [_, times] = &called.args[..] else {
            return exec_err!("{TIME_ZONE} has two arguments: a zone and a time");
        };
        let times = times.to_array(called.number_rows)?;
        let (unit, has_zone) = read_as(times.data_type())?;
        let times = cast(&times, &timestamp(unit, has_zone))?;
        let mut known: Option<(String, Tz)> = None;
        let mut zones = Vec::with_capacity(called.number_rows);
        for row in 0..called.number_rows {
            let name = text(&called.args, 0, row);
            zones.push(match (name, &known) {
                (None, _) => None,
                (Some(name), Some((same, zone))) if name == *same => Some(*zone),
                (Some(name), _) => {
                    let zone = zone(&name)?;
                    known = Some((name, zone));
                    Some(zone)
                }
            });
        }
        let moved = match unit {
            TimeUnit::Second => moved::<TimestampSecondType>(&times, &zones, has_zone),
            TimeUnit::Millisecond => moved::<TimestampMillisecondType>(&times, &zones, has_zone),
            TimeUnit::Microsecond => moved::<TimestampMicrosecondType>(&times, &zones, has_zone),
            TimeUnit::Nanosecond => moved::<TimestampNanosecondType>(&times, &zones, has_zone),
        };
        Ok(ColumnarValue::Array(moved))
    }
}

/// In which unit a time is read, and whether with a zone. As in PostgreSQL, dates and texts are times
/// with a zone, the session's.
fn read_as(ty: &DataType) -> Result<(TimeUnit, bool)> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others are no times")]
    match ty {
        DataType::Timestamp(unit, zone) => Ok((*unit, zone.is_some())),
        DataType::Date32 | DataType::Null => Ok((TimeUnit::Microsecond, true)),
        text if text.is_string() => Ok((TimeUnit::Microsecond, true)),
        other => {
            let what = format!("a zone is of a time, and this is {other}");
            Err(DataFusionError::External(Box::new(SqlError::new("42883", what))))
        }
    }
}

fn timestamp(unit: TimeUnit, has_zone: bool) -> DataType {
    DataType::Timestamp(unit, has_zone.then(|| UTC.into()))
}

/// The zone of a name.
fn zone(name: &str) -> Result<Tz> {
    let upper = name.to_ascii_uppercase();
    let abbreviated = ABBREVIATIONS.iter().find(|(short, _)| *short == upper);
    let known = abbreviated.map_or(name, |(_, zone)| zone);
    // PostgreSQL takes the sign of an offset for the other direction than everybody expects.
    let is_offset = known.starts_with(['+', '-']);
    let zone = known.parse::<Tz>().or_else(|_| upper.parse()).ok().filter(|_| !is_offset);
    zone.ok_or_else(|| {
        let error = SqlError::new("22023", format!("time zone \"{name}\" not recognized"));
        DataFusionError::External(Box::new(error.hint("name a zone, such as Europe/Berlin or UTC")))
    })
}

/// Each time in its zone: wall time if it has a zone of its own, and otherwise the time of which it
/// is the wall time.
fn moved<T: ArrowTimestampType>(
    times: &ArrayRef,
    zones: &[Option<Tz>],
    has_zone: bool,
) -> ArrayRef {
    let times = times.as_primitive::<T>();
    let moved = times.iter().zip(zones).map(|(time, zone)| {
        let (time, zone) = (as_datetime::<T>(time?)?, zone.as_ref()?);
        let moved = if has_zone {
            time.checked_add_signed(offset(zone.offset_from_utc_datetime(&time)))
        } else {
            time.checked_sub_signed(offset_of_wall_time(*zone, time))
        };
        T::from_naive_datetime(moved?, None)
    });
    let moved: PrimitiveArray<T> = moved.collect();
    Arc::new(moved.with_timezone_opt((!has_zone).then_some(UTC)))
}

/// How far a zone is ahead when its clocks show a time. As in PostgreSQL: what they show twice is the
/// second one, and what they never show is as before they were set.
fn offset_of_wall_time(zone: Tz, time: NaiveDateTime) -> TimeDelta {
    match zone.offset_from_local_datetime(&time) {
        LocalResult::Single(found) | LocalResult::Ambiguous(_, found) => offset(found),
        LocalResult::None => {
            let before = time.checked_sub_signed(SET_AT_MOST).unwrap_or(time);
            zone.offset_from_local_datetime(&before).earliest().map_or(TimeDelta::zero(), offset)
        }
    }
}

/// By how much clocks are set at once, with room: Samoa has skipped a day.
const SET_AT_MOST: TimeDelta = TimeDelta::hours(25);

fn offset(offset: impl Offset) -> TimeDelta {
    TimeDelta::seconds(offset.fix().local_minus_utc().into())
}
