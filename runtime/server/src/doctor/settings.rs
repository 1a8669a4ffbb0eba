//! The settings, read as `abide serve` reads them.

use cli::doctor::Finding;

use crate::{
    args::Serve,
    config::{Config, settings::Environment},
};

const SETTINGS: &str = "settings";

/// What is wrong with them, and what they are if nothing is.
pub(super) fn look(serve: &Serve) -> (Vec<Finding>, Option<Config>) {
    let environment = match Environment::of_process() {
        Ok(environment) => environment,
        Err(error) => return (vec![problem(&error)], None),
    };
    let unknown = environment.unknown().into_iter().map(|name| {
        let found = format!("the environment variable {name} has no effect");
        Finding::warning(SETTINGS, found, "docs/configuration.md lists those that do")
    });
    let mut findings: Vec<_> = unknown.collect();
    match Config::resolve(serve, &environment) {
        Ok(config) => {
            findings.push(Finding::ok(SETTINGS, "abide serve accepts them"));
            (findings, Some(config))
        }
        Err(error) => {
            findings.push(problem(&error));
            (findings, None)
        }
    }
}

fn problem(error: &anyhow::Error) -> Finding {
    let advice = "abide serve does not start with them; docs/configuration.md lists all settings";
    Finding::problem(SETTINGS, format!("{error:#}"), advice)
}
