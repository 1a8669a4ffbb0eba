//! A server for tests, which gives the answers that it was told to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};

use serde_json::Value;

use super::{Client, JSON};

/// An answer: its status, its content type and its body.
pub(crate) type Answer = (u16, &'static str, Vec<u8>);

/// A server that gives these answers, one to each request: a status and a body, or none at all.
/// Returns the first line and the body of each request.
pub(crate) fn server(
    answers: Vec<Option<(u16, Value)>>,
) -> (Client, JoinHandle<Vec<(String, Value)>>) {
    let json = |(status, body): (u16, Value)| (status, JSON, body.to_string().into_bytes());
    server_of(answers.into_iter().map(|answer| answer.map(json)).collect())
}

/// The same with answers of any type.
pub(crate) fn server_of(
    answers: Vec<Option<Answer>>,
) -> (Client, JoinHandle<Vec<(String, Value)>>) {
    let (client, served) = server_of_heads(answers);
    let first =
        |(head, body): (String, Value)| (head.lines().next().unwrap_or_default().to_owned(), body);
    (client, thread::spawn(move || served.join().unwrap().into_iter().map(first).collect()))
}

/// The same, returning the whole head of each request.
pub(crate) fn server_of_heads(
    answers: Vec<Option<Answer>>,
) -> (Client, JoinHandle<Vec<(String, Value)>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let served = thread::spawn(move || {
        let answer = |answer: Option<Answer>| {
            let (connection, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(&connection);
            let (mut head, mut length) = (String::new(), 0);
            while !head.ends_with("\r\n\r\n") {
                let begin = head.len();
                reader.read_line(&mut head).unwrap();
                let header = head[begin..].to_lowercase();
                if let Some(text) = header.strip_prefix("content-length: ") {
                    length = text.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            if let Some((status, ty, answer)) = answer {
                let length = answer.len();
                let head = format!(
                    "HTTP/1.1 {status} X\r\ncontent-type: {ty}\r\ncontent-length: {length}\r\n\r\n"
                );
                (&connection).write_all(&[head.as_bytes(), &answer].concat()).unwrap();
            }
            (head, serde_json::from_slice(&body).unwrap())
        };
        answers.into_iter().map(answer).collect()
    });
    (Client::new(url), served)
}
