//! Checks that the files of a crate depend on each other in one direction only: without cycles, and
//! never on a higher layer.

use std::collections::{BTreeMap, BTreeSet};

/// A crate whose files are arranged in layers.
pub(crate) struct Layered {
    /// The directory of its sources.
    pub(crate) dir: &'static str,
    /// The layers, lowest first. A file belongs to the layer with the longest name that is a prefix
    /// of its module path.
    pub(crate) layers: &'static [&'static [&'static str]],
    /// Files that may form a cycle: a type and the types that it consists of.
    pub(crate) circle: &'static str,
}

/// The crates that have layers.
pub(crate) const LAYERED: [Layered; 2] = [CORE, CLI];

const CORE: Layered = Layered {
    dir: "runtime/core/src",
    layers: &[
        &["time", "model"],
        &["event"],
        &["effect", "size", "kept"],
        &["tables"],
        &["context", "admission"],
        &["registry::settings", "registry::snapshot", "outbox", "object"],
        &["shared_result"],
        &["invocation"],
        &["entries", "registry", "retention", "timer"],
        &["partition_messages", "producer_dedup"],
        &["apply", "brings", "obligations", "invariants", "attempt"],
    ],
    // `Row` is an enum over the rows of all tables, and each table converts its own rows to and
    // from it.
    circle: "tables",
};

const CLI: Layered = Layered {
    dir: "cli/src",
    layers: &[
        &["output"],
        &["client"],
        &["rows"],
        &["interval", "sql_text"],
        &["error", "args"],
        &["terminal", "printer", "watch"],
        &["commands"],
    ],
    // Each format implements what chooses among them.
    circle: "output",
};

/// Describes violations in a crate, whose files are given by their paths within it.
pub(crate) fn check(layered: &Layered, files: &BTreeMap<String, String>) -> Vec<String> {
    let modules = files.iter().map(|(path, text)| (module_of(path), text.as_str()));
    let modules: BTreeMap<String, &str> = modules.collect();
    let names: BTreeSet<&str> = modules.keys().map(String::as_str).collect();
    let uses: BTreeMap<&str, BTreeSet<String>> = modules
        .iter()
        .map(|(module, text)| (module.as_str(), uses_of(module, text, &names)))
        .collect();
    let mut faults = Vec::new();
    for (module, used) in &uses {
        let Some(own) = layer_of(layered, module) else {
            // The root only declares modules.
            if !module.is_empty() {
                faults.push(format!("{}: '{module}' is not in any layer", layered.dir));
            }
            continue;
        };
        let above = used.iter().filter(|other| layer_of(layered, other).is_none_or(|it| it > own));
        for other in above {
            let other = if other.is_empty() { "the root" } else { other };
            faults.push(format!("{}: '{module}' uses {other}, which is above it", layered.dir));
        }
    }
    for circle in circles(&uses) {
        let is_known = circle.iter().all(|module| is_within(module, layered.circle));
        if !is_known {
            faults.push(format!("{}: a cycle of {}", layered.dir, circle.join(", ")));
        }
    }
    faults
}

fn layer_of(layered: &Layered, module: &str) -> Option<usize> {
    let layers = (0..).zip(layered.layers);
    let names = layers.flat_map(|(at, names)| names.iter().map(move |name| (at, *name)));
    let within = names.filter(|(_, name)| is_within(module, name));
    within.max_by_key(|(_, name)| name.len()).map(|(at, _)| at)
}

fn is_within(module: &str, name: &str) -> bool {
    module.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Finds sets of modules that depend on each other cyclically.
fn circles<'a>(uses: &BTreeMap<&'a str, BTreeSet<String>>) -> Vec<Vec<&'a str>> {
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        uses.keys().map(|module| (*module, reach(uses, module))).collect();
    let mut seen = BTreeSet::new();
    let mut circles = Vec::new();
    for module in uses.keys() {
        let is_mutual =
            |other: &&&str| reached[module].contains(**other) && reached[**other].contains(module);
        let circle: Vec<&str> = uses.keys().filter(is_mutual).copied().collect();
        if circle.len() > 1 && seen.insert(circle.clone()) {
            circles.push(circle);
        }
    }
    circles
}

