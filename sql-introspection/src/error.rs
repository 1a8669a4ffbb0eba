//! Why a query fails, as PostgreSQL clients expect to be told: a SQLSTATE, a message and a hint.

use datafusion::{
    arrow::error::ArrowError,
    common::{DataFusionError, SchemaError},
};

use crate::source::Unavailable;

/// A query that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SqlError {
    /// Five characters, as in appendix A of PostgreSQL's documentation.
    pub code: &'static str,
    /// What was wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl SqlError {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A statement that would change something.
    pub(crate) fn read_only(what: &str) -> Self {
        Self::new("25006", format!("cannot execute {what}: SQL is read-only here"))
            .hint("use the admin API or the CLI to change something")
    }

    /// The process has too little memory for its queries.
    pub(crate) fn short_of_memory() -> Self {
        Self::new("53200", "the server is short of memory, and has given this query up")
            .hint("select, join or sort less, or raise memory-budget-bytes")
    }

    /// The query has taken too long.
    pub(crate) fn too_long(seconds: u64) -> Self {
        Self::new(
            "57014",
            format!(
                "the query has taken longer than the {seconds} s that sql-query-seconds allows"
            ),
        )
        .hint("select less, or raise the setting")
    }

    /// The statement has taken longer than the client wanted it to.
    pub(crate) fn out_of_time() -> Self {
        Self::new("57014", "canceling statement due to statement timeout").hint(
            "if it had not begun: as many queries as sql-queries-max allows were open at once, \
             cursors included",
        )
    }

    /// The client asked for the query to be cancelled.
    pub(crate) fn cancelled() -> Self {
        Self::new("57014", "canceling statement due to user request")
    }
}

/// What the engine says of a subquery that should have a single value.
const SEVERAL_ROWS: &str = "subquery returned more than one row";

impl From<DataFusionError> for SqlError {
    fn from(error: DataFusionError) -> Self {
        let root = error.find_root();
        match root {
            DataFusionError::SQL(parser, _) => {
                Self::new("42601", format!("syntax error: {}", short(&parser.to_string())))
            }
            DataFusionError::SchemaError(schema, _) => Self::of_schema(schema),
            DataFusionError::Plan(message) => Self::of_plan(message),
            DataFusionError::NotImplemented(message) => Self::new("0A000", short(message)),
            DataFusionError::ResourcesExhausted(message) => {
                // What follows names the steps of the plan that take most.
                let message = message.split(" with top memory consumers").next().unwrap_or(message);
                let wrong = format!("the query needs too much memory: {}", short(message));
                // Of one value or one call, whatever the budget is.
                let is_fixed = message.contains(" and may ");
                Self::new("53200", wrong).hint(match is_fixed {
                    true => "compute less at once: this limit is the same for all servers",
                    false => "select or sort less, or raise memory-budget-bytes",
                })
            }
            DataFusionError::ArrowError(arrow, _) => Self::of_arrow(arrow),
            DataFusionError::Execution(message) if message.contains(SEVERAL_ROWS) => {
                let what = "more than one row returned by a subquery used as an expression";
                Self::new("21000", what).hint("add limit 1, or use in (…)")
            }
            DataFusionError::Execution(message) | DataFusionError::Configuration(message) => {
                Self::new("22000", short(message))
            }
            DataFusionError::External(external) => match external.downcast_ref::<Unavailable>() {
                Some(unavailable) => unavailable.into(),
                None => match external.downcast_ref::<Self>() {
                    Some(known) => known.clone(),
                    None => Self::of_others(external.to_string()),
                },
            },
            other @ (DataFusionError::Internal(_)
            | DataFusionError::IoError(_)
            | DataFusionError::ExecutionJoin(_)
            | DataFusionError::Context(..)
            | DataFusionError::Substrait(_)
            | DataFusionError::Diagnostic(..)
            | DataFusionError::Collection(_)
            | DataFusionError::Shared(_)
            | DataFusionError::ParquetError(_)
            | DataFusionError::ObjectStore(_)
            | DataFusionError::Ffi(_)) => Self::new("XX000", short(&other.to_string())),
        }
    }
}

impl From<&Unavailable> for SqlError {
    fn from(unavailable: &Unavailable) -> Self {
        let code = match unavailable {
            // admin_shutdown
            Unavailable::Stopping => "57P01",
            // snapshot_too_old
            Unavailable::Crowded => "72000",
        };
        Self::new(code, unavailable.to_string())
    }
}

