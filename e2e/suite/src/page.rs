//! `docs/sdks.md`: which behaviours each SDK has, written by a run of all of them.

use std::fmt::Write;
use std::fs;

use anyhow::{Context, Result};
use e2e_harness::programs::root;

use crate::{
    behaviours::{Behaviour, all},
    gaps,
    sdk::{SDKS, Sdk},
};

/// Where the page is, within the checkout.
pub const PATH: &str = "docs/sdks.md";

const HEAD: &str = "\
# SDKs

What users rely on, tested on the real binary through services that are written with each SDK \
(`interop`, `services/conformance`): `cargo xtask interop`. The same services and behaviours pass on \
the real server (`--against restate`), so that a gap below is the SDK's. A run fails as soon as a \
gap is none any more.

`cargo xtask interop --record` has written this page, after a run in which each SDK passed in every \
protocol version that it speaks.
";

/// What Restate's own end-to-end tests have and this suite does not, and why.
const LEFT_OUT: &[(&str, &str)] = &[
    ("leadership that moves, and all suites on three nodes", "a node is alone"),
    (
        "scopes, limit keys and rules of concurrency",
        "not supported yet ([api.md](api.md#not-yet-supported))",
    ),
    ("requests signed for the endpoint", "not supported yet"),
    ("Kafka subscriptions", "not supported yet"),
    (
        "a private service made public by the admin API, an invocation restarted as a new one, the \
         OpenAPI document of a service",
        "tested in `runtime/server/tests`: what they do does not depend on the SDK",
    ),
    ("spans of traces", "not supported yet"),
    ("data written by another version", "takes two versions: `runtime/core/src/tests/formats.rs`"),
    (
        "budgets of memory, of timers in memory and of state that is sent along",
        "settings of the other server; our bounds are tested in `runtime/server/tests` and `sim`",
    ),
    (
        "`Custom`, which runs the commands of a file",
        "each SDK's own tests; what they ask of a server is among the behaviours",
    ),
];

/// Writes the page.
///
/// # Errors
/// Returns an error if a file cannot be read or written.
pub fn write() -> Result<()> {
    fs::write(root().join(PATH), page()?).context(PATH)
}

/// The page of a run in which everything was as expected.
fn page() -> Result<String> {
    let mut page = HEAD.to_owned();
    page.push_str("\n| SDK | package | protocol | gaps |\n|---|---|---|---|\n");
    let behaviours = all();
    for sdk in SDKS {
        let (title, package) = (sdk.title(), package(sdk)?);
        let newest = sdk.newest_protocol();
        let protocols = if newest > 6 { format!("6 to {newest}") } else { newest.to_string() };
        let known =
            behaviours.iter().filter(|behaviour| gaps::known(sdk, behaviour.name).is_some());
        // Writing to a string does not fail.
        let _ = writeln!(page, "| {title} | {package} | {protocols} | {} |", known.count());
    }
    let _ = writeln!(page, "\n## Behaviours\n\n{} behaviours.\n", behaviours.len());
    let titles: Vec<&str> = SDKS.into_iter().map(Sdk::title).collect();
    let _ = writeln!(page, "| behaviour | {} |", titles.join(" | "));
    let _ = writeln!(page, "|---|{}", "---|".repeat(titles.len()));
    let mut reasons = Vec::new();
    behaviours.iter().for_each(|behaviour| page.push_str(&row(behaviour, &mut reasons)));
    page.push_str("\n## Gaps\n\n");
    for (number, (sdk, why)) in reasons.iter().enumerate() {
        let _ = writeln!(page, "{}. {}: {why}.", number + 1, sdk.title());
    }
    page.push_str(
        "\n## What the suite leaves out\n\nOf the behaviours that Restate's own end-to-end tests \
         have:\n\n| what | why |\n|---|---|\n",
    );
    for (what, why) in LEFT_OUT {
        let _ = writeln!(page, "| {what} | {why} |");
    }
    Ok(page)
}

/// A behaviour with what is known of it for each SDK; `reasons` collects the gaps by number.
fn row(behaviour: &Behaviour, reasons: &mut Vec<(Sdk, &'static str)>) -> String {
    let mut cell = |sdk| {
        let Some(why) = gaps::known(sdk, behaviour.name) else { return "passes".to_owned() };
        let place = reasons.iter().position(|reason| *reason == (sdk, why));
        let place = place.unwrap_or_else(|| {
            reasons.push((sdk, why));
            reasons.len() - 1
        });
        format!("gap {}", place + 1)
    };
    let cells: Vec<String> = SDKS.into_iter().map(&mut cell).collect();
    let name = behaviour.name.replace('_', " ").replace('.', ": ");
    format!("| {name} | {} |\n", cells.join(" | "))
}

/// The package of an SDK, in the version that is tested.
fn package(sdk: Sdk) -> Result<String> {
    let (name, file, before, after) = match sdk {
        Sdk::Rust => ("restate-sdk", "Cargo.lock", "name = \"restate-sdk\"\nversion = \"", '"'),
        Sdk::Typescript => (
            "@restatedev/restate-sdk",
            "interop/typescript/package.json",
            "\"@restatedev/restate-sdk\": \"",
            '"',
        ),
        Sdk::Python => ("restate-sdk", "interop/python/requirements.txt", "restate-sdk==", '\n'),
        Sdk::Go => (
            "github.com/restatedev/sdk-go",
            "interop/go/go.mod",
            "github.com/restatedev/sdk-go v",
            '\n',
        ),
        Sdk::Java => {
            ("dev.restate:sdk-java-http", "interop/java/pom.xml", "<restate.version>", '<')
        }
        Sdk::Abide => return Ok("`abide-sdk` of this repository".to_owned()),
    };
    let text = fs::read_to_string(root().join(file)).context(file)?;
    let version = text.split_once(before).and_then(|(_, rest)| rest.split_once(after));
    let (version, _) = version.with_context(|| format!("{file} does not name {name}"))?;
    Ok(format!("`{name}` {version}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_lists_the_behaviours_and_gaps_that_there_are() {
        let written = fs::read_to_string(root().join(PATH)).unwrap_or_default();
        let hint = "is out of date: cargo xtask interop --record writes it anew";
        assert!(written == page().unwrap(), "{PATH} {hint}");
    }
}
