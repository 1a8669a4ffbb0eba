//! A backup is taken: what arrives is checked as it is written, and gets its name once it is
//! complete and on disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use backup::{Manifest, Unpacker};
use http::{Method, Response, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use tokio::signal;

use super::shown::Shown;
use crate::{
    args::LayoutFlags,
    client::{Client, root_cause},
    error::{BackupError, Error},
};

const TAR: &str = "application/x-tar";

/// The name of a backup that is not complete yet ends with this.
const UNFINISHED: &str = "partial";

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
    if !to.is_dir() {
        refuse_existing(to)?;
    }
    let response = ask(client).await?;
    let path = if to.is_dir() { to.join(name_of(&response)) } else { to.to_owned() };
    refuse_existing(&path)?;
    let mut file = Unfinished::create(&path)?;
    let (bytes, manifest) = receive_unless_interrupted(response, &mut file.file, &path).await?;
    file.finish()?;
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

fn refuse_existing(path: &Path) -> Result<(), BackupError> {
    if path.exists() {
        return Err(cannot_write(path, io::ErrorKind::AlreadyExists.into()));
    }
    Ok(())
}

fn cannot_write(path: &Path, cause: io::Error) -> BackupError {
    BackupError::Write { path: path.display().to_string(), cause }
}

/// A file that gets its name when it is complete. Otherwise it is removed.
struct Unfinished {
    file: File,
    path: PathBuf,
    unfinished: PathBuf,
    is_finished: bool,
}

impl Unfinished {
    fn create(path: &Path) -> Result<Self, BackupError> {
        let mut name = path.as_os_str().to_owned();
        name.push(".");
        name.push(UNFINISHED);
        let unfinished = PathBuf::from(name);
        let mut options = OpenOptions::new();
        let options = options.create(true).truncate(true).write(true).mode(PRIVATE);
        let file = options.open(&unfinished).map_err(|cause| cannot_write(path, cause))?;
        Ok(Self { file, path: path.to_owned(), unfinished, is_finished: false })
    }

    /// Makes it durable, under its name.
    fn finish(mut self) -> Result<(), BackupError> {
        let path = &self.path;
        let finish = || {
            self.file.sync_all()?;
            fs::rename(&self.unfinished, path)?;
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            File::open(parent.unwrap_or_else(|| Path::new(".")))?.sync_all()
        };
        finish().map_err(|cause| cannot_write(path, cause))?;
        self.is_finished = true;
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.is_finished {
            let _ = fs::remove_file(&self.unfinished);
        }
    }
}
