//! The services that a deployment offers, as the admin API describes them, and what it remarks.

use serde::Deserialize;

use crate::output::{OutputError, sheet::Sheet};

/// What a sheet needs of a service.
#[derive(Debug, Deserialize)]
pub(super) struct Service {
    name: String,
    ty: String,
    revision: u64,
    handlers: Vec<Handler>,
}

#[derive(Debug, Deserialize)]
struct Handler {
    name: String,
}

/// What a server remarks on a change.
#[derive(Debug, Deserialize)]
pub(super) struct Info {
    message: String,
}

/// Adds what the server remarks, if it does.
pub(super) fn remark(info: &[Info], sheet: &mut Sheet) {
    if !info.is_empty() {
        sheet.section("Note");
        info.iter().for_each(|info| sheet.item(&info.message));
    }
}

/// Adds a table of services with the number of their handlers.
pub(super) fn summarize(services: &[Service], sheet: &mut Sheet) -> Result<(), OutputError> {
    sheet.section("Services");
    let rows = services.iter().map(|service| {
        let handlers = service.handlers.len().to_string();
        [service.name.clone(), service.ty.clone(), handlers, service.revision.to_string()]
    });
    sheet.texts(["service", "kind", "handlers", "revision"], &rows.collect::<Vec<_>>())
}

/// Adds a table of services with the names of their handlers.
pub(super) fn show(services: &[Service], sheet: &mut Sheet) -> Result<(), OutputError> {
    sheet.section("Services");
    let rows = services.iter().map(|service| {
        let handlers: Vec<_> = service.handlers.iter().map(|it| it.name.as_str()).collect();
        let handlers = handlers.join(", ");
        [service.name.clone(), service.ty.clone(), service.revision.to_string(), handlers]
    });
    sheet.texts(["name", "type", "revision", "handlers"], &rows.collect::<Vec<_>>())
}
