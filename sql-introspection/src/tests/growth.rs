//! What the values of a query may take, and what it may compute.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};

use super::{
    memory::{Memory, engine, engine_with, settings},
    rows,
};
use crate::{Client, Engine, Settings, output, query::Batches};

/// An engine whose queries have so much memory.
async fn engine_of(memory: &Memory, memory_bytes: usize) -> Arc<Engine> {
    let settings = Settings { memory_bytes, ..settings() };
    Arc::new(Engine::new(Arc::new(memory.clone()), settings).await.unwrap())
}

/// Why a query is refused.
async fn refusal(memory: &Memory, sql: &str) -> String {
    let refused = rows(memory, sql).await.unwrap_err();
    assert_eq!(refused.code, "53200", "{refused}");
    refused.message
}

#[tokio::test]
async fn values_are_counted_for_as_long_as_something_holds_them() {
    let memory = Memory::of(3000);
    let text = "repeat('x', (1000 + length(id))::int)";
    // Each column alone has enough room.
    let columns = |count: usize| {
        let columns: Vec<_> =
            (0..count).map(|nth| format!("{text} || '{nth}' as c{nth}")).collect();
        format!("select {} from sys_invocation", columns.join(", "))
    };
    assert_eq!(rows(&memory, &columns(1)).await.unwrap().len(), 3000);
    let refused = refusal(&memory, &columns(20)).await;
    assert!(refused.contains("values of functions"), "{refused}");
    // What one query has held, another one gets.
    assert_eq!(rows(&memory, &columns(1)).await.unwrap().len(), 3000);
}

#[tokio::test]
async fn batches_have_few_rows_where_constants_are_large() {
    let memory = Memory::of(3000);
    let client = Client::new(&engine(&memory).await, 1);
    let rows_of = async |sql: &str| {
        let plan = client.engine().plan_one(sql).await.unwrap();
        let batches: Vec<_> = client.run(plan, None).await.unwrap().try_collect().await.unwrap();
        batches.iter().map(|batch| batch.num_rows()).max()
    };
    let sql = |bytes| format!("select v, repeat('x', {bytes}) from generate_series(1, 3000) t(v)");
    assert_eq!(rows_of(&sql(10)).await, Some(1024));
    assert!(rows_of(&sql(1 << 19)).await.is_some_and(|rows| rows <= 32));
}

#[tokio::test]
async fn what_is_sorted_is_counted_once() {
    let memory = Memory::of(6000);
    let text = "(select id, id || repeat('y', 200) as t from sys_invocation)";
    let joined = format!("sys_invocation a join {text} b on a.id = b.id");
    for sql in [
        format!("select id, t from {text} c order by t desc"),
        format!("select a.id, b.t from {joined} order by a.id"),
        format!("select a.id, b.t from {joined} order by a.id limit 1000"),
        format!("select id, t, row_number() over (order by t) from {text} c"),
    ] {
        let sorted = rows(&memory, &sql).await;
        assert!(sorted.is_ok_and(|rows| rows.len() >= 1000), "{sql}");
    }
}

#[tokio::test]
async fn small_values_are_repeated_and_large_ones_are_not() {
    let memory = Memory::of(10);
    let joined = |value: &str, used: &str, count: usize| {
        format!(
            "select max({used}) from (select {value} as a from generate_series(1, {count}) t(v)) t, \
             generate_series(1, 5000) u(w)"
        )
    };
    for value in ["array_agg(v)", "named_struct('a', array_agg(v))", "string_agg(v::text, '')"] {
        let refused =
            refusal(&memory, &joined(value, "case when a is null then 0 else w end", 20_000)).await;
        assert!(refused.contains("would be repeated"), "{value}: {refused}");
    }
    let refused = refusal(&memory, &joined("array_agg(v)", "a[w]", 20_000)).await;
    assert!(refused.contains("would be repeated"), "{refused}");
    let found =
        rows(&memory, &joined("string_agg(v::text, ',')", "length(a)", 5_000)).await.unwrap();
    let length = (1..=5_000).map(|v| format!("{v},").len()).sum::<usize>() - 1;
    assert_eq!(found, [[length.to_string()]]);
    let unnested = "select count(*) from (select unnest(range(0, 2000000 + v)) \
                    from generate_series(1, 1) t(v)) t";
    let client = Client::new(&engine_of(&memory, 64 << 20).await, 1);
    let plan = client.engine().plan_one(unnested).await.unwrap();
    let refused = match client.run(plan, None).await {
        Ok(batches) => batches.try_collect::<Vec<_>>().await.unwrap_err(),
        Err(refused) => refused,
    };
    assert!(refused.message.contains("would be unnested"), "{refused}");
}

