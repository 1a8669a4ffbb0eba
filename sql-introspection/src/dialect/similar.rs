//! `similar to`: a pattern of its own kind, which the engine would take for a regular expression.

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, UnaryOperator, Value};

use super::rewrite::text_of;

/// Makes a regular expression of it, if the pattern is a literal.
pub(super) fn rewrite(expr: &mut Expr) {
    let Expr::SimilarTo { negated, expr: text, pattern, escape_char } = expr else { return };
    let Some(pattern) = literal(pattern) else { return };
    let escape = match escape_char.as_ref().map(|it| &it.value) {
        None => Some('\\'),
        Some(Value::SingleQuotedString(escape)) => escape.chars().next(),
        Some(_) => return,
    };
    let matches = Expr::BinaryOp {
        left: text.clone(),
        op: BinaryOperator::PGRegexMatch,
        right: Box::new(text_of(&regular(pattern, escape))),
    };
    *expr = if *negated {
        let nested = Box::new(Expr::Nested(Box::new(matches)));
        Expr::UnaryOp { op: UnaryOperator::Not, expr: nested }
    } else {
        Expr::Nested(Box::new(matches))
    };
}

fn literal(pattern: &Expr) -> Option<&str> {
    let Expr::Value(value) = pattern else { return None };
    let Value::SingleQuotedString(text) = &value.value else { return None };
    Some(text)
}

/// The regular expression for a pattern: `%` is any text and `_` any character, outside of brackets;
/// alternatives, repetitions and groups are as in regular expressions. It has to match as a whole.
fn regular(pattern: &str, escape: Option<char>) -> String {
    let mut regular = "^(?s:".to_owned();
    let mut is_in_brackets = false;
    let mut rest = pattern.chars();
    while let Some(next) = rest.next() {
        match next {
            _ if Some(next) == escape => {
                let Some(meant) = rest.next() else { break };
                if !meant.is_alphanumeric() {
                    regular.push('\\');
                }
                regular.push(meant);
            }
            '[' | ']' => {
                is_in_brackets = next == '[';
                regular.push(next);
            }
            _ if is_in_brackets => regular.push(next),
            '%' => regular.push_str(".*"),
            '_' => regular.push('.'),
            '.' | '^' | '$' | '\\' => regular.extend(['\\', next]),
            _ => regular.push(next),
        }
    }
    regular + ")$"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_become_regular_expressions() {
        for (pattern, expected) in [
            ("Cart/%", "^(?s:Cart/.*)$"),
            ("(a|b)_", "^(?s:(a|b).)$"),
            ("a.c", r"^(?s:a\.c)$"),
            ("[%_]+", "^(?s:[%_]+)$"),
            (r"100\%", r"^(?s:100\%)$"),
            (r"\\x", r"^(?s:\\x)$"),
        ] {
            assert_eq!(regular(pattern, Some('\\')), expected, "{pattern}");
        }
        assert_eq!(regular("a!%", Some('!')), r"^(?s:a\%)$");
    }
}
