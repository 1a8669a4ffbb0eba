//! How the binary starts, refuses to start, and stops.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::Stdio;

use e2e_harness::{abide::Abide, process::Process};

fn start(data_dir: &Path, more: &[&str]) -> Process {
    let program = env!("CARGO_BIN_EXE_abide").into();
    let abide = Abide::on_free_ports(program, data_dir.to_owned()).unwrap();
    let mut command = abide.command();
    command.args(more).stdout(Stdio::piped()).stderr(Stdio::piped());
    Process::spawn("abide", command).unwrap()
}

/// The lines that it prints when it is ready.
fn greeting(abide: &mut Process) -> String {
    let mut lines = BufReader::new(abide.take_stdout().unwrap()).lines();
    let greeting: Vec<String> = lines.by_ref().take(5).map(Result::unwrap).collect();
    greeting.join("\n")
}

fn complaint(abide: &mut Process) -> String {
    let mut text = String::new();
    abide.take_stderr().unwrap().read_to_string(&mut text).unwrap();
    assert!(!abide.wait().unwrap().success());
    text
}

#[test]
fn it_says_where_it_is_and_stops_when_it_is_told_to() {
    let dir = tempfile::tempdir().unwrap();
    let mut abide = start(dir.path(), &["--partitions=3"]);
    let greeting = greeting(&mut abide);
    assert!(greeting.contains("ready in"), "{greeting}");
    assert!(greeting.contains("ingress  http://127.0.0.1:"), "{greeting}");
    assert!(greeting.contains("sql      psql -h 127.0.0.1 -p "), "{greeting}");
    assert!(greeting.contains("(3 partitions, new)"), "{greeting}");
    abide.terminate().unwrap();
    assert!(abide.wait().unwrap().success());
    let known = crate::greeting(&mut start(dir.path(), &[]));
    assert!(known.contains("(3 partitions)"), "{known}");
}

#[test]
fn a_second_one_on_the_same_data_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = start(dir.path(), &[]);
    greeting(&mut first);
    let complaint = complaint(&mut start(dir.path(), &[]));
    assert!(complaint.contains("another abide is running on the data directory"), "{complaint}");
}

#[test]
fn damage_to_the_log_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let mut abide = start(dir.path(), &[]);
    greeting(&mut abide);
    drop(abide);
    let segment = dir.path().join("log/0000000000000001.seg");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[11] = 9;
    std::fs::write(&segment, bytes).unwrap();
    let complaint = complaint(&mut start(dir.path(), &[]));
    assert!(complaint.contains("0000000000000001.seg: its format is 9"), "{complaint}");
}

#[test]
fn bad_settings_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let text = complaint(&mut start(dir.path(), &["--max-service-protocol-version=4"]));
    assert!(text.contains("service protocol version 4 is not supported"), "{text}");
    let config = dir.path().join("abide.toml");
    std::fs::write(&config, "partitons = 3").unwrap();
    let flag = format!("--config={}", config.display());
    let text = complaint(&mut start(dir.path(), &[&flag]));
    assert!(text.contains("partitons"), "{text}");
}
