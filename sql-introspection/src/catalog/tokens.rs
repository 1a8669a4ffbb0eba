//! Takes out of a text what drivers send, the parser does not know, and makes no difference here.

use std::borrow::Cow;

use datafusion::sql::sqlparser::{
    dialect::PostgreSqlDialect,
    tokenizer::{Token, Tokenizer},
};

/// Words that only what is taken out contains, in lower case.
const SIGNS: [&str; 2] = ["deferrable", "unlisten"];

/// Takes out, of each statement, whether a transaction is deferrable, and the block around UNLISTEN
/// with which asyncpg's pool spares servers that nobody listens to.
pub(crate) fn tolerable(sql: &str) -> Cow<'_, str> {
    let lower = sql.to_ascii_lowercase();
    if !SIGNS.iter().any(|sign| lower.contains(sign)) {
        return Cow::Borrowed(sql);
    }
    // The parser explains what is wrong with a text that has no tokens.
    let Ok(tokens) = Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize() else {
        return Cow::Borrowed(sql);
    };
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
        return text(tokens);
    }
    let is_taken_out = |token: &Token| is_word(token, "deferrable") || is_word(token, "not");
    let left = tokens.iter().filter(|token| !is_taken_out(token));
    left.map(ToString::to_string).collect()
}

fn is_word(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(it) if it.quote_style.is_none() && it.value.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

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
