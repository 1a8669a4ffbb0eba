//! Who connects, and how it shows that it may.

use std::fmt::Debug;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use futures::Sink;
use pgwire::{
    api::{
        ClientInfo, METADATA_USER, PidSecretKeyGenerator, RandomPidSecretKeyGenerator,
        auth::{
            AuthSource, DefaultServerParameterProvider, LoginInfo, Password, StartupHandler,
            finish_authentication, protocol_negotiation,
            sasl::{
                SASLAuthStartupHandler,
                scram::{SCRAM_ITERATIONS, ScramAuth, gen_salted_password},
            },
            save_startup_parameters_to_metadata,
        },
    },
    error::{ErrorInfo, PgWireError, PgWireResult},
    messages::{PgWireBackendMessage, PgWireFrontendMessage},
};

use super::tls::Tls;
use crate::{error::SqlError, session_settings::SERVER_VERSION};

/// Who may connect.
#[derive(Debug, Clone)]
pub enum Access {
    /// Anyone who can reach the address.
    Trust,
    /// These users, with their passwords.
    Users(Vec<User>),
}

/// Someone who may connect.
#[derive(Clone)]
pub struct User {
    name: String,
    salt: Vec<u8>,
    salted_password: Vec<u8>,
}

impl User {
    /// A user. The password is kept only as far as SCRAM needs it.
    pub fn new(name: String, password: &str) -> Self {
        let salt = rand::random::<[u8; 16]>().to_vec();
        let salted_password = gen_salted_password(password, &salt, SCRAM_ITERATIONS);
        Self { name, salt, salted_password }
    }
}

/// Shows no secrets.
impl Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "User {}", self.name)
    }
}

#[derive(Debug)]
struct Users(Vec<User>);

#[expect(elided_lifetimes_in_paths, reason = "so that it has the trait's signature")]
#[async_trait]
impl AuthSource for Users {
    async fn get_password(&self, login: &LoginInfo) -> PgWireResult<Password> {
        let name = login.user().unwrap_or_default();
        let known = self.0.iter().find(|user| user.name == name);
        // An unknown user fails as a known one with a wrong password does: at the end.
        let password = known.map_or_else(
            || (rand::random::<[u8; 16]>().to_vec(), rand::random::<[u8; 32]>().to_vec()),
            |user| (user.salt.clone(), user.salted_password.clone()),
        );
        Ok(Password::new(Some(password.0), password.1))
    }
}

/// Lets one connection in, or not.
pub(super) struct Startup {
    check: Check,
    /// Whether there is a certificate, so that nobody needs to connect without TLS.
    has_certificate: bool,
}

/// How a client shows that it may connect.
enum Check {
    Trust(Arc<DefaultServerParameterProvider>),
    Scram(SASLAuthStartupHandler<DefaultServerParameterProvider>),
}

impl Startup {
    /// `tls` is the server's certificate; SCRAM binds to it if this connection is encrypted.
    pub(super) fn new(access: &Access, tls: Option<&Tls>, is_secure: bool) -> PgWireResult<Self> {
        let parameters = Arc::new(parameters());
        let check = match access {
            Access::Trust => Check::Trust(parameters),
            Access::Users(users) => {
                let mut scram = ScramAuth::new(Arc::new(Users(users.clone())));
                if let Some(tls) = tls.filter(|_| is_secure) {
                    scram.configure_certificate(&tls.certificates)?;
                }
                Check::Scram(SASLAuthStartupHandler::new(parameters).with_scram(scram))
            }
        };
        Ok(Self { check, has_certificate: tls.is_some() })
    }
}

/// Whether a client has to encrypt its connection. What leaves the machine holds payloads, and
/// clients that only prefer TLS would not notice that something in between took it away. What stays
/// on the machine nobody else can read.
fn needs_tls(has_certificate: bool, peer: IpAddr) -> bool {
    // A listener for IPv6 sees clients of IPv4 as ::ffff:127.0.0.1.
    has_certificate && !peer.to_canonical().is_loopback()
}

/// How much of a user's name is shown. It comes from somebody who has not been let in.
const NAME_CHARS_SHOWN: usize = 64;

/// The name that a client gave, so that it fits on a line and nothing obeys it.
fn shown_name(client: &impl ClientInfo) -> String {
    let name = client.metadata().get(METADATA_USER).map_or("", String::as_str);
    let mut shown: String = name.chars().take(NAME_CHARS_SHOWN).collect();
    if shown.len() < name.len() {
        shown.push('…');
    }
    shown.escape_debug().to_string()
}

/// An error that ends the connection.
pub(super) fn fatal(code: &str, message: String) -> ErrorInfo {
    ErrorInfo::new("FATAL".to_owned(), code.to_owned(), message)
}

