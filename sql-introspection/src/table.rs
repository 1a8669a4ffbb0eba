//! A table: its columns over one type of record, and which of a query's conditions its source
//! answers.

use std::sync::Arc;

use datafusion::arrow::datatypes::{Schema, SchemaRef};

use crate::{column::Column, pushdown::Constraints, source::Record};

/// What is known about a table without its records.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TableInfo {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its documentation, shown by `\dt+`.
    pub(crate) comment: &'static str,
    /// The columns on which conditions make it faster.
    pub(crate) pushed: &'static [&'static str],
    /// Whether each partition has records of its own. Otherwise the first one has them all.
    pub(crate) is_partitioned: bool,
}

/// A table over records of type `R`.
pub(crate) struct Table<R: Record> {
    /// Name and documentation.
    pub(crate) info: TableInfo,
    /// Its columns, in order.
    pub(crate) columns: Vec<Column<R>>,
    /// What the source has to know of a query's conditions.
    pub(crate) filter: fn(&Constraints) -> R::Filter,
    /// The column in whose order the source can read, given a filter.
    pub(crate) order: fn(&R::Filter) -> Option<&'static str>,
}

/// A table as a person sees it.
#[derive(Debug, Clone)]
pub(crate) struct Description {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its documentation.
    pub(crate) comment: &'static str,
    /// The documentation of its columns, in order.
    pub(crate) column_comments: Vec<&'static str>,
}

impl<R: Record> Table<R> {
    pub(crate) fn schema(&self) -> SchemaRef {
        let fields = self.columns.iter().map(Column::field);
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    pub(crate) fn description(&self) -> Description {
        Description {
            name: self.info.name,
            comment: self.info.comment,
            column_comments: self.columns.iter().map(|column| column.comment).collect(),
        }
    }
}
