//! Places many orders while killing processes many times, then checks everything.

use std::collections::{BTreeMap, BTreeSet};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use runtime_seeded::Random;

use crate::{
    Result, json, number, option,
    setup::{OFFICIAL, OURS, STATUSES, Setting, Setup, Step},
};

/// Time limit for all orders to complete after the last kill.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(120);

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let orders = number(arguments, "--orders", 500)?;
    let kills = number(arguments, "--kills", 200)?;
    let seed = number(arguments, "--seed", now_ms())?;
    let is_runtime = match option(arguments, "--victim") {
        None | Some("runtime") => true,
        Some("services") => false,
        Some(other) => return Err(format!("--victim must be runtime or services, not '{other}'")),
    };
    let first_port = u16::try_from(number(arguments, "--first-port", 19080)?)
        .map_err(|_| "--first-port is not a port".to_owned())?;
    let mut setting = Setting::new("chaos", first_port);
    setting.program = match option(arguments, "--sdk") {
        None | Some("abide") => OURS,
        Some("official") => OFFICIAL,
        Some(other) => return Err(format!("--sdk must be abide or official, not '{other}'")),
    };
    (setting.cooking_ms, setting.leg_ms) = (300, 200);
    let flags = arguments.iter().zip(arguments.iter().skip(1));
    let server = flags.filter(|(flag, _)| *flag == "--server-arg").map(|(_, value)| value.clone());
    setting.abide.flags = server.collect();
    let mut setup = Setup::open(setting)?;
    let mut random = Random::new(seed);
    let victim = if is_runtime { "the runtime" } else { "the services" };
    println!("{orders} orders, {kills} kills of {victim}, seed {seed}");

    let started = Instant::now();
    let mut delays = BTreeMap::new();
    let mut placed = 0;
    for kill in 0..kills {
        // Orders are spread over the kills, so that each kill hits some in every state.
        while placed < orders && placed * kills <= kill * orders {
            let order = format!("c-{placed}");
            let delay_ms = random.below(3000);
            setup.place(&order, delay_ms);
            delays.insert(order, delay_ms);
            placed += 1;
        }
        sleep(Duration::from_millis(5 + random.below(250)));
        if is_runtime {
            setup.kill_runtime()?;
            sleep(Duration::from_millis(random.below(50)));
            setup.restart_runtime()?;
        } else {
            setup.kill_services()?;
            sleep(Duration::from_millis(random.below(50)));
            setup.restart_services()?;
        }
    }
    while placed < orders {
        let order = format!("c-{placed}");
        setup.place(&order, 0);
        delays.insert(order, 0);
        placed += 1;
    }
    println!("all kills done after {:.1} s", started.elapsed().as_secs_f64());
    let histories = settle(&mut setup, delays.keys())?;
    println!("all orders delivered after {:.1} s", started.elapsed().as_secs_f64());
    let ledger = setup.setting.dir.join("ledger.jsonl");
    let ledger = std::fs::read_to_string(&ledger).map_err(|error| error.to_string())?;
    check(&histories, &delays, &ledger)
}

/// Waits until every order is delivered; returns their histories.
fn settle<'a>(
    setup: &mut Setup,
    orders: impl Iterator<Item = &'a String>,
) -> Result<BTreeMap<String, Vec<Step>>> {
    let deadline = Instant::now() + SETTLE_TIMEOUT;
    let mut histories = BTreeMap::new();
    for order in orders {
        loop {
            let steps = setup.history(order).unwrap_or_default();
            if steps.last().is_some_and(|step| step.status == "DELIVERED") {
                histories.insert(order.clone(), steps);
                break;
            }
            setup.runtime.check()?;
            if Instant::now() > deadline {
                return Err(format!("{order} is stuck: {steps:?}"));
            }
            sleep(Duration::from_millis(20));
        }
    }
    Ok(histories)
}

fn check(
    histories: &BTreeMap<String, Vec<Step>>,
    delays: &BTreeMap<String, u64>,
    ledger: &str,
) -> Result<()> {
    let (mut passed, mut faults) = (0, Vec::new());
    let mut lateness_ms = Vec::new();
    let mut tokens: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in ledger.lines() {
        // A service that is killed while writing leaves a partial line; its charge is then retried.
        let (order, token) = (json::field(line, "orderId"), json::field(line, "token"));
        if let (Some(order), Some(token)) = (order, token) {
            tokens.entry(order).or_default().insert(token);
        }
    }
    for (order, steps) in histories {
        let statuses: Vec<&str> = steps.iter().map(|step| step.status.as_str()).collect();
        let mut fault = None;
        if statuses != STATUSES {
            fault = Some(format!("{order}: {statuses:?}"));
        }
        let charges = tokens.get(order.as_str()).map_or(0, BTreeSet::len);
        if charges != 1 {
            fault = Some(format!("{order}: charged with {charges} tokens"));
        }
        let at = |status: &str| steps.iter().find(|step| step.status == status);
        if let (Some(from), Some(to)) = (at("SCHEDULED"), at("IN_PREPARATION")) {
            let waited_ms = to.at_ms.saturating_sub(from.at_ms);
            match waited_ms.checked_sub(delays[order]) {
                Some(late_ms) => lateness_ms.push(late_ms),
                None => fault = Some(format!("{order}: woke early, after {waited_ms} ms")),
            }
        }
        match fault {
            Some(fault) => faults.push(fault),
            None => passed += 1,
        }
    }
    lateness_ms.sort_unstable();
    let late = |part: usize| lateness_ms.get(lateness_ms.len() * part / 100).unwrap_or(&0);
    println!(
        "from the end of the delay to the restaurant: p50 {} ms, p99 {} ms",
        late(50),
        late(99)
    );
    faults.iter().for_each(|fault| println!("FAULT {fault}"));
    println!("{passed} passed, {} failed", faults.len());
    if faults.is_empty() { Ok(()) } else { Err("some orders were not handled correctly".into()) }
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(0)
}
