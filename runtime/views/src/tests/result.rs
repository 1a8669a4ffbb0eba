//! Tests of results.

use protocol::TerminalFailure;
use runtime_core::model::invocation::{AfterFailure, Status};

use super::support::{World, id};
use crate::result::{PinOf, Result, Seen, StatusOf};

#[test]
fn a_result_is_read_only_when_it_is_small_enough_and_until_it_expires() {
    let mut world = World::default();
    assert!(matches!(world.see(Result { id: id(1), bytes_max: 9 }), Seen::Nothing));
    let lsn = world.invoke(1);
    assert!(matches!(world.see(Result { id: id(1), bytes_max: 9 }), Seen::UnderWay(..)));
    world.fail(lsn, AfterFailure::Fail(TerminalFailure::new(409, "enough")));
    assert!(matches!(world.see(Result { id: id(1), bytes_max: 5 }), Seen::EndedWith(6)));
    assert!(matches!(world.see(Result { id: id(1), bytes_max: 6 }), Seen::Ended(..)));
    assert!(matches!(world.see(StatusOf(id(1))), Some(Status::Completed { .. })));
    assert_eq!(world.see(PinOf(id(1))), None, "it never reached a deployment");
    // A second later the row still exists but has expired.
    world.stamp_ms += 1001;
    world.invoke(2);
    assert!(matches!(world.see(Result { id: id(1), bytes_max: 6 }), Seen::Nothing));
    assert_eq!(world.see(StatusOf(id(1))), None);
}
