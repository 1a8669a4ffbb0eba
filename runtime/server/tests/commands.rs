//! The operators' command line on a running node, as a script uses it: what it lists and describes,
//! and what it does to one invocation and to many.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::process::{Command, Output, Stdio};

use abide_sdk::prelude::*;
use anyhow::ensure;
use e2e_client::Server;
use e2e_harness::{abide::Abide, process::Process};
use serde_json::{Value, json};

use support::start_under_settings;

/// Waits for an answer from outside that nobody gives.
struct Desk;

#[service]
impl Desk {
    pub async fn wait(&self, ctx: &Context) -> Result<String> {
        // An invocation is pinned with its first entry.
        ctx.run("begin", || async { Ok(()) }).await?;
        let (_, answer) = ctx.awakeable::<String>();
        Ok(answer.await?)
    }

    /// Finds nobody.
    pub async fn ask(&self, ctx: &Context) -> Result<()> {
        ctx.run("look", || async { Ok(()) }).await?;
        Err(Terminal::new(503, "nobody is there").into())
    }
}

/// A counter per key.
struct Cart;

const COUNT: State<u64> = State::new("count");

#[object]
impl Cart {
    pub async fn add(&self, ctx: &ObjectContext, amount: u64) -> Result<u64> {
        let total = COUNT.get(ctx).await?.unwrap_or(0) + amount;
        COUNT.set(ctx, total);
        Ok(total)
    }
}

struct Node {
    server: Server,
    abide: Abide,
    deployment: String,
    _process: Process,
    _dir: tempfile::TempDir,
}

