//! Changes in, notices out.

use runtime_core::PartitionId;
use runtime_views::change::Topic;

use super::*;
use latest::Notice;
use listener::Listener;

fn change(key: &str) -> Change {
    Change::State { service: "S".into(), key: key.into(), name: "n".into(), is_set: true }
}

fn key(notice: Option<Notice>) -> String {
    match notice {
        Some(Notice::Change(change)) => match &*change {
            Change::State { key, .. } => key.clone(),
            Change::Status { .. } => "a status".to_owned(),
        },
        Some(Notice::Missed(count)) => format!("{count} missed"),
        None => "nothing".to_owned(),
    }
}

#[test]
fn a_listener_gets_what_it_wants_in_order() {
    let mut latest = Latest::new(usize::MAX);
    latest.push(change("before"));
    let mut position = latest.end();
    ["a", "b", "a"].iter().for_each(|key| latest.push(change(key)));
    let topic = Topic::parse("state:S/a").unwrap();
    let mut next = || key(latest.after(&mut position, |change| topic.includes(change)));
    assert_eq!([next(), next(), next()], ["a", "a", "nothing"]);
}

#[test]
fn what_made_room_or_was_lost_is_missed() {
    let size = change("0").bytes();
    let mut latest = Latest::new(2 * size);
    let mut position = latest.end();
    ["0", "1", "2", "3"].iter().for_each(|key| latest.push(change(key)));
    latest.skip(5);
    latest.push(change("4"));
    latest.skip(7);
    let mut next = || key(latest.after(&mut position, |_| true));
    let told = [next(), next(), next(), next(), next(), next()];
    assert_eq!(told, ["3 missed", "3", "5 missed", "4", "7 missed", "nothing"]);
}

/// A batch in which so many invocations have ended.
fn batch(changes: &Changes, keys: &[String]) {
    use runtime_core::{effect::Effect, model::invocation::Completion};
    let completed = |key: &String| Effect::Completed {
        id: protocol::InvocationId { partition_key: protocol::PartitionKey(0), uuid: 1 },
        completion: Arc::new(Completion {
            result: Ok(bytes::Bytes::new()),
            expires_at: None,
            target: protocol::Target::new("S", key.clone(), "run"),
        }),
    };
    let effects: Vec<Effect> = keys.iter().map(completed).collect();
    let (partition, records) = (PartitionId(0), &[][..]);
    changes.durable(&DurableBatch { partition, records, changes: &[], effects: &effects });
}

#[tokio::test]
async fn what_finds_no_room_on_the_way_is_told() {
    let (changes, keeper) = Changes::new();
    assert!(!changes.is_watching());
    let mut listener = Listener::new(&changes);
    listener.add("invocations").unwrap();
    assert!(changes.is_watching());
    // The keeper does not run yet, so nothing is taken away.
    let keys: Vec<String> = (0..1000).map(|n| format!("{n}")).collect();
    let batches = (BYTES_MAX / (keys.len() * change("").bytes())) as u64 + 10;
    (0..batches).for_each(|_| batch(&changes, &keys));
    let _keeper = tokio::spawn(keeper.run(std::future::pending()));
    let (mut told, mut missed) = (0, 0);
    while told + missed < batches * 1000 {
        match listener.notice().await {
            Some(Notice::Change(_)) => told += 1,
            Some(Notice::Missed(count)) => missed += count,
            None => panic!("the feed has ended"),
        }
    }
    assert_eq!(told + missed, batches * 1000);
    assert!(told > 0 && missed > 0, "{told} told, {missed} missed");
    batch(&changes, &["last".to_owned()]);
    assert!(matches!(listener.notice().await, Some(Notice::Change(_))));
    drop(listener);
    assert!(!changes.is_watching());
}

#[tokio::test]
async fn a_batch_that_is_lost_is_told_though_nothing_follows() {
    let (changes, keeper) = Changes::new();
    let mut listener = Listener::new(&changes);
    listener.add("invocations").unwrap();
    let _keeper = tokio::spawn(keeper.run(std::future::pending()));
    batch(&changes, &["k".repeat(BYTES_MAX)]);
    assert_eq!(listener.notice().await, Some(Notice::Missed(1)));
}

#[tokio::test]
async fn listeners_end_with_the_node() {
    let (changes, keeper) = Changes::new();
    let mut listener = Listener::new(&changes);
    keeper.run(std::future::ready(())).await;
    assert_eq!(listener.notice().await, None);
}
