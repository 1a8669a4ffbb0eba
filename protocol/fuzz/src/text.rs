//! Fuzzes texts supplied by users and endpoints: ids, content types, manifests. Nothing panics, and
//! an id prints the way it was read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::{
    AwakeableId, DeploymentId, InvocationId, ProtocolVersion,
    discovery::{self, Manifest},
};

fuzz_target!(|text: &str| {
    if let Ok(id) = text.parse::<InvocationId>() {
        assert_eq!(id.to_string(), text);
    }
    if let Ok(id) = text.parse::<DeploymentId>() {
        assert_eq!(id.to_string(), text);
    }
    if let Ok(id) = text.parse::<AwakeableId>() {
        // Padding is optional.
        assert_eq!(id.to_string().parse(), Ok(id));
    }
    if let Some(version) = ProtocolVersion::from_content_type(text) {
        assert_eq!(version.content_type(), text);
    }
    let _ = discovery::version_of(text);
    if let Ok(manifest) = serde_json::from_str::<Manifest>(text) {
        let _ = manifest.validate();
    }
});
