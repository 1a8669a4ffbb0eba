//! Random and mutated messages: none reaches a decoder that would panic over it or read beyond it.

mod mutated;

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::{BufMut, BytesMut};
use pgwire::messages::{DecodeContext, PgWireFrontendMessage, ProtocolVersion};
use runtime_seeded::Random;

use super::format::{Fault, Kind, check, length};
pub(in crate::pgwire) use mutated::{examples, message, mutate};

/// Whether a message is let through.
fn is_accepted(kind: Kind, bytes: &[u8]) -> bool {
    length(kind, bytes) == Ok(Some(bytes.len())) && check(kind, bytes).is_ok()
}

/// What the library makes of a message that something follows: whether it takes exactly the message.
/// It may not panic.
fn decode(kind: Kind, bytes: &[u8]) -> bool {
    let mut context = DecodeContext::new(ProtocolVersion::PROTOCOL3_2);
    context.awaiting_frontend_ssl = false;
    context.awaiting_frontend_startup = kind == Kind::Startup;
    let mut buffer = BytesMut::from(bytes);
    buffer.put_slice(NEXT);
    let decoded = PgWireFrontendMessage::decode(&mut buffer, &context);
    let is_exact = buffer == NEXT;
    let is_whole = match decoded {
        Ok(Some(PgWireFrontendMessage::PasswordMessageFamily(first)))
            if kind == Kind::FirstLogin =>
        {
            first.into_sasl_initial_response().is_ok()
        }
        Ok(Some(_)) => true,
        Ok(None) | Err(_) => false,
    };
    is_whole && is_exact
}

/// A Sync, and what may come after it.
const NEXT: &[u8] = b"S\0\0\0\x04Q\0\0\0\x0dselect 1\0";

#[test]
fn messages_of_clients_are_let_through() {
    for (kind, bytes) in examples() {
        assert!(is_accepted(kind, &bytes) && decode(kind, &bytes), "{kind:?} {bytes:?}");
        for end in 0..bytes.len() {
            let known = length(kind, &bytes[..end]).unwrap();
            assert!(known.is_none_or(|it| it == bytes.len()), "{kind:?} {bytes:?} up to {end}");
        }
    }
}

#[test]
fn what_is_let_through_is_decoded_as_what_it_is() {
    let mut random = Random::new(13);
    let examples = examples();
    let (mut accepted, mut panics, mut misread) = (0, 0, 0);
    for _ in 0..MESSAGES {
        let (kind, bytes) = mutate(&mut random, &examples);
        let is_accepted = is_accepted(kind, &bytes);
        let decoded = catch_unwind(AssertUnwindSafe(|| decode(kind, &bytes)));
        assert!(!is_accepted || decoded.as_ref().is_ok_and(|it| *it), "{kind:?} {bytes:?}");
        accepted += usize::from(is_accepted);
        match decoded {
            Err(_) => panics += 1,
            Ok(false) => misread += 1,
            Ok(true) => (),
        }
    }
    // A mutation that no decoder minds shows nothing.
    let found = format!("{accepted} accepted, {panics} panics, {misread} misread");
    println!("of {MESSAGES} messages: {found}");
    assert!(
        accepted > MESSAGES / 10 && panics > MESSAGES / 20 && misread > MESSAGES / 20,
        "{found}"
    );
}

const MESSAGES: usize = 20_000;

#[test]
fn what_is_wrong_is_named() {
    let wrong = |kind, bytes: &[u8]| match length(kind, bytes).and_then(|_| check(kind, bytes)) {
        Err(Fault::Malformed(what)) => what,
        other => format!("{other:?}"),
    };
    let in_session = |ty, body: &[u8]| wrong(Kind::Session, &message(ty, body));
    for (found, expected) in [
        (in_session(b'Q', b"select 1"), "a text has no end"),
        (in_session(b'Q', b"select 1\0more\0"), "it has 5 bytes behind its end"),
        (in_session(b'P', b"\0select 1\0\0\x02\0\0\0\x17"), "8 more bytes are expected"),
        (in_session(b'B', b"\0\0\0\0\0\x01\xff\xff\xff\xfe\0\0"), "a value can't have -2 bytes"),
        (in_session(b'B', b"\0\0\0\0\0\x01\x7f\xff\xff\xff1\0\0"), "2147483647 more bytes"),
        (in_session(b'B', b"\0\0\xff\xff"), "131070 more bytes are expected, and it has 0"),
        (in_session(b'D', b"X\0"), "neither a statement nor a portal"),
        (in_session(b'E', b"\0\0\0"), "4 more bytes are expected, and it has 2"),
        (in_session(b'S', b"\0"), "it has 1 bytes behind its end"),
        (in_session(b'p', b"secret\0"), "type 112 is not expected"),
        (wrong(Kind::Login, &message(b'Q', b"select 1\0")), "type 81 is not expected"),
        (wrong(Kind::Session, b"S\0\0\0\x03"), "it can't have 3 bytes"),
        (wrong(Kind::Session, b"Q\xff\xff\xff\xff"), "it can't have -1 bytes"),
        (wrong(Kind::Session, b"S\0\0\x4e\x20"), "it can't have 20000 bytes"),
        (wrong(Kind::FirstLogin, &message(b'p', b"SCRAM\0\0\0\0\x09abc")), "9 more bytes"),
        (wrong(Kind::Startup, b"\0\0\0\x0e\0\x03\0\0user\0\0"), "a text has no end"),
        (wrong(Kind::Startup, b"\0\0\0\x0b\x04\xd2\x16\x2e\0\0\0"), "4 more bytes are expected"),
        (
            wrong(Kind::Startup, b"\0\0\0\x0c\x04\xd2\x16\x2e\0\0\0\0"),
            "a secret can't have 0 bytes",
        ),
        (wrong(Kind::Startup, b"\0\0\0\x09\0\x02\0\0\0"), "Err(Version { major: 2, minor: 0 })"),
        (in_session(b'Q', b"select '\xff'\0"), "Err(NotText { is_extended: false })"),
        (in_session(b'P', b"\0select '\xff'\0\0\0"), "Err(NotText { is_extended: true })"),
    ] {
        assert!(found.contains(expected), "{found}, not {expected}");
    }
}