impl Node {
    /// A node with both services, which are registered from the command line.
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (process, server, abide) = start_under_settings(dir.path(), &[]).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}", listener.local_addr().unwrap());
        let endpoint = Endpoint::new().bind(Desk).bind(Cart);
        tokio::spawn(endpoint.serve_listener(listener, std::future::pending()));
        let deployment = String::new();
        let mut node = Self { server, abide, deployment, _process: process, _dir: dir };
        node.json(&["deployments", "register", &uri, "--dry-run"], 0);
        assert_eq!(node.json(&["deployments", "list"], 0), json!([]), "a dry run does nothing");
        let registered = node.json(&["deployments", "register", &uri], 0);
        node.deployment = registered["id"].as_str().unwrap().to_owned();
        node
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_abide"));
        command.args(arguments).env("ABIDE_ADMIN_URL", format!("http://{}", self.abide.admin));
        command.stdin(Stdio::null()).env_remove("VISUAL");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What it prints, if it ends with this code.
    fn printed(&self, arguments: &[&str], code: i32) -> String {
        let output = self.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same as JSON, which is what a script gets.
    fn json(&self, arguments: &[&str], code: i32) -> Value {
        serde_json::from_str(&self.printed(arguments, code)).unwrap()
    }

    /// What it complains about, having printed nothing, if it ends with this code.
    fn complaint(&self, arguments: &[&str], code: i32) -> String {
        let output = self.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(output.stdout.is_empty(), "{arguments:?}: {output:?}");
        said
    }

    /// An invocation that has begun and waits.
    async fn waiting(&self) -> String {
        let id = self.server.send_to("/Desk/wait", Value::Null).await.unwrap();
        let is_pinned = || self.has(&id, "pinned_deployment_id", &self.deployment);
        self.server.eventually(is_pinned).await.unwrap();
        id
    }

    fn describe(&self, id: &str) -> Value {
        self.json(&["invocations", "describe", id], 0)["invocation"].clone()
    }

    async fn until(&self, id: &str, wanted: &str) {
        self.server.eventually(|| self.has(id, "status", wanted)).await.unwrap();
    }

    async fn has(&self, id: &str, column: &str, wanted: &str) -> anyhow::Result<()> {
        let found = self.describe(id)[column].clone();
        ensure!(found == json!(wanted), "{column} is {found}, not {wanted}");
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_there_is_is_listed_and_described() {
    let node = Node::start().await;
    let names = node.json(&["services", "list"], 0);
    let names: Vec<_> = names.as_array().unwrap().iter().map(|row| &row["name"]).collect();
    assert_eq!(names, ["Cart", "Desk"]);
    assert_eq!(node.json(&["deployments", "list"], 0)[0]["id"], json!(node.deployment));
    let deployment = node.json(&["deployments", "describe", &node.deployment], 0);
    assert_eq!(deployment["deployment"]["services"].as_array().unwrap().len(), 2);
    let service = node.json(&["services", "describe", "Desk"], 0);
    assert_eq!(service["service"]["handlers"][0]["name"], "wait");
    let config = node.json(&["services", "config", "view", "Desk"], 0);
    assert!(config["service"]["retry_policy.max_attempts"].is_number(), "{config}");
    let set = ["services", "config", "set", "Desk", "--abort-timeout", "90s"];
    let set = node.json(&[&set[..], &["--retry-max-attempts", "7"]].concat(), 0);
    assert_eq!(set["service"]["abort_timeout"], "1m 30s");
    assert_eq!(node.json(&["services", "config", "view", "Desk"], 0), set);
    let refused = ["services", "config", "set", "Desk", "--abort-timeout", "soon"];
    assert!(node.complaint(&refused, 1).contains("'soon' is not a duration"));

    assert_eq!(node.server.call("/Cart/c'1/add", json!(5)).await.unwrap(), json!(5));
    let entry = json!([{ "key": "count", "value": 5, "bytes": 1 }]);
    assert_eq!(node.json(&["state", "get", "Cart", "c'1"], 0), entry);
    assert_eq!(node.json(&["state", "get", "Cart", "c'1", "count"], 0), entry);
    assert_eq!(node.printed(&["state", "get", "Cart", "c'1", "nope"], 1), "[]\n");

    let id = node.waiting().await;
    let listed = node.json(&["invocations", "list", "--service", "Desk"], 0);
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(listed[0]["id"], json!(id));
    let completed = ["invocations", "list", "--status", "completed", "--key", "c'1", "--csv"];
    assert!(node.printed(&completed, 0).contains("Cart/c'1/add,completed,"));
    let sheet = node.printed(&["invocations", "describe", &id, "--table"], 0);
    assert!(sheet.starts_with(&format!("{id}\n  target       Desk/wait\n")), "{sheet}");
    assert!(sheet.contains("Journal of ") && sheet.contains("Command: Run"), "{sheet}");
    // It runs, so `sys_wait` has nothing.
    let why = node.printed(&["why", &id, "--table"], 0);
    let link = why.lines().nth(2).and_then(|line| line.split(" (for ").next()).unwrap();
    assert!(link.contains("[running]"), "{why}");
    assert!(sheet.contains(&format!("\nWaits for\n  {link}")), "{sheet}\n{why}");
    let described = node.json(&["invocations", "describe", &id], 0);
    let detail = described["why"]["links"][0]["detail"].as_str().unwrap();
    assert!(link.ends_with(detail), "{link}: {detail}");
    let interval = "select interval '26 hours 90 seconds' as a, interval '1 month' as b";
    let table = " a        | b\n----------+-------\n 26:01:30 | 1 mon\n(1 row)\n";
    assert_eq!(node.printed(&["sql", "--table", interval], 0), table);

    for missing in [["invocations", "describe", "inv_none"], ["services", "describe", "None"]] {
        node.complaint(&missing, 1);
    }
    let script = node.printed(&["completions", "bash"], 0);
    assert!(script.contains("purge-journal") && script.contains("serve"), "of the whole binary");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invocation_is_paused_resumed_and_cancelled() {
    let node = Node::start().await;
    let id = node.waiting().await;
    let pause = ["invocations", "pause", &id, "--reason", "it's early"];
    assert_eq!(node.json(&pause, 0)["done"], json!({ "count": 1, "examples": [id] }));
    node.until(&id, "paused").await;
    let resume = ["invocations", "resume", &id, "--deployment", "keep"];
    assert_eq!(node.json(&resume, 0)["done"]["count"], 1);
    node.until(&id, "running").await;

    let unconfirmed = node.complaint(&["invocations", "cancel", &id], 2);
    assert!(unconfirmed.contains("--yes confirms it"), "{unconfirmed}");
    assert_eq!(node.describe(&id)["status"], "running");
    let update = ["deployments", "update", &node.deployment, "--header", "x-tenant=blue"];
    let updated = node.json(&[&update[..], &["--dry-run"]].concat(), 0);
    assert_eq!(updated["additional_headers"]["x-tenant"], "blue");
    assert_eq!(node.json(&update, 0), updated);
    let overwrite = ["deployments", "update", &node.deployment, "--overwrite"];
    assert!(node.complaint(&overwrite, 2).contains("--yes confirms it"));
    let listed = node.json(&["deployments", "list"], 0);
    assert_eq!(
        (&listed[0]["status"], &listed[0]["pinned_unfinished"]),
        (&json!("active"), &json!(1))
    );
    let sheet = node.printed(&["deployments", "describe", &node.deployment, "--table"], 0);
    assert!(sheet.contains("status       active"), "{sheet}");
    let needed = node.complaint(&["deployments", "remove", &node.deployment, "--yes"], 1);
    assert!(needed.contains("there are unfinished invocations on it (1)"), "{needed}");
    assert_eq!(node.json(&["invocations", "cancel", &id, "--yes"], 0)["done"]["count"], 1);
    node.until(&id, "completed").await;

    let too_late = node.json(&["invocations", "kill", &id, "inv_none", &id, "--yes"], 4);
    assert_eq!((&too_late["matched"], &too_late["done"]["count"]), (&json!(2), &json!(0)));
    let reason = too_late["not_done"][0]["reason"].as_str().unwrap();
    assert!(reason.starts_with("invocation … is completed: "), "{reason}");
    assert_eq!(too_late["not_done"][0]["examples"], json!([id]));
    let audit = node.json(&["audit", "--id", &id], 0);
    let audit: Vec<_> = audit.as_array().unwrap().iter().rev().collect();
    let operations: Vec<_> = audit.iter().map(|row| &row["operation"]).collect();
    assert_eq!(operations, ["pause", "resume", "cancel", "kill"]);
    assert_eq!(audit[0]["reason"], "it's early");
    assert_eq!(audit[3]["outcome"], "refused");

    node.json(&["deployments", "remove", &node.deployment, "--yes"], 0);
    assert_eq!(node.json(&["deployments", "list"], 0), json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_failed_is_restarted_once() {
    let node = Node::start().await;
    let old = node.server.send_to("/Desk/ask", Value::Null).await.unwrap();
    node.until(&old, "completed").await;
    let restart = ["invocations", "restart", "--service", "Desk"];
    let with = |more: &[&'static str]| [&restart[..], more].concat();
    assert_eq!(node.json(&with(&["--dry-run"]), 0)["matched"], 1);
    let unconfirmed = node.complaint(&with(&[]), 2);
    assert!(unconfirmed.contains("restart 1 invocation (1 completed)"), "{unconfirmed}");
    let done = node.json(&with(&["--yes", "--entry", "1", "--reason", "try again"]), 0);
    let done = done["done"]["examples"][0].as_str().unwrap().to_owned();
    let (was, new) = done.split_once(" as ").unwrap();
    assert_eq!(was, old);
    node.until(new, "completed").await;
    let described = node.json(&["invocations", "describe", new], 0);
    assert_eq!(described["invocation"]["restarted_from"], json!(old));
    assert_eq!(described["events"][0]["reason"], "try again");
    let sheet = node.printed(&["invocations", "describe", new, "--table"], 0);
    assert!(sheet.contains(&format!("restart of   {old}")), "{sheet}");
    assert!(sheet.contains("RestartedFrom"), "{sheet}");
    // It has failed, too; the old one has been seen to.
    let again = node.json(&with(&["--yes"]), 0);
    let again = again["done"]["examples"][0].as_str().unwrap();
    assert!(again.starts_with(new), "{again}");
    // A named one is restarted as often as one likes.
    assert_eq!(node.json(&["invocations", "restart", &old], 0)["done"]["count"], 1);
    let refused = node.json(&["invocations", "restart", &old, "--entry", "99"], 4);
    assert!(refused["not_done"][0]["reason"].as_str().unwrap().contains("entries 0 to"));
}

/// More than two batches.
const MANY: u64 = 2100;

#[tokio::test(flavor = "multi_thread")]
async fn many_are_counted_first_and_each_is_tried_once() {
    let node = Node::start().await;
    for _ in 0..MANY {
        node.server.call("/Desk/wait/send?delay=1h", Value::Null).await.unwrap();
    }
    let waiting = node.waiting().await;
    let scheduled = ["invocations", "cancel", "--service", "Desk", "--status", "scheduled"];
    let with = |more: &[&'static str]| [&scheduled[..], more].concat();
    let counted = json!({
        "operation": "cancel",
        "dry_run": true,
        "matched": MANY,
        "by_status": [{ "status": "scheduled", "count": MANY }],
    });
    assert_eq!(node.json(&with(&["--dry-run"]), 0), counted);
    let unconfirmed = node.complaint(&with(&[]), 2);
    assert!(unconfirmed.contains("2,100 invocations (2,100 scheduled)"), "{unconfirmed}");
    assert_eq!(node.json(&with(&["--dry-run"]), 0), counted, "nothing was done");
    let unsaid = node.complaint(&["invocations", "cancel", "--yes"], 2);
    assert!(unsaid.contains("say which invocations"), "{unsaid}");

    let some = node.json(&with(&["--limit", "3", "--yes"]), 0);
    assert_eq!((&some["matched"], &some["done"]["count"]), (&json!(3), &json!(3)));
    let rest = node.json(&with(&["--yes", "--reason", "no longer wanted"]), 0);
    assert_eq!(rest["done"]["count"], json!(MANY - 3));
    assert_eq!(rest["not_done"], json!([]));
    let tried = "select count(*) as tried, count(distinct invocation_id) as ids from sys_audit \
                 where operation = 'cancel'";
    assert_eq!(node.json(&["sql", tried], 0), json!([{ "tried": MANY, "ids": MANY }]));
    assert_eq!(node.json(&with(&["--yes"]), 0)["matched"], 0);
    assert_ne!(node.describe(&waiting)["status"], "completed", "it was not selected");

    let kill = ["invocations", "kill", "--yes", "--where", "target like 'Desk/%' -- all"];
    let killed = node.json(&kill, 0);
    assert_eq!(killed["done"], json!({ "count": 1, "examples": [waiting] }));
    // All of them have completed, for the same reason it is done to none.
    let again = node.json(&[&kill[..], &["--status", "all"]].concat(), 4);
    assert_eq!((&again["done"]["count"], &again["matched"]), (&json!(0), &json!(MANY + 1)));
    assert_eq!(again["not_done"].as_array().unwrap().len(), 1);
    assert_eq!(again["not_done"][0]["count"], json!(MANY + 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn state_is_edited_for_the_version_that_was_read() {
    let node = Node::start().await;
    node.server.call("/Cart/k/add", json!(7)).await.unwrap();
    let set = node.json(&["state", "set", "Cart", "k", "note", "\"x\"", "--reason", "a note"], 0);
    assert_eq!(set["outcome"], "applied");
    assert!(node.complaint(&["state", "set", "Cart", "k", "note", "x"], 2).contains("quotes"));
    assert!(node.complaint(&["state", "set", "Desk", "k", "note", "1"], 1).contains("plain"));

    let edit = |editor: &str, more: &[&str]| {
        let arguments = [&["state", "edit", "Cart", "k"], more].concat();
        node.command(&arguments).env("EDITOR", editor).output().unwrap()
    };
    let unconfirmed = edit("sed -i s/7/8/", &[]);
    assert_eq!(unconfirmed.status.code(), Some(2), "{unconfirmed:?}");
    let said = String::from_utf8(unconfirmed.stderr).unwrap();
    let kept =
        said.lines().find_map(|line| line.strip_prefix("abide: what you have written is in "));
    std::fs::remove_file(kept.unwrap()).unwrap();
    let edited = edit("sed -i s/7/8/", &["--yes"]);
    assert_eq!(edited.status.code(), Some(0), "{edited:?}");
    assert_eq!(node.server.call("/Cart/k/add", json!(1)).await.unwrap(), json!(9));
    let unchanged = edit("true", &[]);
    assert!(String::from_utf8(unchanged.stdout).unwrap().contains("unchanged"));

    let unconfirmed = node.complaint(&["state", "clear", "Cart", "k"], 2);
    assert!(unconfirmed.contains("Remove 2 entries of Cart/k"), "{unconfirmed}");
    assert!(node.complaint(&["state", "clear", "Cart", "k", "nope"], 1).contains("'nope'"));
    assert_eq!(node.json(&["state", "clear", "Cart", "k", "--yes"], 0)["outcome"], "applied");
    assert_eq!(node.json(&["state", "get", "Cart", "k"], 0), json!([]));
    let audit = node.json(&["audit", "--operation", "patch-state"], 0);
    let outcomes: Vec<_> = audit.as_array().unwrap().iter().map(|row| &row["outcome"]).collect();
    assert_eq!(outcomes, ["done", "done", "done"]);
    assert_eq!(audit[2]["reason"], "a note");
}

/// What the doctor finds: for each finding, what it is about, its level, and its text.
fn findings(command: &mut Command, code: i32) -> Vec<(String, String, String)> {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(code), "{printed}{said}");
    let findings: Vec<Value> = serde_json::from_str(&printed).unwrap();
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
    let three =
        |finding: &Value| (text(finding, "about"), text(finding, "level"), text(finding, "found"));
    findings.iter().map(three).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_says_what_is_wrong() {
    let node = Node::start().await;
    let dir = node.abide.data.clone();
    let doctor = || {
        let mut command = node.command(&["doctor", "--json", "--data-dir"]);
        command.arg(&dir);
        command
    };
    let has = |findings: &[(String, String, String)], about: &str, level: &str, part: &str| {
        let is =
            |it: &&(String, String, String)| it.0 == about && it.1 == level && it.2.contains(part);
        assert!(findings.iter().any(|it| is(&it)), "{about} {level} {part}: {findings:?}");
    };
    let paused = node.waiting().await;
    node.json(&["invocations", "pause", &paused], 0);
    node.until(&paused, "paused").await;
    let gone = "http://127.0.0.1:1";
    let found = findings(&mut doctor(), 0);
    has(&found, "data", "ok", &format!("process {}", node._process.pid()));
    has(&found, "data", "ok", "2 partitions, last used by version 0.1.0");
    has(&found, "server", "ok", "abide 0.1.0 answers");
    has(&found, "endpoint", "ok", "answers the server: protocol 5 to 7, services: 2");
    has(&found, "stuck", "warning", "1 invocation is paused, and waits");
    assert!(found.iter().all(|it| it.1 != "problem"), "{found:?}");
    assert!(
        findings(doctor().env("ABIDE_NONE", "1"), 0).len() > found.len(),
        "an unknown variable"
    );
    let broken = findings(doctor().env("ABIDE_PARTITIONS", "0"), 1);
    has(&broken, "settings", "problem", "partitions is 0, expected 1 to 256");

    // A stopped directory, with nobody at the address of the server.
    let Node { _process: mut process, abide, _dir, .. } = node;
    process.terminate().unwrap();
    process.wait().unwrap();
    let offline = |code| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_abide"));
        command.args(["doctor", "--json", "--admin", gone, "--data-dir"]).arg(&dir);
        command.env("ABIDE_ADMIN_ADDRESS", abide.admin.to_string());
        command.env("ABIDE_INGRESS_ADDRESS", abide.ingress.to_string());
        command.env("ABIDE_SQL_ADDRESS", "off");
        findings(&mut command, code)
    };
    let before = std::fs::read_dir(&dir).unwrap().count();
    let found = offline(0);
    has(&found, "data", "ok", "no server on this machine runs on");
    has(&found, "log", "ok", "segments of");
    has(&found, "server", "warning", "no server answers");
    has(&found, "ports", "ok", &format!("{} is free (admin)", abide.admin));
    let segment = std::fs::read_dir(dir.join("log")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    has(&offline(1), "log", "problem", "damaged at offset");
    std::fs::remove_file(dir.join("partition-1.redb")).unwrap();
    has(&offline(1), "data", "problem", "partition-1.redb is missing or empty");
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), before - 1, "nothing was made");
}

/// Each start of the command notes its process. Its endpoint is served by the test.
const SERVICE: &str = "echo $$ >> ../starts; echo hello; exec sleep 1000";

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_tried_with_a_server_and_again_after_a_change() {
    let dir = tempfile::tempdir().unwrap();
    let (project, log) = (dir.path().join("project"), dir.path().join("log.txt"));
    std::fs::create_dir_all(project.join("src")).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    let endpoint = Endpoint::new().bind(Cart);
    tokio::spawn(endpoint.serve_listener(listener, std::future::pending()));
    let abide = Abide::on_free_ports(env!("CARGO_BIN_EXE_abide").into(), dir.path().join("data"));
    let abide = abide.unwrap();
    let mut command = Command::new(&abide.program);
    command.args(["dev", "--endpoint", &uri, "--watch", ".", "--data-dir"]).arg(&abide.data);
    command.args(["--admin", &format!("http://{}", abide.admin), "--", "sh", "-c", SERVICE]);
    command.env("ABIDE_INGRESS_ADDRESS", abide.ingress.to_string()).env("ABIDE_SQL_ADDRESS", "off");
    let out = std::fs::File::create(&log).unwrap();
    command.current_dir(&project).stdout(out.try_clone().unwrap()).stderr(out);
    let mut dev = Process::spawn("abide dev", command).unwrap();
    let server = Server::new(abide.ingress, abide.admin);
    let said = async |part: &str, times: usize| {
        let said = server.eventually(|| async {
            let said = std::fs::read_to_string(&log)?;
            ensure!(said.matches(part).count() == times, "{part} not {times} times: {said}");
            Ok(())
        });
        said.await.unwrap();
    };
    said(&format!("abide   | registered {uri} as dp_"), 1).await;
    said("service | hello", 1).await;
    assert_eq!(server.call("/Cart/c/add", json!(2)).await.unwrap(), json!(2));
    // What a build writes is no change.
    std::fs::create_dir(project.join("target")).unwrap();
    std::fs::write(project.join("target/out"), "").unwrap();
    std::fs::write(project.join("src/main.rs"), "").unwrap();
    said(&format!("abide   | registered {uri} again as dp_"), 1).await;
    said("service | hello", 2).await;
    assert_eq!(server.call("/Cart/c/add", json!(3)).await.unwrap(), json!(5));
    let starts = || std::fs::read_to_string(dir.path().join("starts")).unwrap();
    let pids: Vec<String> = starts().lines().map(str::to_owned).collect();
    assert_eq!(pids.len(), 2);
    let is_alive = |pid: &str| std::path::Path::new("/proc").join(pid).join("stat").exists();
    assert!(!is_alive(&pids[0]) && is_alive(&pids[1]), "one at a time");
    dev.terminate().unwrap();
    assert!(dev.wait().unwrap().success());
    assert!(!is_alive(&pids[1]), "nothing is left running");
    assert!(std::net::TcpStream::connect(abide.admin).is_err(), "the server has ended, too");
    assert!(abide.data.join("LAYOUT").exists(), "its data was wanted");
}
