//! `docs/compatibility.md`: each request with the response of the real server and that of ours.

use std::fmt::Write;

use serde_json::Value;

use super::case::{Case, File, Recorded};

const HEAD: &str = "\
# Compatibility

What Abide answers to the requests of Restate's ingress API, admin API and command line, beside what \
Restate 1.7.12 answers. Every row is a request that is sent to the real binary in each run of the \
tests, and whose answer is compared in status, headers and body with the one that was recorded from \
the real server (`interop/surface`, `cargo xtask surface`). Texts for people, ids, times and ports \
may differ. `{…}` stands for a value from an earlier answer.

This page is made from those records; `ABIDE_TEST_BLESS=1 cargo test -p e2e-suite` writes it anew.
";

/// The titles of the files, in their order.
const TITLES: [&str; 3] = ["Requests of the official command line", "Admin API", "Ingress"];

/// The page.
#[must_use]
pub fn document(files: &[File]) -> String {
    let cases = || files.iter().flat_map(|file| &file.cases);
    let (all, different) = (cases().count(), cases().filter(|it| it.ours.is_some()).count());
    let mut page = HEAD.to_owned();
    // Writing to a string does not fail.
    let _ = writeln!(
        page,
        "\n{all} requests, {} of them answered alike and {different} deliberately differently.",
        all - different
    );
    for (title, file) in TITLES.iter().zip(files) {
        let _ = writeln!(page, "\n## {title}\n");
        page.push_str("| request | what it tests | Restate | Abide | why it differs |\n|---|---|---|---|---|\n");
        for case in &file.cases {
            page.push_str(&row(case));
        }
    }
    page
}

fn row(case: &Case) -> String {
    let Case { name, ask, answer, ours, why, more, .. } = case;
    let real = answer.as_ref().map_or_else(|| "not recorded".to_owned(), summary);
    let same = || match &more[..] {
        [] => "the same".to_owned(),
        more => format!("the same, with `{}`", more.join("`, `")),
    };
    let abide = ours.as_ref().map_or_else(same, |ours| {
        // What is not in the summary is what differs.
        match summary(ours) {
            ours if ours == real => format!("{ours}, other contents"),
            ours => ours,
        }
    });
    let cells = [&format!("`{}`", ask.replace('|', "\\|")), name, &real, &abide];
    let cells = cells.map(String::as_str).into_iter().chain([why.as_deref().unwrap_or("")]);
    format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
}

/// A response in a few words: its status, and the code that an error has.
fn summary(recorded: &Recorded) -> String {
    let code = recorded.body.get("restate_code").and_then(Value::as_str);
    let source = recorded.headers.get("x-restate-error-source");
    let details: Vec<_> = code.into_iter().chain(source.map(String::as_str)).collect();
    let status = recorded.status;
    if details.is_empty() { status.to_string() } else { format!("{status} {}", details.join(", ")) }
}

#[cfg(test)]
mod tests {
    use e2e_harness::programs::root;

    use super::*;
    use crate::surface::case;

    #[test]
    fn the_page_is_what_the_records_say() {
        let page = document(&case::read_all().unwrap());
        let path = root().join("docs/compatibility.md");
        if std::env::var_os("ABIDE_TEST_BLESS").is_some() {
            std::fs::write(&path, &page).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == page,
            "docs/compatibility.md is out of date: ABIDE_TEST_BLESS=1 cargo test -p e2e-suite writes it anew"
        );
    }
}
