//! What takes up space: `sys_usage`, which adds up what other tables show.

use crate::table::Description;

/// The view, as a query.
pub(crate) const QUERY: &str = "\
select service_name, service_key, \
    cast(sum(invocations) as bigint) as invocations, \
    cast(sum(journal_bytes) as bigint) as journal_bytes, \
    cast(sum(result_bytes) as bigint) as result_bytes, \
    cast(sum(state_entries) as bigint) as state_entries, \
    cast(sum(state_bytes) as bigint) as state_bytes, \
    cast(sum(journal_bytes + result_bytes + state_bytes) as bigint) as total_bytes \
from (\
    select target_service_name as service_name, target_service_key as service_key, \
        cast(1 as bigint) as invocations, journal_bytes, \
        coalesce(result_bytes, cast(0 as bigint)) as result_bytes, \
        cast(0 as bigint) as state_entries, cast(0 as bigint) as state_bytes \
    from sys_invocation \
    union all \
    select service_name, service_key, cast(0 as bigint), cast(0 as bigint), cast(0 as bigint), \
        cast(1 as bigint), cast(key_length + value_length as bigint) \
    from state) as parts \
group by service_name, service_key";

/// The view as a person sees it.
pub(crate) fn description() -> Description {
    Description {
        name: "sys_usage",
        comment: "What each service, or each key of it, takes up. Reads all of its rows.",
        column_comments: vec![
            "Name of the service.",
            "Key of the virtual object or workflow; null for a service.",
            "Invocations under way, or ended and still kept.",
            "Bytes in their journals.",
            "Bytes that they returned.",
            "State entries.",
            "Bytes in the keys and values of state.",
            "All these bytes.",
        ],
    }
}
