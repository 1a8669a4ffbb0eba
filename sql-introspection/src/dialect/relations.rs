//! The tables that a statement mentions.

use std::fmt::Display;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{ObjectName, Visit, visit_relations};

/// A name in lower case and without quotes, as which it is the same however it is written.
pub(super) fn plain(name: &impl Display) -> String {
    name.to_string().to_lowercase().replace('"', "")
}

/// Whether any of the tables is so. It gets their names as [`plain`] writes them.
pub(super) fn any(within: &impl Visit, is_so: impl Fn(&str) -> bool) -> bool {
    let look = |name: &ObjectName| match is_so(&plain(name)) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    visit_relations(within, look).is_break()
}
