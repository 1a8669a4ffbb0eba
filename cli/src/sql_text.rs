//! Pieces of SQL made of what people type.

use sqlparser::{
    dialect::PostgreSqlDialect,
    tokenizer::{Token, Tokenizer},
};

/// A text as a literal. Backslashes mean themselves in PostgreSQL's dialect, so only quotes are
/// special.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The condition that a column is one of some texts.
pub(crate) fn one_of<T: AsRef<str>>(column: &str, texts: &[T]) -> String {
    let literals: Vec<String> = texts.iter().map(|text| literal(text.as_ref())).collect();
    format!("{column} in ({})", literals.join(", "))
}

/// The clause that all of these conditions hold; nothing if there are none.
pub(crate) fn all_of(conditions: &[String]) -> String {
    if conditions.is_empty() {
        return String::new();
    }
    format!(" where {}", conditions.join(" and "))
}

/// A condition that stays within parentheses around it, on lines of its own: `true) or (true` does
/// not, nor does one with a quote or a comment that does not end. It is read by the server's own
/// rules, since whatever is a text or a comment for one of us only could hide a parenthesis.
///
/// # Errors
/// Returns what is wrong with it.
pub(crate) fn contained(condition: &str) -> Result<String, String> {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, condition).tokenize();
    let mut depth = 0_usize;
    for token in tokens.map_err(|error| format!("it is not SQL: {error}"))? {
        if token == Token::SemiColon {
            return Err("it is one condition, so it has no semicolon".to_owned());
        }
        if token == Token::LParen {
            depth += 1;
        }
        if token == Token::RParen {
            let Some(outer) = depth.checked_sub(1) else {
                return Err("it closes a parenthesis that it has not opened".to_owned());
            };
            depth = outer;
        }
    }
    if depth > 0 {
        return Err("it opens a parenthesis that it does not close".to_owned());
    }
    Ok(condition.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_ends_only_where_its_literal_does() {
        assert_eq!(literal("order-7"), "'order-7'");
        assert_eq!(literal("it's; --"), "'it''s; --'");
        assert_eq!(literal("' or ''='"), "''' or ''''='''");
        assert_eq!(literal("\\' or true --"), "'\\'' or true --'");
        assert_eq!(one_of("id", &["a", "b'"]), "id in ('a', 'b''')");
    }

    #[test]
    fn a_condition_stays_within_its_parentheses() {
        for condition in [
            "true",
            "(a = 1 or b = ')') and c = '('",
            "target = 'it''s (' -- a comment )",
            "a = 1 /* ) */ and \"b(\" = 2",
            "a - -1 = 2 / 1 * 1",
            "a = 1 /* ) /* ' ( */ ) */ and b = $$ ) ' $$ and c = $x$ ' $$ ( $x$",
            r"a = E'\') ' and b = '\' and c -> 'x' ->> 1 = '('",
            "a = 1 -- ' (",
        ] {
            assert_eq!(contained(condition).as_deref(), Ok(condition));
        }
        for condition in [
            "true) or (true",
            "(true",
            "a = 'b",
            "true /* and",
            "a = 1; select 1",
            "'') or ('' = ''",
            "false /* /* */ ' */ ) or (true /* ' */",
            "a = $$ ' $$) or (true or $$ ' $$ = ''",
            r"a = E'\'' ) or (true or '' = ' ') or (' '",
            "a = E'\\' ) or (true",
            "true /* /* */",
            "a = $$b",
        ] {
            assert!(contained(condition).is_err(), "{condition}");
        }
    }

    #[test]
    fn conditions_are_joined() {
        assert_eq!(all_of(&[]), "");
        assert_eq!(all_of(&["a".to_owned(), "b".to_owned()]), " where a and b");
    }
}
