//! `abide sql`, as people and scripts use it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use e2e_harness::ports;
use serde_json::{Value, json};

use crate::{
    psql::{Rig, said},
    support::start_again,
};

/// `abide sql`, asking this admin API.
fn abide(admin: SocketAddr) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_abide"));
    command.arg("sql").env("ABIDE_ADMIN_URL", format!("http://{admin}"));
    command
}

/// What it prints, if it succeeds.
fn printed(rig: &Rig, arguments: &[&str]) -> String {
    let output = abide(rig.abide.admin).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    assert!(output.stderr.is_empty(), "{arguments:?}: {}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// What it complains about, if it ends with this code.
fn complaint(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{}", said(output));
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[tokio::test]
async fn rows_are_a_table_json_or_csv() {
    let rig = Rig::start(&[]).await;
    rig.server.send_to("/order-workflow/order-7/run", json!(null)).await.unwrap();
    rig.server
        .eventually(|| async {
            let state = rig.value("select value_utf8 from state where service_key = 'order-7'");
            anyhow::ensure!(state == "\"CREATED\"", "{state}");
            Ok(())
        })
        .await
        .unwrap();

    let query =
        "select service, service_key, value, value_utf8, value_json -> 'no' as no from state";
    let table = concat!(
        " service     | service_key | value                | value_utf8 | no\n",
        "-------------+-------------+----------------------+------------+------\n",
        " orderStatus | order-7     | \\x224352454154454422 | \"CREATED\"  | NULL\n",
        "(1 row)\n",
    );
    assert_eq!(printed(&rig, &["--table", query]), table);
    let expanded = printed(&rig, &["-x", query]);
    assert!(expanded.starts_with("-[ row 1 ]-\nservice     | orderStatus\n"), "{expanded}");

    let row = json!([{
        "service": "orderStatus",
        "service_key": "order-7",
        "value": "224352454154454422",
        "value_utf8": "\"CREATED\"",
        "no": null,
    }]);
    let parse = |text: String| serde_json::from_str::<Value>(&text).unwrap();
    assert_eq!(parse(printed(&rig, &[query])), row, "JSON is what a program gets");
    assert_eq!(parse(printed(&rig, &["--json", query])), row);
    let csv = "service,service_key,value,value_utf8,no\n\
               orderStatus,order-7,\\x224352454154454422,\"\"\"CREATED\"\"\",\n";
    assert_eq!(printed(&rig, &["--csv", query]), csv);

    let of_times = "select created_at from sys_invocation where target_service_key = 'order-7'";
    for row in parse(printed(&rig, &[of_times])).as_array().unwrap() {
        assert!(row["created_at"].as_str().unwrap().ends_with('Z'), "{row}");
    }
    let none = "select id from sys_invocation where id = 'inv_none'";
    assert_eq!(printed(&rig, &["--table", none]), " id\n----\n(0 rows)\n");
    assert_eq!(printed(&rig, &[none]), "[]\n");
}

#[tokio::test]
async fn queries_come_from_arguments_files_and_standard_input() {
    let rig = Rig::start(&[]).await;
    let script = "-- two\nselect ';' as a; select 2 as b;\n\\d sys_locks\n";
    let answers = "a\n;\n\nb\n2\n\ncolumn,type,nullable,description\n";
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("script.sql");
    std::fs::write(&file, script).unwrap();
    let from_file = printed(&rig, &["--csv", "--file", file.to_str().unwrap()]);
    assert!(from_file.starts_with(answers), "{from_file}");
    let described = "lock_name,text,YES,\"Service and key, as service/key.\"\n";
    assert!(from_file.contains(described), "{from_file}");
    assert_eq!(
        printed(&rig, &["--csv", &format!("\n{}", script.replace("\\d ", "\\d+ "))]),
        from_file
    );
    for arguments in [&["--csv"][..], &["--csv", "-"], &["--csv", "-f", "-"]] {
        let mut command = abide(rig.abide.admin);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut abide = command.spawn().unwrap();
        abide.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        let from_stdin = String::from_utf8(abide.wait_with_output().unwrap().stdout).unwrap();
        assert_eq!(from_stdin, from_file);
    }
}

#[tokio::test]
async fn the_exit_code_says_whose_fault_it_is() {
    let rig = Rig::start(&[]).await;
    let run = |arguments: &[&str]| {
        abide(rig.abide.admin).args(arguments).stdin(Stdio::null()).output().unwrap()
    };
    let wrong = run(&["--table", "select nope from sys_service"]);
    assert!(wrong.stdout.is_empty(), "{}", said(&wrong));
    let wrong = complaint(&wrong, 1);
    assert!(wrong.starts_with("abide: column \"nope\" does not exist"), "{wrong}");
    let half = run(&["--csv", "select 1 as one; select 1/0; select 3 as three"]);
    assert_eq!(String::from_utf8_lossy(&half.stdout), "one\n1\n");
    assert!(complaint(&half, 1).contains("ivi"), "{}", said(&half));

    // The rows up to the one that fails have been sent when it does.
    let late = "select 1 / (50000 - value) as n from generate_series(1, 100000)";
    let late = run(&["--csv", late]);
    assert!(late.stdout.starts_with(b"n\n0\n"), "{}", said(&late));
    let late = complaint(&late, 1);
    assert!(late.starts_with("abide: the query failed after its first rows: "), "{late}");
    assert!(late.contains("[22012]"), "{late}");

    for nothing in [&[][..], &["-- nothing"], &["--watch", "select 1; select 2"]] {
        complaint(&run(nothing), 2);
    }
    for (arguments, says) in [
        (&["--watch", "1", "select 1"][..], "--watch=1"),
        (&["-w", "0.5"], "--watch=0.5"),
        (&["-w5", "select 1"], "--watch=5"),
        (&["-w0.5", "select 1"], "--watch="),
        (&["select 1", "select 2"], "'select 2' comes after the query"),
    ] {
        let said = complaint(&run(arguments), 2);
        assert!(said.contains(says), "{arguments:?}: {said}");
    }
    let misplaced = run(&["--admin", "localhost:9070", "select 1"]);
    assert!(complaint(&misplaced, 2).contains("begins with http://"), "{}", said(&misplaced));

    let nowhere = ports::free().unwrap();
    let unreachable = complaint(&abide(nowhere).arg("select 1").output().unwrap(), 3);
    let begin = format!("abide: cannot reach the admin API at http://{nowhere}: ");
    assert!(unreachable.starts_with(&begin), "{unreachable}");
    assert!(unreachable.contains("is `abide serve` running? --admin says where"), "{unreachable}");
    let ingress = complaint(&abide(rig.abide.ingress).arg("select 1").output().unwrap(), 3);
    assert!(ingress.contains("is not an admin API"), "{ingress}");
}

/// As `| head -1` does.
#[tokio::test]
async fn a_reader_that_has_seen_enough_ends_it_quietly() {
    let rig = Rig::start(&[]).await;
    let mut command = abide(rig.abide.admin);
    command.arg("select value from generate_series(1, 1000000)");
    let mut abide = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(abide.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert_eq!(first, "[{\"value\":1},\n");
    let output = abide.wait_with_output().unwrap();
    assert_eq!(complaint(&output, 0), "");
}

#[tokio::test]
async fn a_watched_query_outlives_a_server_that_restarts() {
    let mut rig = Rig::start(&[]).await;
    let mut command = abide(rig.abide.admin);
    command.args(["--watch=0.1", "select count(*) as n from sys_invocation"]);
    let mut abide = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut rounds = BufReader::new(abide.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut complaints = BufReader::new(abide.stderr.take().unwrap()).lines().map(Result::unwrap);
    for _ in 0..2 {
        assert_eq!(rounds.next().unwrap(), "[{\"n\":0}]");
    }
    rig.process.kill().unwrap();
    let complaint = complaints.next().unwrap();
    assert!(complaint.ends_with("trying again in 0.1 s"), "{complaint}");
    rig.process = start_again(&rig.abide, &rig.settings).await;
    rig.server.send_to("/order-workflow/order-8/run", json!(null)).await.unwrap();
    // It goes on with what there is now.
    assert!(rounds.any(|round| !round.contains("\"n\":0")));
    drop(rounds);
    // What it complained about meanwhile may not block it.
    drop(complaints);
    assert_eq!(abide.wait().unwrap().code(), Some(0));
}

#[tokio::test]
async fn a_watched_query_that_is_wrong_is_not_repeated() {
    let rig = Rig::start(&[]).await;
    let output = abide(rig.abide.admin).args(["--watch=0.1", "select nope"]).output().unwrap();
    assert_eq!(complaint(&output, 1).lines().count(), 1);
}

#[tokio::test]
async fn the_prompt_completes_remembers_and_cancels() {
    let rig = Rig::start(&[]).await;
    let state = tempfile::tempdir().unwrap();
    let mut prompt = Prompt::open(&rig, state.path());
    prompt.wait_for(PROMPT);
    prompt.type_in("select 1 as one,\r2 as two;\r");
    prompt.wait_for(" one | two\r\n-----+-----\r\n   1 |   2\r\n(1 row)");
    prompt.wait_for(PROMPT);
    prompt.type_in("\\x\r");
    prompt.wait_for(PROMPT);
    prompt.type_in("select id, endpoint from sys_dep\t");
    prompt.wait_for("sys_deployment");
    prompt.type_in(";\r");
    prompt.wait_for("endpoint | http://127.0.0.1:");
    prompt.wait_for(PROMPT);
    prompt.type_in("select nope;\r");
    prompt.wait_for("does not exist");
    prompt.wait_for(PROMPT);

    let endless =
        "select count(*) from generate_series(1, 100000000) a, generate_series(1, 1000) b";
    prompt.type_in(&format!("{endless};\r"));
    // rustyline lets go of the terminal; from then on, Ctrl-C is a signal.
    prompt.wait_for("\u{1b}[?2004l");
    prompt.type_in("\u{3}");
    prompt.wait_for("cancelled");
    prompt.wait_for(PROMPT);
    prompt.type_in("select 3 as three;\r");
    prompt.wait_for("three | 3");
    prompt.wait_for(PROMPT);
    prompt.type_in("\\watch 0.1\r");
    for _ in 0..2 {
        prompt.wait_for("(every 0.1 s): select 3 as three");
    }
    prompt.type_in("\u{3}");
    prompt.wait_for(PROMPT);
    prompt.type_in("\\q\r");
    assert_eq!(prompt.script.wait().unwrap().code(), Some(0));

    let history = state.path().join("abide/sql-history");
    let mode = std::fs::metadata(&history).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let history = std::fs::read_to_string(history).unwrap();
    assert!(history.contains("select 3 as three;"), "{history}");
}

const PROMPT: &str = "abide> ";

/// Long enough for a debug build on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// `abide sql` on a terminal, which `script` of util-linux provides.
struct Prompt {
    script: Child,
    keyboard: ChildStdin,
    screen: Receiver<Vec<u8>>,
    /// What was shown and not yet waited for.
    shown: Vec<u8>,
}

impl Prompt {
    fn open(rig: &Rig, state: &std::path::Path) -> Self {
        let mut script = Command::new("script");
        // In place of the shell that `script` starts: some shells would take a Ctrl-C for theirs.
        let abide = concat!("exec ", env!("CARGO_BIN_EXE_abide"), " sql");
        script.args(["--quiet", "--return", "--command", abide, "/dev/null"]);
        script.env("ABIDE_ADMIN_URL", format!("http://{}", rig.abide.admin));
        script.env("XDG_STATE_HOME", state).env("TERM", "xterm");
        let mut script = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let keyboard = script.stdin.take().unwrap();
        let mut output = script.stdout.take().unwrap();
        let (shows, screen) = mpsc::channel();
        thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(length @ 1..) = output.read(&mut piece) {
                if shows.send(piece[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { script, keyboard, screen, shown: Vec::new() }
    }

    fn type_in(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until this is shown after what was waited for before.
    fn wait_for(&mut self, text: &str) {
        loop {
            let shown = self.shown.windows(text.len());
            if let Some(at) = { shown }.position(|window| window == text.as_bytes()) {
                self.shown.drain(..at + text.len());
                return;
            }
            let Ok(more) = self.screen.recv_timeout(PATIENCE) else {
                let shown = String::from_utf8_lossy(&self.shown);
                panic!("'{}' is not shown: {}", text.escape_debug(), shown.escape_debug());
            };
            self.shown.extend(more);
        }
    }
}

impl Drop for Prompt {
    fn drop(&mut self) {
        // Whatever runs on the terminal ends with it.
        _ = self.script.kill();
        _ = self.script.wait();
    }
}
