//! The server's certificate.

use std::fmt;
use std::sync::Arc;

use pgwire::tokio::{
    TlsAcceptor,
    tokio_rustls::rustls::{
        self, ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};

/// A certificate chain that does not work.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is not PEM.
    #[error("not a PEM file with the expected contents: {0}")]
    Pem(#[from] rustls::pki_types::pem::Error),
    /// Certificate and key cannot be used.
    #[error(transparent)]
    Unusable(#[from] rustls::Error),
}

/// How connections are encrypted.
#[derive(Clone)]
pub struct Tls {
    pub(super) acceptor: TlsAcceptor,
    /// The certificates, which SCRAM binds to the connection.
    pub(super) certificates: Arc<[u8]>,
}

impl Tls {
    /// Presents a certificate chain; both arguments are PEM.
    ///
    /// # Errors
    /// Returns an error if they are not a chain and its key.
    pub fn new(certificates: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain = CertificateDer::pem_slice_iter(certificates).collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(key)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        Ok(Self { acceptor: Arc::new(config).into(), certificates: certificates.into() })
    }
}

#[cfg(test)]
impl Tls {
    /// For tests that encrypt nothing.
    pub(super) fn without_certificate() -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(rustls::server::ResolvesServerCertUsingSni::new()));
        Self { acceptor: Arc::new(config).into(), certificates: Arc::from([]) }
    }
}

/// Shows no secrets.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}
