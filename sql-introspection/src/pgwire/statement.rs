//! What a statement asks of the session. All but queries is answered here and never reaches the
//! engine.

use datafusion::sql::sqlparser::ast::{
    CloseCursor, ContextModifier, Expr, FetchDirection, Set, Statement as Parsed, Value,
    ValueWithSpan,
};

use crate::{error::SqlError, session_settings::Scope};

/// A statement of a session.
#[derive(Debug, Clone)]
pub(super) enum Statement {
    /// For the engine.
    Query(Box<Parsed>),
    /// `BEGIN`. Each query reads a moment of its own nevertheless.
    Begin,
    /// `COMMIT`.
    Commit,
    /// `ROLLBACK`.
    Rollback,
    /// `SAVEPOINT`.
    Savepoint(String),
    /// `RELEASE` of a savepoint.
    Release(String),
    /// `ROLLBACK TO` a savepoint. There is nothing to undo but the failure of a transaction.
    RollbackTo(String),
    /// `SET`, with the value as text; `None` for the default.
    Set { name: String, value: Option<String>, scope: Scope },
    /// `RESET`; all settings, or one.
    Reset(Option<String>),
    /// `SHOW` of a setting.
    Show(String),
    /// `DECLARE ... CURSOR FOR`.
    Declare(String, Box<Parsed>),
    /// `FETCH`, of at most so many rows; `None` for all.
    Fetch(String, Option<u64>),
    /// `CLOSE`; all cursors, or one.
    Close(Option<String>),
    /// `DISCARD`.
    Discard,
    /// `DEALLOCATE`; all prepared statements, or one.
    Deallocate(Option<String>),
    /// `LISTEN`.
    Listen(String),
    /// `UNLISTEN`; all channels, or one.
    Unlisten(Option<String>),
}

