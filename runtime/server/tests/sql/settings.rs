//! Settings of a session that change what it gets.

use crate::psql::{Rig, psql, said};

/// A statement that has a hundred million million rows to add up.
fn endless() -> String {
    let digits = "(values (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)) as";
    let many: Vec<String> = (0..14).map(|n| format!("{digits} t{n}(n)")).collect();
    format!("select sum(t0.n + t13.n) from {}", many.join(", "))
}

#[tokio::test]
async fn a_statement_takes_no_longer_than_its_session_allows() {
    let rig = Rig::start(&[]).await;
    let cancelled = "canceling statement due to statement timeout";
    let answer = rig.typed(&[
        "set statement_timeout = '900ms'",
        &endless(),
        "show statement_timeout",
        "begin; set local statement_timeout = 0; show statement_timeout; commit",
        "select current_setting('statement_timeout')",
    ]);
    assert_eq!(answer.matches(cancelled).count(), 1, "{answer}");
    assert_eq!(answer.matches("900ms").count(), 2, "{answer}");
    // The time is each statement's own, also of those that are sent together.
    let together = format!("select 1; set statement_timeout = 50; {}; select 2", endless());
    let answer = rig.psql(&together);
    assert!(answer.contains(cancelled) && !answer.contains("57P01"), "{answer}");

    let mut command = psql(rig.abide.sql);
    command.env("PGOPTIONS", "-c statement_timeout=50").args(["-v", "VERBOSITY=verbose"]);
    let answer = said(&command.args(["-c", &endless()]).output().unwrap());
    assert!(answer.contains("57014") && answer.contains(cancelled), "{answer}");
}

#[tokio::test]
async fn a_longer_time_than_the_servers_own_changes_nothing() {
    let rig = Rig::start(&[("ABIDE_SQL_QUERY_SECONDS", "1")]).await;
    let answer = rig.typed(&["set statement_timeout = '1h'", &endless()]);
    assert!(answer.contains("sql-query-seconds"), "{answer}");
}
