//! What PostgreSQL's clients ask, and the engine would not answer as PostgreSQL does.

use super::*;

#[tokio::test]
async fn columns_have_the_types_that_postgresql_calls_them_by() {
    let memory = Memory::of(0);
    let sql = "select data_type, udt_name, is_nullable from information_schema.columns \
               where table_name = 'sys_invocation' and column_name in \
               ('id', 'created_at', 'completion_retention', 'suspended_waiting_for_signals') \
               order by ordinal_position";
    assert_eq!(
        rows(&memory, sql).await.unwrap(),
        [
            ["text", "text", "YES"],
            ["timestamp with time zone", "timestamptz", "YES"],
            ["interval", "interval", "YES"],
            ["ARRAY", "_int8", "YES"],
        ]
    );
    let listed = "select count(*) from pg_attribute a join pg_class c on a.attrelid = c.oid \
                  where relname in ('state', 'columns', 'pg_class', 'table_constraints')";
    let described = "select count(*) from information_schema.columns \
                     where table_name in ('state', 'columns', 'pg_class', 'table_constraints')";
    assert_eq!(column(&memory, listed).await, column(&memory, described).await);
}

#[tokio::test]
async fn intervals_are_compared_by_their_length() {
    let memory = Memory::of(0);
    for (condition, expected) in [
        ("interval '1 day' = interval '24 hours'", "true"),
        ("interval '1 month' > interval '29 days'", "true"),
        ("interval '1 month' = interval '31 days'", "false"),
        ("arrow_cast(86400000, 'Duration(ms)') = interval '1 day'", "true"),
        ("interval '2 days' < arrow_cast(86400000, 'Duration(ms)')", "false"),
        ("arrow_cast(9223372036854775807, 'Duration(s)') > interval '1 day'", "true"),
    ] {
        assert_eq!(
            column(&memory, &format!("select {condition}")).await,
            [expected],
            "{condition}"
        );
    }
}

#[tokio::test]
async fn texts_are_truth_values_or_arrays_where_these_are_expected() {
    let memory = Memory::of(2);
    for (query, expected) in [
        ("select true = 'yes'", "true"),
        ("select 'off' = true", "false"),
        ("select array_length('{\"a,b\",c}'::text[])", "2"),
        ("select array_to_string('{1,2}'::int[], '+')", "1+2"),
        ("select 2 = any('{1,2}')", "true"),
        ("select 'b' = any('{\"a\",\"b\"}')", "true"),
        ("select 'a' <> all('{\"a\"}')", "false"),
        ("select (information_schema._pg_expandarray(array[7])).x", "7"),
        ("select (information_schema._pg_expandarray(array[7])).n", "1"),
        ("select count(*) from (select generate_subscripts(array[7, 8], 1)) it", "2"),
        ("select pg_typeof(created_at) from sys_invocation limit 1", "timestamp with time zone"),
    ] {
        assert_eq!(column(&memory, query).await, [expected], "{query}");
    }
    for query in ["select true = 'perhaps'", "select '{a'::text[]"] {
        assert_eq!(rows(&memory, query).await.unwrap_err().code, "22P02", "{query}");
    }
}

#[tokio::test]
async fn existence_is_a_value() {
    let memory = Memory::of(2);
    let of_state = "select exists (select 1 from state), \
                    not exists (select 1 from state where key = 'none')";
    assert_eq!(rows(&memory, of_state).await.unwrap(), [["true", "true"]]);
    let of_each = "select exists (select 1 from state s where s.service_key = n) from \
                   (values ('1'), ('none')) it(n) order by 1";
    assert_eq!(column(&memory, of_each).await, ["false", "true"]);
}

