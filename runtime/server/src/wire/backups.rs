//! Backups: a cut of the running node as an archive, made by one thread of low priority as fast as
//! its reader takes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use backup::{About, PIECE_BYTES_MAX, Packer, Part, PartitionCut, items};
use bytes::Bytes;
use futures::{StreamExt, stream};
use runtime_admin::{Backup, BackupError, Backups, backups::Beginning};
use runtime_partition::{Clock, Cut, CutError, CutSource};
use runtime_views::rfc3339;
use tokio::{runtime, sync::mpsc, time};

use crate::{data_dir::Identity, formats};

/// Pieces that wait for the reader: with what is being read, a few MiB of memory.
const PIECES_MAX: usize = 2;

/// How long a reader may take for a piece of up to a MiB. One that is slower retains disk space for
/// too long: the tables grow while they are read.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often to look at the disk while the reader takes nothing.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Takes the backups of a node.
pub(crate) struct NodeBackups {
    taking: Arc<Taking>,
    threads: runtime::Handle,
}

/// What a backup is taken of, for the thread that takes it.
struct Taking {
    cuts: CutSource,
    identity: Identity,
    clock: Arc<dyn Clock>,
    is_busy: AtomicBool,
}

impl NodeBackups {
    /// Takes them on the given threads.
    pub(crate) fn new(
        cuts: CutSource,
        identity: Identity,
        clock: Arc<dyn Clock>,
        threads: &runtime::Handle,
    ) -> Self {
        let taking = Taking { cuts, identity, clock, is_busy: AtomicBool::new(false) };
        Self { taking: Arc::new(taking), threads: threads.clone() }
    }
}

impl Backups for NodeBackups {
    fn begin(&self) -> Beginning<'_> {
        Box::pin(async move {
            let turn = Turn::take(&self.taking).ok_or(BackupError::Busy)?;
            let (sender, mut pieces) = mpsc::channel(PIECES_MAX);
            let reader = Reader { sender, threads: self.threads.clone() };
            let at_ms = self.taking.clock.wall_us() / 1000;
            self.threads.spawn_blocking(move || turn.run(at_ms, &reader));
            // An error before the first piece still gets a status of its own.
            let first = match pieces.recv().await {
                Some(Ok(first)) => first,
                Some(Err(gave_up)) => return Err(gave_up.into()),
                None => return Err(BackupError::Stopping),
            };
            let rest = stream::poll_fn(move |context| pieces.poll_recv(context));
            let pieces = stream::iter([Ok(first)]).chain(rest);
            let archive = pieces.map(|piece| piece.map_err(std::io::Error::other)).boxed();
            let time = rfc3339::shortest(at_ms / 1000 * 1000).replace([':', '-'], "");
            Ok(Backup { file_name: format!("abide-{time}.tar"), archive })
        })
    }
}

/// The right to take a backup: one at a time.
struct Turn(Arc<Taking>);

impl Turn {
    fn take(taking: &Arc<Taking>) -> Option<Self> {
        let is_busy = taking.is_busy.swap(true, Ordering::SeqCst);
        (!is_busy).then(|| Self(Arc::clone(taking)))
    }

    fn run(&self, at_ms: u64, reader: &Reader) {
        let begun = Instant::now();
        match self.send(at_ms, reader) {
            Ok(bytes) => {
                let ms = begun.elapsed().as_millis();
                tracing::info!(bytes, ms, "a backup has been taken");
            }
            Err(gave_up) => {
                tracing::warn!("a backup was given up: {gave_up}");
                // Unless the archive has begun, which then says so itself.
                let _ = reader.sender.try_send(Err(gave_up));
            }
        }
    }

    /// Sends everything; returns how many bytes that were.
    fn send(&self, at_ms: u64, reader: &Reader) -> Result<u64, GaveUp> {
        let Taking { cuts, identity, .. } = &*self.0;
        let out = Out { cuts, reader };
        out.check_disk()?;
        let mut cut = cuts.begin()?.finish()?;
        let (packer, first) = Packer::new(about(&cut, at_ms), at_ms / 1000);
        let mut sender = Sender { out, packer, sent: 0 };
        let sent = sender.put(first).and_then(|()| sender.all(&mut cut, identity));
        // The node need not keep anything while the reader takes the end.
        drop(cut);
        match sent {
            Ok(()) => sender.finish(),
            Err(gave_up) => {
                reader.put_last(sender.packer.fail(&gave_up.to_string()));
                Err(gave_up)
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.is_busy.store(false, Ordering::SeqCst);
    }
}

fn about(cut: &Cut, at_ms: u64) -> About {
    let of = |partition| PartitionCut {
        tables_lsn: cut.applied(partition).0,
        last_lsn: cut.end(partition).0,
    };
    About {
        format: backup::FORMAT,
        writer: formats::ours(),
        taken_at: rfc3339::shortest(at_ms),
        partitions: cut.partitions().map(of).collect(),
        estimated_bytes: cut.row_bytes(),
    }
}

/// Why a backup was given up.
#[derive(Debug, thiserror::Error)]
enum GaveUp {
    /// Its reader has closed the connection.
    #[error("its reader has gone")]
    ReaderGone,
    /// Its reader is too slow.
    #[error(
        "its reader has taken less than a MiB in {} s, and a backup keeps disk space from being freed",
        PATIENCE.as_secs()
    )]
    ReaderSlow,
    /// The node needs the space that it retains.
    #[error("the disk is nearly full, and a backup keeps space from being freed; free some first")]
    DiskFull,
    /// The node cannot be read.
    #[error(transparent)]
    Cut(CutError),
}

