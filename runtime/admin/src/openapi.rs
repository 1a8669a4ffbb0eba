//! The OpenAPI description of this API.

use utoipa::OpenApi;

use crate::{
    backups, changes, deployments,
    deployments::{delete, register, update},
    error::ErrorBody,
    extract::Json,
    health, invocations,
    invocations::{batch, operations, restart},
    query, serdes, services,
    services::configure,
    state, why,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Abide admin API",
        description = "Deployments, services, invocations, and SQL about all of them."
    ),
    paths(
        register::register,
        deployments::list,
        deployments::get,
        update::update,
        delete::delete,
        services::list,
        services::get,
        configure::configure,
        services::openapi::openapi,
        services::handlers,
        services::handler,
        state::replace,
        state::patch,
        invocations::list,
        invocations::get,
        invocations::delete,
        operations::cancel,
        operations::kill,
        operations::pause,
        operations::resume,
        operations::purge,
        operations::purge_journal,
        restart::restart_as_new,
        batch::batch,
        why::of_invocation,
        why::of_service,
        why::of_key,
        why::of_deployment,
        query::query,
        changes::follow,
        backups::take,
        serdes::decode,
        serdes::encode,
        health::health,
        health::ready,
        health::version,
    ),
    components(schemas(ErrorBody))
)]
struct Api;

/// Returns the OpenAPI document.
pub async fn document() -> Json<utoipa::openapi::OpenApi> {
    Json(Api::openapi())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_described_with_its_pages() {
        let document = serde_json::to_value(Api::openapi()).unwrap();
        let parameters = document["paths"]["/invocations"]["get"]["parameters"].as_array().unwrap();
        let named = |name: &str| parameters.iter().find(|one| one["name"] == name).unwrap();
        let limit = &named("limit")["schema"];
        assert_eq!((&limit["minimum"], &limit["maximum"]), (&1.into(), &1000.into()), "{limit}");
        assert!(limit["type"].to_string().contains("integer"), "{limit}");
        assert!(named("after")["description"].to_string().contains("`next`"));
        let answer = &document["components"]["schemas"]["Invocations"]["properties"];
        assert!(answer["next"].is_object(), "{answer}");
    }
}
