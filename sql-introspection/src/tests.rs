//! Queries over records in memory, and how many of them each reads.

mod answers;
mod growth;
mod hostile;
pub(crate) mod memory;
mod numbers;
mod postgres;

use std::time::Duration;

use datafusion::arrow::util::pretty::pretty_format_batches;
use futures::{StreamExt, TryStreamExt};

use crate::{Client, SqlError, output, output::Format, source::Direction, tables::Status};

use memory::{Memory, engine, engine_with};

/// Runs a query; returns its rows, without decoration.
async fn rows(memory: &Memory, sql: &str) -> Result<Vec<Vec<String>>, SqlError> {
    let client = Client::new(&engine(memory).await, 8);
    let plan = client.engine().plan_one(sql).await?;
    let batches: Vec<_> = client.run(plan, None).await?.try_collect().await?;
    let table = pretty_format_batches(&batches).unwrap().to_string();
    let cells = |line: &str| {
        let cells = line.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().to_owned()).collect()
    };
    Ok(table.lines().filter(|line| line.starts_with('|')).skip(1).map(cells).collect())
}

async fn column(memory: &Memory, sql: &str) -> Vec<String> {
    rows(memory, sql).await.unwrap().concat()
}

#[tokio::test]
async fn a_small_limit_reads_little_of_a_large_table() {
    let memory = Memory::of(30_000);
    assert_eq!(column(&memory, "select id from sys_invocation limit 10").await.len(), 10);
    assert!(memory.read() <= 3 * 64, "{} records were read", memory.read());
    let newest = "select id from sys_invocation order by created_at desc limit 10";
    let found = column(&memory, newest).await;
    let expected: Vec<_> = (0..10).map(|nth| format!("inv_{}", 29_999 - nth)).collect();
    assert_eq!(found, expected);
    assert!(memory.read() <= 3 * 10, "{} records were read", memory.read());
    assert_eq!(memory.wanted().order, Some(Direction::Descending));
}

#[tokio::test]
async fn usage_adds_up_what_other_tables_show() {
    let memory = Memory::of(10);
    let sql = "select service_name, service_key, invocations, state_entries, state_bytes \
               from sys_usage order by 1, 2";
    // A state key of 5 bytes and a value of 16 for each order.
    let expected = [
        ["Greeter", "", "10", "0", "0"],
        ["Order", "1", "0", "1", "21"],
        ["Order", "2", "0", "1", "21"],
    ];
    assert_eq!(rows(&memory, sql).await.unwrap(), expected);
    let of_one = "select sum(total_bytes) from sys_usage where service_name = 'Order'";
    assert_eq!(column(&memory, of_one).await, ["42"]);
    assert_eq!(memory.wanted().filter.services, Some(vec!["Order".to_owned()]));
}

#[tokio::test]
async fn orders_hold_across_partitions_and_pages() {
    let memory = Memory::of(5000);
    for (direction, first) in [("asc", 0), ("desc", 4999)] {
        let sql = format!("select id from sys_invocation order by created_at {direction}");
        let found = column(&memory, &sql).await;
        let expected = (0..5000).map(|nth: i32| format!("inv_{}", (first - nth).abs()));
        assert_eq!(found, expected.collect::<Vec<_>>(), "{direction}");
    }
}

#[tokio::test]
async fn conditions_reach_the_source_and_are_checked_again() {
    let memory = Memory::of(3000);
    let sql = "select id from sys_invocation where id in ('inv_7', 'inv_8') and status = 'running'";
    // The source returns more than what matches.
    assert_eq!(column(&memory, sql).await, ["inv_7"]);
    let filter = memory.wanted().filter;
    assert_eq!(filter.ids, Some(vec!["inv_7".to_owned(), "inv_8".to_owned()]));
    assert_eq!(filter.statuses, Some(vec![Status::Running]));
    let none = "select count(*) from sys_invocation where status = 'no such status'";
    assert_eq!(column(&memory, none).await, ["0"]);
    assert_eq!(memory.wanted().filter.statuses, Some(Vec::new()));
    let time = "select count(*) from sys_invocation where created_at >= '1970-01-01T00:00:01Z' \
                and created_at < '1970-01-01T00:00:02Z'";
    assert_eq!(column(&memory, time).await, ["1000"]);
    assert_eq!(memory.wanted().filter.created_at.from, 1000);
}

