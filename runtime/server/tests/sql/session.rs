//! The session with psql that `docs/sql.md` shows. `ABIDE_TEST_BLESS=1` writes it there anew.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;

use crate::psql::Rig;

const BEGIN: &str = "<!-- session: written by a test -->\n";
const END: &str = "<!-- end of session -->\n";

/// Longer answers are shown only to those who unfold them.
const LINES_MAX: usize = 40;

/// What a person would type, in this order. Each part is a session of its own.
const TYPED: [&[&str]; 9] = [
    &["\\dt"],
    &["\\dv"],
    &["\\d state"],
    &["\\d+ sys_invocation"],
    &["select target, status, retry_count from sys_invocation order by created_at;"],
    &["select service_key, key, value_json from state where service_name = 'order-status';"],
    &[
        "select service, method, service_key_utf8, id, status, invoked_by_service from sys_status order by service;",
    ],
    &["select target, kind, until from sys_wait;"],
    &[
        "\\x",
        "select id, target, status, journal_size, completion_result from sys_invocation where target_service_name = 'order-status';",
    ],
];

/// The same ids each time, as long as real ones.
fn with_stable_ids(text: &str) -> String {
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    let mut stable = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("inv_") {
        let id = &rest[at..];
        let id =
            &id[..id.find(|it: char| !it.is_ascii_alphanumeric() && it != '_').unwrap_or(id.len())];
        let nth = known.len() + 1;
        let shown = known.entry(id.to_owned()).or_insert_with(|| {
            let digits = "1bcdefghijkmnpqrstuvwxyz23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
            format!("inv_1{nth}{}", &digits[nth..][..id.len() - 6])
        });
        stable.push_str(&rest[..at]);
        stable.push_str(shown);
        rest = &rest[at + id.len()..];
    }
    stable + rest
}

/// The session as a document shows it.
async fn session() -> String {
    // A wait is a suspension at once.
    let rig = Rig::start(&[("ABIDE_INACTIVITY_TIMEOUT_MS", "0")]).await;
    rig.server.send_to("/order-workflow/order-7/run", json!(null)).await.unwrap();
    rig.server
        .eventually(|| async {
            let waiting = rig.value("select count(*) from sys_wait where kind = 'Signal'");
            anyhow::ensure!(waiting == "1", "{waiting} wait");
            Ok(())
        })
        .await
        .unwrap();
    let blocks = TYPED.iter().map(|lines| {
        let typed: String = lines.iter().map(|line| format!("abide=> {line}\n")).collect();
        let said = rig.typed(lines);
        let said: Vec<&str> = said.trim_end().lines().map(str::trim_end).collect();
        let block = format!("```text\n{typed}{}\n```\n", said.join("\n"));
        if said.len() <= LINES_MAX {
            return block;
        }
        let what = lines.join(" ");
        format!("<details><summary><code>{what}</code></summary>\n\n{block}\n</details>\n")
    });
    with_stable_ids(&blocks.collect::<Vec<_>>().join("\n"))
}

#[tokio::test]
async fn the_documented_session_is_a_real_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/sql.md");
    let document = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = document.split_once(BEGIN).unwrap();
    let (shown, after) = rest.split_once(END).unwrap();
    let session = session().await;
    if std::env::var_os("ABIDE_TEST_BLESS").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{session}{END}{after}")).unwrap();
        return;
    }
    assert!(shown == session, "set ABIDE_TEST_BLESS=1 to write it; it is now:\n{session}");
}
