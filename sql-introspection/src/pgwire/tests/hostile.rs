//! Clients that send what is no protocol, over real connections.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::panic;
use std::sync::{
    Arc, Once,
    atomic::{AtomicUsize, Ordering},
};
use std::thread;
use std::time::Duration;

use runtime_seeded::Random;
use tokio::{net::TcpListener, runtime};

use super::Nothing;
use crate::{
    pgwire::{
        Access, Server, Settings, User,
        frames::tests::{examples, message, mutate},
    },
    tests::memory::{Memory, engine},
};

/// The threads of the servers that are attacked.
const THREAD: &str = "attacked";

static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Counts panics on those threads from now on.
fn count_panics() {
    static COUNTING: Once = Once::new();
    COUNTING.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |found| {
            if thread::current().name() == Some(THREAD) {
                PANICS.fetch_add(1, Ordering::Relaxed);
            }
            report(found);
        }));
    });
}

/// Fails if there was a panic on any of those threads.
fn assert_no_panics() {
    assert_eq!(PANICS.load(Ordering::Relaxed), 0);
}

/// A server on threads of its own, which end when it is dropped.
struct Attacked {
    address: SocketAddr,
    _threads: runtime::Runtime,
}

impl Attacked {
    fn start(access: Access) -> Self {
        count_panics();
        let threads = runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name(THREAD)
            .thread_stack_size(32 << 20)
            .enable_all()
            .build()
            .unwrap();
        let serving = async move {
            let settings = Settings { connections_max: 64, queries_max: 3 };
            let engine = engine(&Memory::of(2)).await;
            let server = Server::new(engine, Arc::new(Nothing), access, None, settings);
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            tokio::spawn(server.serve(listener, std::future::pending()));
            address
        };
        let address = threads.block_on(threads.spawn(serving)).unwrap();
        Self { address, _threads: threads }
    }

    /// What is answered to some bytes, after which nothing follows.
    fn answer(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        // The server may hang up while we speak.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(Shutdown::Write);
        let (mut answer, mut some) = (Vec::new(), [0; 4096]);
        loop {
            match stream.read(&mut some) {
                Ok(0) => return answer,
                Ok(count) => answer.extend_from_slice(&some[..count]),
                Err(error) => {
                    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{bytes:?}");
                    return answer;
                }
            }
        }
    }

    fn asserts_that_it_serves(&self) {
        let asked = [startup(), message(b'Q', b"select 'it', 'serves'\0")].concat();
        let answer = self.answer(&asked);
        assert!(contains(&answer, b"\0\x02\0\0\0\x02it\0\0\0\x06serves"), "{answer:?}");
    }
}

fn startup() -> Vec<u8> {
    let body = b"\0\x03\0\0user\0ann\0\0";
    message(0, body).split_off(1)
}

fn contains(answer: &[u8], part: &[u8]) -> bool {
    answer.windows(part.len()).any(|it| it == part)
}

/// The SQLSTATEs of the errors that end a connection.
fn fatal(answer: &[u8]) -> Vec<String> {
    let mark = b"SFATAL\0C";
    let ends = (0..answer.len()).filter(|at| answer[*at..].starts_with(mark));
    let codes = ends.map(|at| answer[at + mark.len()..].iter().take(5));
    codes.map(|code| code.map(|byte| char::from(*byte)).collect()).collect()
}

/// More than there would be panics if nothing were checked: see the tests of `frames`.
const CONNECTIONS: usize = 1000;

