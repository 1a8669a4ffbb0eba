//! Whom connections over TLS trust.

use rustls::{ClientConfig, RootCertStore, crypto::ring};

/// TLS that trusts these authorities.
pub(super) fn tls(roots: RootCertStore) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(ring::default_provider().into());
    #[expect(clippy::expect_used, reason = "ring has cipher suites for the default versions")]
    let builder = builder.with_safe_default_protocol_versions().expect("no TLS version");
    builder.with_root_certificates(roots).with_no_client_auth()
}

/// The authorities that this machine trusts, or those of `SSL_CERT_FILE`. Without any, no
/// certificate is valid, and the connection says so.
pub(super) fn authorities() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// The cause of a failed connection, with what helps where the words of TLS do not say it.
pub(super) fn with_advice(cause: String) -> String {
    // As webpki calls a certificate that may sign others and is presented as a server's own.
    let is_authority = cause.contains("CaUsedAsEndEntity");
    let advice = if is_authority {
        "; its certificate is one of an authority, perhaps because it has signed itself. Give the \
         server a certificate that is signed by an authority, and name that in SSL_CERT_FILE"
    } else if cause.contains("UnknownIssuer") {
        "; SSL_CERT_FILE has to name the authority that has signed its certificate"
    } else {
        ""
    };
    cause + advice
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_that_are_not_trusted_come_with_advice() {
        for cause in ["CaUsedAsEndEntity", "UnknownIssuer"] {
            let said = with_advice(format!("invalid peer certificate: {cause}"));
            assert!(said.contains("SSL_CERT_FILE"), "{said}");
        }
        assert_eq!(with_advice("connection refused".to_owned()), "connection refused");
    }
}
