//! `abide dev`: a server, and a service that is started again and registered whenever its files
//! change.

mod group;
mod node;
mod stop;
mod watch;

use std::path::PathBuf;
use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use tokio::{net::TcpStream, time::sleep};

use self::{
    group::{Group, tell},
    node::Node,
    stop::Stop,
    watch::Changes,
};
use crate::{
    args::ServerFlags,
    client::{Client, ClientError},
    error::Error,
};

/// The flags of `abide dev`.
#[derive(Debug, clap::Args)]
pub struct Dev {
    /// Where the command serves its endpoint.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9080")]
    endpoint: String,

    /// File, or directory in which a change restarts the command. Nothing in target, node_modules,
    /// data directories of servers and hidden directories counts.
    #[arg(long, value_name = "PATH", default_value = ".")]
    watch: PathBuf,

    /// Start the command only once.
    #[arg(long)]
    no_watch: bool,

    /// Data directory of the server, if none runs at --admin yet; otherwise it has one that is
    /// removed in the end.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,

    #[command(flatten)]
    server: ServerFlags,

    /// What serves the endpoint, and its arguments.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// What is said below the flags.
pub(crate) const HELP: &str = "\
Starts a server, unless one runs at --admin, and the command. Once its endpoint answers, it is
registered, and again after every change. Ctrl-C ends both.

  abide dev -- cargo run
  abide dev --endpoint http://127.0.0.1:9081 -- npm start

";

/// How often it is tried whether the endpoint answers.
const PAUSE: Duration = Duration::from_millis(100);

/// What ends a wait.
enum Next {
    /// Files have changed.
    Changed,
    /// Ctrl-C, or another signal to end.
    Stopped,
}

pub(super) async fn run(flags: &Dev) -> Result<(), Error> {
    let client = Client::new(flags.server.admin.clone());
    if is_answering(&flags.endpoint).await {
        tell(&format!("something answers at {} already, before the command", flags.endpoint));
    }
    let mut stop = Stop::new().map_err(Error::Start)?;
    let node = Node::start(&client, flags.data_dir.as_deref(), &mut stop).await?;
    let ended = serve(flags, &client, &mut stop).await;
    node.stop().await;
    ended
}

/// Runs the command again and again.
async fn serve(flags: &Dev, client: &Client, stop: &mut Stop) -> Result<(), Error> {
    loop {
        // From before the start, so that nothing is missed.
        let mut changes = Changes::of((!flags.no_watch).then_some(&*flags.watch))?;
        let mut service = Group::start("service", &flags.command)?;
        let next = tokio::select! {
            next = follow(flags, client, &mut service, &mut changes) => next,
            () = stop.wanted() => Next::Stopped,
        };
        service.stop().await;
        match next {
            Next::Changed => tell("a file has changed; starting the command again"),
            Next::Stopped => return Ok(()),
        }
    }
}

/// Registers the endpoint once it answers, and waits for a change.
async fn follow(flags: &Dev, client: &Client, service: &mut Group, changes: &mut Changes) -> Next {
    tokio::select! {
        () = changes.next() => return Next::Changed,
        status = service.ended() => {
            tell(&format!(
                "the command has ended with {status} before its endpoint was registered; waiting for a \
                 change"
            ));
            changes.next().await;
            return Next::Changed;
        }
        () = register(client, &flags.endpoint) => (),
    }
    tokio::select! {
        () = changes.next() => (),
        status = service.ended() => {
            tell(&format!("the command has ended with {status}; waiting for a change"));
            changes.next().await;
        }
    }
    Next::Changed
}

#[derive(Deserialize)]
struct Registered {
    id: String,
    services: Vec<Service>,
}

#[derive(Deserialize)]
struct Service {
    name: String,
}

/// Registers the endpoint, as soon as it can be.
async fn register(client: &Client, endpoint: &str) {
    let mut last_said = String::new();
    loop {
        if is_answering(endpoint).await {
            // What is known of an earlier start is replaced.
            let body = json!({ "uri": endpoint, "force": true });
            match client.post::<Registered>("/deployments", &body).await {
                Ok((status, registered)) => return tell_registered(status, endpoint, &registered),
                Err(error) => tell_once(&mut last_said, &error),
            }
        }
        sleep(PAUSE).await;
    }
}

/// An endpoint that is just starting fails in the same way many times.
fn tell_once(last_said: &mut String, error: &ClientError) {
    let said = error.to_string();
    if *last_said != said {
        tell(&format!("the endpoint cannot be registered yet: {said}"));
        *last_said = said;
    }
}

fn tell_registered(status: StatusCode, endpoint: &str, registered: &Registered) {
    let names: Vec<_> = registered.services.iter().map(|service| &*service.name).collect();
    let again = if status == StatusCode::CREATED { "" } else { " again" };
    let Registered { id, .. } = registered;
    tell(&format!("registered {endpoint}{again} as {id}: {}", names.join(", ")));
}

/// Whether anything accepts connections there.
async fn is_answering(endpoint: &str) -> bool {
    let Ok(uri) = endpoint.parse::<http::Uri>() else { return true };
    let (Some(host), port) = (uri.host(), uri.port_u16()) else { return true };
    let is_tls = uri.scheme_str() == Some("https");
    let port = port.unwrap_or(if is_tls { 443 } else { 80 });
    TcpStream::connect((host.trim_matches(['[', ']']), port)).await.is_ok()
}