#[test]
fn what_is_no_protocol_ends_its_connection_and_nothing_else() {
    let attacked = Attacked::start(Access::Trust);
    let mut random = Random::new(1);
    let examples = examples();
    let mut refused = 0;
    for _ in 0..CONNECTIONS {
        // A few mutated ones after one another, until one of them ends it.
        let mut sent = Vec::new();
        if random.below(10) > 0 {
            sent.extend(startup());
            sent.extend(message(b'P', b"name\0select $1::int, $2::text, $3::bytea\0\0\0"));
        }
        for _ in 0..=random.below(4) {
            sent.extend(mutate(&mut random, &examples).1);
        }
        let codes = fatal(&attacked.answer(&sent));
        assert!(codes.len() < 2, "{codes:?}: {sent:?}");
        let known = ["08P01", "0A000", "54000"];
        assert!(codes.iter().all(|code| known.contains(&&**code)), "{codes:?}: {sent:?}");
        refused += codes.len();
    }
    println!("{refused} of {CONNECTIONS} connections were ended with an error");
    assert!(refused > CONNECTIONS / 2, "only {refused} connections were ended with an error");
    attacked.asserts_that_it_serves();
    assert_no_panics();
}

#[test]
fn what_is_no_login_ends_its_connection_and_nothing_else() {
    let users = Access::Users(vec![User::new("ann".to_owned(), "secret")]);
    let attacked = Attacked::start(users);
    let mut random = Random::new(2);
    let examples: Vec<_> = examples().into_iter().filter(|(_, it)| it[0] == b'p').collect();
    for _ in 0..CONNECTIONS / 5 {
        let first = if random.below(2) == 0 { examples[0].1.clone() } else { Vec::new() };
        let logins = [mutate(&mut random, &examples).1, mutate(&mut random, &examples).1].concat();
        let sent = [startup(), first, logins].concat();
        let answer = attacked.answer(&sent);
        let codes = fatal(&answer);
        assert!(codes.iter().all(|code| ["08P01", "28P01"].contains(&&**code)), "{codes:?}");
        // Nobody was let in.
        assert!(!contains(&answer, b"server_version"), "{sent:?}");
    }
    assert_no_panics();
}

#[test]
fn values_that_are_no_values_of_their_types_are_refused() {
    let attacked = Attacked::start(Access::Trust);
    let mut random = Random::new(3);
    // Types by their oids, in text and in binary.
    let types: [u32; 24] = [
        16, 17, 18, 19, 20, 21, 23, 25, 26, 114, 700, 701, 1005, 1007, 1009, 1016, 1022, 1082,
        1083, 1114, 1184, 1186, 1700, 3802,
    ];
    let mut sent = startup();
    for _ in 0..2000 {
        let ty = types[usize::try_from(random.below(types.len() as u64)).unwrap()];
        let casts = ["", "::text", "::timestamptz", "::interval", "::int", "::numeric"];
        let cast = casts[usize::try_from(random.below(casts.len() as u64)).unwrap()];
        let parse =
            [format!("\0select $1{cast}\0").as_bytes(), &[0, 1], &ty.to_be_bytes()].concat();
        let length =
            [0, 1, 2, 4, 8, 8, 12, 16, 16, 20, 24][usize::try_from(random.below(11)).unwrap()];
        let mut value = random.bytes(length);
        if random.below(2) == 0 {
            value.fill([0, 0x7f, 0x80, 0xff][usize::try_from(random.below(4)).unwrap()]);
        }
        let size = i32::try_from(length).unwrap().to_be_bytes();
        let result = u8::try_from(random.below(2)).unwrap();
        let bind = [&[0, 0, 0, 1, 0, 1, 0, 1][..], &size, &value, &[0, 1, 0, result]].concat();
        sent.extend(message(b'P', &parse));
        sent.extend(message(b'B', &bind));
        sent.extend(message(b'D', b"P\0"));
        sent.extend(message(b'E', b"\0\0\0\0\0"));
        sent.extend(message(b'S', b""));
        if sent.len() > 4000 {
            let answer = attacked.answer(&std::mem::replace(&mut sent, startup()));
            assert_eq!(fatal(&answer), [""; 0]);
            let answer = String::from_utf8_lossy(&answer);
            let end = answer.char_indices().rev().nth(300).map_or(0, |(at, _)| at);
            assert!(answer.ends_with("Z\0\0\0\u{5}I"), "{}", &answer[end..]);
        }
    }
    attacked.asserts_that_it_serves();
    assert_no_panics();
}
