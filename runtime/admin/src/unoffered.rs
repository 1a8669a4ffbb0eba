//! What the real server's API has and this one does not: said by name, since clients show their users
//! what they are answered, and an empty body is shown as a fault of the client.

use axum::{Router, http::Uri, routing::any};

use crate::{Admin, error::Refusal};

/// Paths, and what is behind them. `docs/api.md` has the list for people.
const UNOFFERED: [(&str, &str); 12] = [
    ("/query", "SQL; GET /invocations lists invocations meanwhile"),
    (
        "/internal/invocations_batch_operations/{operation}",
        "operations on many invocations at once",
    ),
    ("/invocations/{invocation}/pause", "pausing invocations"),
    ("/invocations/{invocation}/resume", "resuming invocations"),
    ("/invocations/{invocation}/restart-as-new", "restarting invocations"),
    ("/services/{service}/state", "changing state from outside"),
    ("/services/{service}/openapi", "the OpenAPI document of a service"),
    ("/subscriptions", "Kafka"),
    ("/subscriptions/{subscription}", "Kafka"),
    ("/kafka-clusters", "Kafka"),
    ("/kafka-clusters/{cluster}", "Kafka"),
    ("/limits/rules", "flow control"),
];

/// Answers them.
pub(crate) fn routes() -> Router<Admin> {
    UNOFFERED.into_iter().fold(Router::new(), |router, (path, what)| {
        let refuse = move || async move {
            Refusal::NotImplemented(format!("this server does not offer it yet: {what}"))
        };
        router.route(path, any(refuse))
    })
}

/// Answers every other path that is none.
pub(crate) async fn no_such_path(uri: Uri) -> Refusal {
    Refusal::NotFound { what: "path", name: uri.path().to_owned() }
}
