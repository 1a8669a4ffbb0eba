//! Numbers and times where the engine would answer with something else than PostgreSQL.

use super::*;

#[tokio::test]
async fn what_does_not_fit_is_an_error() {
    let memory = Memory::of(3);
    for (sql, code) in [
        ("select 9223372036854775807 + 1", "22003"),
        ("select -9223372036854775807 - 2", "22003"),
        ("select 4611686018427387904 * 2", "22003"),
        ("select -x from (select -9223372036854775807 - 1 as x) it", "22003"),
        ("select id from sys_invocation where 9223372036854775807 + length(id) > 0", "22003"),
        ("select abs(-9223372036854775807 - 1)", "22003"),
        ("select 1 / 0", "22012"),
        ("select 1.0 / 0", "22012"),
        ("select length(id) / 0.0 from sys_invocation", "22012"),
        ("select 5.0 % 0", "22012"),
    ] {
        assert_eq!(rows(&memory, sql).await.unwrap_err().code, code, "{sql}");
    }
}

#[tokio::test]
async fn what_fits_is_exact() {
    let memory = Memory::of(3);
    for (sql, expected) in [
        ("select 9223372036854775806 + 1", "9223372036854775807"),
        ("select 2 + 3 * 4 - 1", "13"),
        ("select 7.0 / 2", "3.5"),
        ("select '2' * 3", "6"),
        ("select null / 0.0", ""),
        ("select case when x = 0 then -1 else 1 / x end from (values (0.0)) it(x)", "-1.0"),
        ("select 4.0 / nullif(x, 0) from (values (0.0)) it(x)", ""),
        ("select sum(x) from (values (9223372036854775807), (1)) it(x)", "9223372036854775808"),
        ("select sum(x) from (values (1), (2)) it(x)", "3"),
        ("select sum(distinct x) from (values (1), (2), (2)) it(x)", "3"),
        ("select sum(x) filter (where x > 1) from (values (1), (2)) it(x)", "2"),
        ("select sum(x) > 2 from (values (1), (2)) it(x)", "true"),
        ("select sum(x * 1.5) from (values (1), (2)) it(x)", "4.5"),
        ("select sum(x) from (values (cast(null as bigint))) it(x)", ""),
        (
            "select max(s) from (select sum(x) over (order by x) s from (values (1), (2)) it(x)) it",
            "3",
        ),
        (
            "select max(s) from (select sum(x) over (order by x rows between 1 preceding and \
             current row) s from (values (1), (2), (4)) it(x)) it",
            "6",
        ),
        ("select count(*) from generate_series(1, 10 * 10)", "100"),
        ("select id from sys_invocation order by id limit 2 * 1 - 1", "inv_0"),
    ] {
        assert_eq!(column(&memory, sql).await, [expected], "{sql}");
    }
    let grouped = "select x % 2, sum(x) from (values (1), (2), (3)) it(x) group by 1 order by 1";
    assert_eq!(rows(&memory, grouped).await.unwrap(), [["0", "2"], ["1", "4"]]);
}

#[tokio::test]
async fn times_are_written_as_people_write_them() {
    let memory = Memory::of(0);
    for (condition, expected) in [
        ("timestamp '2026-11-28 04:50' = timestamp '2026-11-28 04:50:00'", "true"),
        ("'2026-11-28 04:50+01'::timestamptz = '2026-11-28T03:50:00Z'::timestamptz", "true"),
        ("timestamp '2026-11-28 04:50:00' < '2026-11-28 04:51'", "true"),
        (
            "timestamp '2026-11-28 04:50:00' between '2026-11-28 04:49' and '2026-11-28 04:51'",
            "true",
        ),
        ("now() between 'today' and 'tomorrow'", "true"),
        ("now() > 'yesterday' and 'now' <= now()", "true"),
        ("'today'::date = current_date", "true"),
        ("'epoch'::timestamptz = to_timestamp(0)", "true"),
        ("now() - '1 hour' = now() - interval '1 hour'", "true"),
        ("now() + '90 minutes' = now() + interval '1.5 hours'", "true"),
        ("now() - '2000-01-01' > interval '26 years'", "true"),
    ] {
        assert_eq!(
            column(&memory, &format!("select {condition}")).await,
            [expected],
            "{condition}"
        );
    }
    for wrong in ["now() > 'soon'", "now() > '2026-11-28 25:00'", "now() - 'a while'"] {
        let error = rows(&memory, &format!("select {wrong}")).await.unwrap_err();
        assert!(["22007", "22P02"].contains(&error.code), "{wrong}: {error:?}");
    }
}

