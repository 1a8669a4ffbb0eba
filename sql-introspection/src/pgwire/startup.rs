//! Who connects, and how it shows that it may.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use futures::Sink;
use pgwire::{
    api::{
        ClientInfo, PidSecretKeyGenerator, RandomPidSecretKeyGenerator,
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
    error::{PgWireError, PgWireResult},
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
pub(super) enum Startup {
    Trust(Arc<DefaultServerParameterProvider>),
    Scram(SASLAuthStartupHandler<DefaultServerParameterProvider>),
}

impl Startup {
    pub(super) fn new(access: &Access, tls: Option<&Tls>) -> PgWireResult<Self> {
        let parameters = Arc::new(parameters());
        match access {
            Access::Trust => Ok(Self::Trust(parameters)),
            Access::Users(users) => {
                let mut scram = ScramAuth::new(Arc::new(Users(users.clone())));
                if let Some(tls) = tls {
                    scram.configure_certificate(&tls.certificates)?;
                }
                Ok(Self::Scram(SASLAuthStartupHandler::new(parameters).with_scram(scram)))
            }
        }
    }
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
        match self {
            Self::Scram(scram) => scram.on_startup(client, message).await,
            Self::Trust(parameters) => {
                let PgWireFrontendMessage::Startup(startup) = &message else {
                    let what = "expected a startup message";
                    return Err(SqlError::new("08P01", what).into());
                };
                protocol_negotiation(client, startup).await?;
                save_startup_parameters_to_metadata(client, startup);
                let (pid, secret) = RandomPidSecretKeyGenerator::default().generate(client);
                client.set_pid_and_secret_key(pid, secret);
                finish_authentication(client, &**parameters).await
            }
        }
    }
}
