//! The SDKs that the services are written with: how each is installed, and how its services are
//! started.

use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use e2e_harness::{
    go, maven, npm,
    programs::{binary, root, target},
    python,
};

/// The SDK that the services use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Sdk {
    /// The crate `restate-sdk`.
    Rust,
    /// The npm package `@restatedev/restate-sdk`.
    Typescript,
    /// The PyPI package `restate-sdk`.
    Python,
    /// The Go module `github.com/restatedev/sdk-go`.
    Go,
    /// The Maven artifacts of `dev.restate`.
    Java,
    /// Our own, `abide-sdk`.
    Abide,
}

/// All SDKs.
pub const SDKS: [Sdk; 6] =
    [Sdk::Rust, Sdk::Typescript, Sdk::Python, Sdk::Go, Sdk::Java, Sdk::Abide];

/// A program that serves the services.
#[derive(Debug, Clone)]
pub struct Services {
    program: PathBuf,
    arguments: Vec<OsString>,
}

impl fmt::Display for Sdk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.title().to_lowercase())
    }
}

impl Sdk {
    /// The newest service protocol version that the SDK speaks.
    pub fn newest_protocol(self) -> u16 {
        match self {
            Self::Java => 6,
            Self::Rust | Self::Typescript | Self::Python | Self::Go | Self::Abide => 7,
        }
    }

    /// The language and the SDK, for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::Typescript => "TypeScript",
            Self::Python => "Python",
            Self::Go => "Go",
            Self::Java => "Java",
            Self::Abide => "Abide",
        }
    }

    /// Builds or installs what the services need, unless it is there.
    ///
    /// # Errors
    /// Returns an error if a tool of the language is missing, or fails.
    pub fn install(self) -> Result<Services> {
        let services = |program: PathBuf, arguments: Vec<OsString>| Services { program, arguments };
        Ok(match self {
            Self::Rust => services(binary("interop-services"), Vec::new()),
            Self::Abide => services(binary("conformance-services"), Vec::new()),
            Self::Typescript => {
                let dir = root().join("interop/typescript");
                npm::packages(&dir)?;
                services("node".into(), vec![dir.join("src/main.mjs").into()])
            }
            Self::Python => {
                let dir = root().join("interop/python");
                let environment = target().join("interop-python");
                let python = python::environment(&dir.join("requirements.txt"), &environment)?;
                // Nothing is written beside the sources.
                services(python, vec!["-B".into(), dir.join("main.py").into()])
            }
            Self::Go => {
                let program = target().join("interop-go");
                go::build(&root().join("interop/go"), &program)?;
                services(program, Vec::new())
            }
            Self::Java => {
                let dir = target().join("interop-java");
                let classes = maven::compile(&root().join("interop/java"), &dir)?;
                services("java".into(), vec!["-cp".into(), classes.into(), "interop.Main".into()])
            }
        })
    }
}

impl Services {
    /// The command that serves the services at an address.
    pub fn command(&self, bind: SocketAddr) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        // Each SDK has its habits: the whole address, or the port.
        command.env("BIND", bind.to_string()).env("PORT", bind.port().to_string());
        command
    }
}
