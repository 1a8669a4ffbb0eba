//! Endpoints that send messages which no SDK would.

use std::sync::Arc;

use protocol::{discovery::ServiceType, wire::MessageType};
use serde_json::Value;

use crate::{
    site::Site,
    size,
    support::raw::{RawService, head_of, speak, until_closed},
};

pub(crate) const EVIL: RawService =
    RawService { ty: ServiceType::Service, service: "Evil", handler: "call" };

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_empty_fields_is_refused_unread() {
    let site = Site::start(None).await;
    // A call whose headers are all empty.
    let fields = size("FIELDS", 15 << 20);
    let body = [4 << 3 | 2, 0].repeat(fields);
    let mut frame = head_of(MessageType::CALL_COMMAND, body.len());
    frame.extend_from_slice(&body);
    let frame = Arc::new(frame);
    let answer = move |mut stream| {
        let frame = Arc::clone(&frame);
        async move {
            speak(&mut stream, frame.len(), &frame).await?;
            until_closed(stream).await
        }
    };
    EVIL.serve(&site.server, answer).await;
    let count = size("EVIL", 4);
    for _ in 0..count {
        site.server.send_to("/Evil/call", Value::Null).await.unwrap();
    }
    // The first failure states the reason.
    let failures = site.server.eventually(|| async {
        let url = format!("{}/invocations", site.server.admin);
        let listed = site.server.send(http::Method::GET, &url, &[], "").await?.ok()?.to_string();
        anyhow::ensure!(listed.contains("more than 65536 fields"), "{listed}");
        Ok(())
    });
    failures.await.unwrap();
    site.report("fields", &format!("{count} messages of {fields} empty fields")).await;
}