#[tokio::test]
async fn times_are_written_as_a_template_says() {
    let memory = Memory::of(1);
    let time = "timestamp '2024-02-05 03:04:05.678901'";
    for (template, expected) in [
        ("YYYY-MM-DD HH24:MI:SS.MS", "2024-02-05 03:04:05.678"),
        ("yyyymmdd hh12:mi:ss.us am", "20240205 03:04:05.678901 am"),
        ("YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"", "2024-02-05T03:04:05Z"),
        ("Dy, FMDD Mon YYYY", "Mon, 5 Feb 2024"),
        ("[FMDay] [Day] [FMMONTH] [month]", "[Monday] [Monday   ] [FEBRUARY] [february ]"),
        ("Q DDD D ID W WW IYYY-IW YY", "1 036 2 1 1 06 2024-06 24"),
        ("SSSS HH P.M.", "11045 03 A.M."),
    ] {
        let sql = format!("select to_char({time}, '{template}')");
        assert_eq!(column(&memory, &sql).await, [expected], "{template}");
    }
    for (expression, expected) in [
        ("to_char(created_at, 'HH24:MI TZ OF')", "00:00 UTC +00"),
        ("to_char(created_at at time zone 'Asia/Tokyo', 'FMHH24:MI')", "9:00"),
        ("to_char(date '2024-02-05', 'DD.MM.YYYY')", "05.02.2024"),
        ("to_char(scheduled_at, 'YYYY') is null", "true"),
    ] {
        let sql = format!("select {expression} from sys_invocation");
        assert_eq!(column(&memory, &sql).await, [expected], "{expression}");
    }
    for (call, code, named) in [
        ("to_char(now(), 'DDth Mon')", "0A000", "th"),
        ("to_char(now(), 'RM')", "0A000", "RM"),
        ("to_char(12.5, '99.99')", "0A000", "times only"),
        ("to_char(interval '1 day', 'HH24')", "0A000", "times only"),
    ] {
        let error = rows(&memory, &format!("select {call}")).await.unwrap_err();
        assert!(error.code == code && error.message.contains(named), "{call}: {error:?}");
    }
}

#[tokio::test]
async fn a_time_has_another_wall_time_in_each_zone() {
    let memory = Memory::of(1);
    for (expression, expected) in [
        ("timestamptz '2024-07-01 12:00:00Z' at time zone 'Europe/Berlin'", "2024-07-01T14:00:00"),
        ("timestamp '2024-07-01 12:00:00' at time zone 'Europe/Berlin'", "2024-07-01T10:00:00Z"),
        ("timestamptz '2024-07-01 12:00:00Z' at time zone 'CET'", "2024-07-01T13:00:00"),
        ("timezone('utc', timestamptz '2024-07-01 12:00:00Z')", "2024-07-01T12:00:00"),
        // What no clock has shown is taken for the time before, and what it has shown twice for the
        // second one.
        ("timestamp '2024-03-31 02:30:00' at time zone 'Europe/Berlin'", "2024-03-31T01:30:00Z"),
        ("timestamp '2024-10-27 02:30:00' at time zone 'Europe/Berlin'", "2024-10-27T01:30:00Z"),
        ("created_at at time zone 'America/New_York'", "1969-12-31T19:00:00"),
        (
            "date_trunc('day', created_at at time zone z) from sys_invocation, (values ('Asia/Tokyo')) it(z)",
            "1970-01-01T00:00:00",
        ),
        ("pg_typeof(created_at at time zone 'UTC')", "timestamp without time zone"),
        ("pg_typeof(created_at at time zone 'UTC' at time zone 'UTC')", "timestamp with time zone"),
    ] {
        let from = if expression.contains(" from ") { "" } else { "from sys_invocation" };
        let sql = format!("select {expression} {from}");
        assert_eq!(column(&memory, &sql).await, [expected], "{expression}");
    }
    for zone in ["Europe/Atlantis", "+02:00"] {
        let error = rows(&memory, &format!("select now() at time zone '{zone}'")).await;
        assert_eq!(error.unwrap_err().code, "22023", "{zone}");
    }
    let since = "select count(*) from sys_invocation \
                 where created_at >= timestamp '1970-01-01 01:00:00' at time zone 'Europe/Berlin'";
    assert_eq!(column(&memory, since).await, ["1"]);
}

#[tokio::test]
async fn columns_are_looked_up_in_arrays_of_texts() {
    let memory = Memory::of(4);
    for (condition, expected) in [
        ("id = any('{inv_1,\"inv_2\"}')", "2"),
        ("id = ANY ('{inv_1}')", "1"),
        ("id = any('{inv_1, inv_2}'::text[])", "2"),
        ("id <> all('{inv_1,\"inv_2\"}')", "2"),
        ("id = any('{}')", "0"),
        ("id = any(array['inv_3'])", "1"),
        ("created_at <> all('{1970-01-01 00:00:00.001+00,null}')", "0"),
        ("created_at = any('{1970-01-01 00:00:00.001+00}')", "1"),
        ("retry_count = any('{1,2}')", "0"),
        ("7 = any('{1,07}')", "4"),
    ] {
        let sql = format!("select count(*) from sys_invocation where {condition}");
        assert_eq!(column(&memory, &sql).await, [expected], "{condition}");
    }
    let found = "select id from sys_invocation where id = any('{inv_1,\"inv_2\"}') order by 1";
    assert_eq!(column(&memory, found).await, ["inv_1", "inv_2"]);
    let wanted = vec!["inv_1".to_owned(), "inv_2".to_owned()];
    assert_eq!(memory.wanted().filter.ids, Some(wanted), "the source knows which");
}

#[tokio::test]
async fn intervals_are_found_grouped_and_sorted_by_their_length() {
    let memory = Memory::of(0);
    for (condition, expected) in [
        ("interval '24 hours' between interval '1 day' and interval '1 day'", "true"),
        ("interval '40 days' not between interval '1 month' and interval '2 months'", "false"),
        ("interval '24 hours' in (interval '2 days', interval '1 day')", "true"),
        ("interval '25 hours' not in (interval '2 days', interval '1 day')", "true"),
        ("arrow_cast(86400000, 'Duration(ms)') in (interval '1 day')", "true"),
        ("arrow_cast(86400000, 'Duration(ms)') between '23 hours' and '1 day 1 hour'", "true"),
        ("arrow_cast(86400000, 'Duration(ms)') = '1 day'", "true"),
    ] {
        let sql = format!("select {condition}");
        assert_eq!(column(&memory, &sql).await, [expected], "{condition}");
    }
    let lengths = "(values (interval '40 days', 1), (interval '1 month', 2), (interval '24 hours', 3), \
                   (interval '1 day', 4), (null, 5)) it(length, n)";
    let sorted = |by: &str| format!("select n from {lengths} order by {by}");
    assert_eq!(column(&memory, &sorted("length, n")).await, ["3", "4", "2", "1", "5"]);
    assert_eq!(column(&memory, &sorted("length desc, n")).await, ["5", "1", "2", "3", "4"]);
    let first = sorted("length, n") + " limit 1";
    assert_eq!(column(&memory, &first).await, ["3"]);
    let sums =
        format!("select sum(n), min(length) is null from {lengths} group by length order by 1");
    assert_eq!(
        rows(&memory, &sums).await.unwrap(),
        [["1", "false"], ["2", "false"], ["5", "true"], ["7", "false"]]
    );
    let counts =
        format!("select length, count(*) from {lengths} where n <= 2 group by 1 order by 1");
    assert_eq!(rows(&memory, &counts).await.unwrap(), [["1 mons", "1"], ["40 days", "1"]]);
    let different = format!("select count(*) from (select distinct length from {lengths}) as it");
    assert_eq!(column(&memory, &different).await, ["4"]);
}

#[tokio::test]
async fn bytes_are_compared_with_their_hexadecimal_digits() {
    let memory = Memory::of(0);
    for (condition, expected) in [
        ("value = '\\x7b22737461747573223a224e4557227d'", "2"),
        ("value = '\\x7B22737461747573223A224E4557227D'", "2"),
        ("'\\x7b22' < value", "2"),
        ("value in ('\\x7b', '\\x7b22737461747573223a224e4557227d')", "2"),
        ("value between '\\x7b' and '\\x7c'", "2"),
        ("value <> '\\x'", "2"),
    ] {
        let sql = format!("select count(*) from state where {condition}");
        assert_eq!(column(&memory, &sql).await, [expected], "{condition}");
    }
    let odd = rows(&memory, "select count(*) from state where value = '\\x7b2'").await;
    assert_eq!(odd.unwrap_err().code, "22023");
}
