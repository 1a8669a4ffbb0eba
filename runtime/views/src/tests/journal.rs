//! Tests of journal views.

use bytes::Bytes;
use protocol::journal::{Command, NamedCommand, NotificationKind};
use runtime_core::{Lsn, event::Event, model::ids::RequestId, time::Timestamp};

use super::support::{Fixture, first_attempt, id};
use crate::{
    journal::{Content, Entry, List, One},
    page::{Budget, Cursor},
};

fn list(invocation: u128) -> impl Fn(Option<Cursor>, Budget) -> List {
    move |after, budget| List { invocation: id(invocation), after, budget }
}

/// Runs `count` side effects, each with a larger result than the one before.
fn run(fixture: &mut Fixture, lsn: Lsn, count: u32) {
    for completion in 1..=count {
        fixture.command(lsn, Command::Run { completion });
        let attempt = first_attempt(lsn);
        let result = Ok(Bytes::from(vec![1; completion as usize]));
        fixture.apply(Event::RunProposed { attempt, completion, result });
        if completion % 70 == 0 {
            fixture.freeze();
        }
    }
}

#[test]
fn a_journal_is_read_in_turns() {
    let mut fixture = Fixture::default();
    fixture.invoke(1);
    let lsn = fixture.invoke(2);
    fixture.invoke(3);
    run(&mut fixture, lsn, 200);
    let all = fixture.read_in_turns(list(2), |entry: &Entry| entry.stored.body.len());
    assert!(all.iter().map(|entry| entry.index).eq(0..401));
    assert_eq!(all[1].at, Timestamp(4), "the record after those of the invocations");
    for entry in all {
        assert_eq!(fixture.view(One { invocation: id(2), index: entry.index }), Some(entry));
    }
    assert_eq!(fixture.view(One { invocation: id(2), index: 401 }), None);
    assert_eq!(fixture.read_all(list(3)).len(), 1);
    assert_eq!(fixture.read_all(list(4)), []);
}

#[test]
fn an_entry_says_what_it_is() {
    let mut fixture = Fixture::default();
    let lsn = fixture.invoke(1);
    run(&mut fixture, lsn, 1);
    let mut said =
        fixture.read_all(list(1)).into_iter().map(|entry| entry.content().unwrap()).skip(1);
    let command = NamedCommand::from(Command::Run { completion: 1 });
    assert_eq!(said.next(), Some(Content::Command(command)));
    let Some(Content::Notification(result)) = said.next() else { panic!("no result") };
    assert_eq!(result.kind, NotificationKind::Run);
}

#[test]
fn a_place_in_a_journal_is_none_in_that_of_the_next_invocation_of_the_id() {
    let mut fixture = Fixture::default();
    let lsn = fixture.invoke(1);
    run(&mut fixture, lsn, 5);
    let budget = Budget { rows_max: 3, bytes_max: usize::MAX };
    let first = fixture.view(list(1)(None, budget));
    fixture.end(lsn);
    fixture.apply(Event::PurgeRequested { request: RequestId(1), target: id(1) });
    let lsn = fixture.invoke(1);
    run(&mut fixture, lsn, 5);
    let rest = fixture.view(list(1)(first.rest_after, budget));
    assert!(rest.rows.is_empty() && rest.rest_after.is_none());
}