#[tokio::test]
async fn each_pattern_is_understood_without_all_others() {
    let memory = Memory::of(300);
    let searched = |operator: &str| {
        format!(
            "select count(*) from sys_invocation \
             where id {operator} ('^INV_' || (length(id) - 5)::text || '{{1,2}}')"
        )
    };
    // inv_0 to inv_9 have one digit more than it says, so it says 0; of two digits 1, of three 2.
    let matching = (0..300).filter(|nth: &u32| {
        let digits = nth.to_string();
        digits.starts_with(&(digits.len() - 1).to_string())
    });
    let matching = matching.count();
    for (operator, expected) in [("~", 0), ("~*", matching), ("!~", 300), ("!~*", 300 - matching)] {
        let found = rows(&memory, &searched(operator)).await.unwrap();
        assert_eq!(found, [[expected.to_string()]], "{operator}");
    }
}

#[tokio::test]
async fn what_cannot_be_interrupted_takes_few_steps() {
    let memory = Memory::of(10);
    for call in [
        "length(btrim(repeat('a', 100000), repeat('b', 100000) || 'a'))",
        "strpos(repeat('a', 100000), repeat('a', 50000) || 'b')",
        "array_has_all(range(0, 10000), range(0, 10000))",
        "levenshtein(repeat('a', 90000), repeat('b', 90000))",
    ] {
        let refused = refusal(&memory, &format!("select {call}")).await;
        assert!(refused.contains("steps"), "{call}: {refused}");
    }
    assert_eq!(
        rows(&memory, "select strpos(repeat('a', 10000) || 'b', 'ab')").await.unwrap(),
        [["10000"]]
    );
}

#[tokio::test]
async fn a_row_that_is_too_large_is_not_sent() {
    let memory = Memory::of(10);
    let client = Client::new(&engine_of(&memory, 64 << 20).await, 1);
    let sql = "select a, a as b, a as c \
               from (select repeat('x', 30000000 + v::int) as a from generate_series(1, 1) t(v)) t";
    let plan = client.engine().plan_one(sql).await.unwrap();
    let batches = client.run(plan, None).await.unwrap();
    let sent: Vec<_> = output::encode(batches, output::Format::Json).collect().await;
    assert_eq!(sent.into_iter().find_map(Result::err).unwrap().code, "54000");
}

#[tokio::test]
async fn queries_are_given_up_when_memory_is_short() {
    let memory = Memory::of(10);
    let engine = engine(&memory).await;
    let client = Client::new(&engine, 2);
    let endless = "select sum(value) from generate_series(1, 1000000000000)";
    let plan = client.engine().plan_one(endless).await.unwrap();
    let batches = client.run(plan, None).await.unwrap();
    engine.until_busy().await;
    engine.give_up_all();
    let error = batches.try_collect::<Vec<_>>().await.unwrap_err();
    assert!(error.code == "53200" && error.message.contains("short of memory"), "{error}");
    let plan = client.engine().plan_one("select 1").await.unwrap();
    assert_eq!(
        client.run(plan, None).await.unwrap().try_collect::<Vec<_>>().await.unwrap().len(),
        1
    );
}