impl SqlError {
    fn of_schema(error: &SchemaError) -> Self {
        match error {
            SchemaError::FieldNotFound { field, valid_fields } => {
                let known: Vec<_> = valid_fields.iter().map(|field| field.name.as_str()).collect();
                let wrong = Self::new("42703", format!("column \"{}\" does not exist", field.name));
                if known.is_empty() { wrong } else { wrong.hint(near(&field.name, &known)) }
            }
            SchemaError::AmbiguousReference { field } => {
                Self::new("42702", format!("column reference \"{}\" is ambiguous", field.name))
            }
            SchemaError::DuplicateQualifiedField { name, .. }
            | SchemaError::DuplicateUnqualifiedField { name } => {
                Self::new("42701", format!("column \"{name}\" is selected more than once"))
                    .hint("give one of them another name with AS")
            }
        }
    }

    /// The engine's errors in planning are texts.
    fn of_plan(message: &str) -> Self {
        let message = short(message);
        if let Some(table) = message.strip_prefix("table '").and_then(|it| it.split('\'').next()) {
            let name = table.rsplit('.').next().unwrap_or(table);
            return Self::new("42P01", format!("relation \"{name}\" does not exist")).hint(
                "\\dt lists the tables, or select table_name from information_schema.tables",
            );
        }
        if message.starts_with("Invalid function") {
            return Self::new("42883", message)
                .hint("docs/sql.md says where the functions are listed");
        }
        Self::new("42000", message)
    }

    /// Errors of libraries, as far as they say what they are about.
    fn of_others(message: String) -> Self {
        // invalid_regular_expression, internal_error
        let code = if message.starts_with("regex parse error") { "2201B" } else { "XX000" };
        Self::new(code, message)
    }

    fn of_arrow(error: &ArrowError) -> Self {
        let code = match error {
            ArrowError::DivideByZero => "22012",
            ArrowError::ArithmeticOverflow(_) => "22003",
            ArrowError::ComputeError(message) if message.contains("overflow") => "22003",
            ArrowError::ComputeError(message) if message.contains("Timestamp out of range") => {
                "22008"
            }
            ArrowError::ParseError(message) if message.contains("parsing timestamp") => "22007",
            ArrowError::CastError(_) | ArrowError::ParseError(_) => "22P02",
            ArrowError::NotYetImplemented(_)
            | ArrowError::ExternalError(_)
            | ArrowError::MemoryError(_)
            | ArrowError::SchemaError(_)
            | ArrowError::ComputeError(_)
            | ArrowError::CsvError(_)
            | ArrowError::JsonError(_)
            | ArrowError::AvroError(_)
            | ArrowError::IoError(..)
            | ArrowError::IpcError(_)
            | ArrowError::InvalidArgumentError(_)
            | ArrowError::ParquetError(_)
            | ArrowError::CDataInterface(_)
            | ArrowError::DictionaryKeyOverflowError
            | ArrowError::RunEndIndexOverflowError
            | ArrowError::OffsetOverflowError(_) => "22000",
        };
        if matches!(error, ArrowError::DivideByZero) {
            return Self::new(code, "division by zero");
        }
        Self::new(code, short(&error.to_string()))
    }
}

/// An error's first line without what is meant for the engine's own developers.
fn short(message: &str) -> String {
    // What it guesses at is seldom what was meant, and its faults are ours to report.
    let ends = ["\n\nbacktrace:", "\nThis issue was likely caused", "\nDid you mean"];
    let message =
        ends.iter().fold(message, |message, end| message.split(end).next().unwrap_or(message));
    let message = message.trim_start_matches("sql parser error: ");
    message.trim_start_matches("Internal error: ").trim_end().to_owned()
}

/// A hint at the columns whose names are most like the one that was not found.
fn near(wanted: &str, known: &[&str]) -> String {
    let mut known: Vec<_> = known
        .iter()
        // Not those that a query computes, which have no name of their own.
        .filter(|name| !name.contains(['(', '"']))
        .map(|name| (datafusion::common::utils::datafusion_strsim::levenshtein(wanted, name), name))
        .collect();
    known.sort();
    known.dedup();
    let names: Vec<_> = known.iter().take(5).map(|(_, name)| **name).collect();
    format!("did you mean one of these: {}?", names.join(", "))
}
