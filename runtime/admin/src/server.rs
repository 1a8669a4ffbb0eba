//! Routes, and serving them.

use std::future::Future;

use axum::{
    Router, middleware,
    routing::{any, get, patch, post},
};
use hyper_util::service::TowerToHyperService;
use runtime_http::Limits;
use tokio::net::TcpListener;

use crate::{
    Admin, access, backups, changes, deployments,
    deployments::{delete, register, update},
    health, invocations,
    invocations::{batch, operations, restart},
    openapi, query, serdes, services,
    services::configure,
    state, unoffered, versions, why,
};

/// Serves until `shutdown` resolves.
pub async fn serve(
    listener: TcpListener,
    limits: Limits,
    admin: Admin,
    shutdown: impl Future<Output = ()>,
) {
    let service = TowerToHyperService::new(router(admin));
    runtime_http::serve(listener, limits, service, shutdown).await;
}

/// All routes. Those of the API are also available under each supported version.
pub fn router(admin: Admin) -> Router {
    let api = Router::new()
        .route("/deployments", post(register::register).get(deployments::list))
        .route(
            "/deployments/{deployment}",
            get(deployments::get).patch(update::update).delete(delete::delete),
        )
        .route("/services", get(services::list))
        .route("/services/{service}", get(services::get).patch(configure::configure))
        .route("/deployments/{deployment}/why", get(why::of_deployment))
        .route("/services/{service}/why", get(why::of_service))
        .route("/services/{service}/keys/{key}/why", get(why::of_key))
        .route("/services/{service}/state", post(state::replace).patch(state::patch))
        .route("/services/{service}/openapi", get(services::openapi::openapi))
        .route("/services/{service}/handlers", get(services::handlers))
        .route("/services/{service}/handlers/{handler}", get(services::handler))
        .route("/invocations", get(invocations::list))
        .route("/invocations/{invocation}", get(invocations::get).delete(invocations::delete))
        .route("/invocations/{invocation}/why", get(why::of_invocation))
        .route("/invocations/{invocation}/cancel", patch(operations::cancel))
        .route("/invocations/{invocation}/kill", patch(operations::kill))
        .route("/invocations/{invocation}/pause", patch(operations::pause))
        .route("/invocations/{invocation}/resume", patch(operations::resume))
        .route("/invocations/{invocation}/purge", patch(operations::purge))
        .route("/invocations/{invocation}/purge-journal", patch(operations::purge_journal))
        .route("/invocations/{invocation}/restart-as-new", patch(restart::restart_as_new))
        .route("/internal/invocations_batch_operations/{operation}", post(batch::batch))
        .route("/query", post(query::query))
        .route("/changes", get(changes::follow))
        .route("/backups", post(backups::take))
        .merge(serdes())
        .merge(unoffered::routes())
        .route("/health", get(health::health))
        .route("/health/ready", get(health::ready))
        .route("/version", get(health::version));
    let api = api.route("/openapi", get(openapi::document));
    let all = Router::new()
        .nest("/v1", unspoken())
        .nest("/v2", unspoken())
        .nest("/v3", api.clone())
        .nest("/v4", api.clone())
        .merge(api)
        .fallback(unoffered::no_such_path)
        .layer(middleware::from_fn_with_state(admin.clone(), access::check))
        .with_state(admin);
    // A router only adds the `Allow` header after its own layers have run.
    Router::new().fallback_service(all).layer(middleware::from_fn(unoffered::say_methods))
}

fn unspoken() -> Router<Admin> {
    Router::new().route("/", any(versions::unspoken)).fallback(versions::unspoken)
}

/// A format's name may contain slashes.
fn serdes() -> Router<Admin> {
    Router::new()
        .route("/internal/services/{service}/serdes/decode/{*serde}", post(serdes::decode))
        .route("/internal/services/{service}/serdes/encode/{*serde}", post(serdes::encode))
}
