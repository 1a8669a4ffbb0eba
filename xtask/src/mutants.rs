//! One-line mutations of the durable core, each of which the tests must notice.
//!
//! `xtask/mutants.txt` lists them: what is removed or inverted, where, and which tests should
//! notice. Each mutation is applied in a copy of the tree with its own build directory, so it costs
//! one crate's rebuild and its tests. A surviving mutation is a gap in the tests, unless it is
//! listed as equivalent, with a reason.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{Result, number, option};

const LIST: &str = "xtask/mutants.txt";

/// A mutation that makes the tests hang this long counts as caught.
const TIMEOUT: Duration = Duration::from_secs(600);

/// How often a running test is polled.
const LOOK_AFTER: Duration = Duration::from_millis(50);

/// A mutation from the list.
#[derive(Debug, Default, PartialEq, Eq)]
struct Mutant {
    name: String,
    file: String,
    from: String,
    to: String,
    /// Sets of `cargo test` arguments, run in order until one notices.
    tests: Vec<String>,
    /// Why the mutation changes nothing, if it is equivalent.
    equivalent: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Caught(String),
    Survived,
    /// The mutant does not compile, so it shows nothing about the tests.
    Broken,
}

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let only = option(arguments, "--only").unwrap_or_default();
    let from = usize::try_from(number(arguments, "--from", 1)?).unwrap_or(1).max(1);
    let text = fs::read_to_string(LIST).map_err(|error| format!("{LIST}: {error}"))?;
    let mutants = parse(&text)?;
    let tree = copy_tree()?;
    let (mut caught, mut bad) = (0, Vec::new());
    for (at, mutant) in mutants.iter().enumerate().skip(from - 1) {
        if !mutant.name.contains(only) {
            continue;
        }
        let started = Instant::now();
        let verdict = judge(&tree, mutant)?;
        let seconds = started.elapsed().as_secs();
        let (number, name) = (at + 1, &mutant.name);
        match (&verdict, &mutant.equivalent) {
            (Verdict::Caught(by), None) => {
                caught += 1;
                println!("{number:3} caught    {seconds:4} s  {name}  by {by}");
            }
            (Verdict::Survived, Some(reason)) => {
                caught += 1;
                println!("{number:3} no change {seconds:4} s  {name}: {reason}");
            }
            (verdict, _) => {
                println!("{number:3} {verdict:?} {seconds:4} s  {name}");
                bad.push(name.clone());
            }
        }
    }
    println!("{caught} of {} accounted for", caught + bad.len());
    if bad.is_empty() { Ok(()) } else { Err(format!("unexpected results: {}", bad.join(", "))) }
}

/// Parses the list: sections that start with `== name`, lines `key: value`, and the old and new
/// lines after `-` and `+`.
fn parse(text: &str) -> Result<Vec<Mutant>> {
    let mut mutants: Vec<Mutant> = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("== ") {
            mutants.push(Mutant { name: name.to_owned(), ..Mutant::default() });
            continue;
        }
        let Some(mutant) = mutants.last_mut() else { continue };
        if let Some(old) = line.strip_prefix('-') {
            append(&mut mutant.from, old);
        } else if let Some(new) = line.strip_prefix('+') {
            append(&mut mutant.to, new);
        } else if let Some(file) = line.strip_prefix("file: ") {
            file.clone_into(&mut mutant.file);
        } else if let Some(tests) = line.strip_prefix("test: ") {
            mutant.tests.push(tests.to_owned());
        } else if let Some(reason) = line.strip_prefix("changes nothing: ") {
            mutant.equivalent = Some(reason.to_owned());
        } else if !line.is_empty() {
            return Err(format!("{LIST}: '{}': cannot parse '{line}'", mutant.name));
        }
    }
    Ok(mutants)
}

fn append(text: &mut String, line: &str) {
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(line);
}

