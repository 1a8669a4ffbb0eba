//! Statements that are small to send and large to answer, and those that were answered wrongly.

use std::thread;

use tokio::runtime;

use super::{column, memory::Memory, rows};
use crate::SqlError;

/// As much as the threads of the server have.
const STACK_BYTES: usize = 32 << 20;

/// What a query is answered on a thread like those of the server.
fn answer(sql: String) -> Result<Vec<Vec<String>>, SqlError> {
    let thread = thread::Builder::new().stack_size(STACK_BYTES);
    let asking = thread.spawn(move || {
        let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(rows(&Memory::of(10), &sql))
    });
    asking.unwrap().join().unwrap()
}

#[test]
fn what_would_take_too_much_to_understand_is_refused() {
    let chain =
        |operand: &str, operator: &str, count: usize| vec![operand; count + 1].join(operator);
    let many = |operand, operator| format!("select {}", chain(operand, operator, 1001));
    let arrays = format!("select {}1{}", "array[".repeat(17), "]".repeat(17));
    let mut doubled = "with t0 as (select 1 as n)".to_owned();
    for nth in 1..40 {
        let before = nth - 1;
        doubled += &format!(", t{nth} as (select a.n from t{before} a, t{before} b)");
    }
    for sql in [
        format!("select {}", chain("1", "+", 101)),
        // In brackets, and with other things in between, it is the same chain.
        format!("select {}", chain("coalesce('a', 'b', 'c')", " || ", 101)),
        format!("select {}", chain("(select status from sys_invocation where true)", "||", 101)),
        format!("select {}", chain("case when true and true then 'a' else 'b' end", "||", 101)),
        format!("select ({}) || {}", chain("'a'", "||", 60), chain("'a'", "||", 60)),
        format!("select greatest(1, {}) + {}", chain("1", "+", 60), chain("1", "+", 60)),
        many("true", " or "),
        many("true", " and "),
        many("'a'", "||"),
        format!("select 1{}", "::int".repeat(1001)),
        chain("select 1", " union all ", 201),
        chain("select 1", " intersect ", 201),
        arrays,
        format!("{doubled} select * from t39"),
        format!("select * from ({doubled} select * from t39) x"),
        // Quotes make no other name of it.
        doubled.replace("t0 as", "\"t0\" as") + " select * from \"t39\"",
    ] {
        let start: String = sql.chars().take(60).collect();
        let refused = answer(sql).unwrap_err();
        assert_eq!(refused.code, "54001", "{start}: {refused}");
    }
    // Apart from each other, there may be many.
    let columns: Vec<_> = (0..200).map(|it| format!("{it} + 1, ({it} - 1) * 2")).collect();
    assert_eq!(answer(format!("select {}", columns.join(", "))).unwrap()[0].len(), 400);
    let list = format!("select 1 where 7 in ({}) and 1 + 1 = 2", chain("3 + 4", ", ", 200));
    assert_eq!(answer(list).unwrap(), [["1"]]);
    let sets = "select count(*) from sys_invocation group by cube (id, status, target, handler, \
                service_kind, key, scope, limit_key, idempotency_key, invoked_by, created_at)";
    assert!(answer(sets.to_owned()).is_err());
}

#[tokio::test]
async fn what_would_be_answered_wrongly_is_refused() {
    for sql in [
        "select count(*) from sys_invocation tablesample bernoulli (10)",
        "select count(*) from sys_invocation where id similar to status",
        "select string_agg(id, '') over (order by id) from sys_invocation",
        "select id from sys_invocation where id > all (select id from sys_invocation)",
        "select id from sys_invocation where (id in (select key from state)) is null",
        "select id from sys_invocation where not (id in (select key from state) and id > '')",
        "select id from sys_invocation where id not in (select key from state) or id > ''",
        "select array(select id from sys_invocation)",
        "select 1 except all select 1",
        "select id from sys_invocation right join sys_wait using (id)",
    ] {
        assert_eq!(rows(&Memory::of(10), sql).await.unwrap_err().code, "0A000", "{sql}");
    }
}

#[tokio::test]
async fn patterns_casts_and_recursions_are_as_in_postgresql() {
    let memory = Memory::of(10);
    for (expression, expected) in [
        ("'abc' similar to '%(b|d)%'", "true"),
        ("'abc' similar to 'b'", "false"),
        ("'abc' not similar to 'b'", "true"),
        ("'a.c' similar to 'a.c' and not 'abc' similar to 'a.c'", "true"),
        ("concat(1.5::int, ' ', (-1.5)::int, ' ', 3.4::int, ' ', 2::int)", "2 -2 3 2"),
    ] {
        assert_eq!(
            column(&memory, &format!("select {expression}")).await,
            [expected],
            "{expression}"
        );
    }
    let path = "with recursive r(n, s) as (select 1, 'x' union all \
                select n + 1, s || 'x' from r where n < 3) select s from r order by 1";
    assert_eq!(column(&memory, path).await, ["x", "xx", "xxx"]);
}

