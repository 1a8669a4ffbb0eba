//! Operators change the registry while work is in progress: they register endpoints, also in place of
//! what is registered, move them, change settings of services, and remove deployments that
//! invocations need. After each recovery and in the end, each change has been made once, or not at
//! all, as its answer and the audit say, and the audit adds up to what is registered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol::DeploymentId;
use runtime_core::{
    effect::{Configured, Registered, Updated},
    model::{
        deployment::{Deployment, ServiceOptions},
        invocation::StatusKind,
        operator::Operator,
        registry_change::{AuditedChange, ChangeOutcome, FactValue, Stranded},
    },
    registry::facts,
    tables::{Order, Tables, audit::AuditEntry, walk::Budget},
};
use runtime_partition::DeploymentOffer;
use runtime_schema::registration;

use crate::{
    clients::{Waiting, answered},
    stats::Fault,
    world::World,
};

/// Further deployments would not exercise anything new.
const DEPLOYMENTS_MAX: u128 = 6;

const ALL: Budget = Budget { rows_max: usize::MAX, bytes_max: usize::MAX };

/// A change of the registry, and what the operator knows of it.
struct Asked {
    fault: Fault,
    heard: Option<ChangeOutcome>,
}

/// The changes so far. Each is known by its number, which is its reason in the audit.
#[derive(Default)]
pub(crate) struct Registrars {
    asked: Vec<Asked>,
    /// The changes that have not been answered yet, by their numbers.
    requests: Vec<(usize, Waiting<ChangeOutcome>)>,
    /// The newest protocol version that was ever offered for each deployment. Whoever began in it
    /// has to be able to go on.
    offered: BTreeMap<DeploymentId, u32>,
    /// Deployments that may be removed at any time.
    unwanted: BTreeSet<DeploymentId>,
    next_address: u64,
}

impl Registrars {
    /// Drops the connections to the node.
    pub(crate) fn cut_off(&mut self) {
        self.requests.clear();
    }

    pub(crate) fn are_waiting(&self) -> bool {
        !self.requests.is_empty()
    }

    fn next_address(&mut self) -> String {
        self.next_address += 1;
        format!("sim://endpoint-{}", self.next_address)
    }

    /// The protocol versions to offer for a deployment: never fewer than before.
    fn offer(&mut self, id: DeploymentId, max: u32) -> u32 {
        let offered = self.offered.entry(id).or_insert(max);
        *offered = max.max(*offered);
        *offered
    }

    fn next_operator(&self) -> Operator {
        let number = self.asked.len().to_string();
        Operator { name: "registrar".to_owned(), reason: Some(number) }
    }

    fn ask(&mut self, fault: Fault, asking: Waiting<ChangeOutcome>) {
        self.requests.push((self.asked.len(), asking));
        self.asked.push(Asked { fault, heard: None });
    }
}

impl World {
    /// Registers the same services again, on an endpoint with another protocol version: a new one,
    /// or one in place of another.
    pub(crate) fn register(&mut self) -> Result<(), String> {
        let known = self.any_deployment();
        let count = u128::try_from(self.registrars.offered.len()).unwrap_or(u128::MAX);
        let replaced = known.filter(|_| count >= DEPLOYMENTS_MAX || self.random.chance(400));
        let (fault, id, uri) = match replaced {
            Some(known) => (Fault::Reregistered, known.id, known.uri.clone()),
            None => {
                let uri = self.registrars.next_address();
                (Fault::Registered, DeploymentId(count + 1), uri)
            }
        };
        let endpoint = registration::Endpoint {
            id,
            uri,
            http1: false,
            headers: vec![("authorization".to_owned(), self.random.below(9).to_string())],
            metadata: Vec::new(),
            sdk: None,
        };
        let mut manifest = self.endpoint.manifest();
        let max = 5 + u32::try_from(self.random.below(3)).unwrap_or(0);
        manifest.max_protocol_version = self.registrars.offer(id, max);
        let plan = registration::plan(&self.registry.snapshot(), endpoint, &manifest, false);
        let deployment = Arc::new(plan.map_err(|error| error.to_string())?.deployment);
        let (partitions, operator) =
            (self.node()?.partitions().clone(), self.registrars.next_operator());
        let replace = fault == Fault::Reregistered;
        let asking = Box::pin(async move {
            let offer = DeploymentOffer { deployment, replace, allow_breaking: false };
            partitions.register(operator, offer).await.map(|registered| match registered {
                Registered::New(_) | Registered::Replaced(_) => ChangeOutcome::Done,
                Registered::Kept(_) => ChangeOutcome::AlreadyRegistered,
                Registered::KindChanged { .. } => ChangeOutcome::KindChanged,
            })
        });
        self.stats.inject(fault);
        self.registrars.ask(fault, asking);
        Ok(())
    }