impl From<CutError> for GaveUp {
    fn from(error: CutError) -> Self {
        Self::Cut(error)
    }
}

impl From<GaveUp> for BackupError {
    fn from(gave_up: GaveUp) -> Self {
        match gave_up {
            GaveUp::DiskFull => Self::DiskFull,
            GaveUp::Cut(CutError::Stopped) => Self::Stopping,
            GaveUp::ReaderGone | GaveUp::ReaderSlow | GaveUp::Cut(_) => {
                Self::Failed(gave_up.to_string())
            }
        }
    }
}

/// Who reads the archive.
struct Reader {
    sender: mpsc::Sender<Result<Bytes, GaveUp>>,
    threads: runtime::Handle,
}

impl Reader {
    /// Sends the last piece, if the reader takes it in time.
    fn put_last(&self, piece: Vec<u8>) {
        let sent = async { time::timeout(PATIENCE, self.sender.send(Ok(piece.into()))).await };
        // Without it, the archive just ends, and nobody takes it for complete.
        let _ = self.threads.block_on(sent);
    }
}

/// Where pieces go, while the disk has room for the rest.
struct Out<'a> {
    cuts: &'a CutSource,
    reader: &'a Reader,
}

impl Out<'_> {
    fn check_disk(&self) -> Result<(), GaveUp> {
        if self.cuts.is_disk_short() { Err(GaveUp::DiskFull) } else { Ok(()) }
    }

    fn put(&self, piece: Bytes) -> Result<(), GaveUp> {
        let Reader { sender, threads } = self.reader;
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            self.check_disk()?;
            match threads.block_on(async { time::timeout(LOOK_EVERY, sender.reserve()).await }) {
                Ok(Ok(place)) => {
                    place.send(Ok(piece));
                    return Ok(());
                }
                Ok(Err(_)) => return Err(GaveUp::ReaderGone),
                Err(_) => (),
            }
        }
        Err(GaveUp::ReaderSlow)
    }
}

/// Packs a cut and sends it.
struct Sender<'a> {
    out: Out<'a>,
    packer: Packer,
    sent: u64,
}

impl Sender<'_> {
    fn all(&mut self, cut: &mut Cut, identity: &Identity) -> Result<(), GaveUp> {
        self.piece(Part::Layout, identity.layout.as_bytes())?;
        if let Some(secret) = &identity.secret {
            self.piece(Part::Secret, secret)?;
        }
        let mut buffer = Vec::with_capacity(2 * PIECE_BYTES_MAX);
        for partition in cut.partitions() {
            let part = Part::Records(partition.0);
            for record in cut.records(partition) {
                items::put(&mut buffer, &record?);
                self.whole_pieces(part, &mut buffer)?;
            }
            self.rest(part, &mut buffer)?;
        }
        cut.release_log();
        for partition in cut.partitions() {
            let part = Part::Rows(partition.0);
            for row in cut.rows(partition)? {
                let (key, value) = row?;
                items::put(&mut buffer, &key);
                items::put(&mut buffer, &value);
                self.whole_pieces(part, &mut buffer)?;
            }
            self.rest(part, &mut buffer)?;
        }
        Ok(())
    }

    /// Sends what makes whole pieces.
    fn whole_pieces(&mut self, part: Part, buffer: &mut Vec<u8>) -> Result<(), GaveUp> {
        if buffer.len() < PIECE_BYTES_MAX {
            return Ok(());
        }
        let whole = buffer.len() / PIECE_BYTES_MAX * PIECE_BYTES_MAX;
        for piece in buffer[..whole].chunks(PIECE_BYTES_MAX) {
            self.piece(part, piece)?;
        }
        buffer.drain(..whole);
        // A large row need not cost its memory to the end.
        buffer.shrink_to(2 * PIECE_BYTES_MAX);
        Ok(())
    }

    fn rest(&mut self, part: Part, buffer: &mut Vec<u8>) -> Result<(), GaveUp> {
        if !buffer.is_empty() {
            self.piece(part, buffer)?;
            buffer.clear();
        }
        Ok(())
    }

    fn piece(&mut self, part: Part, bytes: &[u8]) -> Result<(), GaveUp> {
        let piece = self.packer.piece(part, bytes);
        self.put(piece)
    }

    fn put(&mut self, bytes: Vec<u8>) -> Result<(), GaveUp> {
        self.sent += bytes.len() as u64;
        self.out.put(bytes.into())
    }

    fn finish(self) -> Result<u64, GaveUp> {
        let Self { out, packer, sent } = self;
        let last = packer.finish();
        let sent = sent + last.len() as u64;
        out.put(last.into())?;
        Ok(sent)
    }
}
