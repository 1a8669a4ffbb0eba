//! A minimal JSON reader for chores: flat objects, as written by our own services.

/// Splits an array into the text of its objects.
pub(crate) fn objects(array: &str) -> Vec<&str> {
    let inner = array.trim().trim_start_matches('[').trim_end_matches(']');
    inner.split_inclusive('}').map(|object| object.trim_start_matches(',')).collect()
}

/// The value of a field, without quotes.
pub(crate) fn field<'a>(object: &'a str, name: &str) -> Option<&'a str> {
    let at = object.find(&format!("\"{name}\":"))? + name.len() + 3;
    let value = object[at..].trim_start();
    let end = value.find([',', '}']).unwrap_or(value.len());
    Some(value[..end].trim().trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histories_are_read() {
        let text = r#"[{"status":"CREATED","atMs":12},{"status":"SCHEDULED","atMs":34}]"#;
        let objects = objects(text);
        assert_eq!(objects.len(), 2);
        assert_eq!(field(objects[1], "status"), Some("SCHEDULED"));
        assert_eq!(field(objects[1], "atMs"), Some("34"));
        assert_eq!(field(objects[1], "nothing"), None);
        assert!(super::objects("[]").iter().all(|object| field(object, "status").is_none()));
    }
}
