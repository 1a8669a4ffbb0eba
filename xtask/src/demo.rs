//! The first minute with Abide: orders complete while the runtime is killed and restarted.

use std::collections::BTreeMap;
use std::os::unix::process::parent_id;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::{
    Result, number, option,
    setup::{Setting, Setup},
};

/// An order that takes longer than this, including a kill and restart, is stuck.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long the runtime stays down after it was killed.
const AWAY: Duration = Duration::from_millis(1500);

/// The command line options.
const USAGE: &str =
    "usage: cargo demo [-- --once] [--orders N] [--first-port PORT] [--server-bin FILE]";

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut given = arguments.iter().map(String::as_str);
    while let Some(argument) = given.next() {
        match argument {
            "--once" => (),
            "--orders" | "--first-port" | "--server-bin" => _ = given.next(),
            _ => return Err(format!("'{argument}' is not an option; {USAGE}")),
        }
    }
    let is_once = arguments.iter().any(|argument| argument == "--once");
    let count = number(arguments, "--orders", 3)?;
    let first_port = u16::try_from(number(arguments, "--first-port", 0)?)
        .map_err(|_| "--first-port is not a port".to_owned())?;
    let mut setting = Setting::new("demo", first_port);
    if let Some(server) = option(arguments, "--server-bin") {
        setting.abide.program = PathBuf::from(server);
    }
    println!("building and starting the runtime, the services and the restaurant ...");
    let mut setup = Setup::open(setting)?;
    let started = Instant::now();
    let say = |text: &str| println!("{:>7.2}s  {text}", started.elapsed().as_secs_f64());
    say(&format!("abide serves on http://{}", setup.setting.abide.ingress));

    let orders: Vec<String> = (1..=count).map(|n| format!("order-{n}")).collect();
    for (order, delay_ms) in orders.iter().zip((0..).map(|n| n * 1000)) {
        setup.place(order, delay_ms);
        say(&format!("{order} placed, to be prepared in {delay_ms} ms"));
    }
    watch(&mut setup, &orders, &say)?;
    say(&format!("all {count} orders are DELIVERED; the runtime was killed along the way"));
    if is_once {
        return Ok(());
    }
    print_what_to_try(&setup.setting);
    let parent = parent_id();
    loop {
        sleep(Duration::from_secs(1));
        if parent_id() != parent {
            return Err("cargo was terminated, so its processes are stopped too".to_owned());
        }
        setup.runtime.check()?;
        setup.services.check()?;
        setup.restaurant.check()?;
    }
}

/// Prints each status as it is reached, and kills the runtime while the first order is being
/// prepared.
fn watch(setup: &mut Setup, orders: &[String], say: &dyn Fn(&str)) -> Result<()> {
    let deadline = Instant::now() + TIMEOUT;
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut is_killed = false;
    loop {
        let mut delivered = 0;
        for order in orders {
            let known = seen.entry(order).or_default();
            let Some(steps) = setup.history(order) else { continue };
            for step in steps.iter().skip(*known) {
                say(&format!("{order}  {}", step.status));
            }
            *known = steps.len();
            let last = steps.last().map(|step| step.status.as_str());
            delivered += usize::from(last == Some("DELIVERED"));
            if !is_killed && last == Some("IN_PREPARATION") {
                is_killed = true;
                setup.kill_runtime()?;
                say("---- the runtime is killed (SIGKILL) ----");
                sleep(AWAY);
                setup.restart_runtime()?;
                say("---- the runtime is back on the same data ----");
            }
        }
        if delivered == orders.len() && is_killed {
            return Ok(());
        }
        if Instant::now() > deadline {
            let logs = setup.setting.dir.display();
            return Err(format!("not all orders were delivered in time; logs are in {logs}"));
        }
        setup.runtime.check()?;
        setup.services.check()?;
        sleep(Duration::from_millis(25));
    }
}

fn print_what_to_try(setting: &Setting) {
    let (ingress, admin) = (setting.abide.ingress, setting.abide.admin);
    let sql = setting.abide.sql.port();
    println!(
        "
Everything is left running. Try, in another terminal:

  # place an order of your own, to be prepared in ten seconds
  curl {ingress}/OrderWorkflow/mine/run/send --json \\
    '{{\"restaurantId\":\"luigi\",\"products\":[],\"totalCents\":990,\"deliveryDelayMs\":10000}}'

  # how far is it, and how did it get there
  curl {ingress}/OrderStatus/mine/get
  curl {ingress}/OrderStatus/mine/history

  # wait for its end
  curl {ingress}/restate/workflow/OrderWorkflow/mine/attach

  # what operators see
  curl {admin}/services
  curl '{admin}/invocations?status=completed'
  psql -h localhost -p {sql} -c \
    \"select service_key, value_json -> -1 ->> 'status' as status from state\"

Ctrl-C ends it all."
    );
}