/// Counts, each as the rows that it has.
const COUNTS: [(&str, &[&[&str]]); 12] = [
    ("select count(*) from sys_invocation", &[&["3000"]]),
    (
        "select status, count(*) from sys_invocation group by status order by 1",
        &[&["completed", "1500"], &["running", "1500"]],
    ),
    ("select count(*) from sys_invocation where status in ('running', 'paused')", &[&["1500"]]),
    ("select count(*), count(status) from sys_invocation where status = 'paused'", &[&["0", "0"]]),
    ("select count(nullif(status, 'running')) as idle from sys_invocation", &[&["1500"]]),
    (
        "select count(*) filter (where status = 'running') as running, count(*) as all_of_them, \
         count(1), count('x') as again from sys_invocation",
        &[&["1500", "3000", "3000", "3000"]],
    ),
    (
        "select sum(case when status = 'running' then 2 else 0 end) as double from sys_invocation",
        &[&["3000"]],
    ),
    (
        "select status, count(*) from sys_invocation group by rollup (status) order by 1",
        &[&["completed", "1500"], &["running", "1500"], &["", "3000"]],
    ),
    ("select sum(1) as nothing from sys_invocation where status = 'paused'", &[&[""]]),
    (
        "select left(i.state, 1) as letter, count(1) from \
         (select upper(status) as state from sys_invocation) i group by 1 having count(1) > 0 \
         order by 1",
        &[&["C", "1500"], &["R", "1500"]],
    ),
    (
        "select count(distinct status), min(status), max(status) from sys_invocation",
        &[&["2", "completed", "running"]],
    ),
    ("select distinct status from sys_invocation order by 1", &[&["completed"], &["running"]]),
];

#[tokio::test]
async fn counts_read_no_more_than_they_need() {
    let memory = Memory::of(3000);
    for (sql, expected) in COUNTS {
        assert_eq!(rows(&memory, sql).await.unwrap(), expected, "{sql}");
        let read = memory.read();
        assert!((1..=6).contains(&read), "{read} records were read: {sql}");
    }
    column(&memory, COUNTS[0].0).await;
    assert_eq!(memory.wanted().parts, []);
}

#[tokio::test]
async fn what_is_not_the_same_for_equal_rows_reads_each() {
    let memory = Memory::of(3000);
    for sql in [
        "select count(*) from sys_invocation where random() < 0.5",
        "select count(*) from (select random() as number from sys_invocation) where number < 0.5",
        "select count(case when random() < 0.5 then 1 end) from sys_invocation",
    ] {
        let found: usize = column(&memory, sql).await[0].parse().unwrap();
        assert!((1..2999).contains(&found), "{found}: {sql}");
    }
    for (sql, expected) in [
        ("select count(*) from (select status from sys_invocation limit 7)", "7"),
        ("select length(string_agg(status, '')) from sys_invocation", "24000"),
        ("select count(*) from (select status, count(*) over () from sys_invocation)", "3000"),
        (
            "select count(*) from sys_invocation a join sys_invocation b on a.id = b.id \
             where a.status = 'running'",
            "1500",
        ),
    ] {
        assert_eq!(column(&memory, sql).await, [expected], "{sql}");
    }
}

#[tokio::test]
async fn all_scans_of_a_query_read_one_snapshot() {
    let memory = Memory::of(10);
    let join = "select count(*) from sys_invocation a join sys_invocation b on a.id = b.id";
    assert_eq!(column(&memory, join).await, ["10"]);
    assert_eq!(memory.snapshots(), 1);
    assert_eq!(column(&memory, "select relname from pg_catalog.pg_class limit 1").await.len(), 1);
    assert_eq!(memory.snapshots(), 1, "the catalogue needs none");
}

#[tokio::test]
async fn a_query_that_cannot_end_runs_out_of_time_and_one_that_is_idle_too() {
    let memory = Memory::of(100);
    let engine = engine_with(&memory, Duration::from_millis(300), 1).await;
    let client = Client::new(&engine, 1);
    let digits = "(values (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)) as";
    let many: Vec<_> = (0..14).map(|nth| format!("{digits} t{nth}(n)")).collect();
    let endless = format!("select sum(t0.n + t13.n) from {}", many.join(", "));
    let plan = client.engine().plan_one(&endless).await.unwrap();
    let mut batches = client.run(plan, None).await.unwrap();
    let error = batches.try_next().await.unwrap_err();
    assert_eq!(error.code, "57014", "{error}");
    // Nor does a cursor that asks again wait for anything.
    assert!(batches.next().await.is_none());
    drop(batches);
    let mut one =
        client.run(client.engine().plan_one("select 1").await.unwrap(), None).await.unwrap();
    assert_eq!(one.next().await.unwrap().unwrap().num_rows(), 1);
    assert!(one.next().await.is_none() && one.next().await.is_none());
    drop(one);

    let plan = client.engine().plan_one("select * from sys_invocation").await.unwrap();
    let idle = client.run(plan.clone(), None).await.unwrap();
    assert_eq!(client.run(plan.clone(), None).await.err().unwrap().code, "53400", "it has its own");
    // Another client gets the only place once the time of the idle one is over.
    let other = Client::new(&engine, 1);
    while let Err(error) = other.run(plan.clone(), None).await {
        // Its own time began later, and may be over all the same where the machine is busy.
        assert_eq!(error.code, "57014", "{error}");
    }
    assert_eq!(idle.try_collect::<Vec<_>>().await.unwrap_err().code, "57014");
}

