//! A backup is taken: what arrives is checked as it is written, and gets its name once it is
//! complete and on disk.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use backup::{Manifest, Unpacker};
use http::{Method, Response, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tempfile::NamedTempFile;
use tokio::signal;

use super::shown::Shown;
use crate::{
    args::LayoutFlags,
    client::{Client, root_cause},
    error::{BackupError, Error},
};

const TAR: &str = "application/x-tar";

/// The name of a backup that is not complete yet ends with this.
const UNFINISHED: &str = ".partial";
/// The extension of the names that the server gives.
const EXTENSION: &str = "tar";

/// Only the owner may read it, because it contains a secret and clients' payloads.
const PRIVATE: u32 = 0o600;

pub(super) async fn run(client: &Client, to: &Path, layout: &LayoutFlags) -> Result<(), Error> {
    if to.as_os_str() == "-" {
        let response = ask(client).await?;
        let mut stdout = io::stdout().lock();
        receive_unless_interrupted(response, &mut stdout, to).await?;
        return Ok(stdout.flush().map_err(|cause| cannot_write(to, cause))?);
    }
    // Before the server is asked for anything: a typing mistake costs nothing.
    let target = Target::of(to)?;
    let response = ask(client).await?;
    let path = target.path(&response);
    let mut file = Unfinished::create(&path)?;
    let (bytes, manifest) = receive_unless_interrupted(response, &mut file.file, &path).await?;
    let path = file.finish(target)?;
    Shown::of(path.display().to_string(), bytes, &manifest).print(layout)
}

async fn ask(client: &Client) -> Result<Response<Incoming>, Error> {
    Ok(client.send(Method::POST, "/backups", None::<&()>, TAR).await?)
}

/// Ctrl-C ends it as an error does, so that nothing half is left.
async fn receive_unless_interrupted(
    response: Response<Incoming>,
    out: &mut impl Write,
    path: &Path,
) -> Result<(u64, Manifest), Error> {
    tokio::select! {
        received = receive(response, out, path) => received,
        _ = signal::ctrl_c() => Err(BackupError::Interrupted.into()),
    }
}

/// Writes what arrives, and returns its length and what it is.
async fn receive(
    response: Response<Incoming>,
    out: &mut impl Write,
    path: &Path,
) -> Result<(u64, Manifest), Error> {
    let (mut body, mut unpacker) = (response.into_body(), Unpacker::default());
    let progress = progress();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| BackupError::BrokenOff(root_cause(&error)))?;
        let Ok(bytes) = frame.into_data() else { continue };
        let mut rest = &bytes[..];
        while unpacker.next(&mut rest).map_err(BackupError::Taken)?.is_some() {}
        out.write_all(&bytes).map_err(|cause| cannot_write(path, cause))?;
        if let Some(about) = unpacker.about() {
            // Rows may have been added since they were counted.
            progress.set_length(about.estimated_bytes.max(unpacker.bytes()));
        }
        progress.set_position(unpacker.bytes());
    }
    progress.finish_and_clear();
    let bytes = unpacker.bytes();
    Ok((bytes, unpacker.finish().map_err(BackupError::Taken)?))
}

/// A bar on standard error, if that is a terminal.
fn progress() -> ProgressBar {
    let progress = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    let template = "{bar:40} {bytes} of about {total_bytes}, {bytes_per_sec}";
    match ProgressStyle::with_template(template) {
        Ok(style) => progress.with_style(style),
        // The usual style says the same.
        Err(_) => progress,
    }
}

/// The name that the server has given it.
fn name_of(response: &Response<Incoming>) -> String {
    let named = response.headers().get(header::CONTENT_DISPOSITION);
    let named = named.and_then(|value| value.to_str().ok()?.split('"').nth(1));
    // It is used as a path here, and comes from somewhere else.
    let is_plain = |name: &&str| {
        let is_plain = |it: char| it.is_ascii_alphanumeric() || "-_.".contains(it);
        name.starts_with("abide-") && name.chars().all(is_plain)
    };
    named.filter(is_plain).unwrap_or("abide-backup.tar").to_owned()
}

fn cannot_write(path: &Path, cause: io::Error) -> BackupError {
    BackupError::Write { path: path.display().to_string(), cause }
}

/// Where a backup goes.
#[derive(Clone, Copy)]
enum Target<'a> {
    /// A file with this name.
    File(&'a Path),
    /// A directory, in which it gets a name of its own.
    In(&'a Path),
}

impl<'a> Target<'a> {
    fn of(to: &'a Path) -> Result<Self, BackupError> {
        if to.is_dir() {
            return Ok(Self::In(to));
        }
        if to.symlink_metadata().is_ok() {
            return Err(BackupError::Exists(to.display().to_string()));
        }
        let parent = parent(to);
        parent.metadata().map_err(|cause| cannot_write(parent, cause))?;
        Ok(Self::File(to))
    }

    fn path(self, response: &Response<Incoming>) -> PathBuf {
        match self {
            Self::File(path) => path.to_owned(),
            Self::In(dir) => dir.join(name_of(response)),
        }
    }
}

/// The directory that a file is in.
fn parent(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or_else(|| Path::new("."))
}

/// A file of this command's own, which gets its name when it is complete. Otherwise it is removed.
struct Unfinished {
    file: NamedTempFile,
    path: PathBuf,
}

impl Unfinished {
    /// Next to the file that it will be, since it cannot be renamed from elsewhere. Its name is
    /// nobody else's: other commands may write to the same directory.
    fn create(path: &Path) -> Result<Self, BackupError> {
        let mut prefix = path.file_name().unwrap_or_default().to_owned();
        prefix.push(".");
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(UNFINISHED).permissions(Permissions::from_mode(PRIVATE));
        let file = builder.tempfile_in(parent(path)).map_err(|cause| cannot_write(path, cause))?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Makes it durable, under a name that no other file has, and returns that.
    fn finish(self, target: Target<'_>) -> Result<PathBuf, BackupError> {
        let Self { mut file, path } = self;
        let cannot = |cause| cannot_write(&path, cause);
        file.as_file().sync_all().map_err(cannot)?;
        let mut named = path.clone();
        for number in 2.. {
            let error = match file.persist_noclobber(&named) {
                Ok(_) => break,
                Err(error) => error,
            };
            match target {
                _ if error.error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(cannot(error.error));
                }
                Target::File(_) => return Err(BackupError::Exists(path.display().to_string())),
                // Another node's backup, or another one of the same second.
                Target::In(_) => named = path.with_extension(format!("{number}.{EXTENSION}")),
            }
            file = error.file;
        }
        File::open(parent(&path)).and_then(|dir| dir.sync_all()).map_err(cannot)?;
        Ok(named)
    }
}
