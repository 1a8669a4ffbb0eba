//! What one query takes, for its steps and functions to count on, and for others to compare.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

use datafusion::{
    common::{Result, resources_datafusion_err},
    execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation},
    logical_expr::ColumnarValue,
};

use super::{claims::Claims, portions::Portion, sizes};
use crate::of_query::OfQuery;

/// How often a constant is in memory until its query is over: in the plans that it becomes part of,
/// in what is known of their values, and in the rows that it ends up in. An estimate.
const COPIES: usize = 8;

/// The memory of one query.
#[derive(Debug, Clone)]
pub(crate) struct OwnMemory(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    portion: Arc<Portion>,
    values: Claims,
    constants: MemoryReservation,
    /// Why a constant was refused, if one was. The engine goes on without computing it.
    refused: OnceLock<String>,
    /// Until then, what functions return is constants.
    is_planned: AtomicBool,
}

impl OwnMemory {
    /// A portion of what all queries have.
    pub(crate) fn of(all: &Arc<dyn MemoryPool>) -> Self {
        let portion = Portion::of(all);
        let pool: Arc<dyn MemoryPool> = Arc::clone(&portion) as _;
        let (values, refused) = (Claims::of(&pool, "values of functions"), OnceLock::new());
        let constants = MemoryConsumer::new("constants").register(&pool);
        let is_planned = AtomicBool::new(false);
        Self(Arc::new(Inner { portion, values, constants, refused, is_planned }))
    }

    /// What its steps take memory of.
    pub(crate) fn pool(&self) -> Arc<dyn MemoryPool> {
        Arc::clone(&self.0.portion) as _
    }

    /// How many bytes it has.
    pub(crate) fn taken(&self) -> usize {
        self.0.portion.taken()
    }

    /// Counts what a function has returned: for as long as something holds it, or as a constant while
    /// the query is planned.
    ///
    /// # Errors
    /// Returns an error if there is no room for it.
    pub(super) fn count(&self, returned: &ColumnarValue) -> Result<()> {
        let is_planned = self.0.is_planned.load(Ordering::Relaxed);
        match returned {
            ColumnarValue::Array(values) if is_planned => self.0.values.claim(values),
            // It is there already, once for all rows.
            ColumnarValue::Scalar(_) if is_planned => Ok(()),
            ColumnarValue::Array(values) => {
                self.keep_constant(usize::try_from(sizes::of(values)).unwrap_or(usize::MAX))
            }
            ColumnarValue::Scalar(value) => self.keep_constant(value.size()),
        }
    }

    /// Counts a constant of the query's text or its parameters, or one that is computed while it is
    /// planned.
    ///
    /// # Errors
    /// Returns an error if there is no room for what it takes.
    pub(crate) fn keep_constant(&self, bytes: usize) -> Result<()> {
        let kept = self.0.constants.try_grow(bytes.saturating_mul(COPIES));
        kept.map_err(|_| {
            let taken = self.0.constants.size() / COPIES;
            let what = format!(
                "its constants have {taken} bytes, and {bytes} more would take {COPIES} times as \
                 much, which is not left"
            );
            let what = self.0.refused.get_or_init(|| what);
            resources_datafusion_err!("{what}")
        })
    }

    /// Says that it is planned.
    ///
    /// # Errors
    /// Returns an error if a constant was refused meanwhile.
    pub(crate) fn planned(&self) -> Result<()> {
        self.0.is_planned.store(true, Ordering::Relaxed);
        match self.0.refused.get() {
            Some(what) => Err(resources_datafusion_err!("{what}")),
            None => Ok(()),
        }
    }
}

impl OfQuery for OwnMemory {
    const NAME: &'static str = "own_memory";
}
