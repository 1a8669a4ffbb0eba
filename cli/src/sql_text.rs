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
    fn conditions_are_joined() {
        assert_eq!(all_of(&[]), "");
        assert_eq!(all_of(&["a".to_owned(), "b".to_owned()]), " where a and b");
    }
}
