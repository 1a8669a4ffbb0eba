//! The log that the service writes to its standard output.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

#[test]
fn a_log_that_is_no_terminal_has_no_colours() {
    let mut service = Command::new(env!("CARGO_BIN_EXE_food-ordering"))
        .arg("--bind=127.0.0.1:0")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let line = BufReader::new(service.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    service.kill().unwrap();
    service.wait().unwrap();
    assert!(line.contains("the endpoint is listening"), "{line}");
    assert!(!line.contains('\u{1b}'), "{line:?}");
}
