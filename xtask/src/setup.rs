//! The programs of the order flow, run together: the runtime, the services, and the restaurant.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use e2e_harness::{
    abide::{Abide, ready},
    http::{self, Response},
    process::Process,
    programs::{binary, target},
};

use crate::{Result, cargo::build, json};

/// Addresses and directories of the programs.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) dir: PathBuf,
    pub(crate) abide: Abide,
    /// The services binary.
    pub(crate) program: &'static str,
    pub(crate) services: SocketAddr,
    pub(crate) restaurant: SocketAddr,
    pub(crate) cooking_ms: u64,
    pub(crate) leg_ms: u64,
}

/// The order flow on our own SDK.
pub(crate) const OURS: &str = "food-ordering";
/// The order flow on the official Rust SDK.
pub(crate) const OFFICIAL: &str = "order-services";

impl Setting {
    /// The default addresses, with ports from `first_port` on; 0 uses the well-known ports.
    pub(crate) fn new(name: &str, first_port: u16) -> Self {
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let ports = match first_port {
            0 => [8080, 9070, 9080, 5050, 9071],
            first => [first, first + 1, first + 2, first + 3, first + 4],
        };
        let dir = target().join(name);
        let abide = Abide {
            program: binary("abide"),
            data: dir.join("data"),
            ingress: local(ports[0]),
            admin: local(ports[1]),
            sql: local(ports[4]),
            flags: Vec::new(),
        };
        Self {
            dir,
            abide,
            program: OURS,
            services: local(ports[2]),
            restaurant: local(ports[3]),
            cooking_ms: 1500,
            leg_ms: 1000,
        }
    }
}

/// The running programs.
pub(crate) struct Setup {
    pub(crate) setting: Setting,
    pub(crate) runtime: Process,
    pub(crate) services: Process,
    pub(crate) restaurant: Process,
}

/// A step of an order, as reported by its status service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) status: String,
    pub(crate) at_ms: u64,
}

/// The statuses of an order, in order.
pub(crate) const STATUSES: [&str; 7] = [
    "CREATED",
    "SCHEDULED",
    "IN_PREPARATION",
    "SCHEDULING_DELIVERY",
    "WAITING_FOR_DRIVER",
    "IN_DELIVERY",
    "DELIVERED",
];

const REGISTERED_TIMEOUT: Duration = Duration::from_secs(30);

impl Setup {
    /// Builds and starts everything on an empty data directory, and registers the services.
    pub(crate) fn open(setting: Setting) -> Result<Self> {
        build(&["--bin", "abide", "--bin", setting.program, "--bin", "food-restaurant"])?;
        let Abide { ingress, admin, sql, .. } = setting.abide;
        for address in [ingress, admin, sql, setting.services, setting.restaurant] {
            TcpListener::bind(address).map_err(|error| {
                format!(
                    "{address} is needed but in use ({error}); stop the process that listens there"
                )
            })?;
        }
        // Leftovers of an earlier run would interfere.
        let _ = std::fs::remove_dir_all(&setting.dir);
        std::fs::create_dir_all(&setting.dir)
            .map_err(|error| format!("{}: {error}", setting.dir.display()))?;
        let runtime = start_runtime(&setting)?;
        let services = start_services(&setting)?;
        let restaurant = start_restaurant(&setting)?;
        let mut setup = Self { setting, runtime: ready(runtime, admin)?, services, restaurant };
        setup.register()?;
        Ok(setup)
    }

    /// Kills the runtime with SIGKILL.
    pub(crate) fn kill_runtime(&mut self) -> Result<()> {
        Ok(self.runtime.kill()?)
    }

    /// Restarts the runtime on the same data, and waits until it is ready.
    pub(crate) fn restart_runtime(&mut self) -> Result<()> {
        self.runtime = ready(start_runtime(&self.setting)?, self.setting.abide.admin)?;
        Ok(())
    }

    /// Kills the services with SIGKILL.
    pub(crate) fn kill_services(&mut self) -> Result<()> {
        Ok(self.services.kill()?)
    }

    /// Restarts the services.
    pub(crate) fn restart_services(&mut self) -> Result<()> {
        self.services = start_services(&self.setting)?;
        Ok(())
    }

    fn register(&mut self) -> Result<()> {
        let body = format!("{{\"uri\":\"http://{}\"}}", self.setting.services);
        let deadline = Instant::now() + REGISTERED_TIMEOUT;
        loop {
            match http::request(self.setting.abide.admin, "POST", "/deployments", &body) {
                Some(response) if response.is_success() => return Ok(()),
                Some(response) if Instant::now() > deadline => return Err(response.body),
                Some(_) | None => self.services.check()?,
            }
            sleep(Duration::from_millis(50));
        }
    }

    /// Places an order, retrying until the runtime has accepted it. The key makes retries harmless.
    pub(crate) fn place(&self, order_id: &str, delay_ms: u64) {
        let path = format!("/OrderWorkflow/{order_id}/run/send");
        let order = format!(
            "{{\"restaurantId\":\"luigi\",\"products\":[{{\"productId\":\"margherita\",\
             \"quantity\":2}}],\"totalCents\":2150,\"deliveryDelayMs\":{delay_ms}}}"
        );
        let is_taken = |response: Response| response.is_success();
        while !http::request(self.setting.abide.ingress, "POST", &path, &order)
            .is_some_and(is_taken)
        {
            sleep(Duration::from_millis(20));
        }
    }

    /// The steps of an order so far; `None` while the runtime does not respond.
    pub(crate) fn history(&self, order_id: &str) -> Option<Vec<Step>> {
        let path = format!("/OrderStatus/{order_id}/history");
        let response = http::request(self.setting.abide.ingress, "POST", &path, "")?;
        if !response.is_success() {
            return None;
        }
        let steps = json::objects(&response.body).into_iter().filter_map(|object| {
            let status = json::field(object, "status")?.to_owned();
            Some(Step { status, at_ms: json::field(object, "atMs")?.parse().ok()? })
        });
        Some(steps.collect())
    }
}

fn start_runtime(setting: &Setting) -> Result<Process> {
    let log = setting.dir.join("abide.log");
    Ok(Process::start("the runtime", setting.abide.command(), &log)?)
}

fn start_services(setting: &Setting) -> Result<Process> {
    let mut command = Command::new(binary(setting.program));
    command
        .arg(format!("--bind={}", setting.services))
        .arg(format!("--restaurant=http://{}", setting.restaurant))
        .arg(format!("--ledger={}", setting.dir.join("ledger.jsonl").display()))
        .arg(format!("--leg-ms={}", setting.leg_ms));
    Ok(Process::start("the services", command, &setting.dir.join("services.log"))?)
}

fn start_restaurant(setting: &Setting) -> Result<Process> {
    let mut command = Command::new(binary("food-restaurant"));
    command
        .arg(format!("--bind={}", setting.restaurant))
        .arg(format!("--ingress=http://{}", setting.abide.ingress))
        .arg(format!("--cooking-ms={}", setting.cooking_ms));
    Ok(Process::start("the restaurant", command, &setting.dir.join("restaurant.log"))?)
}
