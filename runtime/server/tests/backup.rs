//! Backups of a running server, from the command line, and what is restored from them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use abide_sdk::prelude::*;
use anyhow::ensure;
use e2e_client::Server;
use e2e_harness::{abide::Abide, process::Process};
use serde_json::{Value, json};

use support::{serve_endpoint, start_under_settings};

/// What was booked for a key, in order.
struct Ledger;

const BOOKED: State<Vec<u64>> = State::new("booked");
const BLOB: State<String> = State::new("blob");

#[object]
impl Ledger {
    pub async fn book(&self, ctx: &ObjectContext, order: u64) -> Result<u64> {
        let mut booked = BOOKED.get(ctx).await?.unwrap_or_default();
        booked.push(order);
        let count = booked.len() as u64;
        BOOKED.set(ctx, booked);
        Ok(count)
    }

    pub async fn booked(&self, ctx: &ObjectContext) -> Result<Vec<u64>> {
        Ok(BOOKED.get(ctx).await?.unwrap_or_default())
    }

    /// Stores this many bytes that nobody needs.
    pub async fn fill(&self, ctx: &ObjectContext, bytes: usize) -> Result<()> {
        BLOB.set(ctx, "x".repeat(bytes));
        Ok(())
    }
}

/// Enough for the keys to be spread over all partitions.
const KEYS: u64 = 8;

struct Desk;

#[service]
impl Desk {
    /// Books an order twice: with a call, and with a message that nobody waits for.
    pub async fn order(&self, ctx: &Context, order: u64) -> Result<()> {
        Ledger::key(format!("sent-{}", order % KEYS)).send().book(ctx, order);
        Ledger::key(format!("called-{}", order % KEYS)).book(ctx, order).await?;
        Ok(())
    }

    /// Books an order after a while.
    pub async fn later(&self, ctx: &Context, order: u64) -> Result<()> {
        ctx.sleep(Duration::from_secs(2)).await?;
        Ledger::key("later").book(ctx, order).await?;
        Ok(())
    }
}

struct Node {
    process: Process,
    server: Server,
    abide: Abide,
}

/// Checkpoints come all the time, and segments go as soon as they can.
const BUSY: [(&str, &str); 3] = [
    ("ABIDE_CHECKPOINT_INTERVAL_MS", "20"),
    ("ABIDE_LOG_SEGMENT_BYTES", "65536"),
    ("ABIDE_PARTITIONS", "3"),
];

/// Everything stays in the log until it is as much as an overlay may have.
const LAZY: [(&str, &str); 3] = [
    ("ABIDE_CHECKPOINT_INTERVAL_MS", "3600000"),
    ("ABIDE_OVERLAY_BYTES_MAX", "67108864"),
    ("ABIDE_LOG_SEGMENT_BYTES", "1048576"),
];

impl Node {
    async fn start(dir: &Path, settings: &[(&str, &str)]) -> Self {
        let (process, server, abide) = start_under_settings(dir, settings).await;
        Self { process, server, abide }
    }

    /// A new node with the services.
    async fn new(dir: &Path, settings: &[(&str, &str)]) -> Self {
        let node = Self::start(dir, settings).await;
        serve_endpoint(&node.server, Endpoint::new().bind(Ledger).bind(Desk)).await;
        node
    }

    fn backup(&self, to: &Path) -> Command {
        let mut command = abide(&["backup", "--json", "--to"]);
        command.arg(to).env("ABIDE_ADMIN_URL", format!("http://{}", self.abide.admin));
        command
    }

    async fn booked(&self, key: &str) -> anyhow::Result<Vec<u64>> {
        let booked = self.server.call(&format!("/Ledger/{key}/booked"), Value::Null).await?;
        Ok(serde_json::from_value(booked)?)
    }

    /// All orders that were booked in one of the two ways, each of them once.
    async fn all_booked(&self, how: &str) -> anyhow::Result<BTreeSet<u64>> {
        let mut all = BTreeSet::new();
        for key in 0..KEYS {
            for order in self.booked(&format!("{how}-{key}")).await? {
                assert!(all.insert(order), "order {order} was {how} twice");
            }
        }
        Ok(all)
    }

    /// Fills the state of keys with this many bytes each.
    async fn fill(&self, keys: std::ops::Range<u64>, bytes: usize) {
        for key in keys {
            self.server.call(&format!("/Ledger/blob-{key}/fill"), json!(bytes)).await.unwrap();
        }
    }
}

fn abide(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_abide"));
    command.args(arguments).stdin(Stdio::null());
    command
}

