//! Journals, entry by entry, as JSON.

use serde_json::{Value, json};

use crate::psql::Rig;

/// What a query of one text column says, each as JSON.
fn found(rig: &Rig, query: &str) -> Vec<Value> {
    let texts = rig.rows(query).concat();
    texts.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
}

#[tokio::test]
async fn entries_are_shown_as_json() {
    let rig = Rig::start(&[]).await;
    let order = rig.server.send_to("/order-workflow/order-7/run", json!(null)).await.unwrap();
    rig.server
        .eventually(|| async {
            let calls = format!(
                "select count(*) from sys_journal where id = '{order}' \
                 and entry_type = 'Notification: Call'"
            );
            anyhow::ensure!(rig.value(&calls) == "1", "the call has not returned");
            Ok(())
        })
        .await
        .unwrap();
    let of = |column: &str, ty: &str| {
        let query = format!(
            "select {column} from sys_journal where id = '{order}' and entry_type = '{ty}'"
        );
        let mut found = found(&rig, &query);
        assert_eq!(found.len(), 1, "{query}");
        found.remove(0)
    };

    let call = of("entry_lite_json", "Command: Call");
    let call = &call["Command"]["Call"];
    let target = json!({
        "name": "order-status", "key": "order-7", "handler": "set", "handler_ty": "Exclusive",
        "scope": null,
    });
    assert_eq!(call["invocation_target"], json!({ "VirtualObject": target }));
    assert_eq!(call.get("request"), None);

    let full = of("entry_json", "Command: Call");
    let request = &full["Command"]["Call"]["request"];
    assert_eq!(request["invocation_target"], call["invocation_target"]);
    assert_eq!(request["parameter"], json!(b"\"CREATED\""));

    let completion = of("entry_json", "Notification: Call");
    let completion = &completion["Notification"]["Completion"]["Call"];
    assert_eq!(completion["completion_id"], call["result_completion_id"]);
    let lite = of("entry_lite_json", "Notification: Call");
    assert_eq!(lite["Notification"]["ty"], json!({ "Completion": "Call" }));
    assert_eq!(lite["Notification"]["result"], json!("Success"));

    let callee = of("entry_json", "Notification: CallInvocationId");
    let callee = &callee["Notification"]["Completion"]["CallInvocationId"]["invocation_id"];
    let set = "select id from sys_invocation where target = 'order-status/order-7/set'";
    assert_eq!(*callee, json!(rig.value(set)));
}

#[tokio::test]
async fn large_values_are_counted_instead_of_shown() {
    let rig = Rig::start(&[]).await;
    let large = "x".repeat(300_000);
    rig.server.call("/order-status/o-1/set", json!(large)).await.unwrap();
    let query = "select entry_json from sys_journal where entry_type = 'Command: SetState'";
    let found = found(&rig, query);
    let value = &found[0]["Command"]["SetState"]["value"];
    assert_eq!(*value, json!({ "omitted_bytes": 300_002 }));
    let whole = "select length(value_utf8) from sys_journal where entry_type = 'Command: SetState'";
    assert_eq!(rig.value(whole), "300002");
}
