//! What the official SDKs cannot do, or do differently: their behaviours are expected to fail, and
//! a run reports those that pass after all.

use crate::sdk::Sdk;

/// Behaviours that an SDK does not have.
struct Gap {
    sdk: Sdk,
    behaviours: &'static [&'static str],
    why: &'static str,
}

const GAPS: &[Gap] = &[
    Gap {
        sdk: Sdk::Rust,
        behaviours: &[
            "errors.metadata_of_a_handler",
            "errors.metadata_passes_through_a_call",
            "errors.metadata_of_a_run",
        ],
        why: "failures have no metadata in the SDK",
    },
    Gap {
        sdk: Sdk::Rust,
        behaviours: &[
            "combinators.a_run_before_a_signal",
            "combinators.a_signal_after_a_failed_run",
            "combinators.a_run_and_a_signal",
            "combinators.runs_and_a_signal_that_complete",
        ],
        why: "the SDK cannot combine a run with anything else",
    },
    Gap {
        sdk: Sdk::Python,
        behaviours: &["errors.malformed_json"],
        why: "the SDK fails with code 500 on input that is not JSON, where the others say 400",
    },
    Gap {
        sdk: Sdk::Java,
        behaviours: &[
            "awakeables.a_named_signal",
            "awakeables.a_rejected_signal",
            "combinators.the_first_signal",
            "combinators.the_first_that_succeeds",
            "combinators.none_that_succeeds",
            "combinators.all_that_succeed",
            "combinators.the_first_that_fails",
            "combinators.all_that_complete",
            "combinators.a_run_before_a_signal",
            "combinators.a_signal_after_a_failed_run",
            "combinators.a_run_and_a_signal",
            "combinators.runs_and_a_signal_that_complete",
        ],
        why: "version 2.4 of the SDK has no signals",
    },
    Gap {
        sdk: Sdk::Java,
        behaviours: &[
            "errors.metadata_of_a_handler",
            "errors.metadata_passes_through_a_call",
            "errors.metadata_of_a_run",
        ],
        why: "version 2.4 of the SDK has failures without metadata",
    },
];

/// Why an SDK does not have a behaviour; `None` if it is expected to pass.
pub fn known(sdk: Sdk, behaviour: &str) -> Option<&'static str> {
    let mut gaps = GAPS.iter().filter(|gap| gap.sdk == sdk);
    gaps.find(|gap| gap.behaviours.contains(&behaviour)).map(|gap| gap.why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::behaviours::all;

    #[test]
    fn gaps_name_behaviours_that_exist() {
        let names: Vec<&str> = all().iter().map(|behaviour| behaviour.name).collect();
        for gap in GAPS.iter().flat_map(|gap| gap.behaviours) {
            assert!(names.contains(gap), "{gap} is no behaviour");
        }
    }
}
