//! Checks what the compiler does not: module docs, the direction of dependencies, leftovers, blobs.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use e2e_harness::programs::root;

use crate::{
    Result,
    layers::{self, LAYERED},
};

/// Crates that must stay pure, and the dependencies they may not have.
const PURE: [&str; 3] = ["protocol", "runtime/core", "sdk/core"];
const IMPURE: [&str; 9] =
    ["tokio", "hyper", "http", "axum", "rand", "fastrand", "tracing", "redb", "futures"];

/// The crates of the runtime and the SDK, lowest level first. A crate imports none of its own or a
/// higher level.
const LEVELS: [&[&str]; 6] = [
    &["protocol", "backup", "runtime-http", "runtime-seeded"],
    &["runtime-core", "sdk-core", "sdk-macros"],
    &["runtime-views", "runtime-log", "runtime-store", "runtime-schema", "abide-sdk"],
    &["runtime-partition"],
    &[
        "runtime-invoker",
        "runtime-ingress",
        "runtime-admin",
        "runtime-embedded",
        "kafka-ingress",
        "sql-introspection",
        "cli",
    ],
    &["sim", "abide-test", "runtime-server"],
];

/// Crates that never import each other: the edges, the optional ingress and introspection crates,
/// and the command line.
const APART: [&str; 6] = [
    "runtime/invoker",
    "runtime/ingress",
    "runtime/admin",
    "kafka-ingress",
    "sql-introspection",
    "cli",
];

/// Crates outside of the runtime, which import no crate of it.
const OUTSIDE: [&str; 3] = ["kafka-ingress", "sql-introspection", "cli"];

/// Dependencies of the chores, which must have none themselves, since they are compiled before
/// anything else.
const FIRST: [&str; 2] = ["e2e/harness", "runtime/seeded"];

/// Crates that drive a node by hand, and enable features that a release must not have.
const SIMULATED: [&str; 3] = ["runtime/embedded", "sim", "sdk/testkit"];

/// Edges that display rows, and may read them only through views.
const VIEWERS: [&str; 2] = ["runtime/ingress/src", "runtime/admin/src"];

/// Packages whose name is not their path joined with `-`, because users depend on them by name.
const NAMED: [&str; 2] = ["abide-sdk", "abide-test"];

/// Functions that read the wall clock, which can be set forward and back. Only the node's own clock
/// (`runtime/partition/src/clock`) may use them. `Instant` only measures, and is allowed.
const WALL_CLOCKS: [&str; 3] = ["SystemTime::now", "UNIX_EPOCH.elapsed", "Timestamp::now()"];

/// The macros that log warnings and errors, and the document where operators find each message.
const COMPLAINTS: [&str; 2] = ["tracing::warn!(", "tracing::error!("];
const COMPLAINTS_EXPLAINED: &str = "docs/operations.md";

const BLOB_BYTES_MAX: u64 = 256 * 1024;

pub(crate) fn run() -> Result<()> {
    let files = tracked()?;
    let mut faults = Vec::new();
    let mut longest = Vec::new();
    let explained = fs::read_to_string(root().join(COMPLAINTS_EXPLAINED))
        .map_err(|error| format!("{COMPLAINTS_EXPLAINED}: {error}"))?;
    for file in &files {
        let path = root().join(file);
        let size = fs::metadata(&path).map_or(0, |metadata| metadata.len());
        let is_lock = file.ends_with("Cargo.lock") || file.ends_with("package-lock.json");
        if size > BLOB_BYTES_MAX && !is_lock {
            faults.push(format!("{file}: too large for a source file ({size} bytes)"));
        }
        if file.ends_with(".rs") {
            let text = fs::read_to_string(&path).map_err(|error| format!("{file}: {error}"))?;
            check_source(file, &text, &mut faults);
            check_complaints(file, &text, &explained, &mut faults);
            longest.push((text.lines().count(), file.clone()));
        }
        if file.ends_with("Cargo.toml") && file != "Cargo.toml" {
            let text = fs::read_to_string(&path).map_err(|error| format!("{file}: {error}"))?;
            check_manifest(file, &text, &mut faults);
        }
    }
    check_bans(&mut faults);
    check_layers(&files, &mut faults)?;
    longest.sort_unstable_by(|a, b| b.cmp(a));
    println!("longest files:");
    longest.iter().take(8).for_each(|(lines, file)| println!("  {lines:>5} {file}"));
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
}

fn tracked() -> Result<Vec<String>> {
    let output = Command::new("git")
        .args(["ls-files"])
        .current_dir(root())
        .output()
        .map_err(|error| format!("git: {error}"))?;
    let names = String::from_utf8_lossy(&output.stdout);
    // A file that is deleted but not yet committed is still listed.
    Ok(names.lines().filter(|name| root().join(name).exists()).map(str::to_owned).collect())
}

fn check_source(file: &str, text: &str, faults: &mut Vec<String>) {
    let is_test = file.contains("/tests/") || file.ends_with("tests.rs");
    let first = text.lines().find(|line| !line.trim().is_empty() && !line.starts_with("#!["));
    if !is_test && !first.is_some_and(|line| line.starts_with("//!")) {
        faults.push(format!("{file}: has no module documentation (//!)"));
    }
    let is_runtime = file.starts_with("runtime/") && !is_test;
    let is_viewer = VIEWERS.iter().any(|dir| file.starts_with(dir)) && !is_test;
    for (number, line) in (1..).zip(text.lines()) {
        if is_runtime && WALL_CLOCKS.iter().any(|clock| line.contains(clock)) {
            faults.push(format!("{file}:{number}: the time comes from runtime_partition::Clock"));
        }
        let mut words = line.split(|character: char| !character.is_alphanumeric());
        if is_viewer && words.any(|word| word == "Tables") {
            faults.push(format!("{file}:{number}: rows are read through runtime_views"));
        }
        // Split, so that this file passes its own check.
        let leftovers = [concat!("FIX", "ME"), concat!("db", "g!("), concat!("to", "do!(")];
        if let Some(leftover) = leftovers.iter().find(|leftover| line.contains(**leftover)) {
            faults.push(format!("{file}:{number}: leftover {leftover}"));
        }
    }
}