/// Returns everything that a module depends on, directly or indirectly.
fn reach<'a>(uses: &'a BTreeMap<&str, BTreeSet<String>>, module: &'a str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut next = vec![module];
    while let Some(module) = next.pop() {
        let used = uses.get(module).into_iter().flatten();
        next.extend(used.map(String::as_str).filter(|other| reached.insert(*other)));
    }
    reached
}

/// Converts a file path to a module path.
fn module_of(path: &str) -> String {
    let path = path.trim_end_matches(".rs");
    let path = path.strip_suffix("/mod").unwrap_or(path);
    if path == "lib" { String::new() } else { path.replace('/', "::") }
}

/// Finds the other modules of the crate that a module names, in imports or in paths. Declarations
/// and re-exports (`mod`, `pub use`) don't count.
fn uses_of(module: &str, text: &str, names: &BTreeSet<&str>) -> BTreeSet<String> {
    let code = code_of(text);
    let mut used = BTreeSet::new();
    // What a path's first segment refers to: modules below this one, and imported ones.
    let mut known: BTreeMap<String, String> = names
        .iter()
        .filter_map(|name| {
            let below = name.strip_prefix(module)?;
            let below = if module.is_empty() { below } else { below.strip_prefix("::")? };
            (!below.is_empty() && !below.contains("::"))
                .then(|| (below.to_owned(), (*name).to_owned()))
        })
        .collect();
    let (imports, code) = split_imports(&code);
    for tree in &imports {
        let mut leaves = Vec::new();
        expand("", tree, &mut leaves);
        for leaf in leaves {
            let leaf = leaf.strip_suffix("::self").unwrap_or(&leaf);
            let Some(path) = absolute(module, leaf, &known) else { continue };
            match names.get(path.as_str()) {
                // An imported module counts only if something in it is named.
                Some(name) => {
                    let last = path.rsplit("::").next().unwrap_or_default();
                    known.insert(last.to_owned(), (*name).to_owned());
                }
                None => _ = owner(&path, names).map(|name| used.insert(name)),
            }
        }
    }
    for path in paths(&code) {
        if let Some(path) = absolute(module, path, &known) {
            owner(&path, names).map(|name| used.insert(name));
        }
    }
    used.remove(module);
    used
}

/// Returns the longest prefix of a path that is a module.
fn owner(path: &str, names: &BTreeSet<&str>) -> Option<String> {
    let mut path = path;
    while !path.is_empty() && !names.contains(path) {
        path = path.rsplit_once("::").map_or("", |(before, _)| before);
    }
    names.get(path).map(|name| (*name).to_owned())
}

/// Resolves a path from the crate's root; `None` if it leads out of the crate.
fn absolute(module: &str, path: &str, known: &BTreeMap<String, String>) -> Option<String> {
    let mut segments = path.split("::").peekable();
    let mut base: Vec<&str> = module.split("::").filter(|part| !part.is_empty()).collect();
    let first = *segments.peek()?;
    match first {
        "crate" => base.clear(),
        "self" => (),
        "super" => {
            while segments.next_if_eq(&"super").is_some() {
                base.pop();
            }
            let rest = base.into_iter().chain(segments);
            return Some(rest.collect::<Vec<_>>().join("::"));
        }
        name => {
            base = known.get(name)?.split("::").collect();
        }
    }
    let rest = base.into_iter().chain(segments.skip(1));
    Some(rest.collect::<Vec<_>>().join("::"))
}

/// Removes comments, literals and code that is compiled only for tests.
fn code_of(text: &str) -> String {
    let lines = text.lines().map(|line| line.split_once("//").map_or(line, |(code, _)| code));
    let text = lines.collect::<Vec<_>>().join("\n");
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let parts = text.split('"').step_by(2);
    parts.collect::<Vec<_>>().join("\"\"")
}

