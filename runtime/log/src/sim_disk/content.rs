//! The bytes of one file: what the process sees, what is on disk, and what is in between.

/// Size of the blocks that may reach the disk in any order.
const BLOCK_BYTES: usize = 512;

/// Content of a file.
#[derive(Debug, Clone, Default)]
pub(super) struct Content {
    visible: Vec<u8>,
    on_disk: Vec<u8>,
    /// Changes since the last sync, in order.
    pending: Vec<Change>,
    /// Bytes that a failed sync should have written. The process continues to see them.
    lost_bytes: u64,
    /// Length the file can reach without using more of the disk's capacity.
    allocated: u64,
}

#[derive(Debug, Clone)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Truncate(usize),
}

impl Content {
    pub(super) fn of(bytes: Vec<u8>) -> Self {
        Self { visible: bytes.clone(), on_disk: bytes, ..Self::default() }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.visible
    }

    /// Bytes of the disk's capacity that the file uses.
    pub(super) fn used_bytes(&self) -> u64 {
        self.allocated.max(self.visible.len() as u64)
    }

    /// Bytes that a crash may lose.
    pub(super) fn unsynced_bytes(&self) -> u64 {
        let bytes = |change: &Change| match change {
            Change::Write { bytes, .. } => bytes.len() as u64,
            Change::Truncate(_) => 0,
        };
        self.lost_bytes + self.pending.iter().map(bytes).sum::<u64>()
    }

    pub(super) fn append(&mut self, bytes: &[u8]) {
        let change = Change::Write { at: self.visible.len(), bytes: bytes.to_vec() };
        change.apply(&mut self.visible);
        self.pending.push(change);
    }

    pub(super) fn truncate(&mut self, len: usize) {
        // A real file would be extended with zeros.
        assert!(
            len <= self.visible.len(),
            "a file of {} bytes is truncated to {len}",
            self.visible.len()
        );
        let change = Change::Truncate(len);
        change.apply(&mut self.visible);
        self.pending.push(change);
        self.allocated = 0;
    }

    pub(super) fn allocate(&mut self, to: u64) {
        self.allocated = self.allocated.max(to);
    }

    pub(super) fn sync(&mut self) {
        for change in self.pending.drain(..) {
            change.apply(&mut self.on_disk);
        }
    }

    /// What the kernel does when a write-back fails: the pages count as clean, so no later sync
    /// writes them.
    pub(super) fn fail_to_sync(&mut self) {
        self.lost_bytes = self.unsynced_bytes();
        self.pending.clear();
    }

    /// What a crash leaves: none of the pending changes, all of them, a prefix of them, or their
    /// blocks in any order with zeros between them.
    pub(super) fn survive(&self, choose: &mut impl FnMut(u64) -> u64) -> Self {
        let mut left = self.on_disk.clone();
        match choose(4) {
            0 => (),
            1 => self.pending.iter().for_each(|change| change.apply(&mut left)),
            2 => {
                let bytes = self.pending.iter().map(Change::size).sum::<usize>();
                let mut kept = below(choose, bytes + 1);
                for change in &self.pending {
                    if kept < change.size() {
                        change.first(kept).apply(&mut left);
                        break;
                    }
                    kept -= change.size();
                    change.apply(&mut left);
                }
            }
            _ => {
                for change in self.pending.iter().flat_map(Change::blocks) {
                    if choose(2) == 0 {
                        change.apply(&mut left);
                    } else if let Change::Write { at, bytes } = change {
                        left.resize(left.len().max(at + bytes.len()), 0);
                    }
                }
            }
        }
        Self { allocated: self.allocated, ..Self::of(left) }
    }
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Write { at, bytes } => {
                to.resize(to.len().max(at + bytes.len()), 0);
                to[*at..at + bytes.len()].copy_from_slice(bytes);
            }
            Self::Truncate(len) => to.truncate(*len),
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::Write { bytes, .. } => bytes.len(),
            Self::Truncate(_) => 1,
        }
    }

    /// The first `size` bytes of a write; a partial truncation has no effect.
    fn first(&self, size: usize) -> Self {
        match self {
            Self::Write { at, bytes } => Self::Write { at: *at, bytes: bytes[..size].to_vec() },
            Self::Truncate(_) => Self::Write { at: 0, bytes: Vec::new() },
        }
    }

    fn blocks(&self) -> Vec<Self> {
        let Self::Write { at, bytes } = self else { return vec![self.clone()] };
        let mut blocks = Vec::new();
        let mut from = 0;
        while from < bytes.len() {
            let to = bytes.len().min((at + from) / BLOCK_BYTES * BLOCK_BYTES + BLOCK_BYTES - at);
            blocks.push(Self::Write { at: at + from, bytes: bytes[from..to].to_vec() });
            from = to;
        }
        blocks
    }
}

fn below(choose: &mut impl FnMut(u64) -> u64, bound: usize) -> usize {
    match usize::try_from(choose(bound as u64)) {
        Ok(chosen) if chosen < bound => chosen,
        chosen => unreachable!("`choose` returned {chosen:?} for the bound {bound}"),
    }
}
