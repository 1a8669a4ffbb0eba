//! `abide deployments`: the endpoints that offer services.

mod describe;
mod offered;
mod register;
mod remove;
mod update;

use clap::Subcommand;

use crate::{
    args::{LayoutFlags, ListFlags, ServerFlags},
    client::Client,
    error::Error,
    terminal::is_to_terminal,
    watch::{Watched, list},
};

/// What can be done with deployments.
#[derive(Debug, Subcommand)]
pub enum Deployments {
    /// List the deployments, oldest first.
    List(ListFlags),

    /// Show a deployment: its services, and the invocations that are pinned to it.
    Describe(Describe),

    /// Ask an endpoint for its services, and register it.
    Register(register::Register),

    /// Change how a deployment is called, such as an endpoint that has moved.
    Update(update::Update),

    /// Remove a deployment that no invocation needs any more.
    Remove(remove::Remove),
}

/// Which deployment to describe.
#[derive(Debug, clap::Args)]
pub struct Describe {
    /// Its id, dp_….
    id: String,

    #[command(flatten)]
    layout: LayoutFlags,

    #[command(flatten)]
    server: ServerFlags,
}

const LIST: &str = "\
    select id, status, pinned_unfinished, endpoint, services, sdk, \
    concat(min_service_protocol_version, '-', max_service_protocol_version) as protocol, \
    created_at from sys_deployment order by created_at";

/// What a narrow terminal can do without, the least important first.
const LEAST: [&str; 3] = ["created_at", "protocol", "sdk"];

pub(super) async fn run(deployments: &Deployments) -> Result<(), Error> {
    match deployments {
        Deployments::List(flags) => {
            let watched = Watched { title: "deployments", statement: LIST };
            list(flags, watched, &LEAST).await.map(drop)
        }
        Deployments::Describe(Describe { id, layout, server }) => {
            let client = Client::new(server.admin.clone());
            describe::describe(&client, id, layout.is_json(is_to_terminal())).await
        }
        Deployments::Register(flags) => register::register(flags).await,
        Deployments::Update(flags) => update::update(flags).await,
        Deployments::Remove(flags) => remove::remove(flags).await,
    }
}
