//! `Output`: the result of the invocation. Callers receive it when the attempt ends.

use crate::{context::Context, invocation, model::ids::Lsn};

pub(crate) fn apply(cx: &mut Context<'_, '_>, lsn: Lsn) {
    let invocation = invocation::expect(cx.tables, lsn);
    let (len, known) = (invocation.journal_len, invocation.output);
    assert!(len > 1 && known.is_none(), "{lsn:?}: output {known:?} in a journal of {len} entries");
    invocation.output = Some(len - 1);
}
