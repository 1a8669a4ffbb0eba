//! Queries of a few bytes that would make gigabytes, or compute for years.

use serde_json::{Value, json};

use crate::{readers::LARGE_BYTES, site::Site, size};

/// Asks as a console does. Returns the code of the error, if there is one.
async fn code(site: &Site, sql: &str) -> Option<String> {
    let answer = site.server.query(sql).await.unwrap();
    let said: Value = serde_json::from_slice(&answer.body).unwrap();
    said["code"].as_str().map(str::to_owned)
}

/// The rows that all of them read.
const ROWS: &str = "generate_series(1, 1000000) t(v)";

/// A text of this many bytes, which is no constant.
fn text(bytes: usize) -> String {
    format!("repeat('x', ({bytes} + v % 2)::int)")
}

/// An expression that makes something twice as large as it was, many times.
fn doubled(first: &str, twice: &str, times: usize, size: &str) -> String {
    let mut sql = format!("with t0 as (select {first} as x from {ROWS})");
    for nth in 1..=times {
        sql += &format!(", t{nth} as (select {twice} as x from t{})", nth - 1);
    }
    format!("{sql} select max({size}(x)) from t{times}")
}

fn absurd() -> Vec<(&'static str, String)> {
    let columns = |each: &dyn Fn(usize) -> String| {
        let columns: Vec<_> = (0..100).map(|nth| format!("max(length({}))", each(nth))).collect();
        format!("select {} from {ROWS}", columns.join(", "))
    };
    vec![
        ("a large constant in each row", {
            format!("select max(length('{}' || v::text)) from {ROWS}", "x".repeat(400_000))
        }),
        ("a large computed constant", {
            format!(
                "select count(*) from (select repeat('x', 30000000) w, v from {ROWS}) t where w < v::text"
            )
        }),
        ("large constants, concatenated", {
            let repeated = ["x", "y", "z"].map(|it| format!("repeat('{it}', 10000000)"));
            format!("select length({})", repeated.join(" || "))
        }),
        ("a text of many parts", format!("select 1 in ({})", vec!["1"; 400_000].join(","))),
        ("a constant array in each row", {
            format!(
                "select count(*) from (select repeat('x', 1000) w, unnest(range(1, 1000000)) from {ROWS}) t"
            )
        }),
        ("an array in each row, with a text", {
            format!(
                "select max(length(w)) from (select {} w, unnest(range(1, 100000 + v)) from {ROWS}) t",
                text(1000)
            )
        }),
        ("a text, doubled", doubled(&text(1000), "x || x", 14, "length")),
        ("a text, doubled by a function", doubled(&text(1000), "concat(x, x)", 14, "length")),
        (
            "an array, doubled",
            doubled("range(1, 1000 + v % 2)", "array_concat(x, x)", 12, "array_length"),
        ),
        ("many texts side by side", columns(&|nth| format!("{} || '{nth}'", text(4000)))),
        ("patterns that differ", {
            format!(
                "select count(*) from {ROWS} where 'aaaa' ~ ('(a{{1,' || (v % 500 + 1)::text || '}}){{1,40}}')"
            )
        }),
        ("a text with many separators", {
            format!(
                "select max(length(array_to_string(range(1, 5000 + v % 2), {}))) from {ROWS}",
                text(5000)
            )
        }),
        ("a list of everything, joined", {
            format!(
                "select count(a) from (select array_agg(v) a from {ROWS}) t, generate_series(1, 1000000) u(w) where a[w] > w"
            )
        }),
        ("a large text, joined", {
            format!(
                "select max(length(upper(x) || w::text)) from (select {} x from {ROWS} limit 1) t, generate_series(1, 1000000) u(w)",
                text(20_000_000)
            )
        }),
        ("a large value, joined", {
            format!("select max(length(j.value_utf8 || v::text)) from sys_journal j, {ROWS}")
        }),
        ("a sort of texts", {
            format!(
                "select * from (select {} x, v from {ROWS}) t order by x, v limit 5 offset 500000",
                text(1000)
            )
        }),
        (
            "a cross join",
            format!(
                "select count(*) from {ROWS}, generate_series(1, 1000000) u(w) where v * w = 7"
            ),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn little_that_would_be_much() {
    let site = Site::start_as(None, "sql-query-seconds = 2").await;
    let key = [("idempotency-key", "one")];
    site.server.post_with("/Healthy/give", &json!(LARGE_BYTES), &key).await.unwrap();
    let mut outcomes = Vec::new();
    for _ in 0..size("QUERIES", 1) {
        for (what, sql) in absurd() {
            let code = code(&site, &sql).await;
            println!("{what}: {}", code.as_deref().unwrap_or("answered"));
            let is_expected = code.as_deref().is_none_or(|it| ["53200", "57014"].contains(&it));
            assert!(is_expected, "{what}: {code:?}");
            outcomes.push(code);
        }
    }
    let refused = outcomes.iter().flatten().count();
    assert!(refused * 2 > outcomes.len(), "only {refused} queries were too much");
    // What was given up does not stand in the way of others.
    assert_eq!(code(&site, "select count(*) from sys_invocation").await, None);
    let what = format!("{} queries, of which {refused} were refused or given up", outcomes.len());
    site.report("queries", &what).await;
}