    /// Tells where an endpoint has moved.
    pub(crate) fn move_a_deployment(&mut self) -> Result<(), String> {
        let Some(known) = self.any_deployment() else { return Ok(()) };
        let mut moved = Deployment::clone(&known);
        moved.uri = self.registrars.next_address();
        let (min, max) = moved.protocol_range;
        moved.protocol_range = (min, self.registrars.offer(moved.id, max));
        let (partitions, operator) =
            (self.node()?.partitions().clone(), self.registrars.next_operator());
        let asking = Box::pin(async move {
            let updated = partitions.update(operator, Arc::new(moved), false).await;
            updated.map(|updated| match updated {
                Updated::Done => ChangeOutcome::Done,
                Updated::NotFound => ChangeOutcome::NotFound,
                Updated::AddressTaken(_) => ChangeOutcome::AddressTaken,
                Updated::Lost(_) => ChangeOutcome::Lost,
            })
        });
        self.stats.inject(Fault::Moved);
        self.registrars.ask(Fault::Moved, asking);
        Ok(())
    }

    /// Changes settings of a service.
    pub(crate) fn configure_a_service(&mut self) -> Result<(), String> {
        let Some(known) = self.any_deployment() else { return Ok(()) };
        let service = known.services[self.random.index(known.services.len())].name.clone();
        let changes = ServiceOptions {
            abort_timeout_ms: self.random.chance(500).then(|| 5000 + self.random.below(4)),
            inactivity_timeout_ms: Some(1000 + self.random.below(4)),
            ..ServiceOptions::default()
        };
        let (partitions, operator) =
            (self.node()?.partitions().clone(), self.registrars.next_operator());
        let asking = Box::pin(async move {
            let configured = partitions.configure(operator, service, changes).await;
            configured.map(|configured| match configured {
                Configured::Done => ChangeOutcome::Done,
                Configured::NotFound => ChangeOutcome::NotFound,
                Configured::NotAWorkflow => ChangeOutcome::NotAWorkflow,
            })
        });
        self.stats.inject(Fault::Configured);
        self.registrars.ask(Fault::Configured, asking);
        Ok(())
    }

    /// Removes a deployment even if invocations need it, as long as they can go on elsewhere.
    pub(crate) fn remove_a_deployment(&mut self) -> Result<(), String> {
        let removable = self.removable();
        if removable.is_empty() {
            return Ok(());
        }
        let id = removable[self.random.index(removable.len())];
        self.registrars.unwanted.insert(id);
        let mut stranded = Vec::new();
        for at in 0..self.node()?.count() {
            stranded.extend(self.node()?.tables(at, |tables| pinned(tables, id)));
        }
        let (partitions, operator) =
            (self.node()?.partitions().clone(), self.registrars.next_operator());
        let asking = Box::pin(async move {
            let removed = partitions.remove(operator, id, true, stranded).await;
            removed.map(
                |existed| {
                    if existed { ChangeOutcome::Done } else { ChangeOutcome::NotFound }
                },
            )
        });
        self.stats.inject(Fault::Removed);
        self.registrars.ask(Fault::Removed, asking);
        Ok(())
    }

    /// The deployments whose invocations can go on elsewhere, in whatever protocol version they have
    /// begun.
    fn removable(&self) -> Vec<DeploymentId> {
        let (registry, Registrars { offered, unwanted, .. }) =
            (self.registry.snapshot(), &self.registrars);
        let wanted: Vec<_> = registry.deployments().map(|stored| &stored.deployment).collect();
        let wanted: Vec<_> = wanted.into_iter().filter(|it| !unwanted.contains(&it.id)).collect();
        let has_refuge = |id: DeploymentId| {
            let newest = offered.get(&id).copied().unwrap_or(u32::MAX);
            wanted.iter().any(|other| other.id != id && other.protocol_range.1 >= newest)
        };
        wanted.iter().map(|it| it.id).filter(|id| has_refuge(*id)).collect()
    }

    /// A deployment that is registered and to stay, as far as operators know.
    fn any_deployment(&mut self) -> Option<Arc<Deployment>> {
        let registry = self.registry.snapshot();
        let known = registry.deployments().map(|stored| Arc::clone(&stored.deployment));
        let mut known: Vec<_> =
            known.filter(|it| !self.registrars.unwanted.contains(&it.id)).collect();
        (!known.is_empty()).then(|| known.swap_remove(self.random.index(known.len())))
    }

    /// Polls the pending changes; returns whether any was answered.
    pub(crate) fn listen_to_registrars(&mut self) -> bool {
        let answered = answered(&mut self.registrars.requests);
        let has_heard = !answered.is_empty();
        for (number, answer) in answered {
            self.registrars.asked[number].heard = answer.ok();
        }
        has_heard
    }

