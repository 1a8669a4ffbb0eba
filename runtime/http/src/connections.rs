//! The open connections, and which one is evicted when all permits are taken.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::{sync::Notify, time::Instant};

use crate::{
    activity::{Activity, Eviction},
    limits::Limits,
};

/// The part of a connection that other tasks see.
#[derive(Debug)]
pub(crate) struct Connection {
    activity: Mutex<Activity>,
    /// Notified when the connection is evicted in favour of another.
    pub(crate) has_to_go: Notify,
    /// Notified when a large response starts, whose progress is worth checking sooner.
    pub(crate) has_much_to_write: Notify,
}

impl Connection {
    pub(crate) fn activity(&self) -> MutexGuard<'_, Activity> {
        self.activity.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All connections of a server.
#[derive(Debug)]
pub(crate) struct Connections {
    max: usize,
    eviction: Eviction,
    all: Mutex<All>,
}

#[derive(Debug, Default)]
struct All {
    by_number: HashMap<u64, Arc<Connection>>,
    next: u64,
    /// Whether it has been logged that all connections are busy.
    is_said: bool,
}

/// A connection permit. Dropping it returns the permit.
#[derive(Debug)]
pub(crate) struct ConnectionPermit {
    pub(crate) connection: Arc<Connection>,
    connections: Arc<Connections>,
    number: u64,
}

impl Connections {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        let (stall, bodies_give_way) = (limits.stall_under_pressure, limits.bodies_give_way);
        let eviction = Eviction { stall, bodies_give_way };
        Arc::new(Self { max: limits.connections_max, eviction, all: Mutex::default() })
    }

    /// Takes a permit for a new connection. If all are taken, the connection that would be missed
    /// least is evicted. Returns `None` if all of them wait for the service.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<ConnectionPermit> {
        let mut all = self.lock();
        if all.by_number.len() >= self.max && !all.evict(self.eviction) {
            if !std::mem::replace(&mut all.is_said, true) {
                tracing::warn!(
                    connections_max = self.max,
                    "all connections are busy; new ones are closed until one is free"
                );
            }
            return None;
        }
        all.is_said = false;
        all.next += 1;
        let number = all.next;
        let activity = Mutex::new(Activity::new(Instant::now()));
        let connection = Arc::new(Connection {
            activity,
            has_to_go: Notify::new(),
            has_much_to_write: Notify::new(),
        });
        all.by_number.insert(number, Arc::clone(&connection));
        drop(all);
        Some(ConnectionPermit { connection, connections: Arc::clone(self), number })
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl All {
    /// Evicts the connection that would be missed least. Returns false if all of them wait for the
    /// service.
    fn evict(&mut self, eviction: Eviction) -> bool {
        let now = Instant::now();
        let missed = self.by_number.iter().filter_map(|(number, connection)| {
            Some((connection.activity().missed(now, eviction)?, *number))
        });
        let Some((_, number)) = missed.min() else { return false };
        if let Some(connection) = self.by_number.remove(&number) {
            connection.has_to_go.notify_one();
        }
        true
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.connections.lock().by_number.remove(&self.number);
    }
}