async fn run(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

/// What it prints, if it succeeds.
async fn printed(command: Command) -> String {
    let output = run(command).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What it complains about, if it fails with 1.
async fn complaint(command: Command) -> String {
    let output = run(command).await;
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    said
}

fn restore(backup: &Path, data_dir: &Path) -> Command {
    let mut command = abide(&["restore"]);
    command.arg(backup).arg("--data-dir").arg(data_dir);
    command
}

fn verify(backup: &Path) -> Command {
    let mut command = abide(&["backup", "verify", "--json"]);
    command.arg(backup);
    command
}

fn names(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Bytes of the files in a directory.
fn bytes_in(dir: &Path) -> u64 {
    // A segment may be removed between the two calls.
    fs::read_dir(dir).unwrap().flatten().filter_map(|it| Some(it.metadata().ok()?.len())).sum()
}

/// Clients that place orders until they are told to stop, and what was acknowledged.
struct Load {
    next: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
    acknowledged: Arc<std::sync::Mutex<BTreeSet<u64>>>,
    clients: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    fn begin(server: &Server) -> Self {
        let (next, is_over) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let acknowledged = Arc::<std::sync::Mutex<BTreeSet<u64>>>::default();
        let client = |_| {
            let (server, next, is_over) = (server.clone(), Arc::clone(&next), Arc::clone(&is_over));
            let acknowledged = Arc::clone(&acknowledged);
            tokio::spawn(async move {
                while !is_over.load(Ordering::SeqCst) {
                    let order = next.fetch_add(1, Ordering::SeqCst);
                    // Half of them are answered once they are done, the others at once.
                    let path = if order.is_multiple_of(2) { "order" } else { "order/send" };
                    server.call(&format!("/Desk/{path}"), json!(order)).await.unwrap();
                    acknowledged.lock().unwrap().insert(order);
                }
            })
        };
        let clients = (0..16).map(client).collect();
        Self { next, is_over, acknowledged, clients }
    }

    async fn until(&self, count: u64) {
        while self.next.load(Ordering::SeqCst) < count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn acknowledged(&self) -> BTreeSet<u64> {
        self.acknowledged.lock().unwrap().clone()
    }

    async fn end(self) {
        self.is_over.store(true, Ordering::SeqCst);
        for client in self.clients {
            client.await.unwrap();
        }
    }
}

/// The promise: whatever was acknowledged before a backup began is in it, and nothing half. What
/// partitions had sent each other arrives exactly once.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_before_a_backup_is_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::new(&dir.path().join("first"), &BUSY).await;
    let key = [("idempotency-key", "k")];
    let before = node.server.post_with("/Desk/order", &json!(1_000_000), &key).await.unwrap();
    let backups = dir.path().join("backups");
    fs::create_dir(&backups).unwrap();
    let load = Load::begin(&node.server);
    let mut taken = Vec::new();
    for round in 1..=3 {
        load.until(round * 150).await;
        node.server.send_to("/Desk/later", json!(round)).await.unwrap();
        let acknowledged = load.acknowledged();
        let shown: Value = serde_json::from_str(&printed(node.backup(&backups)).await).unwrap();
        let path = PathBuf::from(shown["path"].as_str().unwrap());
        // Several in a second have the same name.
        let moved = backups.join(format!("{round}.tar"));
        fs::rename(path, &moved).unwrap();
        taken.push((round, moved, acknowledged));
    }
    load.end().await;
    // Two nodes with the same work would both do it.
    drop(node);
    for (round, backup, acknowledged) in taken {
        assert!(acknowledged.len() as u64 >= (round - 1) * 150);
        let shown: Value = serde_json::from_str(&printed(verify(&backup)).await).unwrap();
        assert_eq!((&shown["partitions"], &shown["version"]), (&json!(3), &json!("0.1.0")));
        let data = dir.path().join(format!("restored-{round}"));
        printed(restore(&backup, &data)).await;
        let node = Node::start(&data, &[]).await;
        let again = node.server.post_with("/Desk/order", &json!(1_000_000), &key).await.unwrap();
        assert_eq!(
            again.invocation().unwrap(),
            before.invocation().unwrap(),
            "the key still names the same"
        );
        let done = node.server.eventually(|| async {
            let (sent, called) = (node.all_booked("sent").await?, node.all_booked("called").await?);
            ensure!(sent == called, "{} were sent, {} called", sent.len(), called.len());
            ensure!(sent.contains(&1_000_000));
            let later = node.booked("later").await?;
            ensure!(later.contains(&round), "{later:?}: timer {round} has not fired");
            Ok(sent)
        });
        let done = done.await.unwrap();
        let lost: Vec<_> = acknowledged.difference(&done).collect();
        assert!(lost.is_empty(), "acknowledged, and not in the backup: {lost:?}");
        let later = node.booked("later").await.unwrap();
        assert_eq!(later.iter().collect::<BTreeSet<_>>().len(), later.len(), "{later:?}");
        // It goes on as any node, and can be backed up itself.
        node.server.call("/Desk/order", json!(2_000_000)).await.unwrap();
        printed(node.backup(&dir.path().join(format!("again-{round}.tar")))).await;
    }
}

/// A client that asks for a backup and reads no more than its beginning.
fn stalled(node: &Node) -> TcpStream {
    let mut client = TcpStream::connect(node.abide.admin).unwrap();
    let request = format!("POST /backups HTTP/1.1\r\nhost: {}\r\n\r\n", node.abide.admin);
    client.write_all(request.as_bytes()).unwrap();
    let mut start = [0; 12];
    client.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 200");
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_vanishes_lets_everything_go() {
    let dir = tempfile::tempdir().unwrap();
    let (data, log) = (dir.path().join("data"), dir.path().join("data/log"));
    let node = Node::new(&data, &LAZY).await;
    // More than the connection takes by itself.
    node.fill(0..24, 1 << 20).await;
    let client = stalled(&node);
    let busy = complaint(node.backup(&dir.path().join("second.tar"))).await;
    assert!(busy.contains("another backup is being taken"), "{busy}");
    // Checkpoints let all of this go, but for the backup.
    node.fill(0..96, 1 << 20).await;
    let tables = || bytes_in(&data);
    let written = node.server.eventually(|| async {
        ensure!(tables() > 64 << 20, "no checkpoint was written yet");
        Ok(())
    });
    written.await.unwrap();
    assert!(bytes_in(&log) > 100 << 20, "the backup still needs the beginning");
    drop(client);
    let trimmed = node.server.eventually(|| async {
        let left = bytes_in(&log);
        ensure!(left < 80 << 20, "the log has {left} bytes");
        Ok(())
    });
    trimmed.await.unwrap();
    let backup = dir.path().join("third.tar");
    let taken = node.server.eventually(|| async {
        let output = run(node.backup(&backup)).await;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    });
    taken.await.unwrap();
    printed(verify(&backup)).await;
    assert_eq!(names(dir.path()), ["data", "third.tar"], "nothing else is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_leaves_no_backup() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = Node::new(&dir.path().join("data"), &LAZY).await;
    node.fill(0..32, 1 << 20).await;
    let to = dir.path().join("backup.tar");
    // The command line gets on only as fast as its output is read.
    let mut client = node.backup(Path::new("-"));
    let mut client = client.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut out = client.stdout.take().unwrap();
    let mut bytes = vec![0; 1 << 20];
    out.read_exact(&mut bytes).unwrap();
    node.process.kill().unwrap();
    out.read_to_end(&mut bytes).unwrap();
    let ended = client.wait_with_output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("the server broke off its answer"), "{said}");
    fs::write(&to, bytes).unwrap();
    let refused = complaint(verify(&to)).await;
    assert!(refused.contains("it is not complete, and nothing in it can be used"), "{refused}");
    let refused = complaint(restore(&to, &dir.path().join("restored"))).await;
    assert!(refused.contains("it is not complete"), "{refused}");
    assert_eq!(names(dir.path()), ["backup.tar", "data"], "nothing was made of it");
    // The data directory is as good as after any other kill.
    let node = Node::start(&dir.path().join("data"), &[]).await;
    node.server.call("/Desk/order", json!(1)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_on_the_receiving_side_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::new(&dir.path().join("data"), &LAZY).await;
    node.fill(0..4, 1 << 20).await;
    let to = dir.path().join("backup.tar");
    // A file may have a MiB, in units of 512 bytes. By default, a signal would end the process.
    let small = node.backup(&to);
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -f 2048; exec \"$0\" \"$@\""]);
    shell.arg(small.get_program()).args(small.get_args());
    shell.env("ABIDE_ADMIN_URL", format!("http://{}", node.abide.admin));
    let said = complaint(shell).await;
    assert!(said.contains("cannot be written to") && said.contains("nothing is left"), "{said}");
    assert_eq!(names(dir.path()), ["data"]);
    fs::write(&to, "a file that somebody needs").unwrap();
    let said = complaint(node.backup(&to)).await;
    assert!(said.contains("exists already, and is unchanged; choose another name"), "{said}");
    assert_eq!(fs::read_to_string(&to).unwrap(), "a file that somebody needs");
    let said = complaint(node.backup(&dir.path().join("none/backup.tar"))).await;
    assert!(said.contains("none: No such file"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_are_backed_up_to_one_directory_at_once_get_a_file_each() {
    let dir = tempfile::tempdir().unwrap();
    let one = Node::new(&dir.path().join("one"), &[]).await;
    let other = Node::new(&dir.path().join("other"), &[]).await;
    let to = dir.path().join("backups");
    fs::create_dir(&to).unwrap();
    for _ in 0..3 {
        tokio::join!(printed(one.backup(&to)), printed(other.backup(&to)));
    }
    assert_eq!(names(&to).len(), 6, "{:?}", names(&to));
    for name in names(&to) {
        printed(verify(&to.join(name))).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_restores_to_one_directory_at_once_one_succeeds_and_keeps_what_it_has_made() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::new(&dir.path().join("data"), &[]).await;
    node.server.call("/Desk/order", json!(1)).await.unwrap();
    let backup = dir.path().join("backup.tar");
    printed(node.backup(&backup)).await;
    drop(node);
    for round in 0..4 {
        let target = dir.path().join(format!("restored-{round}"));
        let restores = (0..6).map(|_| run(restore(&backup, &target)));
        let ended = futures::future::join_all(restores).await;
        let succeeded = ended.iter().filter(|output| output.status.success()).count();
        assert_eq!(succeeded, 1, "{ended:?}");
        let node = Node::start(&target, &[]).await;
        assert_eq!(node.all_booked("called").await.unwrap().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_has_changed_is_refused_and_a_used_directory_too() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::new(&dir.path().join("data"), &BUSY).await;
    for order in 0..20 {
        node.server.call("/Desk/order", json!(order)).await.unwrap();
    }
    let (backup, changed) = (dir.path().join("backup.tar"), dir.path().join("changed.tar"));
    printed(node.backup(&backup)).await;
    drop(node);
    let bytes = fs::read(&backup).unwrap();
    let target = dir.path().join("restored");
    let check = async |content: &[u8], says: &str| {
        fs::write(&changed, content).unwrap();
        for command in [verify(&changed), restore(&changed, &target)] {
            let said = complaint(command).await;
            assert!(said.contains(says), "{said}");
        }
        assert!(!target.exists(), "nothing is left");
    };
    check(&bytes[..bytes.len() / 2], "it is not complete").await;
    check(&bytes[..0], "it ends after 0 bytes").await;
    check(b"no backup".repeat(1000).as_slice(), "it is not a backup").await;
    let row = bytes.windows(6).rposition(|window| window == b"booked").unwrap();
    let mut flipped = bytes.clone();
    flipped[row] ^= 1;
    check(&flipped, "damaged").await;

    let used = dir.path().join("data");
    let said = complaint(restore(&backup, &used)).await;
    assert!(said.contains("is not empty: it contains"), "{said}");
    // An empty directory is as good as none, and so is one that a volume has made.
    fs::create_dir(&target).unwrap();
    fs::create_dir(target.join("lost+found")).unwrap();
    printed(restore(&backup, &target)).await;
    assert!(complaint(restore(&backup, &target)).await.contains("is not empty"));
    // A restore that was killed before its end is not taken for a node's directory.
    let layout = fs::read_to_string(target.join("LAYOUT")).unwrap();
    fs::remove_file(target.join("LAYOUT")).unwrap();
    let said = complaint(serve(&target)).await;
    assert!(said.contains("LAYOUT is missing, but there is"), "{said}");
    fs::write(target.join("LAYOUT"), layout).unwrap();
    let node = Node::start(&target, &[]).await;
    assert_eq!(node.all_booked("called").await.unwrap().len(), 20);
}

/// A start, on any ports.
fn serve(data: &Path) -> Command {
    let mut command = abide(&["serve", "--ingress-address=127.0.0.1:0"]);
    command.args(["--admin-address=127.0.0.1:0", "--sql-address=off", "--data-dir"]).arg(data);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn data_of_a_newer_version_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    drop(Node::start(&data, &[]).await);
    let version = data.join("VERSION");
    let ours = fs::read_to_string(&version).unwrap();
    assert!(ours.starts_with("abide 0.1.0\nneeds 0.1.0\nlog 3\n"), "{ours}");
    let newer = ours.replace("abide 0.1.0\nneeds 0.1.0", "abide 0.9.2\nneeds 0.9.0");
    fs::write(&version, newer.replace("rows 6", "rows 7")).unwrap();
    // Whatever else it has changed.
    let layout = fs::read_to_string(data.join("LAYOUT")).unwrap();
    fs::write(data.join("LAYOUT"), "abide-data 9\n").unwrap();
    let said = complaint(serve(&data)).await;
    assert!(said.contains("by abide 0.9.2, with rows of format 7"), "{said}");
    assert!(said.contains("start abide 0.9.0 or newer"), "{said}");
    fs::write(data.join("LAYOUT"), layout).unwrap();
    // A newer version that writes the same formats may be left again.
    fs::write(&version, newer).unwrap();
    drop(Node::start(&data, &[]).await);
    assert_eq!(fs::read_to_string(&version).unwrap(), ours);
}
