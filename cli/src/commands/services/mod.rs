//! `abide services`: what services there are, and how they are set up.

mod config;
mod set;

use clap::Subcommand;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use self::config::path;
use crate::{
    args::{LayoutFlags, ListFlags, ServerFlags},
    client::Client,
    commands::tally,
    error::Error,
    output::sheet::Sheet,
    printer::print_json,
    sql_text::literal,
    terminal::{is_to_terminal, say},
    watch::{Watched, list},
};

/// What can be asked of services.
#[derive(Debug, Subcommand)]
pub enum Services {
    /// List the services, as their latest deployments offer them.
    List(ListFlags),

    /// Show a service: its handlers, and how many invocations of it there are.
    Describe(One),

    /// The settings of a service.
    #[command(subcommand)]
    Config(OfConfig),
}

/// What can be asked of settings.
#[derive(Debug, Subcommand)]
pub enum OfConfig {
    /// Show the settings of a service, and those that its handlers have of their own.
    View(One),

    /// Change settings of a service. They stay until it is registered anew: each revision begins
    /// with those of its endpoint. Durations are written like "1d 12h", or as in ISO 8601.
    Set(Box<set::Set>),
}

/// One service.
#[derive(Debug, clap::Args)]
pub struct One {
    /// Its name.
    name: String,

    #[command(flatten)]
    layout: LayoutFlags,

    #[command(flatten)]
    server: ServerFlags,
}

const LIST: &str = "\
    select name, ty, revision, public, deployment_id, handlers \
    from sys_service order by name";

/// What a narrow terminal can do without, the least important first.
const LEAST: [&str; 2] = ["deployment_id", "public"];

pub(super) async fn run(services: &Services) -> Result<(), Error> {
    match services {
        Services::List(flags) => {
            let watched = Watched { title: "services", statement: LIST };
            list(flags, watched, &LEAST).await.map(drop)
        }
        Services::Describe(one) => describe(one).await,
        Services::Config(OfConfig::View(one)) => view_config(one).await,
        Services::Config(OfConfig::Set(flags)) => set::set(flags).await,
    }
}

/// What a sheet needs of a service.
#[derive(Deserialize)]
struct Service {
    name: String,
    ty: String,
    #[serde(default)]
    documentation: Option<String>,
    deployment_id: String,
    revision: u64,
    #[serde(default)]
    metadata: Map<String, Value>,
    handlers: Vec<Handler>,
}

#[derive(Deserialize)]
struct Handler {
    name: String,
    #[serde(default)]
    ty: Option<String>,
    #[serde(default)]
    input_description: String,
    #[serde(default)]
    output_description: String,
}

async fn describe(one: &One) -> Result<(), Error> {
    let client = Client::new(one.server.admin.clone());
    let service: Value = client.get(&path(&one.name)).await?;
    let is_of_it = format!("target_service_name = {}", literal(&one.name));
    let tallies = tally::count(&client, &is_of_it).await?;
    if one.layout.is_json(is_to_terminal()) {
        return print_json(&json!({ "service": service, "invocations": tallies }));
    }
    let service: Service = client.read(service)?;
    let mut sheet = Sheet::about(&service.name);
    sheet.field("type", &service.ty);
    sheet.field_if("about", service.documentation);
    sheet.field("deployment", &service.deployment_id);
    sheet.field("revision", &service.revision.to_string());
    for (name, value) in &service.metadata {
        sheet.field(name, &config::shown(value));
    }
    sheet.field("invocations", &tally::words(&tallies));
    sheet.section("Handlers");
    let handlers = service.handlers.into_iter().map(|it| {
        [it.name, it.ty.unwrap_or_default(), it.input_description, it.output_description]
    });
    let handlers: Vec<_> = handlers.collect();
    sheet.texts(["name", "type", "input", "output"], &handlers)?;
    Ok(say(&sheet.text())?)
}

async fn view_config(one: &One) -> Result<(), Error> {
    let client = Client::new(one.server.admin.clone());
    let service: Map<String, Value> = client.get(&path(&one.name)).await?;
    config::show(&one.name, &service, &one.layout)
}
