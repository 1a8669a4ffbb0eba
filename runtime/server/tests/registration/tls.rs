//! Endpoints behind TLS, with certificates that no public authority has signed.

use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer},
    server::WebPkiClientVerifier,
};
use serde_json::{Value, json};
use tokio_rustls::TlsAcceptor;

use crate::{
    endpoint::Endpoint,
    offers, register,
    support::{start, start_with},
};

struct Certificate {
    der: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn signed(name: &str, by: &Authority) -> Certificate {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, by).unwrap();
    Certificate { der: certificate.der().clone(), pem: certificate.pem(), key }
}

/// A certificate as the usual tools make it: marked as an authority, too.
fn self_signed(name: &str) -> Certificate {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).unwrap();
    Certificate { der: certificate.der().clone(), pem: certificate.pem(), key }
}

fn acceptor(certificate: &Certificate, clients: Option<&Authority>) -> TlsAcceptor {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let key = PrivateKeyDer::try_from(certificate.key.serialize_der()).unwrap();
    let mut config = builder.with_single_cert(vec![certificate.der.clone()], key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

fn settings(dir: &Path, lines: &[(&str, &str, &str)]) -> String {
    let mut text = String::new();
    for (key, file, pem) in lines {
        let path = dir.join(file);
        std::fs::write(&path, pem).unwrap();
        text.push_str(&format!("{key} = {:?}\n", path.display().to_string()));
    }
    let config = dir.join("abide.toml");
    std::fs::write(&config, text).unwrap();
    format!("--config={}", config.display())
}

async fn is_registered_and_called(server: &e2e_client::Server, endpoint: &Endpoint, service: &str) {
    let uri = format!("https://localhost:{}", endpoint.address.port());
    register(server, json!({ "uri": uri })).await.ok().unwrap();
    let answer = server.call(&format!("/{service}/well"), Value::Null).await.unwrap();
    assert_eq!(answer, json!("well"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_authority_and_a_self_signed_certificate_are_trusted_when_they_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let (authority, own) = (authority(), self_signed("localhost"));
    let server_certificate = signed("localhost", &authority);
    let private =
        Endpoint::serve(offers("Private"), Some(acceptor(&server_certificate, None))).await;
    let alone = Endpoint::serve(offers("Alone"), Some(acceptor(&own, None))).await;
    let other_name = self_signed("elsewhere");
    let other = Endpoint::serve(offers("Other"), Some(acceptor(&other_name, None))).await;
    let data = dir.path().join("data");
    {
        let (_abide, server) = start(&data).await;
        let uri = format!("https://localhost:{}", private.address.port());
        let answer = register(&server, json!({ "uri": uri })).await;
        answer.expect_failure(500, "UnknownIssuer").unwrap();
    }
    let pems = format!("{}{}{}", authority.pem(), own.pem, other_name.pem);
    let config = settings(dir.path(), &[("endpoint-ca-file", "ca.pem", &pems)]);
    let (_abide, server) = start_with(&data, &[&config]).await;
    is_registered_and_called(&server, &private, "Private").await;
    is_registered_and_called(&server, &alone, "Alone").await;
    let uri = format!("https://localhost:{}", other.address.port());
    let answer = register(&server, json!({ "uri": uri })).await;
    answer.expect_failure(500, "not valid for name").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_that_ask_who_calls_are_shown_the_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let authority = authority();
    let (of_server, of_client) = (signed("localhost", &authority), signed("abide", &authority));
    let tls = acceptor(&of_server, Some(&authority));
    let endpoint = Endpoint::serve(offers("Asking"), Some(tls)).await;
    let config = settings(
        dir.path(),
        &[
            ("endpoint-ca-file", "ca.pem", &authority.pem()),
            ("endpoint-client-certificate-file", "client.pem", &of_client.pem),
            ("endpoint-client-key-file", "client.key", &of_client.key.serialize_pem()),
        ],
    );
    let (_abide, server) = start_with(&dir.path().join("data"), &[&config]).await;
    is_registered_and_called(&server, &endpoint, "Asking").await;
}
