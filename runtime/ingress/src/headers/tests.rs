use http::HeaderValue;
use runtime_core::time::DELAY_MAX_MS;

use super::*;

fn rule(required: bool, content_type: Option<&str>) -> InputRule {
    InputRule { required, content_type: content_type.map(str::to_owned), json_schema: None }
}

fn typed(content_type: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap());
    headers
}

#[test]
fn a_body_is_checked_by_its_content_type_alone() {
    let json = rule(false, Some("application/json"));
    assert!(check_input(&HeaderMap::new(), true, &json).is_ok());
    assert!(check_input(&typed("application/json; charset=utf-8"), false, &json).is_ok());
    assert!(check_input(&typed("application/json"), true, &json).is_ok());
    assert!(matches!(
        check_input(&typed("text/plain"), false, &json),
        Err(Rejection::ContentType { .. })
    ));
    assert!(check_input(&typed("APPLICATION/JSON"), false, &json).is_err());
    assert!(matches!(
        check_input(&HeaderMap::new(), false, &json),
        Err(Rejection::ContentTypeMissing(_))
    ));
    assert!(check_input(&typed("text/plain"), false, &rule(false, Some("*/*"))).is_ok());
    assert!(check_input(&HeaderMap::new(), false, &rule(false, Some("*/*"))).is_err());
    assert!(check_input(&typed("text/html"), false, &rule(false, Some("text/*"))).is_ok());
    assert!(check_input(&HeaderMap::new(), true, &rule(true, Some("text/*"))).is_err());
    assert!(check_input(&typed("text/html"), true, &rule(false, None)).is_err());
    assert!(check_input(&HeaderMap::new(), true, &rule(false, None)).is_ok());
}

#[test]
fn delays_are_durations() {
    let delay = |query: &str| delay_ms(Some(query));
    assert_eq!(delay("delay=10m").unwrap(), Some(600_000));
    assert_eq!(delay("DELAY=PT10M").unwrap(), Some(600_000));
    assert_eq!(delay("x=1&delay=2%20days%203%20hours").unwrap(), Some(51 * 3_600_000));
    assert_eq!(delay("delay=0s").unwrap(), Some(0));
    assert_eq!(delay("delay=500ms").unwrap(), Some(500));
    assert_eq!(delay("delaySec=1").unwrap(), None);
    assert!(delay("delay=10").is_err());
    assert!(delay("delay=-1s").is_err());
    assert!(delay("delay=soon").is_err());
}

#[test]
fn a_delay_longer_than_the_longest_names_the_limit() {
    let delay = |query: &str| delay_ms(Some(query));
    assert_eq!(delay("delay=36525d").unwrap(), Some(DELAY_MAX_MS));
    for too_long in ["delay=1000000000000s", "delay=36525d%201ms", "delay=9000000000000000s"] {
        let refused = delay(too_long).unwrap_err().to_string();
        assert!(refused.contains("the longest is 3155760000000 ms"), "{refused}");
    }
}

#[test]
fn handlers_get_all_headers_but_the_connections_own() {
    let mut headers = typed("application/json");
    headers.insert("host", HeaderValue::from_static("x"));
    headers.insert(IDEMPOTENCY_KEY, HeaderValue::from_static("k"));
    headers.append("x-a", HeaderValue::from_static("1"));
    headers.append("x-a", HeaderValue::from_static("2"));
    headers.insert("x-c", HeaderValue::from_bytes("grüße".as_bytes()).unwrap());
    headers.insert("x-restate-ingress-path", HeaderValue::from_static("/forged"));
    headers.insert("x-restate-anything", HeaderValue::from_static("forged"));
    headers.insert("cookie", HeaderValue::from_static("session=1"));
    headers.insert("authorization", HeaderValue::from_static("Bearer 1"));
    let passed = for_handler(&headers, "/G/g?x=1", &[header::COOKIE]).unwrap();
    let pairs: Vec<_> = passed.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(
        pairs,
        [
            ("x-restate-ingress-path", "/G/g?x=1"),
            ("content-type", "application/json"),
            ("x-a", "1"),
            ("x-a", "2"),
            ("x-c", "grüße"),
            ("authorization", "Bearer 1"),
        ]
    );
    headers.insert("x-b", HeaderValue::from_bytes(b"\xff").unwrap());
    let refused = for_handler(&headers, "/", &[]).unwrap_err().to_string();
    assert_eq!(refused, "bad header x-b: its value is not UTF-8 text");
    assert!(for_handler(&headers, "/", &[header::HeaderName::from_static("x-b")]).is_ok());
}

#[test]
fn an_idempotency_key_is_one() {
    let mut headers = HeaderMap::new();
    headers.append(IDEMPOTENCY_KEY, HeaderValue::from_static("a"));
    headers.append(IDEMPOTENCY_KEY, HeaderValue::from_static("a"));
    assert_eq!(idempotency_key(&headers).unwrap().as_deref(), Some("a"));
    headers.append(IDEMPOTENCY_KEY, HeaderValue::from_static("b"));
    assert!(matches!(idempotency_key(&headers), Err(Rejection::IdempotencyKeys)));
}
