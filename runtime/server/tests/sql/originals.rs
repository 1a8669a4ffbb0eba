//! The three commands of the page that people come from, word for word but for the port.

use std::process::Command;

use serde_json::json;

use crate::psql::Rig;

/// Types a command as a reader of the page would. What `watch` would run every second runs once.
fn typed(rig: &Rig, line: &str) -> String {
    let port = rig.abide.sql.port().to_string();
    let line = line.replace("9071", &port).replace("watch -n 1", "sh -c");
    let output = Command::new("sh").args(["-c", &line]).output().unwrap();
    crate::psql::said(&output)
}

#[tokio::test]
async fn the_commands_of_the_original_show_state_and_invocations() {
    let rig = Rig::start(&[]).await;
    let order = rig.server.send_to("/order-workflow/order-7/run", json!(null)).await.unwrap();
    rig.server
        .eventually(|| async {
            let state = rig.value("select value_utf8 from state where service_key = 'order-7'");
            anyhow::ensure!(state == "\"CREATED\"", "{state}");
            Ok(())
        })
        .await
        .unwrap();

    let of_status = typed(
        &rig,
        r#"watch -n 1 'psql -h localhost -p 9071 -c "select service, service_key_utf8, key, value_utf8 from state s where s.service='"'"'orderStatus'"'"';"'"#,
    );
    for word in ["service", "service_key_utf8", "key", "value_utf8", "orderStatus", "order-7"] {
        assert!(of_status.contains(word), "{word}: {of_status}");
    }
    assert!(of_status.contains("\"CREATED\"") && of_status.contains("(1 row)"), "{of_status}");

    let of_others = typed(
        &rig,
        r#"watch -n 1 'psql -h localhost -p 9071 -c "select service, service_key_utf8, key, value_utf8 from state s where s.service not in ('"'"'driverSimulator'"'"');"'"#,
    );
    assert!(of_others.contains("orderStatus"), "{of_others}");

    let invocations = typed(
        &rig,
        r#"watch -n 1 'psql -h localhost -p 9071 -c "select service, method, service_key_utf8, id, status, invoked_by_service, invoked_by_id from sys_status;"'"#,
    );
    let line = |start: &str| {
        let found = invocations.lines().find(|line| line.trim_start().starts_with(start));
        found.unwrap_or_else(|| panic!("no line of {start} in {invocations}"))
    };
    let run = line("order-workflow");
    assert!(run.contains("run") && run.contains(&order), "{run}");
    assert!(run.contains("running") || run.contains("suspended"), "{run}");
    let set = line("orderStatus");
    assert!(set.contains("completed") && set.contains("order-workflow"), "{set}");
    assert!(set.contains(&order), "who called it: {set}");
}