/// Copies the tree as git knows it, next to a build directory that persists between runs.
fn copy_tree() -> Result<PathBuf> {
    let tree = Path::new("target/mutants/tree").to_owned();
    let listed = Command::new("git").args(["ls-files", "-z"]).output();
    let listed = listed.map_err(|error| format!("git ls-files: {error}"))?.stdout;
    let listed = String::from_utf8_lossy(&listed);
    let names: BTreeSet<&str> = listed.split('\0').filter(|name| !name.is_empty()).collect();
    remove_others(&tree, &tree, &names)?;
    for name in names {
        let to = tree.join(name);
        let new = fs::read(name).map_err(|error| format!("{name}: {error}"))?;
        // Unchanged files keep their modification time, so that cargo reuses what it has built.
        if fs::read(&to).is_ok_and(|old| old == new) {
            continue;
        }
        let dir = to.parent().unwrap_or(&tree);
        fs::create_dir_all(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        fs::write(&to, new).map_err(|error| format!("{}: {error}", to.display()))?;
    }
    Ok(tree)
}

/// Removes files left by an earlier copy: otherwise a moved module would exist twice.
fn remove_others(tree: &Path, dir: &Path, names: &BTreeSet<&str>) -> Result<()> {
    let Ok(entries) = fs::read_dir(dir) else { return Ok(()) };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            remove_others(tree, &path, names)?;
            continue;
        }
        let name = path.strip_prefix(tree).ok().and_then(Path::to_str);
        if !name.is_some_and(|name| names.contains(name)) {
            fs::remove_file(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        }
    }
    Ok(())
}

fn judge(tree: &Path, mutant: &Mutant) -> Result<Verdict> {
    let path = tree.join(&mutant.file);
    let complain = |what: &str| format!("{LIST}: '{}': {}: {what}", mutant.name, mutant.file);
    let original = fs::read_to_string(&path).map_err(|error| complain(&error.to_string()))?;
    if original.matches(&mutant.from).count() != 1 {
        return Err(complain("the old lines do not occur exactly once"));
    }
    let write = |text: &str| fs::write(&path, text).map_err(|error| complain(&error.to_string()));
    write(&original.replacen(&mutant.from, &mutant.to, 1))?;
    let verdict = test(tree, mutant);
    write(&original)?;
    verdict
}

fn test(tree: &Path, mutant: &Mutant) -> Result<Verdict> {
    for tests in &mutant.tests {
        if !cargo(tree, &format!("{tests} --no-run"))? {
            return Ok(Verdict::Broken);
        }
        if !cargo(tree, tests)? {
            return Ok(Verdict::Caught(tests.clone()));
        }
    }
    Ok(Verdict::Survived)
}

/// Whether `cargo test` succeeds within the time limit.
fn cargo(tree: &Path, arguments: &str) -> Result<bool> {
    let child = Command::new("cargo")
        .args(["test", "--quiet"])
        .args(arguments.split_whitespace())
        .current_dir(tree)
        .env("CARGO_TARGET_DIR", "../build")
        .env("RUST_BACKTRACE", "0")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut child = child.map_err(|error| format!("cargo: {error}"))?;
    let started = Instant::now();
    loop {
        match child.try_wait().map_err(|error| format!("cargo: {error}"))? {
            Some(status) => return Ok(status.success()),
            None if started.elapsed() > TIMEOUT => {
                end(&mut child);
                return Ok(false);
            }
            None => std::thread::sleep(LOOK_AFTER),
        }
    }
}

/// Kills cargo and its children: otherwise a hanging test would outlive it.
fn end(child: &mut Child) {
    let of = child.id().to_string();
    let _ = Command::new("pkill").args(["-KILL", "-P", &of]).status();
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_read_and_every_mutation_fits_the_tree() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mutants = parse(&fs::read_to_string(root.join(LIST)).unwrap()).unwrap();
        assert!(mutants.len() >= 40, "{} mutations", mutants.len());
        for mutant in mutants {
            let text = fs::read_to_string(root.join(&mutant.file)).unwrap();
            let found = text.matches(&mutant.from).count();
            assert_eq!(found, 1, "'{}': {}", mutant.name, mutant.file);
            assert!(mutant.from != mutant.to && !mutant.tests.is_empty(), "{}", mutant.name);
        }
    }
}