impl Statement {
    /// Classifies a statement.
    pub(super) fn of(parsed: Parsed) -> Result<Self, SqlError> {
        #[expect(clippy::wildcard_enum_match_arm, reason = "all others are for the engine")]
        Ok(match parsed {
            Parsed::StartTransaction { .. } => Self::Begin,
            Parsed::Commit { .. } => Self::Commit,
            Parsed::Rollback { savepoint: None, .. } => Self::Rollback,
            Parsed::Rollback { savepoint: Some(name), .. } => Self::RollbackTo(name.value),
            Parsed::Savepoint { name } => Self::Savepoint(name.value),
            Parsed::ReleaseSavepoint { name } => Self::Release(name.value),
            Parsed::Set(set) => Self::of_set(&set)?,
            Parsed::Reset(reset) => {
                let text = reset.to_string();
                let name = text.strip_prefix("RESET ").unwrap_or(&text).to_lowercase();
                Self::Reset((name != "all").then_some(name))
            }
            Parsed::ShowVariable { variable } => {
                let words: Vec<_> = variable.iter().map(|word| word.value.to_lowercase()).collect();
                Self::Show(match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                    ["transaction", "isolation", "level"] => "transaction_isolation".to_owned(),
                    ["time", "zone"] => "timezone".to_owned(),
                    ref words => words.join("."),
                })
            }
            Parsed::Declare { stmts } => {
                let mut stmts = stmts.into_iter();
                let (Some(declare), None) = (stmts.next(), stmts.next()) else {
                    return Err(SqlError::new("42601", "declare one cursor at a time"));
                };
                let (Some(name), Some(query)) =
                    (declare.names.into_iter().next(), declare.for_query)
                else {
                    return Err(SqlError::new("42601", "a cursor is declared FOR a query"));
                };
                Self::Declare(name.value, Box::new(Parsed::Query(query)))
            }
            Parsed::Fetch { name, direction, .. } => Self::Fetch(name.value, forward(direction)?),
            Parsed::Close { cursor: CloseCursor::All } => Self::Close(None),
            Parsed::Close { cursor: CloseCursor::Specific { name } } => {
                Self::Close(Some(name.value))
            }
            Parsed::Discard { .. } => Self::Discard,
            Parsed::Deallocate { name, .. } => {
                let is_all = name.value.eq_ignore_ascii_case("all");
                Self::Deallocate((!is_all).then_some(name.value))
            }
            Parsed::LISTEN { channel } => Self::Listen(channel.value),
            Parsed::UNLISTEN { channel } => {
                Self::Unlisten((channel.value != "*").then_some(channel.value))
            }
            Parsed::NOTIFY { .. } => {
                return Err(SqlError::new("25006", "only the server notifies: SQL is read-only")
                    .hint("LISTEN follows what it does"));
            }
            other => Self::Query(Box::new(other)),
        })
    }

    fn of_set(set: &Set) -> Result<Self, SqlError> {
        let in_session =
            |name: &str, value| Self::Set { name: name.to_owned(), value, scope: Scope::Session };
        #[expect(clippy::wildcard_enum_match_arm, reason = "nothing else is of PostgreSQL")]
        Ok(match set {
            Set::SingleAssignment { scope, variable, values, .. } => {
                let scope = match scope {
                    Some(ContextModifier::Local) => Scope::Transaction,
                    Some(ContextModifier::Session | ContextModifier::Global) | None => {
                        Scope::Session
                    }
                };
                let value = match &values[..] {
                    [value] if is_default(value) => None,
                    values => Some(values.iter().map(plain).collect::<Vec<_>>().join(", ")),
                };
                Self::Set { name: variable.to_string(), value, scope }
            }
            Set::SetTimeZone { value, .. } => {
                in_session("timezone", (!is_default(value)).then(|| plain(value)))
            }
            Set::SetNames { charset_name, .. } => {
                in_session("client_encoding", Some(charset_name.value.clone()))
            }
            // Every transaction is the same: it reads, and sees each moment as it comes.
            Set::SetTransaction { .. } => {
                in_session("transaction_isolation", Some("read committed".to_owned()))
            }
            other => {
                return Err(SqlError::new("0A000", format!("{other} is not supported")));
            }
        })
    }

    /// The query that has to be planned.
    pub(super) fn query(&self) -> Option<&Parsed> {
        match self {
            Self::Query(query) | Self::Declare(_, query) => Some(query),
            Self::Begin
            | Self::Commit
            | Self::Rollback
            | Self::Savepoint(_)
            | Self::Release(_)
            | Self::RollbackTo(_)
            | Self::Set { .. }
            | Self::Reset(_)
            | Self::Show(_)
            | Self::Fetch(..)
            | Self::Close(_)
            | Self::Discard
            | Self::Deallocate(_)
            | Self::Listen(_)
            | Self::Unlisten(_) => None,
        }
    }

    /// The tag that tells the client what was done.
    pub(super) fn tag(&self) -> &'static str {
        match self {
            Self::Query(_) => "SELECT",
            Self::Begin => "BEGIN",
            Self::Commit => "COMMIT",
            Self::Rollback | Self::RollbackTo(_) => "ROLLBACK",
            Self::Savepoint(_) => "SAVEPOINT",
            Self::Release(_) => "RELEASE",
            Self::Set { .. } => "SET",
            Self::Reset(_) => "RESET",
            Self::Show(_) => "SHOW",
            Self::Declare(..) => "DECLARE CURSOR",
            Self::Fetch(..) => "FETCH",
            Self::Close(_) => "CLOSE CURSOR",
            Self::Discard => "DISCARD ALL",
            Self::Deallocate(_) => "DEALLOCATE",
            Self::Listen(_) => "LISTEN",
            Self::Unlisten(_) => "UNLISTEN",
        }
    }
}

/// Whether a value is the word DEFAULT.
fn is_default(value: &Expr) -> bool {
    matches!(value, Expr::Identifier(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("default"))
}

/// A value as text, without quotes.
fn plain(value: &Expr) -> String {
    if let Expr::Value(ValueWithSpan {
        value: Value::SingleQuotedString(text) | Value::DoubleQuotedString(text),
        ..
    }) = value
    {
        return text.clone();
    }
    if let Expr::Identifier(name) = value {
        return name.value.clone();
    }
    value.to_string()
}

/// How many rows to go forward; `None` for all.
fn forward(direction: FetchDirection) -> Result<Option<u64>, SqlError> {
    let count = |limit: ValueWithSpan| {
        let text = limit.to_string();
        text.parse::<u64>().map(Some).map_err(|_| backward())
    };
    match direction {
        FetchDirection::Next | FetchDirection::Forward { limit: None } => Ok(Some(1)),
        FetchDirection::Count { limit } | FetchDirection::Forward { limit: Some(limit) } => {
            count(limit)
        }
        FetchDirection::All | FetchDirection::ForwardAll => Ok(None),
        FetchDirection::Prior
        | FetchDirection::First
        | FetchDirection::Last
        | FetchDirection::Absolute { .. }
        | FetchDirection::Relative { .. }
        | FetchDirection::Backward { .. }
        | FetchDirection::BackwardAll => Err(backward()),
    }
}

fn backward() -> SqlError {
    SqlError::new("55000", "cursor can only scan forward")
        .hint("fetch NEXT, FORWARD n or ALL, or run the query again")
}
