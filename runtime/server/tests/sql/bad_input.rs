//! Wrong, absurd and hostile input gets an error with the right code, and leaves everything else
//! alone.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::json;

use crate::psql::{Rig, psql, said};

/// Runs a statement that fails; returns its SQLSTATE.
fn code(rig: &Rig, statement: &str) -> String {
    let verbose =
        psql(rig.abide.sql).args(["-v", "VERBOSITY=sqlstate", "-c", statement]).output().unwrap();
    let said = said(&verbose);
    let last = said.lines().last().unwrap_or_default();
    let code = last.strip_prefix("ERROR:  ").or_else(|| last.strip_prefix("FATAL:  "));
    code.unwrap_or_else(|| panic!("{statement}: {said}")).trim().to_owned()
}

#[tokio::test]
async fn a_wrong_query_gets_its_sqlstate() {
    let rig = Rig::start(&[("ABIDE_SQL_QUERY_SECONDS", "2")]).await;
    for (statement, expected) in [
        ("selec 1", "42601"),
        ("select nope from state", "42703"),
        ("select * from nope", "42P01"),
        ("select nope(1)", "42883"),
        ("select 1/0", "22012"),
        ("select 'x'::int", "22P02"),
        ("delete from state", "25006"),
        ("drop table state", "25006"),
        ("insert into state (key) values ('a')", "25006"),
        ("copy state to '/tmp/state'", "25006"),
        ("create table mine (a int)", "25006"),
        ("create external table t stored as csv location '/etc/passwd'", "42601"),
        ("set client_encoding to latin1", "22023"),
        ("show no_such_setting", "42704"),
        ("fetch 1 from nobody", "34000"),
        ("savepoint a", "25P01"),
        ("select partition_key from sys_invocation a, state b", "42702"),
    ] {
        assert_eq!(code(&rig, statement), expected, "{statement}");
    }
    // A hundred million million rows.
    let digits = "(values (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)) as";
    let many: Vec<String> = (0..14).map(|n| format!("{digits} t{n}(n)")).collect();
    let sum = format!("select sum(t0.n + t13.n) from {}", many.join(", "));
    assert_eq!(code(&rig, &sum), "57014");
    let sort = format!("select t0.n, t13.n from {} order by t0.n * t13.n", many.join(", "));
    assert!(["53200", "57014"].contains(&code(&rig, &sort).as_str()));
    assert_eq!(rig.value("select 1"), "1");
}

#[tokio::test]
async fn a_query_over_http_ends_when_its_client_has_gone() {
    let rig = Rig::start(&[]).await;
    let body = json!({ "query": "select sum(value) from generate_series(1, 1000000000000)" });
    let body = body.to_string();
    let request = format!(
        "POST /query HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    // As many as there may be at once.
    for _ in 0..4 {
        let mut client = TcpStream::connect(rig.abide.admin).unwrap();
        client.write_all(request.as_bytes()).unwrap();
        client.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let answer = client.read(&mut [0]);
        assert!(answer.is_err(), "it is still running: {answer:?}");
    }
    let answer = rig.server.query("select 1 as one").await.unwrap();
    assert_eq!(answer.ok().unwrap()["rows"], json!([{ "one": 1 }]));
}

#[tokio::test]
async fn an_error_over_http_has_its_sqlstate() {
    let rig = Rig::start(&[("ABIDE_SQL_QUERY_SECONDS", "1")]).await;
    let endless = "select sum(value) from generate_series(1, 1000000000000)";
    for (query, status, code) in [
        ("select nope from state", 400, "42703"),
        ("drop table state", 400, "25006"),
        (endless, 429, "57014"),
    ] {
        let answer = rig.server.query(query).await.unwrap();
        let said: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!((answer.status.as_u16(), &said["code"]), (status, &json!(code)), "{said}");
    }
}

/// Speaks to the server in bytes; returns what it answers until it hangs up or has nothing to say.
fn speak(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    // The server may hang up while we speak.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

/// A startup message of version 3.0.
fn startup() -> Vec<u8> {
    let parameters = b"user\0ann\0database\0any\0\0";
    let length = u32::try_from(parameters.len() + 8).unwrap();
    [&length.to_be_bytes()[..], &196_608u32.to_be_bytes(), parameters].concat()
}

fn message(kind: u8, length: u32, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &length.to_be_bytes(), body].concat()
}

#[tokio::test]
async fn malformed_and_oversized_messages_end_their_connection_only() {
    let rig = Rig::start(&[]).await;
    let address = rig.abide.sql;
    let after_startup = |bytes: &[u8]| [startup(), bytes.to_vec()].concat();
    let huge = message(b'Q', 900_000_000, &vec![b'x'; 4 << 20]);
    let formats = [
        message(b'P', 22, b"\0select $1::int\0\0\0"),
        // One value in three formats.
        message(b'B', 23, b"\0\0\0\x03\0\x01\0\x01\0\x01\0\x01\0\0\0\x01\x31"),
        message(b'E', 9, b"\0\0\0\0\0"),
        message(b'S', 4, b""),
    ];
    let violation = "C08P01";
    for (what, bytes, expected) in [
        ("nothing of the protocol", b"GET / HTTP/1.1\r\nhost: a\r\n\r\n".to_vec(), violation),
        ("zeros", vec![0; 64], violation),
        ("a length that is negative", [0xff; 64].to_vec(), violation),
        // The connection may be over before the answer is read.
        ("a query that is too long", after_startup(&huge), ""),
        ("an unknown message", after_startup(&message(b'~', 8, b"abcd")), violation),
        ("a message shorter than its length", after_startup(&message(b'Q', 100, b"select")), ""),
        ("a message without its end", after_startup(&message(b'Q', 8, b"abcd")), violation),
        (
            "a bind with counts that are wrong",
            after_startup(&message(b'B', 10, b"\0\0\xff\xff\xff\xff")),
            violation,
        ),
        (
            "a parse with too many types",
            after_startup(&message(b'P', 12, b"\0\0\xff\xff\0\0\0\x17")),
            violation,
        ),
        ("a text that is not UTF-8", after_startup(&message(b'Q', 7, b"\xff\xff\0")), "C22021"),
        ("more formats than values", after_startup(&formats.concat()), violation),
    ] {
        let answer = speak(address, &bytes);
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.contains(expected), "{what}: {answer}");
        assert_eq!(rig.value("select 1"), "1", "after {what}");
    }
    rig.server.call("/order-status/a/set", json!("still works")).await.unwrap();
}

