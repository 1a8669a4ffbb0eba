//! The settings of SQL: where, for whom, and how much.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use sql_introspection::pgwire::{Access, Tls, User};

use super::{
    read_pair,
    settings::{Address, List, OrOff, Settings},
    within,
};
use crate::args::Serve;

/// The port that comparable servers had for PostgreSQL clients.
const PORT: u16 = 9071;
/// A few dashboards and a person; each query may use memory and a core.
const DEFAULT_QUERIES_MAX: usize = 8;
/// More queries than this only get into each other's way.
const QUERIES_MAX: usize = 1000;
/// A minute: more than a person waits.
const DEFAULT_QUERY_SECONDS: u64 = 60;
/// A day. What a query reads is kept in memory and in the files until it ends.
const QUERY_SECONDS_MAX: u64 = 86_400;

/// The settings of SQL.
#[derive(Debug, Clone)]
pub(crate) struct Sql {
    /// The address where PostgreSQL clients connect, unless that is off.
    pub(crate) address: Option<Address>,
    /// Who may connect.
    pub(crate) access: Access,
    /// The first user, as whom the printed command connects.
    pub(crate) first_user: Option<String>,
    /// The certificate to present, if connections may be encrypted.
    pub(crate) tls: Option<Tls>,
    /// Number of queries that run at once.
    pub(crate) queries_max: usize,
    /// How long a query may take.
    pub(crate) query_timeout: Duration,
}

/// Resolves the settings.
///
/// # Errors
/// Returns an error that names the setting if a value is not valid.
pub(super) fn resolve(serve: &Serve, set: &Settings) -> Result<Sql> {
    let address = match serve.sql_address.clone().or_else(|| set.sql_address.clone()) {
        None => Some(Address::local(PORT)),
        Some(OrOff::At(address)) => Some(address),
        Some(OrOff::Off) => None,
    };
    let queries_max = set.sql_queries_max.unwrap_or(DEFAULT_QUERIES_MAX);
    within("sql-queries-max", queries_max, 1..=QUERIES_MAX)?;
    let seconds = set.sql_query_seconds.unwrap_or(DEFAULT_QUERY_SECONDS);
    within("sql-query-seconds", seconds, 1..=QUERY_SECONDS_MAX)?;
    let users = set.sql_users.as_ref().map(users).transpose()?;
    Ok(Sql {
        first_user: users.as_ref().and_then(|users| Some(users.first()?.0.to_owned())),
        access: access(address.as_ref(), users.as_deref(), set)?,
        address,
        tls: tls(set)?,
        queries_max,
        query_timeout: Duration::from_secs(seconds),
    })
}

/// The names and passwords of the users, each name once: of two passwords, only one would work.
fn users(List(users): &List) -> Result<Vec<(&str, &str)>> {
    ensure!(
        !users.is_empty(),
        "sql-users is empty, so nobody could connect: name a user, leave it out, or set \
         sql-address to off"
    );
    let mut known: Vec<(&str, &str)> = Vec::new();
    for user in users {
        let parts = user.split_once(':');
        let Some((name, password)) =
            parts.filter(|(name, password)| !name.is_empty() && !password.is_empty())
        else {
            bail!("sql-users: expected NAME:PASSWORD for each user");
        };
        ensure!(
            known.iter().all(|(other, _)| *other != name),
            "sql-users names the user '{name}' twice: keep one of them"
        );
        known.push((name, password));
    }
    Ok(known)
}

fn access(
    address: Option<&Address>,
    users: Option<&[(&str, &str)]>,
    set: &Settings,
) -> Result<Access> {
    if let Some(users) = users {
        let user = |(name, password): &(&str, &str)| User::new((*name).to_owned(), password);
        return Ok(Access::Users(users.iter().map(user).collect()));
    }
    if let Some(address) = address.filter(|address| !address.is_loopback()) {
        ensure!(
            set.sql_trust_everyone == Some(true),
            "sql-address is {address}, which other machines can reach without a password: set \
             sql-users, or sql-trust-everyone = true if whoever can reach it may read everything"
        );
    }
    Ok(Access::Trust)
}

fn tls(set: &Settings) -> Result<Option<Tls>> {
    let certificate = (CERTIFICATE, set.sql_certificate_file.as_deref());
    let key = (KEY, set.sql_key_file.as_deref());
    let Some((certificate, key)) = read_pair(certificate, key)? else { return Ok(None) };
    let tls = Tls::new(&certificate, &key);
    Ok(Some(tls.with_context(|| format!("{CERTIFICATE} and {KEY}"))?))
}

const CERTIFICATE: &str = "sql-certificate-file";
const KEY: &str = "sql-key-file";
