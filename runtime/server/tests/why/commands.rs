//! The command line, and SQL.

use serde_json::{Value, json};

use crate::rig::Node;

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_says_it_and_ends_with_a_code_of_its_own() {
    let node = Node::start().await;
    let waiting = node.begin("/Cart/c%201/hold", Value::Null).await;
    node.until(&waiting, &["awakeable"]).await;
    let said = |arguments: &[&str], code: i32| {
        let output = node.run(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (text, _) = said(&["why", &waiting, "--table"], 0);
    let heading = format!(
        "Cart/c 1/hold {waiting}: not stuck, waits for a time or for something from outside\n\n\
         Cart/c 1/hold {waiting} [suspended] waits for the awakeable sign_1"
    );
    assert!(text.starts_with(&heading), "{text}");
    assert!(text.contains("\n    curl 'http://"), "{text}");
    let (json, _) = said(&["why", "Cart/c 1"], 0);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["links"][0]["kind"], "held", "a pipe gets JSON");
    let (text, _) = said(&["why", "Cart/c 1", "--table"], 0);
    assert!(text.contains("All invocations of the key:"), "{text}");

    let failing = node.begin("/Desk/fail", Value::Null).await;
    node.until(&failing, &["retry"]).await;
    let (text, complaint) = said(&["why", &failing, "--table"], 5);
    assert!(text.contains(&format!("\n    abide invocations resume {failing}\n")), "{text}");
    assert_eq!(complaint, "", "the output has said it");
    said(&["why", "Desk", "--table"], 5);
    said(&["why", &node.deployment, "--json"], 5);
    let (_, complaint) = said(&["why", "None"], 1);
    assert!(complaint.contains("service 'None' not found"), "{complaint}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_has_the_same_links_of_one_invocation_and_of_all() {
    let node = Node::start().await;
    let order = node.begin("/Desk/order", json!("c-1")).await;
    let why = node.until(&order, &["call", "awakeable"]).await;
    let rows = node
        .rows(&format!(
            "select position, parent, kind, subject, detail, cause, advice, verdict from sys_why \
             where id = '{order}' order by position"
        ))
        .await;
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert_eq!((&rows[0]["kind"], &rows[0]["parent"]), (&json!("call"), &Value::Null));
    assert_eq!((&rows[1]["cause"], &rows[1]["parent"]), (&json!("awakeable"), &json!(1)));
    for (row, at) in rows.iter().zip(0..) {
        assert_eq!(row["detail"], why.detail(at));
        assert_eq!(
            (&row["subject"], &row["verdict"]),
            (&json!(why.subject(at)), &json!("waiting"))
        );
    }
    assert!(rows[1]["advice"].as_str().unwrap().contains(why.commands(1)[0]), "{rows:?}");

    let failing = node.begin("/Desk/fail", Value::Null).await;
    node.until(&failing, &["retry"]).await;
    let running = node.begin("/Desk/hang", Value::Null).await;
    node.until(&running, &["running"]).await;
    let causes = "select cause, count(distinct id) as n from sys_why where cause is not null \
                  group by cause order by cause";
    let expected = [
        json!({ "cause": "awakeable", "n": 2 }),
        json!({ "cause": "retry", "n": 1 }),
        json!({ "cause": "running", "n": 1 }),
    ];
    assert_eq!(node.rows(causes).await, expected);
    let stuck = "select id from sys_why where verdict = 'stuck' and position = 1";
    assert_eq!(node.rows(stuck).await, [json!({ "id": failing })]);
    node.operate(&failing, "kill").await;
    let ended = format!("select kind from sys_why where id in ('{failing}', 'inv_none')");
    assert_eq!(node.rows(&ended).await, [json!({ "kind": "completed" })]);
}
