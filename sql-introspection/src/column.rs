//! A column: its name, what it means, and how its values are taken from records.
//!
//! Texts and bytes are views: what repeats a row, as a join does, does not copy its values.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::{
    array::{
        ArrayRef, BinaryViewBuilder, BooleanBuilder, DurationMillisecondBuilder, Int64Builder,
        ListBuilder, StringBuilder, StringViewBuilder, TimestampMillisecondBuilder, UInt32Builder,
        UInt64Builder,
    },
    datatypes::{DataType, Field, TimeUnit},
};

use crate::source::Record;

/// All times are in UTC.
pub(crate) const UTC: &str = "+00:00";

/// A column of a table over records of type `R`.
pub struct Column<R: Record> {
    /// Name of the column.
    pub name: &'static str,
    /// Its documentation, shown by `\d+`.
    pub comment: &'static str,
    /// The parts of a record that it looks at.
    pub parts: &'static [R::Part],
    /// Whether values may be as large as what users store.
    is_large: bool,
    value: Value<R>,
}

/// How the schema of a table marks columns whose values may be large.
const LARGE: &str = "large";

/// Whether the values of a column may be as large as what users store.
pub(crate) fn is_large(field: &Field) -> bool {
    field.metadata().contains_key(LARGE)
}

/// Takes a value from a record. `None` is null.
enum Value<R> {
    /// A column that exists for its name only, and is always null.
    Nothing(DataType),
    Text(fn(&R) -> Option<Cow<'_, str>>),
    Texts(fn(&R) -> Option<Vec<Cow<'_, str>>>),
    Bytes(fn(&R) -> Option<&[u8]>),
    Bool(fn(&R) -> Option<bool>),
    U32(fn(&R) -> Option<u32>),
    U32s(fn(&R) -> Option<&Vec<u32>>),
    U64(fn(&R) -> Option<u64>),
    I64(fn(&R) -> Option<i64>),
    /// Milliseconds since the epoch.
    Time(fn(&R) -> Option<u64>),
    /// Milliseconds.
    Duration(fn(&R) -> Option<u64>),
}

/// The end of the last year of the calendar, in milliseconds since the epoch.
const TIME_MAX_MS: u64 = 8_210_266_876_799_999;
/// As many days as an interval may have, in milliseconds.
const DURATION_MAX_MS: u64 = i32::MAX as u64 * 24 * 60 * 60 * 1000;

/// Milliseconds as the engine counts them, up to the last that can be expressed.
fn millis(value: u64, max: u64) -> i64 {
    value.min(max).cast_signed()
}

impl<R: Record> Column<R> {
    fn new(name: &'static str, comment: &'static str, value: Value<R>) -> Self {
        Self { name, comment, parts: &[], is_large: false, value }
    }

    /// A column of text.
    pub fn text(
        name: &'static str,
        comment: &'static str,
        value: fn(&R) -> Option<Cow<'_, str>>,
    ) -> Self {
        Self::new(name, comment, Value::Text(value))
    }

    /// A column of lists of text.
    pub fn texts(
        name: &'static str,
        comment: &'static str,
        value: fn(&R) -> Option<Vec<Cow<'_, str>>>,
    ) -> Self {
        Self::new(name, comment, Value::Texts(value))
    }

    /// A column of bytes.
    pub fn bytes(
        name: &'static str,
        comment: &'static str,
        value: fn(&R) -> Option<&[u8]>,
    ) -> Self {
        Self::new(name, comment, Value::Bytes(value))
    }

    /// A column of truth values.
    pub fn bool(name: &'static str, comment: &'static str, value: fn(&R) -> Option<bool>) -> Self {
        Self::new(name, comment, Value::Bool(value))
    }

    /// A column of small numbers.
    pub fn u32(name: &'static str, comment: &'static str, value: fn(&R) -> Option<u32>) -> Self {
        Self::new(name, comment, Value::U32(value))
    }

    /// A column of lists of small numbers.
    pub fn u32s(
        name: &'static str,
        comment: &'static str,
        value: fn(&R) -> Option<&Vec<u32>>,
    ) -> Self {
        Self::new(name, comment, Value::U32s(value))
    }

    /// A column of numbers.
    pub fn u64(name: &'static str, comment: &'static str, value: fn(&R) -> Option<u64>) -> Self {
        Self::new(name, comment, Value::U64(value))
    }

    /// A column of signed numbers, which PostgreSQL clients can sum without a cast.
    pub fn i64(name: &'static str, comment: &'static str, value: fn(&R) -> Option<i64>) -> Self {
        Self::new(name, comment, Value::I64(value))
    }

    /// A column of times, in milliseconds since the epoch.
    pub fn time(name: &'static str, comment: &'static str, value: fn(&R) -> Option<u64>) -> Self {
        Self::new(name, comment, Value::Time(value))
    }

    /// The hash that says which partition owns a record.
    pub fn partition_key(value: fn(&R) -> Option<u64>) -> Self {
        Self::u64("partition_key", "Hash that selects the partition.", value)
    }

    /// A column of durations, in milliseconds.
    pub fn duration(
        name: &'static str,
        comment: &'static str,
        value: fn(&R) -> Option<u64>,
    ) -> Self {
        Self::new(name, comment, Value::Duration(value))
    }

    /// A text column that is always null.
    pub fn no_text(name: &'static str, comment: &'static str) -> Self {
        Self::new(name, comment, Value::Nothing(DataType::Utf8View))
    }

    /// A column of another type that is always null.
    pub fn nothing(name: &'static str, comment: &'static str, ty: DataType) -> Self {
        Self::new(name, comment, Value::Nothing(ty))
    }

    /// Names the parts of a record that the column looks at.
    pub fn of(mut self, parts: &'static [R::Part]) -> Self {
        self.parts = parts;
        self
    }

    /// Says that values may be as large as what users store.
    pub fn large(mut self) -> Self {
        self.is_large = true;
        self
    }

    /// The column in the schema of its table.
    pub(crate) fn field(&self) -> Field {
        let field = Field::new(self.name, self.data_type(), true);
        if !self.is_large {
            return field;
        }
        field.with_metadata(HashMap::from([(LARGE.to_owned(), String::new())]))
    }

    /// Type of the values.
    pub fn data_type(&self) -> DataType {
        match &self.value {
            Value::Nothing(ty) => ty.clone(),
            Value::Text(_) => DataType::Utf8View,
            Value::Texts(_) => {
                DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)))
            }
            Value::Bytes(_) => DataType::BinaryView,
            Value::Bool(_) => DataType::Boolean,
            Value::U32(_) => DataType::UInt32,
            Value::U32s(_) => {
                DataType::List(Arc::new(Field::new_list_field(DataType::UInt32, true)))
            }
            Value::U64(_) => DataType::UInt64,
            Value::I64(_) => DataType::Int64,
            Value::Time(_) => time_type(),
            Value::Duration(_) => DataType::Duration(TimeUnit::Millisecond),
        }
    }

    /// The column's values.
    pub fn array(&self, records: &[R]) -> ArrayRef {
        macro_rules! build {
            ($builder:expr, $value:expr) => {{
                let mut builder = $builder;
                for record in records {
                    builder.append_option($value(record));
                }
                Arc::new(builder.finish())
            }};
        }
        match &self.value {
            Value::Nothing(ty) => datafusion::arrow::array::new_null_array(ty, records.len()),
            Value::Text(value) => build!(StringViewBuilder::with_capacity(records.len()), value),
            Value::Texts(value) => {
                let mut builder = ListBuilder::new(StringBuilder::new());
                for record in records {
                    match value(record) {
                        Some(texts) => builder.append_value(texts.into_iter().map(Some)),
                        None => builder.append_null(),
                    }
                }
                Arc::new(builder.finish())
            }
            Value::Bytes(value) => build!(BinaryViewBuilder::with_capacity(records.len()), value),
            Value::Bool(value) => build!(BooleanBuilder::new(), value),
            Value::U32(value) => build!(UInt32Builder::new(), value),
            Value::U32s(value) => {
                let mut builder = ListBuilder::new(UInt32Builder::new());
                for record in records {
                    match value(record) {
                        Some(numbers) => builder.append_value(numbers.iter().copied().map(Some)),
                        None => builder.append_null(),
                    }
                }
                Arc::new(builder.finish())
            }
            Value::U64(value) => build!(UInt64Builder::new(), value),
            Value::I64(value) => build!(Int64Builder::new(), value),
            Value::Time(value) => {
                let builder = TimestampMillisecondBuilder::new().with_timezone(UTC);
                build!(builder, |record| value(record).map(|at| millis(at, TIME_MAX_MS)))
            }
            Value::Duration(value) => {
                let builder = DurationMillisecondBuilder::new();
                build!(builder, |record| value(record).map(|of| millis(of, DURATION_MAX_MS)))
            }
        }
    }
}

/// The type of time columns.
pub fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some(UTC.into()))
}
