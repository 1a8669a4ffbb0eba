//! What a session keeps between messages, each kind up to a limit.

use std::collections::HashMap;
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

/// How often a session has the name of something: here, in the thing itself, and where the library
/// finds it.
const NAME_COPIES: usize = 3;

/// Things that a session keeps by name, whose bytes count among those of all sessions.
struct Shelf {
    /// What they are called in errors.
    what: &'static str,
    bytes: HashMap<String, usize>,
    taken: Taken,
}

impl Shelf {
    fn new(what: &'static str, shared: &SharedBytes) -> Self {
        Self { what, bytes: HashMap::new(), taken: shared.take() }
    }

    /// Makes room for something and its name, instead of what has had that name.
    fn put(&mut self, name: &str, bytes: usize) -> Result<(), SqlError> {
        let what = self.what;
        let bytes = bytes + NAME_COPIES * name.len();
        let old = self.bytes.get(name).copied();
        if old.is_none() && self.bytes.len() >= PREPARED_MAX {
            let what = format!("a session may have {PREPARED_MAX} {what}");
            return Err(SqlError::new("53400", what).hint("close some of them"));
        }
        if !self.taken.resize(self.all() - old.unwrap_or(0) + bytes) {
            let what = format!("the {what} of all connections take too much memory");
            return Err(SqlError::new("53200", what).hint("close some of them"));
        }
        self.bytes.insert(name.to_owned(), bytes);
        Ok(())
    }

    fn remove(&mut self, name: &str) {
        self.bytes.remove(name);
        // Less than before is always there.
        self.taken.resize(self.all());
    }

    fn all(&self) -> usize {
        self.bytes.values().sum()
    }
}

/// What a session keeps between messages.
pub(super) struct Kept {
    /// Who has connected.
    pub(super) user: String,
    pub(super) cursors: HashMap<String, Arc<Mutex<Cursor>>>,
    statements: Shelf,
    portals: Shelf,
    /// The savepoints of the transaction, the last one last.
    savepoints: Vec<String>,
}

impl Kept {
    /// Nothing but the share of a session in the memory for what is prepared.
    pub(super) fn new(prepared: &SharedBytes) -> Self {
        Self {
            user: String::new(),
            cursors: HashMap::new(),
            statements: Shelf::new("prepared statements", prepared),
            portals: Shelf::new("portals", prepared),
            savepoints: Vec::new(),
        }
    }

    /// Makes room for a prepared statement that takes so many bytes.
    ///
    /// # Errors
    /// Returns an error if there are too many, or they take too much.
    pub(super) fn note_statement(&mut self, name: &str, bytes: usize) -> Result<(), SqlError> {
        self.statements.put(name, bytes)
    }

    /// The names of the prepared statements.
    pub(super) fn statements(&self) -> Vec<String> {
        self.statements.bytes.keys().cloned().collect()
    }

    /// Releases what a prepared statement takes.
    pub(super) fn forget_statement(&mut self, name: &str) {
        self.statements.remove(name);
    }

    /// Makes room for a portal, whose parameters take so many bytes.
    ///
    /// # Errors
    /// Returns an error if there are too many, or they take too much.
    pub(super) fn note_portal(&mut self, name: &str, bytes: usize) -> Result<(), SqlError> {
        self.portals.put(name, bytes)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_prepared_counts_among_what_all_sessions_have() {
        let shared = SharedBytes::new(1000);
        let (mut one, mut other) = (Kept::new(&shared), Kept::new(&shared));
        one.note_statement("a", 300).unwrap();
        one.note_portal("p", 300).unwrap();
        assert_eq!(other.note_portal("p", 500).unwrap_err().code, "53200");
        // The same name again takes the place of the old one, and a refusal leaves it.
        one.note_portal("p", 500).unwrap();
        assert!(one.note_statement("a", 600).is_err());
        other.note_portal("p", 180).unwrap();
        one.forget_portal("p");
        other.note_statement("b", 500).unwrap();
        drop(one);
        other.note_statement("c", 300).unwrap();
        // A name takes as much as anything else.
        assert_eq!(other.note_portal(&"p".repeat(100), 0).unwrap_err().code, "53200");
    }
}
