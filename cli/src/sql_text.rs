//! Pieces of SQL made of what people type.

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

/// A condition that stays within parentheses around it: `true) or (true` does not, nor does one with
/// a quote or a comment that does not end.
///
/// # Errors
/// Returns what is wrong with it.
pub(crate) fn contained(condition: &str) -> Result<String, String> {
    let mut depth = 0_usize;
    let mut rest = condition.chars().peekable();
    while let Some(next) = rest.next() {
        let ends = match (next, rest.peek()) {
            ('\'' | '"', _) => rest.by_ref().any(|it| it == next),
            // It may be the last thing: what comes after the condition is on another line.
            ('-', Some('-')) => {
                rest.by_ref().find(|it| *it == '\n');
                true
            }
            ('/', Some('*')) => {
                let mut before = ' ';
                rest.by_ref()
                    .skip(1)
                    .any(|it| std::mem::replace(&mut before, it) == '*' && it == '/')
            }
            (';', _) => return Err("it is one condition, so it has no semicolon".to_owned()),
            ('(', _) => {
                depth += 1;
                true
            }
            (')', _) => {
                let Some(outer) = depth.checked_sub(1) else {
                    return Err("it closes a parenthesis that it has not opened".to_owned());
                };
                depth = outer;
                true
            }
            _ => true,
        };
        if !ends {
            return Err("a quote or a comment in it does not end".to_owned());
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
