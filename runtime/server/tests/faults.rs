//! A server that can't continue ends and reports why, because a supervisor only helps when the
//! process exits.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::fs;
use std::path::Path;

use http::Method;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use runtime_core::{model::invocation::Status, tables::Row};

use support::{refused_saying, start, start_saying};

const ROWS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("rows");

/// A data directory with invocations in every state, from a server that was stopped.
fn fixture(to: &Path) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../partition/tests/fixtures/format-1");
    fs::create_dir(to.join("log")).unwrap();
    for (from, to) in [(from.join("log"), to.join("log")), (from, to.to_owned())] {
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
            }
        }
    }
}

/// Makes the paused invocations of a partition unreadable. Nothing reads them before a request
/// does.
fn break_paused(file: &Path) {
    let database = Database::create(file).unwrap();
    let keys: Vec<Vec<u8>> = {
        let rows = database.begin_read().unwrap().open_table(ROWS).unwrap();
        let rows = rows.iter().unwrap().map(Result::unwrap);
        let paused = rows.filter(|(_, row)| is_paused(row.value()));
        paused.map(|(key, _)| key.value().to_vec()).collect()
    };
    assert!(!keys.is_empty());
    let writing = database.begin_write().unwrap();
    for key in keys {
        writing.open_table(ROWS).unwrap().insert(&key[..], &[1, 77][..]).unwrap();
    }
    writing.commit().unwrap();
}

fn is_paused(value: &[u8]) -> bool {
    // Rows that were written since the format was introduced are between 128 and a checksum.
    let row = match value {
        [128, checked @ ..] => &checked[..checked.len() - 4],
        plain => plain,
    };
    let row = Row::decode(row).unwrap();
    matches!(row, Row::Invocation(invocation) if matches!(invocation.status, Status::Paused))
}

#[tokio::test]
async fn a_panic_of_a_partition_ends_the_process() {
    let dir = tempfile::tempdir().unwrap();
    fixture(dir.path());
    // The first start on data of an older version reads all invocations, to count them.
    let (mut abide, _) = start(dir.path()).await;
    abide.terminate().unwrap();
    assert_eq!(abide.wait().unwrap().code(), Some(0));
    for partition in 0..2 {
        break_paused(&dir.path().join(format!("partition-{partition}.redb")));
    }
    let (mut abide, server) = start(dir.path()).await;
    let url = format!("{}/invocations", server.admin);
    assert!(server.send(Method::GET, &url, &[], "").await.is_err(), "nobody is left to answer");
    assert_eq!(abide.wait().unwrap().code(), Some(101));
}

/// A log file may be on a full disk, and the reader of a pipe may exit.
#[tokio::test]
async fn nobody_who_listens_is_no_reason_to_end() {
    for output in ["/dev/full", "pipe"] {
        let dir = tempfile::tempdir().unwrap();
        let (mut abide, server) = start_saying(dir.path(), output).await;
        let health = format!("{}/health", server.admin);
        server.send(Method::GET, &health, &[], "").await.unwrap();
        abide.terminate().unwrap();
        assert_eq!(abide.wait().unwrap().code(), Some(0), "{output}");
        // A start that is refused still reports it by its exit code.
        fs::write(dir.path().join("LAYOUT"), "abide-data 9\n").unwrap();
        assert_eq!(refused_saying(dir.path(), output).code(), Some(1), "{output}");
    }
}
