//! The head of a request, and the interpretation of a busy endpoint's response. Whole exchanges,
//! successful and failing, are tested with real endpoints in `runtime/server/tests`.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use h2::Reason;
use http::Request;
use protocol::{DeploymentId, InvocationId, PartitionKey, ProtocolVersion};
use runtime_core::{attempt::Fault, model::deployment::Deployment};

use crate::stream::{request, retry_after_ms, unanswered};

fn deployment() -> Deployment {
    Deployment {
        id: DeploymentId(7),
        uri: "http://127.0.0.1:9080".to_owned(),
        headers: vec![("authorization".to_owned(), "Bearer secret".to_owned())],
        http1: false,
        bidirectional: true,
        protocol_range: (5, 7),
        sdk: None,
        services: Vec::new(),
        metadata: Vec::new(),
    }
}

#[test]
fn a_request_says_what_is_spoken_and_for_whom() {
    let id = InvocationId { partition_key: PartitionKey(1), uuid: 2 };
    let uri = "http://127.0.0.1:9080/invoke/Greeter/greet".parse().unwrap();
    let request = request(uri, ProtocolVersion::V6, id, &deployment());
    let header = |name: &str| request.headers().get(name).unwrap().to_str().unwrap().to_owned();
    assert_eq!(request.method(), "POST");
    assert_eq!(header("content-type"), "application/vnd.restate.invocation.v6");
    assert_eq!(header("accept"), "application/vnd.restate.invocation.v6");
    assert_eq!(header("x-restate-invocation-id"), id.to_string());
    assert_eq!(header("authorization"), "Bearer secret");
}

#[test]
fn retry_after_is_seconds_or_a_time() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777); // 1994-11-06 08:49:37
    assert_eq!(retry_after_ms("120", now), Some(120_000));
    assert_eq!(retry_after_ms("Sun, 06 Nov 1994 08:50:07 GMT", now), Some(30_000));
    assert_eq!(retry_after_ms("Sun, 06 Nov 1994 08:00:00 GMT", now), Some(0), "long ago is now");
    assert_eq!(retry_after_ms("18446744073709551615", now), Some(u64::MAX));
    assert_eq!(retry_after_ms("99999999999999999999999", now), Some(u64::MAX), "also a number");
    for nonsense in ["soon", "", "-1", "+1", "1.5"] {
        assert_eq!(retry_after_ms(nonsense, now), None, "{nonsense:?}");
    }
}

/// The fault that results if the endpoint resets the stream before it responds.
async fn reset_with(reason: Reason) -> Fault {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    tokio::spawn(async move {
        let mut server: h2::server::Connection<_, Bytes> =
            h2::server::handshake(theirs).await.unwrap();
        while let Some(Ok((_request, mut response))) = server.accept().await {
            response.send_reset(reason);
        }
    });
    let (mut sender, connection) = h2::client::handshake(ours).await.unwrap();
    tokio::spawn(connection);
    let request = Request::post("http://endpoint/invoke/S/h").body(()).unwrap();
    let (response, _body) = sender.send_request(request, false).unwrap();
    unanswered(&response.await.unwrap_err())
}

#[tokio::test]
async fn a_stream_that_is_given_back_was_not_sent() {
    for reason in [Reason::REFUSED_STREAM, Reason::ENHANCE_YOUR_CALM] {
        let fault = reset_with(reason).await;
        assert!(matches!(fault, Fault::Unreachable { .. }), "{reason:?}: {fault}");
    }
    for reason in [Reason::CANCEL, Reason::INTERNAL_ERROR] {
        let fault = reset_with(reason).await;
        assert!(matches!(fault, Fault::Transport { .. }), "{reason:?}: {fault}");
    }
}