#[tokio::test]
async fn a_join_that_finds_nothing_gives_up_in_the_middle_of_a_batch() {
    let memory = Memory::of(10);
    let engine = engine_with(&memory, Duration::from_millis(300), 1).await;
    let client = Client::new(&engine, 1);
    let many = "select count(*) from generate_series(1, 500000) t(v), \
                generate_series(1, 500000) u(w) where v * w = 7000000000000";
    for sql in [many, "select count(*) from sys_invocation"] {
        let plan = client.engine().plan_one(sql).await.unwrap();
        let done = match client.run(plan, None).await {
            Ok(batches) => batches.try_collect::<Vec<_>>().await.map(|_| ()),
            Err(error) => Err(error),
        };
        // The second one needs the only place.
        assert_eq!(done.err().map(|it| it.code), (sql == many).then_some("57014"), "{sql}");
    }
}

/// Reads rows until there is one, and those that come with it.
async fn first_rows(batches: &mut Batches) -> usize {
    batches.next().await.unwrap().unwrap().num_rows()
}

#[tokio::test]
async fn the_query_that_has_most_is_given_up_first() {
    let memory = Memory::of(10_000);
    let engine = engine(&memory).await;
    let client = Client::new(&engine, 3);
    let run = async |sql: &str| {
        let plan = client.engine().plan_one(sql).await.unwrap();
        client.run(plan, None).await.unwrap()
    };
    let mut small = run("select id from sys_invocation").await;
    let read = first_rows(&mut small).await;
    // One side of the join is kept, and each row of the other one takes its time and finds nothing.
    let large = run("select count(*) from generate_series(1, 1000000000000) r(w), \
                     (select v, repeat('x', (1000 + v % 2)::int) as a \
                      from generate_series(1, 2000) t(v)) l where length(l.a) * w + v = 7")
    .await;
    while !engine.running_queries().taken().iter().any(|bytes| *bytes > 1 << 20) {
        tokio::task::yield_now().await;
    }
    assert_eq!(engine.running_queries().taken().len(), 2);
    engine.give_up_largest().await;
    let error = large.try_collect::<Vec<_>>().await.unwrap_err();
    assert!(error.code == "53200" && error.message.contains("short of memory"), "{error}");
    // The other one is still there, and goes on.
    assert_eq!(engine.running_queries().taken().len(), 1);
    let rest: Vec<_> = small.try_collect().await.unwrap();
    assert_eq!(read + rest.iter().map(|batch| batch.num_rows()).sum::<usize>(), 10_000);
}

#[tokio::test]
async fn constants_are_counted_as_often_as_they_are_copied() {
    let memory = Memory::of(10);
    let constants = |bytes: usize, count: usize| {
        let each = format!("length(repeat('x', {bytes}) || id)");
        format!("select {} from sys_invocation", vec![each; count].join(" + "))
    };
    assert_eq!(rows(&memory, &constants(200_000, 1)).await.unwrap().len(), 10);
    for sql in [
        constants(3_000_000, 1),
        constants(100_000, 20),
        "select repeat('x', 3000000)".to_owned(),
        "select length(repeat('x', 1000000) || repeat('y', 1000000) || repeat('z', 1000000))"
            .to_owned(),
    ] {
        let refused = refusal(&memory, &sql).await;
        assert!(refused.contains("constants"), "{refused}");
    }
    // Whatever is refused takes nothing from those after it.
    assert_eq!(rows(&memory, &constants(200_000, 1)).await.unwrap().len(), 10);
}

#[tokio::test]
async fn texts_are_counted_by_their_parts() {
    let memory = Memory::of(10);
    let list = |count: usize| {
        let numbers = vec!["1"; count].join(",");
        format!(
            "select count(*) from sys_invocation where completed_at is null or 1 in ({numbers})"
        )
    };
    assert_eq!(rows(&memory, &list(1000)).await.unwrap(), [["10"]]);
    let refused = refusal(&memory, &list(100_000)).await;
    assert!(refused.contains("to understand the statement"), "{refused}");
    let large = format!("select '{}'", "x".repeat(1 << 20));
    assert_eq!(rows(&memory, &large).await.unwrap_err().code, "54000");
}