    /// Checks that each change was made once, or not at all, as it was answered, and that the audit
    /// adds up to what is registered.
    pub(crate) fn check_registry(&mut self) -> Result<(), String> {
        let kept = self.audited_changes()?;
        let mut registered: BTreeMap<DeploymentId, Facts> = BTreeMap::new();
        for (number, audited) in &kept {
            let of = |why| format!("change {number} of the registry: {why}: {audited:?}");
            let id = audited.deployment.ok_or_else(|| of("it is about nothing"))?;
            add(registered.entry(id).or_default(), audited).map_err(of)?;
        }
        registered.retain(|_, facts| !facts.is_empty());
        let stored = self.node()?.tables(0, |tables| tables.deployments());
        let stored = stored.iter().map(|stored| {
            let facts = facts::of(stored).into_iter();
            let facts = facts.filter_map(|fact| Some((fact.key, fact.after?)));
            (stored.deployment.id, facts.collect())
        });
        let stored: BTreeMap<DeploymentId, Facts> = stored.collect();
        if stored != registered {
            return Err(format!("{stored:?} is registered, but {registered:?} was audited"));
        }
        for (number, asked) in self.registrars.asked.iter().enumerate() {
            let kept = kept.get(&number).map(|audited| audited.outcome);
            if asked.heard.is_some() && kept != asked.heard {
                let heard = asked.heard;
                return Err(format!("change {number}: {heard:?} was heard, but kept is {kept:?}"));
            }
        }
        Ok(())
    }

    /// Counts, in the end, which changes made a difference.
    pub(crate) fn count_changes(&mut self) -> Result<(), String> {
        let kept = self.audited_changes()?;
        for (number, audited) in kept {
            let fault = self.registrars.asked[number].fault;
            let is_done = audited.outcome == ChangeOutcome::Done && !audited.changes.is_empty();
            let has_stranded = !audited.stranded.is_empty();
            // Whether an invocation kept an older pin is seen when it starts.
            let is_seen_later = fault == Fault::Registered;
            let bit = is_done && !is_seen_later && (fault != Fault::Removed || has_stranded);
            self.stats.bite(fault, bit);
        }
        Ok(())
    }

    /// What the audit has kept, by the numbers of the changes.
    fn audited_changes(&mut self) -> Result<BTreeMap<usize, AuditedChange>, String> {
        let entries = self.node()?.tables(0, changes);
        let mut kept = BTreeMap::new();
        let mut last = None;
        for audited in entries {
            let reason = audited.operator.reason.as_deref().and_then(|it| it.parse().ok());
            let number: usize = reason.ok_or("a change of the registry has no number")?;
            if self.registrars.asked.get(number).is_none() {
                return Err(format!("nobody asked for change {number} of the registry"));
            }
            // One partition takes them in the order in which they were asked for.
            if last.replace(number) >= Some(number) {
                return Err(format!("change {number} of the registry is kept twice or late"));
            }
            kept.insert(number, audited);
        }
        Ok(kept)
    }
}

/// The facts of a deployment, by their names.
type Facts = BTreeMap<String, FactValue>;

/// Makes a change as the audit has kept it.
fn add(facts: &mut Facts, audited: &AuditedChange) -> Result<(), &'static str> {
    if audited.changes_omitted > 0 {
        return Err("it is too large to be checked");
    }
    for changed in &audited.changes {
        if facts.get(&changed.key) != changed.before.as_ref() {
            return Err("it was something else before");
        }
        match &changed.after {
            Some(after) => facts.insert(changed.key.clone(), after.clone()),
            None => facts.remove(&changed.key),
        };
    }
    Ok(())
}

fn changes(tables: &Tables<'_>) -> Vec<AuditedChange> {
    let kept = tables.walk_audit((None, Order::Ascending), ALL).map(|(_, entry)| entry);
    let changes = kept.filter_map(|entry| match entry {
        AuditEntry::Change(audited) => Some(*audited),
        AuditEntry::Operation(_) | AuditEntry::StateEdit(_) => None,
    });
    changes.collect()
}

/// The unfinished invocations of a partition that are pinned to a deployment.
fn pinned(tables: &Tables<'_>, deployment: DeploymentId) -> Vec<Stranded> {
    let tallies = tables.walk_pinned_tallies(deployment, None, ALL);
    let counts = tallies.flat_map(|(service, tally)| {
        let counts = tally.counts().map(move |(status, count)| Stranded {
            service: service.clone(),
            status,
            count,
        });
        counts.collect::<Vec<_>>()
    });
    counts.filter(|it| it.count > 0 && it.status != StatusKind::Completed).collect()
}