fn check_layers(files: &[String], faults: &mut Vec<String>) -> Result<()> {
    for layered in &LAYERED {
        let inside = files.iter().filter_map(|file| {
            let path = file.strip_prefix(layered.dir)?.strip_prefix('/')?;
            let is_test = path.starts_with("tests") || path.ends_with("tests.rs");
            (path.ends_with(".rs") && !is_test).then_some((file, path))
        });
        let mut texts = BTreeMap::new();
        for (file, path) in inside {
            let text = fs::read_to_string(root().join(file))
                .map_err(|error| format!("{file}: {error}"))?;
            texts.insert(path.to_owned(), text);
        }
        faults.extend(layers::check(layered, &texts));
    }
    Ok(())
}

/// Checks that each warning and error of the runtime is documented: the longest fixed part of its
/// format string must appear in the document.
fn check_complaints(file: &str, text: &str, explained: &str, faults: &mut Vec<String>) {
    let is_test = file.contains("/tests/") || file.ends_with("tests.rs");
    if is_test || !file.starts_with("runtime/") {
        return;
    }
    for complaint in COMPLAINTS.iter().flat_map(|begin| text.split(begin).skip(1)) {
        let Some(literal) = complaint.split('"').nth(1) else { continue };
        let words: String = literal.split("\\\n").map(str::trim_start).collect();
        let fixed =
            words.split('{').map(|part| part.split_once('}').map_or(part, |(_, rest)| rest));
        let longest = fixed.map(str::trim).max_by_key(|part| part.len()).unwrap_or_default();
        if !explained.contains(longest) {
            faults.push(format!("{file}: {COMPLAINTS_EXPLAINED} does not document '{longest}'"));
        }
    }
}

fn check_manifest(file: &str, text: &str, faults: &mut Vec<String>) {
    let dir = Path::new(file).parent().map_or("", |dir| dir.to_str().unwrap_or_default());
    let name = text.lines().find_map(|line| line.strip_prefix("name = \""));
    let name = name.map(|name| name.trim_end_matches('"')).unwrap_or_default();
    let expected = dir.replace('/', "-");
    if name != expected && !NAMED.contains(&name) && !dir.ends_with("fuzz") {
        faults.push(format!(
            "{file}: the package is named '{name}', expected '{expected}' from its path"
        ));
    }
    let dependencies = dependencies(text);
    let imports = |name: &str| dependencies.iter().any(|dependency| dependency == name);
    if PURE.contains(&dir) {
        for impure in IMPURE.iter().filter(|impure| imports(impure)) {
            faults.push(format!("{file}: a pure crate depends on {impure}"));
        }
    }
    if FIRST.contains(&dir) && !dependencies.is_empty() {
        faults.push(format!("{file}: xtask uses it, so it must not depend on anything"));
    }
    if APART.contains(&dir) {
        for other in APART.iter().filter(|other| imports(&other.replace('/', "-"))) {
            faults.push(format!("{file}: depends on {other}, which must stay separate from it"));
        }
    }
    let normal = text.split("[dev-dependencies]").next().unwrap_or_default();
    let is_simulated =
        normal.contains("features = [\"simulation\"]") || normal.contains("runtime-embedded");
    if is_simulated && !SIMULATED.contains(&dir) {
        faults.push(format!(
            "{file}: only {} may enable what a release must not contain",
            SIMULATED.join(", ")
        ));
    }
    let runtime = dependencies.iter().find(|name| name.starts_with("runtime-"));
    if let Some(runtime) = runtime.filter(|_| OUTSIDE.contains(&dir)) {
        faults.push(format!(
            "{file}: depends on {runtime}, but must not know any crate of the runtime"
        ));
    }
    let level_of = |name: &str| LEVELS.iter().position(|level| level.contains(&name));
    if let Some(own) = level_of(name) {
        let above = dependencies.iter().filter(|other| level_of(other).is_some_and(|it| it >= own));
        for other in above {
            faults.push(format!("{file}: depends on {other}, which is not in a lower layer"));
        }
    }
    if imports("runtime-server") {
        faults.push(format!("{file}: no crate may import the server"));
    }
}

/// Returns the names in `[dependencies]`.
fn dependencies(text: &str) -> Vec<String> {
    let lines = text.lines().skip_while(|line| *line != "[dependencies]").skip(1);
    lines
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .filter(|name| !name.is_empty() && !name.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

/// The nearest clippy.toml replaces the root's, so all pure crates must have the same one.
fn check_bans(faults: &mut Vec<String>) {
    let bans = |dir: &str| fs::read_to_string(root().join(dir).join("clippy.toml")).ok();
    for pair in PURE.windows(2) {
        if bans(pair[0]).is_none() || bans(pair[0]) != bans(pair[1]) {
            faults.push(format!("{0}/clippy.toml and {1}/clippy.toml differ", pair[0], pair[1]));
        }
    }
}
