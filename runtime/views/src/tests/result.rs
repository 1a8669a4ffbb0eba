//! Tests of results.

use protocol::TerminalFailure;
use runtime_core::model::invocation::{AfterFailure, Status};

use super::support::{Fixture, id};
use crate::result::{PinOf, Result, ResultState, StatusOf};

#[test]
fn a_result_is_read_only_when_it_is_small_enough_and_until_it_expires() {
    let mut fixture = Fixture::default();
    assert!(matches!(fixture.view(Result { id: id(1), bytes_max: 9 }), ResultState::Nothing));
    let lsn = fixture.invoke(1);
    assert!(matches!(fixture.view(Result { id: id(1), bytes_max: 9 }), ResultState::UnderWay(..)));
    fixture.fail(lsn, AfterFailure::Fail(TerminalFailure::new(409, "enough")));
    assert!(matches!(fixture.view(Result { id: id(1), bytes_max: 5 }), ResultState::EndedWith(6)));
    assert!(matches!(fixture.view(Result { id: id(1), bytes_max: 6 }), ResultState::Ended(..)));
    assert!(matches!(fixture.view(StatusOf(id(1))), Some(Status::Completed { .. })));
    assert_eq!(fixture.view(PinOf(id(1))), None, "it never reached a deployment");
    // A second later the row still exists but has expired.
    fixture.stamp_ms += 1001;
    fixture.invoke(2);
    assert!(matches!(fixture.view(Result { id: id(1), bytes_max: 6 }), ResultState::Nothing));
    assert_eq!(fixture.view(StatusOf(id(1))), None);
}