#[test]
fn what_is_long_and_not_more_is_answered() {
    let sum = vec!["1"; 101].join("+");
    assert_eq!(answer(format!("select {sum}")).unwrap(), [["101"]]);
    let union = vec!["select 1 as n"; 200].join(" union all ");
    assert_eq!(answer(format!("select sum(n) from ({union}) x")).unwrap(), [["200"]]);
    let list = (0..5000).map(|nth| format!("'inv_{nth}'")).collect::<Vec<_>>().join(",");
    let sql = format!("select count(*) from sys_invocation where id in ({list})");
    assert_eq!(answer(sql).unwrap(), [["10"]]);
}

#[tokio::test]
async fn windows_that_would_be_computed_at_once_are_bounded() {
    let memory = Memory::of(10);
    let all = "rows between unbounded preceding and unbounded following";
    for sql in [
        format!(
            "select count(s) from (select first_value(t) over (order by v {all}) s from \
             (select v, repeat('a', 30000) t from generate_series(1, 10000) u(v)) u) w"
        ),
        "select max(s) from (select sum(v) over (order by v rows between current row and \
         unbounded following) s from generate_series(1, 2000000) u(v)) w"
            .to_owned(),
    ] {
        let refused = rows(&memory, &sql).await.unwrap_err();
        assert_eq!(refused.code, "53200", "{sql}: {refused}");
        assert!(refused.message.contains("a window over") || sql.contains("sum"), "{refused}");
    }
    let few = format!(
        "select max(s) from (select sum(v) over (order by v {all}) s from \
                       generate_series(1, 10000) u(v)) w"
    );
    assert_eq!(column(&memory, &few).await, ["50005000"]);
    let wide = format!("select {}", vec!["1"; 1665].join(","));
    assert_eq!(rows(&memory, &wide).await.unwrap_err().code, "54011");
    let long = "select 1;".repeat(1001);
    assert_eq!(rows(&memory, &long).await.unwrap_err().code, "54000");
}

#[tokio::test]
async fn functions_that_would_return_too_much_are_not_called() {
    let memory = Memory::of(10);
    let literal = "x".repeat(60_000);
    for sql in [
        format!("select length(replace(repeat('a', 100000), 'a', '{literal}'))"),
        format!("select length(regexp_replace(repeat('a', 100000), 'a', '{literal}', 'g'))"),
    ] {
        let start: String = sql.chars().take(60).collect();
        let refused = rows(&memory, &sql).await.unwrap_err();
        assert_eq!(refused.code, "53200", "{start}: {refused}");
    }
}

#[tokio::test]
async fn subqueries_among_columns_have_their_values() {
    let memory = Memory::of(100);
    for (sql, expected) in [
        (
            "select v, (select count(*) from (values (1),(9),(9)) u(w) where w = v) from (values (1),(9)) t(v) order by 1",
            vec![vec!["1", "1"], vec!["9", "2"]],
        ),
        (
            "select s.word, (select count(*) from sys_invocation i where i.status = s.word) as n \
          from (values ('running'), ('completed'), ('paused')) s(word) order by 1",
            vec![vec!["completed", "50"], vec!["paused", "0"], vec!["running", "50"]],
        ),
        (
            "select (select count(*) from sys_invocation where sys_invocation.status = 'running') as n",
            vec![vec!["50"]],
        ),
        (
            "select (select count(*) from (select * from sys_invocation) x where x.status = 'running') as n",
            vec![vec!["50"]],
        ),
    ] {
        assert_eq!(rows(&memory, sql).await.unwrap(), expected, "{sql}");
    }
    // There is no single value.
    assert!(rows(&memory, "select (select id from sys_invocation) as id").await.is_err());
}

#[tokio::test]
async fn a_condition_stays_on_its_side_of_a_right_join() {
    let memory = Memory::of(10);
    let sql = "select count(*) from (select u.c from (select 1::varchar as c from sys_invocation) t \
               right join (select id as c from sys_invocation where length(id) > 2) u \
               on t.c = u.c where t.c is null) x";
    assert_eq!(column(&memory, sql).await, ["10"]);
}

#[tokio::test]
async fn columns_may_be_called_like_others() {
    let memory = Memory::of(10);
    let grouped = "select count(*) from sys_invocation t \
                   group by rollup (cast(t.status as varchar), t.status) order by 1";
    assert_eq!(column(&memory, grouped).await, ["5", "5", "5", "5", "10"]);
    let named = "select \"rows of the record\", count(*) from \
                 (select status as \"rows of the record\" from sys_invocation) t group by 1 order by 1";
    assert_eq!(rows(&memory, named).await.unwrap(), [["completed", "5"], ["running", "5"]]);
}
