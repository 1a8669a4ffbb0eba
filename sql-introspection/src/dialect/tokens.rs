//! Changes what the parser would not understand, or would take for something else, in the text that
//! it reads.

use std::borrow::Cow;

use datafusion::sql::sqlparser::{
    dialect::PostgreSqlDialect,
    tokenizer::{Token, Tokenizer},
};

use crate::catalog::SYSTEM;

/// Words without which nothing is changed, in lower case.
const SIGNS: [&str; 7] = ["'{", "->-", "->>-", "deferrable", "regclass", "regproc", "unlisten"];

/// Takes out of each statement whether a transaction is deferrable, and the block around UNLISTEN
/// with which asyncpg's pool spares servers that nobody listens to: neither makes a difference here.
/// Says that the system tables are in their own schema, where the parser's lookup of a name as
/// regclass does not look, and what functions are called there. Puts arrays that are written as texts
/// into parentheses, where the parser does not split them at each comma.
pub(super) fn tolerable(sql: &str) -> Cow<'_, str> {
    let lower = sql.to_ascii_lowercase();
    if !SIGNS.iter().any(|sign| lower.contains(sign)) {
        return Cow::Borrowed(sql);
    }
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, sql).with_unescape(false).tokenize();
    // The parser explains what is wrong with a text that has no tokens.
    let Ok(tokens) = tokens else { return Cow::Borrowed(sql) };
    // These are not written as they were read.
    let is_changed = |token: &Token| {
        matches!(token, Token::EscapedStringLiteral(_) | Token::UnicodeStringLiteral(_))
    };
    if tokens.iter().any(is_changed) {
        return Cow::Borrowed(sql);
    }
    let statements = tokens.split(|token| *token == Token::SemiColon).map(statement);
    Cow::Owned(statements.collect::<Vec<_>>().join(";"))
}

fn statement(tokens: &[Token]) -> String {
    let text = |tokens: &[Token]| tokens.iter().map(ToString::to_string).collect::<String>();
    let first = tokens.iter().find(|token| !matches!(token, Token::Whitespace(_)));
    let is_first =
        |words: &[&str]| first.is_some_and(|first| words.iter().any(|word| is_word(first, word)));
    if is_first(&["do"]) && text(tokens).to_ascii_lowercase().contains("unlisten *") {
        return "UNLISTEN *".to_owned();
    }
    if !is_first(&["begin", "start", "set"]) {
        return with_schemas(tokens);
    }
    let is_taken_out = |token: &Token| is_word(token, "deferrable") || is_word(token, "not");
    let left = tokens.iter().filter(|token| !is_taken_out(token));
    left.map(ToString::to_string).collect()
}

/// The text with `'pg_class'::regclass` as `'pg_catalog.pg_class'::regclass`, and with functions as
/// the texts that the system tables have for them: `'array_in'::regproc` as `'array_in'`. The array
/// in `'{a,b}'::text[]` or `any('{a,b}')` becomes `('{a,b}')`, and `a->-1` becomes `a-> -1`.
fn with_schemas(tokens: &[Token]) -> String {
    let mut text = String::new();
    let mut rest = tokens;
    let mut is_argument = false;
    while let [token, after @ ..] = rest {
        rest = after;
        let literal = match (token, after) {
            (Token::SingleQuotedString(name), [Token::DoubleColon, ty, ..]) => Some((name, ty)),
            _ => None,
        };
        match literal {
            Some((name, ty)) if is_word(ty, "regclass") && is_system_table(name) => {
                text.push_str(&Token::SingleQuotedString(format!("{SYSTEM}.{name}")).to_string());
            }
            Some((name, ty)) if is_word(ty, "regproc") => {
                let name = name.trim_start_matches(SYSTEM).trim_start_matches('.');
                text.push_str(&Token::SingleQuotedString(name.to_owned()).to_string());
                rest = &after[2..];
            }
            // An operator does not end with a sign, which belongs to the number behind it.
            _ if matches!(token, Token::CustomBinaryOperator(it) if it.starts_with("->") && it.ends_with(">-")) =>
            {
                let operator = token.to_string();
                text.push_str(operator.trim_end_matches('-'));
                text.push_str(" -");
            }
            _ if is_array(token) && (is_argument || after.first() == Some(&Token::DoubleColon)) => {
                text.push_str(&format!("({token})"));
            }
            _ => text.push_str(&token.to_string()),
        }
        if !matches!(token, Token::Whitespace(_)) {
            is_argument = *token == Token::LParen;
        }
    }
    text
}

fn is_array(token: &Token) -> bool {
    matches!(token, Token::SingleQuotedString(text) if text.starts_with('{'))
}

fn is_system_table(name: &str) -> bool {
    name.starts_with("pg_") && !name.contains('.')
}

fn is_word(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(it) if it.quote_style.is_none() && it.value.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_tables_are_found_without_their_schema() {
        for (sql, expected) in [
            (
                "select typinput = 'pg_catalog.array_in'::regproc as a",
                "select typinput = 'array_in' as a",
            ),
            ("select 'pg_class'::regclass", "select 'pg_catalog.pg_class'::regclass"),
            (
                "select 'it''s \\', 'pg_am'::regclass",
                "select 'it''s \\', 'pg_catalog.pg_am'::regclass",
            ),
            (r"select E'\\', 'pg_am'::regclass", r"select E'\\', 'pg_am'::regclass"),
            ("select 'state'::regclass, 'pg_class'", "select 'state'::regclass, 'pg_class'"),
            ("select a->-1->>-2, a -> -1", "select a-> -1->> -2, a -> -1"),
            ("select a = any( '{a}')", "select a = any( ('{a}'))"),
            ("select '{1,2}'::int[], '{}'", "select ('{1,2}')::int[], '{}'"),
        ] {
            assert_eq!(tolerable(sql), expected);
        }
    }

    #[test]
    fn nothing_but_what_makes_no_difference_is_taken_out() {
        for (sql, expected) in [
            (
                "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY NOT DEFERRABLE",
                "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY  ",
            ),
            ("start transaction deferrable; select 1", "start transaction ; select 1"),
            ("DO $$ BEGIN UNLISTEN *; END; $$; RESET ALL", "UNLISTEN *; RESET ALL"),
            (
                "select 'deferrable', not a from deferrable",
                "select 'deferrable', not a from deferrable",
            ),
            ("select 1; do $$ begin end $$", "select 1; do $$ begin end $$"),
        ] {
            assert_eq!(tolerable(sql), expected);
        }
    }
}
