//! A backup of the running node, as an archive that is sent while it is made. Who makes it is
//! injected.

use std::io;
use std::pin::Pin;

use axum::{
    body::Body,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::stream::BoxStream;
use protocol::surface::content_type::TAR;

use crate::{
    Admin,
    error::{ErrorBody, Refusal},
};

/// Why there is no backup.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackupError {
    /// One at a time: each of them retains what the log and the tables would let go.
    #[error("another backup is being taken; try again once it has ended")]
    Busy,
    /// A backup would take space that the node needs.
    #[error("the disk is nearly full, and a backup keeps space from being freed; free some first")]
    DiskFull,
    /// The node is shutting down.
    #[error("the node is stopping; try again")]
    Stopping,
    /// The data cannot be read.
    #[error("{0}")]
    Failed(String),
}

/// A backup under way.
pub struct Backup {
    /// A name for it.
    pub file_name: String,
    /// The archive. An error ends it early; it then lacks its end, and nobody can mistake it for a
    /// backup. Dropping it gives the backup up.
    pub archive: BoxStream<'static, io::Result<Bytes>>,
}

/// A backup that is about to begin.
pub type Beginning<'a> = Pin<Box<dyn Future<Output = Result<Backup, BackupError>> + Send + 'a>>;

/// Takes backups.
pub trait Backups: Send + Sync + 'static {
    /// Begins a backup: everything that was acknowledged before this call is in it.
    fn begin(&self) -> Beginning<'_>;
}

/// Takes a backup of the running node. The response is a tar archive, which `abide backup verify`
/// checks and `abide restore` makes a data directory of. It is complete only if its last file is
/// `MANIFEST`.
#[utoipa::path(
    post,
    path = "/backups",
    responses(
        (status = 200, description = "The backup", content_type = "application/x-tar"),
        (status = 429, description = "Another backup is being taken", body = ErrorBody),
        (status = 507, description = "The disk is nearly full", body = ErrorBody),
    )
)]
pub async fn take(State(admin): State<Admin>) -> Result<Response, Refusal> {
    let Backup { file_name, archive } = admin.backups.begin().await?;
    let headers = [
        (header::CONTENT_TYPE, TAR.to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{file_name}\"")),
    ];
    Ok((headers, Body::from_stream(archive)).into_response())
}
