//! Renders the report of a small run.

use crate::sample::parse_file;

use super::render;

const RUN: &str = "\
# cores\t2
load\tabide\techo\t64\t0\trequests-per-second\t4000
load\tabide\techo\t64\t1\trequests-per-second\t1000
load\tabide\techo\t64\t2\trequests-per-second\t3000
load\tabide\techo\t64\t0\tserver-cpu-us\t80
load\trestate2p\techo\t64\t0\trequests-per-second\t1000
load\trestate2p\techo\t64\t0\tserver-cpu-us\t800
fsyncs\tabide\techo\t64\t0\tfsyncs\t0.0625
idle\tabide\tfresh\t0\t0\trss-mb\t31.25
restart\tabide\trestarted\t0\t0\tfirst-answer-ms\t210
restart\tabide\trestarted\t0\t1\tfirst-answer-ms\t230
";

fn report() -> String {
    render(&parse_file(RUN).unwrap())
}

#[test]
fn rounds_become_a_median_with_its_span() {
    assert!(report().contains("| 64 | abide | 3000 (1000–4000) |"), "{}", report());
}

#[test]
fn fsyncs_join_the_row_they_belong_to() {
    let report = report();
    let row = report.lines().find(|line| line.starts_with("| 64 | abide")).unwrap();
    assert!(row.contains("| 80 | – | 0.06 |"), "{row}");
}

#[test]
fn the_first_server_is_compared_with_the_others() {
    assert!(report().contains("| echo | 64 | restate2p | 3 | 10 |"), "{}", report());
}

#[test]
fn states_have_tables_of_their_own() {
    let report = report();
    assert!(report.contains("| fresh | abide | 31.2 |"), "{report}");
    assert!(report.contains("| restarted | abide | 220 |"), "{report}");
    assert!(!report.contains("full store"), "{report}");
}

#[test]
fn facts_come_first() {
    assert!(report().starts_with("# Benchmark report\n\n- cores: 2\n"), "{}", report());
}
