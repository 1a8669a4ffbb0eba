//! `Output`: the result of the invocation. Callers hear of it when the attempt ends.

use crate::{context::Context, invocation, model::ids::Lsn};

pub(crate) fn apply(cx: &mut Context<'_, '_>, lsn: Lsn) {
    let invocation = invocation::expect(cx.tables, lsn);
    invocation.output = Some(invocation.journal_len - 1);
}