#[tokio::test]
async fn parts_of_intervals_are_those_of_postgresql() {
    let memory = Memory::of(1);
    let difference = "timestamp '2026-11-29 05:06:07.25' - timestamp '2026-11-28 04:00:00'";
    for (part, expected) in [
        (format!("extract(epoch from {difference})"), "90367.25"),
        (format!("extract(day from {difference})"), "1.0"),
        (format!("extract(hour from {difference})"), "1.0"),
        (format!("extract(minute from {difference})"), "6.0"),
        (format!("extract(second from {difference})"), "7.25"),
        (format!("date_part('milliseconds', {difference})"), "7250.0"),
        ("extract(second from timestamp '2026-11-28 04:50:07.75')".to_owned(), "7.75"),
        ("date_part('milliseconds', timestamp '2026-11-28 04:50:07.75')".to_owned(), "7750.0"),
        ("extract(year from timestamp '2026-11-28 04:50:07.75')".to_owned(), "2026.0"),
        ("extract(epoch from created_at)".to_owned(), "0.0"),
        ("extract(epoch from interval '1 hour')".to_owned(), "3600.0"),
        ("extract(month from interval '14 months 3 days')".to_owned(), "2.0"),
        ("extract(year from interval '14 months 3 days')".to_owned(), "1.0"),
        ("extract(epoch from interval '1 year')".to_owned(), "31557600.0"),
        ("extract(epoch from null::interval)".to_owned(), ""),
        ("extract(epoch from modified_at - created_at) >= 0".to_owned(), "true"),
    ] {
        let sql = format!("select {part} from sys_invocation");
        assert_eq!(column(&memory, &sql).await, [expected], "{part}");
    }
    let nonsense = rows(&memory, "select date_part('week', interval '1 day')").await.unwrap_err();
    assert_eq!(nonsense.code, "0A000");
}

#[tokio::test]
async fn bytes_have_lengths_and_json_is_found_where_people_write_it() {
    let memory = Memory::of(1);
    for (expression, expected) in [
        (r"length('\xff00ff'::bytea)", "3"),
        (r"octet_length('\xff00ff'::bytea)", "3"),
        ("length('é')", "1"),
        ("'[1,{\"a\":2}]'->-1->>'a'", "2"),
        ("'[1,2]'::jsonb ->> 0", "1"),
        ("jsonb_array_length('[1,2]'::json)", "2"),
        ("count(*) from (select jsonb_array_elements('[1,2,3]')) it", "3"),
    ] {
        assert_eq!(
            column(&memory, &format!("select {expression}")).await,
            [expected],
            "{expression}"
        );
    }
    let time = "select now() - value < interval '1 minute' \
                from generate_series(now(), now(), interval '1 day')";
    assert_eq!(column(&memory, time).await, ["true"]);
}

#[tokio::test]
async fn operators_bind_and_times_are_computed_as_in_postgresql() {
    let memory = Memory::of(3);
    for (expression, expected) in [
        ("true is distinct from true and false", "false"),
        ("(true is distinct from true) or true", "true"),
        ("1 is not distinct from 1 and 2 is distinct from 2 or true", "true"),
        ("date '2026-11-28' - interval '1 hour' = timestamp '2026-11-27 23:00:00'", "true"),
        ("date '2026-11-28' + interval '6 hours' = timestamp '2026-11-28 06:00:00'", "true"),
        ("date '2026-11-28' + 1 = date '2026-11-29'", "true"),
    ] {
        assert_eq!(
            column(&memory, &format!("select {expression}")).await,
            [expected],
            "{expression}"
        );
    }
    let found = "select count(*) from sys_invocation where status is distinct from 'completed' and \
                 target_service_name = 'Greeter'";
    assert_eq!(column(&memory, found).await, ["1"]);
    let of_any =
        "select count(*) from sys_invocation where id = any (select id from sys_invocation)";
    assert_eq!(column(&memory, of_any).await, ["3"]);
}
