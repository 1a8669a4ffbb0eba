//! Discovery: what the endpoint offers, in the newest manifest version that the runtime reads.

use protocol::{
    ProtocolVersion,
    discovery::{CONTENT_TYPES, INPUT_VALIDATION, Manifest, ProtocolMode, STRICT, Service},
};

use super::Endpoint;

/// The manifest of everything that the endpoint offers.
pub(super) fn manifest(endpoint: &Endpoint, is_bidirectional: bool) -> Manifest {
    let mode =
        if is_bidirectional { ProtocolMode::BidiStream } else { ProtocolMode::RequestResponse };
    Manifest {
        protocol_mode: Some(mode),
        min_protocol_version: ProtocolVersion::V5.number(),
        max_protocol_version: ProtocolVersion::V7.number(),
        services: endpoint.services.values().map(|bound| strict(&bound.description)).collect(),
    }
}

/// Asks the runtime to check inputs of which there is a schema, where the service does not say
/// otherwise.
fn strict(description: &Service) -> Service {
    let mut service = description.clone();
    if service.options.metadata.contains_key(INPUT_VALIDATION) {
        return service;
    }
    for handler in &mut service.handlers {
        let has_schema = handler.input.as_ref().is_some_and(|input| input.json_schema.is_some());
        if has_schema {
            let setting = handler.options.metadata.entry(INPUT_VALIDATION.to_owned());
            setting.or_insert_with(|| STRICT.to_owned());
        }
    }
    service
}

/// The newest manifest version that an Accept header allows, and its content type. Without the
/// header, the oldest version, as in other SDKs.
pub(super) fn negotiate(accept: Option<&str>) -> Option<(u32, &'static str)> {
    let Some(accept) = accept else { return CONTENT_TYPES.last().copied() };
    CONTENT_TYPES.into_iter().find(|(_, content_type)| accept.contains(content_type))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_manifest_that_both_know_is_written() {
        let version = |accept| negotiate(accept).map(|(version, _)| version);
        assert_eq!(version(Some(protocol::discovery::ACCEPT)), Some(4));
        let old = "application/vnd.restate.endpointmanifest.v2+json, x/y";
        assert_eq!(version(Some(old)), Some(2));
        assert_eq!(version(None), Some(2));
        assert_eq!(version(Some("application/json")), None);
    }
}
