//! The servers that can be compared, and the command line that starts each.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::ports::Ports;

/// A server configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ServerKind {
    /// This repository's server with its defaults.
    Abide,
    /// This repository's server, with the services on our own SDK.
    AbideSdk,
    /// Restate with its defaults, which include 24 partitions.
    Restate,
    /// Restate with 2 partitions, which suits a small machine better.
    #[value(name = "restate2p")]
    Restate2p,
}

/// The programs under test, and additional arguments.
#[derive(Clone, Debug)]
pub struct Installation {
    /// This repository's server.
    pub abide: PathBuf,
    /// Additional arguments for it.
    pub abide_args: Vec<String>,
    /// Restate's server.
    pub restate: PathBuf,
    /// The services.
    pub services: PathBuf,
    /// The services on our own SDK.
    pub own_services: PathBuf,
    /// Additional arguments for the services.
    pub service_args: Vec<String>,
}

/// A command line with its environment.
#[derive(Clone, Debug)]
pub(super) struct Launch {
    pub(super) program: PathBuf,
    pub(super) args: Vec<String>,
    pub(super) env: Vec<(&'static str, String)>,
}

impl ServerKind {
    /// The name used on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Abide => "abide",
            Self::AbideSdk => "abide-sdk",
            Self::Restate => "restate",
            Self::Restate2p => "restate2p",
        }
    }

    pub(super) fn services(self, programs: &Installation) -> &Path {
        match self {
            Self::AbideSdk => &programs.own_services,
            Self::Abide | Self::Restate | Self::Restate2p => &programs.services,
        }
    }

    pub(super) fn launch(self, programs: &Installation, ports: Ports, data: &Path) -> Launch {
        match self {
            Self::Abide | Self::AbideSdk => abide(programs, ports, data),
            Self::Restate => restate(programs, ports, data),
            Self::Restate2p => {
                let mut launch = restate(programs, ports, data);
                launch.env.push(("RESTATE_DEFAULT_NUM_PARTITIONS", "2".into()));
                launch
            }
        }
    }
}

fn abide(programs: &Installation, ports: Ports, data: &Path) -> Launch {
    let mut args = vec![
        "serve".into(),
        "--data-dir".into(),
        data.display().to_string(),
        "--ingress-address".into(),
        ports.ingress().to_string(),
        "--admin-address".into(),
        ports.admin().to_string(),
    ];
    args.extend(programs.abide_args.iter().cloned());
    // As a variable, since versions without it are measured, too.
    let env = vec![("ABIDE_SQL_ADDRESS", "127.0.0.1:0".into())];
    Launch { program: programs.abide.clone(), args, env }
}

fn restate(programs: &Installation, ports: Ports, data: &Path) -> Launch {
    Launch {
        program: programs.restate.clone(),
        args: vec!["--base-dir".into(), data.display().to_string(), "--no-logo".into()],
        env: vec![
            ("RESTATE_NODE_NAME", "bench".into()),
            ("RESTATE_BIND_IP", "127.0.0.1".into()),
            ("RESTATE_LISTEN_MODE", "tcp".into()),
            ("RESTATE_BIND_ADDRESS", ports.node().to_string()),
            ("RESTATE_INGRESS__BIND_ADDRESS", ports.ingress().to_string()),
            ("RESTATE_ADMIN__BIND_ADDRESS", ports.admin().to_string()),
            ("RESTATE_LOG_FILTER", "warn".into()),
            ("RESTATE_LOG_DISABLE_ANSI_CODES", "true".into()),
            ("RESTATE_DISABLE_TELEMETRY", "true".into()),
            ("DO_NOT_TRACK", "1".into()),
        ],
    }
}