fn parameters() -> DefaultServerParameterProvider {
    let mut parameters = DefaultServerParameterProvider::default();
    parameters.server_version = format!("{SERVER_VERSION} (abide {})", env!("CARGO_PKG_VERSION"));
    parameters.is_superuser = false;
    parameters.default_transaction_read_only = true;
    parameters
}

#[async_trait]
impl StartupHandler for Startup {
    async fn on_startup<C>(
        &self,
        client: &mut C,
        message: PgWireFrontendMessage,
    ) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        if let PgWireFrontendMessage::Startup(startup) = &message {
            save_startup_parameters_to_metadata(client, startup);
        }
        let peer = client.socket_addr();
        if needs_tls(self.has_certificate, peer.ip()) && !client.is_secure() {
            let user = shown_name(client);
            tracing::warn!(%user, %peer, "a connection for SQL was refused: it is not encrypted");
            let message = "this server takes connections from other machines only with TLS";
            let mut info = fatal("28000", message.to_owned());
            info.hint = Some("connect with sslmode=require, or verify-full and sslrootcert".into());
            return Err(PgWireError::UserError(Box::new(info)));
        }
        match &self.check {
            Check::Scram(scram) => match scram.on_startup(client, message).await {
                // SCRAM has a name of its own, which PostgreSQL's clients leave empty.
                Err(PgWireError::InvalidPassword(_)) => {
                    let user = shown_name(client);
                    tracing::warn!(%user, %peer, "a connection for SQL was refused: wrong user or password");
                    let message = format!("password authentication failed for user \"{user}\"");
                    Err(PgWireError::UserError(Box::new(fatal("28P01", message))))
                }
                outcome => outcome,
            },
            Check::Trust(parameters) => {
                let PgWireFrontendMessage::Startup(startup) = &message else {
                    let what = "expected a startup message";
                    return Err(SqlError::new("08P01", what).into());
                };
                protocol_negotiation(client, startup).await?;
                let (pid, secret) = RandomPidSecretKeyGenerator::default().generate(client);
                client.set_pid_and_secret_key(pid, secret);
                finish_authentication(client, &**parameters).await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use pgwire::{api::DefaultClient, messages::startup, tokio::server::PgWireMessageServerCodec};
    use tokio_util::codec::Framed;

    use super::*;

    const REMOTE: &str = "192.0.2.7:5000";
    const LOCAL: &str = "127.0.0.1:5000";

    fn tls() -> Tls {
        Tls::without_certificate()
    }

    /// What a client is told that starts like this.
    async fn start(tls: Option<&Tls>, peer: &str, is_secure: bool) -> PgWireResult<()> {
        let client = DefaultClient::<()>::new(peer.parse().unwrap(), is_secure);
        let (stream, _other_end) = tokio::io::duplex(1 << 16);
        let mut client = Framed::new(stream, PgWireMessageServerCodec::new(client));
        let mut message = startup::Startup::new();
        message.parameters.insert("user".to_owned(), "ann".to_owned());
        let startup = Startup::new(&Access::Trust, tls, is_secure).unwrap();
        startup.on_startup(&mut client, PgWireFrontendMessage::Startup(message)).await
    }

    #[tokio::test]
    async fn other_machines_need_tls_where_there_is_a_certificate() {
        let Err(PgWireError::UserError(refused)) = start(Some(&tls()), REMOTE, false).await else {
            panic!("it was let in");
        };
        assert_eq!((refused.severity.as_str(), refused.code.as_str()), ("FATAL", "28000"));
        assert!(refused.hint.unwrap().contains("sslmode=require"));
        start(Some(&tls()), REMOTE, true).await.unwrap();
        start(Some(&tls()), LOCAL, false).await.unwrap();
        start(None, REMOTE, false).await.unwrap();
    }

    #[test]
    fn addresses_of_this_machine_may_be_written_in_several_ways() {
        let needs_tls = |peer: &str| needs_tls(true, peer.parse().unwrap());
        for local in ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"] {
            assert!(!needs_tls(local), "{local}");
        }
        for remote in ["10.0.0.1", "192.168.1.1", "fe80::1", "::ffff:10.0.0.1", "0.0.0.0", "::"] {
            assert!(needs_tls(remote), "{remote}");
        }
    }

    #[test]
    fn names_of_strangers_are_cut_and_escaped() {
        let shown = |name: &str| {
            let mut client = DefaultClient::<()>::new(LOCAL.parse().unwrap(), false);
            client.metadata_mut().insert(METADATA_USER.to_owned(), name.to_owned());
            shown_name(&client)
        };
        assert_eq!(shown("ann"), "ann");
        assert_eq!(shown("a\n\u{1b}[2J\""), "a\\n\\u{1b}[2J\\\"");
        assert_eq!(shown(&"漢".repeat(1000)), "漢".repeat(NAME_CHARS_SHOWN) + "…");
    }
}
