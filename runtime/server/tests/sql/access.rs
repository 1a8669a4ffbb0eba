//! Who may ask: passwords and encrypted connections.

use rcgen::{CertifiedKey, generate_simple_self_signed};

use crate::psql::{Rig, psql, said};

#[tokio::test]
async fn users_have_to_show_their_password() {
    let rig = Rig::start(&[("ABIDE_SQL_USERS", "ann:secret,bob:other:with:colons")]).await;
    let try_as = |user: &str, password: &str| {
        let mut command = psql(rig.abide.sql);
        command.args(["-U", user, "-A", "-t", "-c", "select 1"]).env("PGPASSWORD", password);
        said(&command.output().unwrap())
    };
    assert_eq!(try_as("ann", "secret"), "1\n");
    assert_eq!(try_as("bob", "other:with:colons"), "1\n");
    for (user, password) in [("ann", "wrong"), ("nobody", "secret"), ("ann", ""), ("", "secret")] {
        let said = try_as(user, password);
        assert!(said.contains("error") && !said.contains("1\n"), "{user}: {said}");
    }
}

#[tokio::test]
async fn connections_are_encrypted_where_there_is_a_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    std::fs::write(&certificate, cert.pem()).unwrap();
    std::fs::write(&key, signing_key.serialize_pem()).unwrap();
    let path = |path: &std::path::Path| -> &'static str {
        Box::leak(path.display().to_string().into_boxed_str())
    };
    let rig = Rig::start(&[
        ("ABIDE_SQL_CERTIFICATE_FILE", path(&certificate)),
        ("ABIDE_SQL_KEY_FILE", path(&key)),
        ("ABIDE_SQL_USERS", "ann:secret"),
    ])
    .await;
    let try_with = |mode: &str, root: &std::path::Path| {
        let mut command = psql(rig.abide.sql);
        command.args(["-U", "ann", "-c", "\\conninfo"]);
        command.env("PGPASSWORD", "secret").env("PGSSLMODE", mode).env("PGSSLROOTCERT", root);
        said(&command.output().unwrap())
    };
    let verified = try_with("verify-full", &certificate);
    assert!(verified.contains("SSL connection"), "{verified}");
    let mistrusted = try_with("verify-full", &key);
    assert!(mistrusted.contains("error"), "{mistrusted}");
}

#[tokio::test]
async fn without_a_certificate_an_encrypted_connection_is_refused() {
    let rig = Rig::start(&[]).await;
    let mut command = psql(rig.abide.sql);
    command.args(["-c", "select 1"]).env("PGSSLMODE", "require");
    let said = said(&command.output().unwrap());
    assert!(said.contains("server does not support SSL"), "{said}");
}
