//! Messages of clients, and what becomes of them if some of their bytes are others.

use bytes::{Bytes, BytesMut};
use pgwire::messages::{
    PgWireFrontendMessage,
    cancel::CancelRequest,
    copy::{CopyData, CopyDone, CopyFail},
    extendedquery::{Bind, Close, Describe, Execute, Flush, Parse, Sync},
    simplequery::Query,
    startup::{PasswordMessageFamily, SASLInitialResponse, SASLResponse, SecretKey, Startup},
    terminate::Terminate,
};
use runtime_seeded::Random;

use crate::pgwire::frames::format::Kind;

/// A message of a type.
pub(in crate::pgwire) fn message(ty: u8, body: &[u8]) -> Vec<u8> {
    let length = i32::try_from(body.len() + 4).unwrap();
    [&[ty], &length.to_be_bytes()[..], body].concat()
}

/// One of each type, as clients send them.
pub(in crate::pgwire) fn examples() -> Vec<(Kind, Vec<u8>)> {
    let mut startup = Startup::new();
    for (name, value) in [("user", "ann"), ("database", "any"), ("application_name", "")] {
        startup.parameters.insert(name.to_owned(), value.to_owned());
    }
    let secret = SecretKey::Bytes(Bytes::from_static(b"a secret"));
    let name = || Some("name".to_owned());
    let values = vec![Some(Bytes::from_static(b"17")), None, Some(Bytes::new())];
    let initial = SASLInitialResponse::new(
        "SCRAM-SHA-256".to_owned(),
        Some(Bytes::from_static(b"n,,n=,r=rOprNGfwEbeRWgbNEkqO")),
    );
    let later = SASLResponse::new(Bytes::from_static(b"c=biws,r=rOpr,p=dHzbZapWIk4="));
    let messages = [
        (Kind::Startup, PgWireFrontendMessage::Startup(startup)),
        (Kind::Startup, PgWireFrontendMessage::CancelRequest(CancelRequest::new(7, secret))),
        (Kind::FirstLogin, password(PasswordMessageFamily::SASLInitialResponse(initial))),
        (Kind::Login, password(PasswordMessageFamily::SASLResponse(later))),
        (Kind::Session, PgWireFrontendMessage::Query(Query::new("select 'é'".to_owned()))),
        (
            Kind::Session,
            PgWireFrontendMessage::Parse(Parse::new(
                name(),
                "select $1::int, $2::text, $3::bytea".to_owned(),
                vec![23, 25, 17],
            )),
        ),
        (
            Kind::Session,
            PgWireFrontendMessage::Bind(Bind::new(None, name(), vec![0, 0, 1], values, vec![0])),
        ),
        (Kind::Session, PgWireFrontendMessage::Describe(Describe::new(b'S', name()))),
        (Kind::Session, PgWireFrontendMessage::Execute(Execute::new(None, 10))),
        (Kind::Session, PgWireFrontendMessage::Close(Close::new(b'P', None))),
        (Kind::Session, PgWireFrontendMessage::Sync(Sync::new())),
        (Kind::Session, PgWireFrontendMessage::Flush(Flush::new())),
        (Kind::Session, PgWireFrontendMessage::Terminate(Terminate::new())),
        (
            Kind::Session,
            PgWireFrontendMessage::CopyData(CopyData::new(Bytes::from_static(b"a\tb\n"))),
        ),
        (Kind::Session, PgWireFrontendMessage::CopyFail(CopyFail::new("why".to_owned()))),
        (Kind::Session, PgWireFrontendMessage::CopyDone(CopyDone::new())),
    ];
    let encoded = |(kind, message): &(Kind, PgWireFrontendMessage)| {
        let mut bytes = BytesMut::new();
        message.encode(&mut bytes).unwrap();
        (*kind, bytes.to_vec())
    };
    messages.iter().map(encoded).collect()
}

fn password(family: PasswordMessageFamily) -> PgWireFrontendMessage {
    PgWireFrontendMessage::PasswordMessageFamily(family)
}

/// Numbers that decoders may trip over.
const EXTREMES: [i32; 8] = [i32::MIN, -2, -1, 0, 1, 255, 65_535, i32::MAX];

/// One of the examples with a few changes, or nothing but noise. Most of them say how long they are.
pub(in crate::pgwire) fn mutate(
    random: &mut Random,
    examples: &[(Kind, Vec<u8>)],
) -> (Kind, Vec<u8>) {
    let at = below(random, examples.len());
    let (kind, example) = &examples[at];
    let head = if *kind == Kind::Startup { 0 } else { 1 };
    let mut bytes = example.clone();
    if random.below(10) == 0 {
        let length = below(random, 40);
        bytes.truncate(head + 4);
        bytes.extend(random.bytes(length));
    }
    for _ in 0..random.below(3) {
        let body = (head + 4).min(bytes.len());
        let at = below(random, bytes.len());
        match random.below(6) {
            0 => bytes[at] = random.bytes(1)[0],
            1 => bytes[at] ^= 1 << random.below(8),
            2 => bytes.truncate(at.max(body)),
            3 => drop(bytes.splice(at.max(body)..at.max(body), random.bytes(4))),
            4 => drop(bytes.splice(at.max(body)..(at + 1).max(body), [])),
            _ => {
                let extreme = EXTREMES[below(random, EXTREMES.len())].to_be_bytes();
                let extreme = if random.below(2) == 0 { &extreme[..] } else { &extreme[2..] };
                let until = (at + extreme.len()).min(bytes.len());
                bytes[at..until].copy_from_slice(&extreme[..until - at]);
            }
        }
    }
    // Otherwise nearly all of them would only be waited for.
    if random.below(8) > 0 {
        let length = i32::try_from(bytes.len() - head).unwrap();
        bytes[head..head + 4].copy_from_slice(&length.to_be_bytes());
    }
    (*kind, bytes)
}

fn below(random: &mut Random, bound: usize) -> usize {
    usize::try_from(random.below(bound as u64)).unwrap()
}