#[tokio::test]
async fn clients_that_vanish_or_say_nothing_release_what_they_hold() {
    let rig = Rig::start(&[("ABIDE_SQL_QUERIES_MAX", "2")]).await;
    for key in 0..40 {
        let path = format!("/order-status/{key}/set");
        rig.server.call(&path, json!("x".repeat(100_000))).await.unwrap();
    }
    let all = "select a.value_utf8 from state a, state b";
    for _ in 0..6 {
        let query =
            message(b'Q', u32::try_from(all.len() + 5).unwrap(), format!("{all}\0").as_bytes());
        let mut stream = TcpStream::connect(rig.abide.sql).unwrap();
        stream.write_all(&[startup(), query].concat()).unwrap();
        let mut some = [0; 4096];
        stream.read_exact(&mut some).unwrap();
    }
    let idle: Vec<_> = (0..200).map(|_| TcpStream::connect(rig.abide.sql).unwrap()).collect();
    assert_eq!(rig.value("select count(*) from state"), "40");
    drop(idle);
}

#[tokio::test]
async fn one_connection_cannot_take_all_queries() {
    let rig = Rig::start(&[("ABIDE_SQL_QUERIES_MAX", "8")]).await;
    let declare = |n| format!("declare c{n} cursor for select * from sys_service;");
    let script = format!("begin;{}{}{}{}", declare(1), declare(2), declare(3), declare(4));
    assert_eq!(code(&rig, &script), "53400");
    assert_eq!(rig.value("select count(*) from sys_service"), "2");
}

/// As psql does it when it is interrupted.
#[tokio::test]
async fn a_query_is_cancelled_by_who_knows_its_key() {
    let rig = Rig::start(&[]).await;
    let digits = "(values (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)) as";
    let many: Vec<String> = (0..14).map(|n| format!("{digits} t{n}(n)")).collect();
    let query = format!("select t0.n from {}\0", many.join(", "));
    let query = message(b'Q', u32::try_from(query.len() + 4).unwrap(), query.as_bytes());
    let mut stream = TcpStream::connect(rig.abide.sql).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(&[startup(), query].concat()).unwrap();
    // The key, then the first row: the query is under way.
    let mut key = Vec::new();
    let (mut kind, mut body) = next_message(&mut stream);
    while kind != b'D' {
        if kind == b'K' {
            key = body;
        }
        (kind, body) = next_message(&mut stream);
    }
    let cancel = |key: &[u8]| {
        let request = [&16u32.to_be_bytes()[..], &80_877_102u32.to_be_bytes(), key].concat();
        assert!(speak(rig.abide.sql, &request).is_empty(), "it gets no answer");
    };
    let mut wrong = key.clone();
    wrong[7] ^= 1;
    cancel(&wrong);
    for _ in 0..100_000 {
        assert_eq!(next_message(&mut stream).0, b'D', "a wrong key cancels nothing");
    }
    cancel(&key);
    while kind == b'D' {
        (kind, body) = next_message(&mut stream);
    }
    let said = String::from_utf8_lossy(&body).into_owned();
    assert!(kind == b'E' && said.contains("C57014"), "{said}");
    assert!(said.contains("canceling statement due to user request"), "{said}");
    assert_eq!(next_message(&mut stream).0, b'Z', "the connection can be used again");
}

/// Reads one message: its type and its body.
fn next_message(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut head = [0; 5];
    stream.read_exact(&mut head).unwrap();
    let length = u32::from_be_bytes(head[1..].try_into().unwrap());
    let mut body = vec![0; usize::try_from(length).unwrap() - 4];
    stream.read_exact(&mut body).unwrap();
    (head[0], body)
}
