//! What PostgreSQL answers, as far as the engine alone would answer with something else.

use super::*;

/// Checks what expressions are.
async fn check(memory: &Memory, expected: &[(&str, &str)]) {
    for (expression, expected) in expected {
        let found = rows(memory, &format!("select {expression}")).await;
        let found = found.unwrap_or_else(|error| panic!("{expression}: {error:?}")).concat();
        assert_eq!(found, [*expected], "{expression}");
    }
}

/// Checks with which SQLSTATE statements are refused.
async fn refused(memory: &Memory, statements: &[(&str, &str)]) {
    for (sql, code) in statements {
        match rows(memory, sql).await {
            Err(error) => assert_eq!(error.code, *code, "{sql}: {error:?}"),
            Ok(rows) => panic!("{sql}: {rows:?}"),
        }
    }
}

#[tokio::test]
async fn values_are_the_same_texts_by_whatever_they_become_them() {
    let memory = Memory::of(1);
    let from = "from sys_invocation";
    check(
        &memory,
        &[
            (&format!("created_at::text {from}"), "1970-01-01 00:00:00+00"),
            ("timestamptz '2026-11-28 04:50:00.123456Z'::text", "2026-11-28 04:50:00.123456+00"),
            ("timestamp '2026-11-28 04:50:00.120'::varchar", "2026-11-28 04:50:00.12"),
            (&format!("count(*) {from} where created_at::text like '1970-01-01 0%'"), "1"),
            (&format!("'at ' || created_at {from}"), "at 1970-01-01 00:00:00+00"),
            (&format!("concat(created_at, true, 1.5) {from}"), "1970-01-01 00:00:00+00t1.5"),
            (&format!("format('%s %s', created_at, true) {from}"), "1970-01-01 00:00:00+00 t"),
            ("true::text || ('f' || false)", "trueffalse"),
            ("interval '1 day 02:03:04'::text", "1 day 02:03:04"),
            (
                "(timestamp '2026-11-28 05:00' - timestamp '2026-11-27 04:00')::text",
                "1 day 01:00:00",
            ),
            ("('\\x00ff'::bytea)::text", r"\x00ff"),
            ("array[1,2]::text", "{1,2}"),
            ("array['a b',null]::text", r#"{"a b",NULL}"#),
            ("array_agg(created_at)::text from sys_invocation", r#"{"1970-01-01 00:00:00+00"}"#),
            ("(1::float8)::text || '1e20'::float8", "11e+20"),
            ("'infinity'::float8::text || 'nan'::float8", "InfinityNaN"),
            ("1.5::numeric::text", "1.5"),
            ("1.5::numeric(10,2)::text", "1.50"),
            ("count(*) from state where value like '%NEW%'", "2"),
            ("count(*) from state where value::text like '\\\\x7b%'", "2"),
        ],
    )
    .await;
}

#[tokio::test]
async fn times_are_compared_as_exactly_as_they_are_written() {
    let memory = Memory::of(3);
    let count = |condition: &str| format!("count(*) from sys_invocation where {condition}");
    for (condition, expected) in [
        ("created_at >= '1970-01-01 00:00:00.0014'", "1"),
        ("created_at > '1970-01-01 00:00:00.0014'", "1"),
        ("created_at <= '1970-01-01 00:00:00.0014'", "2"),
        ("created_at < '1970-01-01 00:00:00.0014'", "2"),
        ("created_at < '1970-01-01 00:00:00.001'", "1"),
        ("created_at = '1970-01-01 00:00:00.0014'", "0"),
        ("created_at <> '1970-01-01 00:00:00.0014'", "3"),
        ("created_at in ('1970-01-01 00:00:00.0014', '1970-01-01 00:00:00.002')", "1"),
        ("created_at between '1970-01-01 00:00:00.0004' and '1970-01-01 00:00:00.0014'", "1"),
        ("timestamptz '1970-01-01 00:00:00.0014Z' < created_at", "1"),
        ("created_at + interval '400 microseconds' > '1970-01-01 00:00:00.002'", "1"),
        ("created_at < current_date", "3"),
        ("created_at < timestamptz '9999-12-31'", "3"),
    ] {
        check(&memory, &[(&count(condition), expected)]).await;
    }
    check(&memory, &[(&count("created_at >= '1970-01-01 00:00:00.0014'"), "1")]).await;
    assert_eq!(memory.wanted().filter.created_at.from, 2, "the source knows from when");
}

#[tokio::test]
async fn times_are_computed_as_far_as_the_calendar_goes() {
    let memory = Memory::of(1);
    check(
        &memory,
        &[
            ("now() + interval '300 years' > now()", "true"),
            ("(timestamptz '2026-01-01' + interval '1000 years')::text", "3026-01-01 00:00:00+00"),
            ("localtimestamp = now() at time zone 'UTC'", "true"),
            ("transaction_timestamp() = current_timestamp", "true"),
            ("timestamp '2026-11-28 8:00' = timestamp '2026-11-28 08:00:00'", "true"),
            ("now() > '2026-1-5 8:00'", "true"),
            (
                "age(timestamp '2001-04-10', timestamp '1957-06-13')::text",
                "43 years 9 mons 27 days",
            ),
            ("age(created_at) > interval '50 years' from sys_invocation", "true"),
            ("(interval '1 hour' * 3)::text", "03:00:00"),
            ("(2.5 * interval '1 day')::text", "2 days 12:00:00"),
            ("(interval '1 day' / 4)::text", "06:00:00"),
            ("('1 mon 2 days -00:00:01.5'::interval)::text", "1 mon 2 days -00:00:01.5"),
            ("(n * interval '1 minute')::text from (values (90)) it(n)", "01:30:00"),
        ],
    )
    .await;
    refused(
        &memory,
        &[
            ("select now() + interval '300000 years'", "22008"),
            ("select interval '1 month' * 1e12", "22008"),
            ("select interval '1 day' / 0", "22012"),
            ("select 'infinity'::timestamptz", "0A000"),
            ("select count(*) from sys_invocation where created_at < 'infinity'", "0A000"),
            ("select 1 between symmetric 2 and 0", "0A000"),
        ],
    )
    .await;
}

#[tokio::test]
async fn numbers_are_rounded_and_fail_as_in_postgresql() {
    let memory = Memory::of(1);
    check(
        &memory,
        &[
            ("concat(2.5::float8::int, 3.5::float8::int, (-2.5)::float8::int)", "24-2"),
            ("concat(2.5::int, 2.5::numeric::int)", "33"),
            ("-2 ^ 2", "4.0"),
            ("-(2 ^ 2)", "-4.0"),
            ("2 ^ -1", "0.5"),
            ("mod(7, 4) + mod(-7, 4)", "0"),
            ("ln(1.0)", "0.0"),
        ],
    )
    .await;
    refused(
        &memory,
        &[
            ("select 1e308::float8 * 10", "22003"),
            ("select -1e308::float8 - 1e308::float8", "22003"),
            ("select exp(1000)", "22003"),
            ("select ln(0)", "2201E"),
            ("select ln(x) from (values (1.0), (-1.0)) it(x)", "2201E"),
            ("select log(0)", "2201E"),
            ("select sqrt(-1)", "2201F"),
            ("select power(0, -1)", "2201F"),
            ("select (-8) ^ 0.5", "2201F"),
        ],
    )
    .await;
}

#[tokio::test]
async fn rows_are_ordered_by_what_a_query_calls_so() {
    let memory = Memory::of(1);
    let ordered = "select -x as x from (values (1), (3), (2)) it(x) order by x";
    assert_eq!(column(&memory, ordered).await, ["-3", "-2", "-1"]);
    let by_column = "select -x as y from (values (1), (3), (2)) it(x) order by x";
    assert_eq!(column(&memory, by_column).await, ["-1", "-2", "-3"]);
    let descending = "select x % 2 as x, count(*) from (values (1), (3), (2)) it(x) group by 1 \
                      order by x desc fetch first row only";
    assert_eq!(rows(&memory, descending).await.unwrap(), [["1", "2"]]);
    let fetched = "select x from (values (1), (3), (2)) it(x) order by x offset 1 rows \
                   fetch next 2 rows only";
    assert_eq!(column(&memory, fetched).await, ["2", "3"]);
    let series = "select generate_series(1, 3)";
    assert_eq!(column(&memory, series).await, ["1", "2", "3"]);
    refused(
        &memory,
        &[
            ("select 1 as x order by 1 fetch first 1 rows with ties", "0A000"),
            ("select (select x from (values (1), (2)) it(x))", "21000"),
        ],
    )
    .await;
}

#[tokio::test]
async fn null_among_others_makes_it_unknown_what_is_there() {
    let memory = Memory::of(1);
    check(
        &memory,
        &[
            ("1 = any(array[1, null])", "true"),
            ("2 = any(array[1, null])", ""),
            ("2 <> all(array[1, null])", ""),
            ("1 <> all(array[1, null])", "false"),
            ("2 <> all(array[1])", "true"),
            ("not 2 = any(array[1]) and true", "true"),
        ],
    )
    .await;
}

#[tokio::test]
async fn arrays_and_replacements_are_those_of_postgresql() {
    let memory = Memory::of(1);
    check(
        &memory,
        &[
            ("array_remove(array[1,2,1], 1)::text", "{2}"),
            ("array_length('{}'::int[], 1)", ""),
            ("array_length(array[7], 1)", "1"),
            ("(array[1,2])[-1]", ""),
            ("(array[1,2])[2]", "2"),
            (r"regexp_replace('abc', '(b)', '[\1]')", "a[b]c"),
            ("regexp_replace('abc', '(b)', '$1')", "a$1c"),
            (r"regexp_replace('abc', 'b', '[\&]')", "a[b]c"),
            ("regexp_replace('abc', '(b)', x) from (values ('$1')) it(x)", "a$1c"),
        ],
    )
    .await;
}

#[tokio::test]
async fn json_is_looked_up_by_names_indices_and_paths() {
    let memory = Memory::of(1);
    check(
        &memory,
        &[
            ("'[1,2]' ->> '1'", ""),
            ("'[1,2]' ->> 1", "2"),
            ("'[1,2]' -> -1", "2"),
            ("'[1,2]' -> -3", ""),
            ("'{\"1\":5}' ->> '1'", "5"),
            ("'{\"1\":5}' ->> 1", ""),
            ("'{\"a\":1,\"a\":2}' -> 'a'", "2"),
            ("'{\"a\":1,\"b\":{\"c\":1,\"c\":\"x\"}}' #>> '{b,c}'", "x"),
            ("'{\"a\":null}' ->> 'a'", ""),
            ("'{\"a\":null}' -> 'a'", "null"),
            ("'{\"a\":[1,2]}' #>> '{}'", r#"{"a":[1,2]}"#),
            ("'{\"a\":[1,2]}' #>> '{a,-1}'", "2"),
            ("'{\"a,b\":1}' #>> '{\"a,b\"}'", "1"),
            ("'\"x\"' #>> '{}'", "x"),
            ("('{\"a\":[1,{\"b\":\"é\"}]}' -> 'a' -> 1) ->> 'b'", "é"),
            ("'no json' ->> 'a'", ""),
            ("k.v ->> k.n from (values ('{\"a\":1}', 'a')) k(v, n)", "1"),
        ],
    )
    .await;
}

#[tokio::test]
async fn intervals_are_aggregated() {
    let memory = Memory::of(1);
    let of = "from (values (interval '40 days'), (interval '1 month'), (interval '30 days')) it(x)";
    check(
        &memory,
        &[
            (&format!("max(x)::text {of}"), "40 days"),
            (&format!("min(x) = interval '30 days' {of}"), "true"),
            (&format!("count(distinct x) {of}"), "2"),
            (&format!("sum(x)::text {of}"), "1 mon 70 days"),
        ],
    )
    .await;
    let months =
        "from (values (interval '2000000000 months'), (interval '2000000000 months')) it(x)";
    refused(&memory, &[(&format!("select sum(x) {months}"), "22008")]).await;
    let of_each = "select n, max(x)::text, count(distinct x) from \
                   (values (1, interval '40 days'), (1, interval '1 month'), (2, null)) it(n, x) \
                   group by n order by n";
    let expected = [["1", "40 days", "2"], ["2", "", "0"]];
    assert_eq!(rows(&memory, of_each).await.unwrap(), expected);
}
