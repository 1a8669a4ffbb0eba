//! TLS to endpoints, all in one place: whom we trust, and how we identify ourselves.
//!
//! We trust the certificate authorities that browsers trust, plus the operator's. A certificate
//! that the operator lists is also trusted as an endpoint's own, exactly as it is: that covers
//! self-signed certificates, which many tools mark as an authority, and the usual rules reject
//! those for endpoints.

use std::sync::Arc;
use std::time::Duration;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::{CryptoProvider, ring},
    pki_types::{
        CertificateDer, PrivateKeyDer, ServerName, UnixTime,
        pem::{Error as PemError, PemObject},
    },
    server::ParsedCertificate,
};

use crate::sockets::{Counting, Sockets};

/// The TLS configuration of connections to endpoints.
#[derive(Debug, Clone)]
pub struct Tls(ClientConfig);

/// Makes connections to endpoints, within the limit on their number.
pub(crate) type TlsConnector = HttpsConnector<Counting<HttpConnector>>;

/// A certificate or key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The text is not PEM.
    #[error("it cannot be read: {0}; expected PEM, which starts with -----BEGIN")]
    Pem(PemError),
    /// It is PEM, but contains no certificate.
    #[error("it has no certificate: expected -----BEGIN CERTIFICATE-----")]
    Empty,
    /// A certificate or key that is invalid or unsupported.
    #[error("it cannot be used: {0}")]
    Unusable(rustls::Error),
}

/// The server's identity towards endpoints, in PEM.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
    /// The certificate, followed by its chain of issuers.
    pub certificates: &'a [u8],
    /// The certificate's private key.
    pub key: &'a [u8],
}

impl Tls {
    /// Trusts the usual authorities and those in `authorities` (PEM); presents `identity` to
    /// endpoints that request a client certificate.
    ///
    /// # Errors
    /// Returns an error if any of it cannot be used.
    pub fn new(
        authorities: Option<&[u8]>,
        identity: Option<Identity<'_>>,
    ) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let named = authorities.map_or(Ok(Vec::new()), certificates)?;
        for certificate in &named {
            roots.add(certificate.clone()).map_err(TlsError::Unusable)?;
        }
        let usual =
            WebPkiServerVerifier::builder_with_provider(roots.into(), Arc::clone(&provider))
                .build()
                .map_err(|error| TlsError::Unusable(rustls::Error::General(error.to_string())))?;
        let builder = builder(&provider)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Verifier { usual, named }));
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let key = PrivateKeyDer::from_pem_slice(identity.key).map_err(TlsError::Pem)?;
                builder
                    .with_client_auth_cert(certificates(identity.certificates)?, key)
                    .map_err(TlsError::Unusable)?
            }
        };
        Ok(Self(config))
    }

    /// Makes connections, with HTTP/1.1 only if `http1`; otherwise ALPN decides if there is TLS.
    pub(crate) fn connector(
        &self,
        http1: bool,
        connect_timeout: Duration,
        sockets: &Sockets,
    ) -> TlsConnector {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(connect_timeout));
        let http = Counting::new(http, sockets.clone(), connect_timeout);
        let tls = HttpsConnectorBuilder::new().with_tls_config(self.0.clone()).https_or_http();
        if http1 {
            tls.enable_http1().wrap_connector(http)
        } else {
            tls.enable_all_versions().wrap_connector(http)
        }
    }
}

fn builder(
    provider: &Arc<CryptoProvider>,
) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, TlsError> {
    ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Unusable)
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(TlsError::Pem)?;
    if all.is_empty() { Err(TlsError::Empty) } else { Ok(all) }
}

#[derive(Debug)]
struct Verifier {
    usual: Arc<WebPkiServerVerifier>,
    /// Trusted as an endpoint's own certificate if the name matches.
    named: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.named.iter().any(|named| named == end_entity) {
            verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            return Ok(ServerCertVerified::assertion());
        }
        self.usual.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.usual.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.usual.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}
