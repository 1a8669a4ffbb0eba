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
    /// There is no certificate.
    #[error("the certificate's file has none: it begins with -----BEGIN CERTIFICATE-----, in PEM")]
    NoCertificate,
    /// There is no key.
    #[error("the key's file has none: it begins with -----BEGIN PRIVATE KEY-----, in PEM")]
    NoKey,
    /// The key has a password.
    #[error("the key is encrypted: store it without a password, readable by the server alone")]
    EncryptedKey,
    /// They are those of two servers.
    #[error("the certificate belongs to another key")]
    Mismatch,
    /// Certificate and key cannot be used.
    #[error("certificate and key cannot be used: {0}")]
    Unusable(rustls::Error),
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
        let chain = CertificateDer::pem_slice_iter(certificates).collect::<Result<Vec<_>, _>>();
        let chain = chain.ok().filter(|chain| !chain.is_empty()).ok_or(TlsError::NoCertificate)?;
        // Both forms of PEM say so in words.
        let is_encrypted = key.windows(ENCRYPTED.len()).any(|part| part == ENCRYPTED);
        if is_encrypted {
            return Err(TlsError::EncryptedKey);
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsError::NoKey)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Unusable)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| {
                let is_mismatch = matches!(error, rustls::Error::InconsistentKeys(_));
                if is_mismatch { TlsError::Mismatch } else { TlsError::Unusable(error) }
            })?;
        Ok(Self { acceptor: Arc::new(config).into(), certificates: certificates.into() })
    }
}

const ENCRYPTED: &[u8] = b"ENCRYPTED";

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
