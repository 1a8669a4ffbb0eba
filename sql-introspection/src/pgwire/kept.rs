//! What a session keeps between messages, each kind up to a limit.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::Mutex;

use super::{
    cursor::Cursor,
    shared_bytes::{SharedBytes, Taken},
};
use crate::error::SqlError;

/// Prepared statements and portals that a session may have, each.
const PREPARED_MAX: usize = 1024;

/// Savepoints that a transaction may have.
const SAVEPOINTS_MAX: usize = 1024;

/// What a session keeps between messages.
pub(super) struct Kept {
    /// Who has connected.
    pub(super) user: String,
    pub(super) cursors: HashMap<String, Arc<Mutex<Cursor>>>,
    /// The prepared statements, and the sizes of their texts in bytes.
    statements: HashMap<String, usize>,
    statement_bytes: Taken,
    portals: HashSet<String>,
    /// The savepoints of the transaction, the last one last.
    savepoints: Vec<String>,
}

impl Kept {
    /// Nothing but the share of a session in the memory for prepared statements.
    pub(super) fn new(prepared: &SharedBytes) -> Self {
        Self {
            user: String::new(),
            cursors: HashMap::new(),
            statements: HashMap::new(),
            statement_bytes: prepared.take(),
            portals: HashSet::new(),
            savepoints: Vec::new(),
        }
    }

    /// Makes room for a prepared statement with a text of so many bytes.
    ///
    /// # Errors
    /// Returns an error if there are too many, or they take too much.
    pub(super) fn note_statement(&mut self, name: String, bytes: usize) -> Result<(), SqlError> {
        if self.statements.len() >= PREPARED_MAX && !self.statements.contains_key(&name) {
            let what = format!("a session may have {PREPARED_MAX} prepared statements");
            return Err(SqlError::new("53400", what).hint("close some of them"));
        }
        let old = self.statements.insert(name.clone(), bytes);
        let all = self.statements.values().sum();
        if !self.statement_bytes.resize(all) {
            match old {
                Some(bytes) => _ = self.statements.insert(name, bytes),
                None => _ = self.statements.remove(&name),
            }
            let what = "the prepared statements of all connections take too much memory";
            return Err(SqlError::new("53200", what).hint("close some of them"));
        }
        Ok(())
    }

    /// The names of the prepared statements.
    pub(super) fn statements(&self) -> Vec<String> {
        self.statements.keys().cloned().collect()
    }

    /// Releases what a prepared statement takes.
    pub(super) fn forget_statement(&mut self, name: &str) {
        self.statements.remove(name);
        let all = self.statements.values().sum();
        self.statement_bytes.resize(all);
    }

    /// Makes room for a portal.
    ///
    /// # Errors
    /// Returns an error if there are too many.
    pub(super) fn note_portal(&mut self, name: String) -> Result<(), SqlError> {
        if self.portals.len() >= PREPARED_MAX && !self.portals.contains(&name) {
            let what = format!("a session may have {PREPARED_MAX} portals");
            return Err(SqlError::new("53400", what).hint("close some of them"));
        }
        self.portals.insert(name);
        Ok(())
    }

    /// Forgets a portal, or a cursor of that name.
    pub(super) fn forget_portal(&mut self, name: &str) {
        self.portals.remove(name);
        self.cursors.remove(name);
    }

    /// Sets a savepoint.
    ///
    /// # Errors
    /// Returns an error if there are too many.
    pub(super) fn save(&mut self, name: String) -> Result<(), SqlError> {
        if self.savepoints.len() >= SAVEPOINTS_MAX {
            let what = format!("a transaction may have {SAVEPOINTS_MAX} savepoints");
            return Err(SqlError::new("53400", what).hint("release some of them"));
        }
        self.savepoints.push(name);
        Ok(())
    }

    /// Forgets a savepoint, and all that were set after it.
    ///
    /// # Errors
    /// Returns an error if there is none of that name.
    pub(super) fn release(&mut self, name: &str) -> Result<(), SqlError> {
        let at = self.savepoint(name)?;
        self.savepoints.truncate(at);
        Ok(())
    }

    /// Forgets the savepoints that were set after one.
    ///
    /// # Errors
    /// Returns an error if there is none of that name.
    pub(super) fn go_back(&mut self, name: &str) -> Result<(), SqlError> {
        let at = self.savepoint(name)?;
        self.savepoints.truncate(at + 1);
        Ok(())
    }

    /// Forgets everything that was opened in a transaction.
    pub(super) fn end_transaction(&mut self) {
        self.cursors.clear();
        self.savepoints.clear();
    }

    /// Where the last savepoint of a name is.
    fn savepoint(&self, name: &str) -> Result<usize, SqlError> {
        self.savepoints
            .iter()
            .rposition(|it| it == name)
            .ok_or_else(|| SqlError::new("3B001", format!("savepoint \"{name}\" does not exist")))
    }
}
