//! Parts of the real server's API that are not supported here, refused by name: clients show the
//! error to their users, and an empty body would look like a fault of the client. Also refuses
//! unknown paths and methods, with a pointer to what exists.

use axum::{
    Router,
    extract::{Request, State},
    http::{StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
    routing::any,
};

use crate::{Admin, error::Refusal, versions};

/// Unsupported paths, and the feature behind each. `docs/api.md` has the list for users.
const UNOFFERED: [(&str, &str); 5] = [
    ("/subscriptions", "Kafka"),
    ("/subscriptions/{subscription}", "Kafka"),
    ("/kafka-clusters", "Kafka"),
    ("/kafka-clusters/{cluster}", "Kafka"),
    ("/limits/rules", "flow control"),
];

/// Routes that refuse the unsupported paths.
pub(crate) fn routes() -> Router<Admin> {
    UNOFFERED.into_iter().fold(Router::new(), |router, (path, what)| {
        let refuse = move || async move {
            Refusal::NotImplemented(format!(
                "this server does not support it yet: {what}; /openapi describes all that it supports"
            ))
        };
        router.route(path, any(refuse))
    })
}

/// What users of comparable servers look for, and where it is here.
const ELSEWHERE: [(&str, &str); 3] = [
    ("ui", "there is no web UI; this API has the same information in JSON"),
    ("cluster-health", "there is no cluster; ask /health"),
    ("metrics", "there are no metrics yet; /health reports the state of the node"),
];

/// The hint for every other path.
const OFFERED: &str = "this API has /deployments, /services, /invocations, /query, /health and \
                       /version, and /openapi describes all of it";

/// Refuses every other unknown path.
pub(crate) async fn no_such_path(State(admin): State<Admin>, uri: Uri) -> Refusal {
    let path = uri.path().to_owned();
    let hint = hint(&admin, &path).map_or_else(String::new, |hint| hint + ". Otherwise, ");
    Refusal::NoSuchPath { path, hint: hint + OFFERED }
}

fn hint(admin: &Admin, path: &str) -> Option<String> {
    let (min, max) = (versions::MIN, versions::MAX);
    let version = |part: &str| part.strip_prefix('v')?.parse::<u32>().ok();
    let mut parts = path.split('/').skip(1).peekable();
    if let Some(version) = parts.next_if(|part| version(part).is_some()).and_then(version)
        && !(min..=max).contains(&version)
    {
        return Some(format!("the versions of this API are /v{min} to /v{max}"));
    }
    let first = parts.next()?;
    if let Some((_, hint)) = ELSEWHERE.iter().find(|(name, _)| *name == first) {
        return Some((*hint).to_owned());
    }
    let is_of_ingress = first == "restate" || admin.registry.snapshot().service(first).is_some();
    if is_of_ingress {
        return Some(format!("services are called at the ingress, {}", admin.ingress_url));
    }
    let is_slash_too_many = path.len() > 1 && path.ends_with('/');
    is_slash_too_many.then(|| "no path of this API ends with a slash".to_owned())
}

/// Adds the allowed methods to the body of a 405 response. The router only sets the header.
pub(crate) async fn say_methods(request: Request, next: Next) -> Response {
    let method = request.method().to_string();
    let answer = next.run(request).await;
    if answer.status() != StatusCode::METHOD_NOT_ALLOWED {
        return answer;
    }
    let Some(allow) = answer.headers().get(header::ALLOW).cloned() else { return answer };
    let methods = String::from_utf8_lossy(allow.as_bytes()).replace(',', ", ");
    let mut answer = Refusal::Method { method, allow: methods }.into_response();
    answer.headers_mut().insert(header::ALLOW, allow);
    answer
}
