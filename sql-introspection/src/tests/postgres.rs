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