/// Returns the trees of private imports, and the text without any imports.
fn split_imports(text: &str) -> (Vec<String>, String) {
    let (mut imports, mut code) = (Vec::new(), String::new());
    let mut rest = text;
    while let Some(at) = rest.find("use ") {
        let (before, after) = rest.split_at(at);
        code.push_str(before);
        let is_statement = before.is_empty() || before.ends_with([' ', '\n']);
        let Some((tree, next)) = after[4..].split_once(';').filter(|_| is_statement) else {
            code.push_str("use ");
            rest = &after[4..];
            continue;
        };
        let line = before.rsplit('\n').next().unwrap_or_default().trim();
        if line.is_empty() {
            imports.push(tree.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        rest = next;
    }
    code.push_str(rest);
    (imports, code)
}

/// Expands a tree of imports to its paths.
fn expand(before: &str, tree: &str, leaves: &mut Vec<String>) {
    let tree = tree.trim();
    let Some((head, inner)) = tree.split_once('{') else {
        let leaf = tree.split(" as ").next().unwrap_or_default();
        leaves.push(format!("{before}{leaf}"));
        return;
    };
    let inner = inner.trim_end().trim_end_matches('}');
    let before = format!("{before}{head}");
    let (mut depth, mut begin) = (0, 0);
    for (at, character) in inner.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&before, &inner[begin..at], leaves);
                begin = at + 1;
            }
            _ => (),
        }
    }
    if !inner[begin..].trim().is_empty() {
        expand(&before, &inner[begin..], leaves);
    }
}

/// Returns everything of the form `a::b`.
fn paths(code: &str) -> impl Iterator<Item = &str> {
    let is_part = |character: char| character.is_alphanumeric() || "_:".contains(character);
    let words = code.split(move |character| !is_part(character));
    words.map(|word| word.trim_matches(':')).filter(|word| word.contains("::"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CRATE: Layered =
        Layered { dir: "c/src", layers: &[&["model"], &["low"], &["high"]], circle: "low" };

    fn faults(files: &[(&str, &str)]) -> Vec<String> {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        check(&CRATE, &files.collect())
    }

    #[test]
    fn calls_go_down() {
        let model = ("model/ids.rs", "pub struct Lsn(u64);");
        let low = ("low.rs", "use crate::model::ids::Lsn;\nfn f() {}");
        let high =
            ("high/mod.rs", "use crate::{low, model::ids::{self, Lsn}};\nfn g() { low::f() }");
        let root = ("lib.rs", "mod high;\npub use high::g;");
        let down = [root, model, low, high];
        assert_eq!(faults(&down), Vec::<String>::new());
        let by_import = ("low.rs", "use crate::{\n    high::g,\n    model,\n};\n");
        let both = ["c/src: 'low' uses high, which is above it", "c/src: a cycle of high, low"];
        assert_eq!(faults(&[by_import, high]), both);
        let by_path = ("low.rs", "fn f() { super::high::g() } // crate::high");
        assert_eq!(faults(&[by_path, ("high.rs", "")]).len(), 1);
        let in_words = ("low.rs", "// crate::high\nconst S: &str = \"crate::high::g\";");
        assert_eq!(faults(&[in_words, ("high.rs", "")]).len(), 0);
        let by_name = ("low.rs", "use crate::high;\nfn f() { high::g() }");
        assert_eq!(faults(&[by_name, ("high.rs", "")]).len(), 1);
        let in_tests = ("low.rs", "#[cfg(test)]\nmod tests {\n    use crate::high::g;\n}");
        assert_eq!(faults(&[in_tests, ("high.rs", "")]).len(), 0);
        assert_eq!(faults(&[("other.rs", "")]), ["c/src: 'other' is not in any layer"]);
        let by_root = ("low.rs", "use crate::g;");
        assert_eq!(faults(&[by_root, root]), ["c/src: 'low' uses the root, which is above it"]);
    }

    #[test]
    fn files_that_use_each_other_are_a_circle() {
        let a = ("high/a.rs", "use super::b;\nfn f() { b::g() }");
        let b = ("high/b.rs", "use super::c::h;\nfn g() { h() }");
        let c = ("high/c.rs", "fn h() { crate::high::a::f() }");
        let found = faults(&[("high/mod.rs", "mod a; mod b; mod c;"), a, b, c]);
        assert_eq!(found, ["c/src: a cycle of high::a, high::b, high::c"]);
        let parent = ("high/mod.rs", "mod a;\nfn f() { a::f() }");
        let child = ("high/a.rs", "use super::f;");
        assert_eq!(faults(&[parent, child]), ["c/src: a cycle of high, high::a"]);
        let known = [
            ("low/a.rs", "use super::b::g;"),
            ("low/b.rs", "use super::a::f;"),
            ("low/mod.rs", ""),
        ];
        assert_eq!(faults(&known), Vec::<String>::new());
    }
}