#[tokio::test]
async fn what_does_not_fit_in_memory_is_refused() {
    let memory = Memory::of(30_000);
    let sort = "select a.id from sys_invocation a, (values (1),(2),(3),(4),(5),(6),(7),(8)) b(n) \
                order by a.target || b.n || a.id";
    let error = rows(&memory, sort).await.unwrap_err();
    assert_eq!(error.code, "53200", "{error}");
    assert_eq!(column(&memory, "select count(*) from sys_invocation").await, ["30000"]);
}

#[tokio::test]
async fn little_does_not_grow_without_bounds() {
    let memory = Memory::of(10);
    for expression in [
        "repeat('x', 2000000000)",
        "repeat(id, 1000000000)",
        "lpad('x', 2000000000)",
        "rpad('x', 2000000000, 'ab')",
        "array_repeat(1, 2000000000)",
        "range(2000000000)",
        "range(0, 2000000000, 2)",
        "generate_series(1, 2000000000)",
        "array_resize(make_array(1), 2000000000)",
    ] {
        let error =
            rows(&memory, &format!("select length({expression}) from sys_invocation")).await;
        let error = match error {
            // Arrays have a length of their own.
            Err(error) if error.code != "53200" => {
                let sql = format!("select array_length({expression}) from sys_invocation");
                rows(&memory, &sql).await.unwrap_err()
            }
            Err(error) => error,
            Ok(rows) => panic!("{expression}: {} rows", rows.len()),
        };
        assert_eq!(error.code, "53200", "{expression}: {error}");
    }
    assert_eq!(column(&memory, "select length(repeat('ab', 1000))").await, ["2000"]);
    assert_eq!(column(&memory, "select lpad('7', 3, '0')").await, ["007"]);
    assert_eq!(column(&memory, "select array_length(range(1, 5))").await, ["4"]);
    assert_eq!(column(&memory, "select count(*) from generate_series(1, 5)").await, ["5"]);
    let days = "select array_length(generate_series(timestamp '2026-01-01', \
                timestamp '2026-12-31', interval '1 day'))";
    assert_eq!(column(&memory, days).await, ["365"]);
}

#[tokio::test]
async fn rows_are_json_or_arrow() {
    let memory = Memory::of(3000);
    let client = Client::new(&engine(&memory).await, 1);
    let encoded = async |sql: &str, format| {
        let plan = client.engine().plan_one(sql).await.unwrap();
        let batches = client.run(plan, None).await.unwrap();
        let pieces: Vec<_> = output::encode(batches, format).try_collect().await.unwrap();
        pieces.concat()
    };
    let sql = "select id, scope, created_at from sys_invocation order by created_at limit 2";
    let json = encoded(sql, Format::Json).await;
    assert_eq!(
        String::from_utf8(json).unwrap(),
        r#"{"rows":[{"id":"inv_0","created_at":"1970-01-01T00:00:00Z"},{"id":"inv_1","created_at":"1970-01-01T00:00:00.001Z"}]}"#
    );
    let nothing = encoded("select id from sys_invocation where id = ''", Format::Json).await;
    assert_eq!(nothing, br#"{"rows":[]}"#);
    let all = encoded("select id from sys_invocation", Format::Json).await;
    let all: serde_json::Value = serde_json::from_slice(&all).unwrap();
    assert_eq!(all["rows"].as_array().unwrap().len(), 3000);
    let arrow = encoded("select id from sys_invocation", Format::Arrow).await;
    let reader = datafusion::arrow::ipc::reader::StreamReader::try_new(&arrow[..], None).unwrap();
    assert_eq!(reader.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 3000);
}

#[tokio::test]
async fn json_is_read_inside_of_values() {
    let memory = Memory::of(3);
    let sql = "select value_json ->> 'status' from state where service_key = '1'";
    assert_eq!(column(&memory, sql).await, ["NEW"]);
    for (expression, expected) in [
        (r#"'{"a":{"b":[1,{"c":"x"}]}}' -> 'a' -> 'b' -> 1 ->> 'c'"#, "x"),
        (r#"'{"a":{"b":[1,{"c":"x"}]}}' -> 'a'"#, r#"{"b":[1,{"c":"x"}]}"#),
        (r#"'{"a":{"b":[1,{"c":"x"}]}}' #>> '{a,b,1,c}'"#, "x"),
        (r#"'{"a":{"b":[1,{"c":"x"}]}}' #> '{a,b,1}'"#, r#"{"c":"x"}"#),
        (r#"'{"n":5}' -> 'n'"#, "5"),
        (r#"('{"n":5}' ->> 'n')::int + 1"#, "6"),
        (r#"coalesce('{"n":5}' -> 'm', 'none')"#, "none"),
        ("pg_size_pretty(1536000::bigint)", "1500 kB"),
    ] {
        assert_eq!(
            column(&memory, &format!("select {expression}")).await,
            [expected],
            "{expression}"
        );
    }
    let of_alias = "select service, service_key_utf8 from state where service = 'Old' limit 1";
    assert_eq!(rows(&memory, of_alias).await.unwrap().len(), 1);
}
