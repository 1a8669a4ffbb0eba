//! The `lookup` endpoint responds with the id of the invocation that a JSON body names. The id is
//! derived from the name, so the response is the same whether or not the invocation exists.

use bytes::Bytes;
use protocol::{InvocationId, ids::Derivation};
use serde::{Deserialize, Serialize};

use crate::error::Rejection;

#[derive(Deserialize)]
#[serde(tag = "target", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Target {
    Workflow {
        workflow_name: String,
        workflow_key: String,
        scope: Option<String>,
    },
    IdempotentInvocation {
        service: String,
        key: Option<String>,
        handler: String,
        idempotency_key: String,
        scope: Option<String>,
    },
    Invocation {
        invocation_id: String,
    },
}

/// The response.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Found {
    pub(crate) invocation_id: String,
}

/// The invocation that a JSON body names.
pub(crate) fn parse(derivation: Derivation, body: &Bytes) -> Result<InvocationId, Rejection> {
    let target = serde_json::from_slice::<Target>(body);
    match target.map_err(|error| Rejection::Target(error.to_string()))? {
        Target::Workflow { workflow_name, workflow_key, scope } => {
            Ok(derivation.workflow(scope.as_deref(), &workflow_name, &workflow_key))
        }
        Target::IdempotentInvocation { service, key, handler, idempotency_key, scope } => {
            let (scope, key) = (scope.as_deref(), key.unwrap_or_default());
            Ok(derivation.idempotency_key(scope, &service, &key, &handler, &idempotency_key))
        }
        Target::Invocation { invocation_id } => parse_invocation(&invocation_id),
    }
}

/// Parses a textual invocation id.
pub(crate) fn parse_invocation(id: &str) -> Result<InvocationId, Rejection> {
    id.parse().map_err(|error: protocol::ids::IdParseError| Rejection::Id {
        what: "invocation",
        id: id.to_owned(),
        reason: error.to_string(),
    })
}
