//! Backups: the tables are taken at one step and the end of the log is noted at a later one, with
//! everything that happens in between. Then the node goes down, and the next one is recovered from
//! the backup alone. Since it contains everything that was acknowledged, nobody may notice.

use runtime_core::Lsn;
use runtime_embedded::restore::restore;
use runtime_partition::cut::{Begun, Cut};

use crate::{limits::Sabotage, media::Media, stats::Fault, world::World};

/// A backup that has begun.
pub(crate) struct Backup {
    begun: Begun,
    /// The last durable records when it began; for sabotage.
    ends: Vec<Lsn>,
}

impl World {
    /// Begins a backup, or completes the one that has begun and goes on from it.
    pub(crate) fn back_up(&mut self) -> Result<(), String> {
        let Some(backup) = self.backup.take() else {
            // On a disk that has just failed, there is none.
            self.backup = self.begin_backup().ok();
            return Ok(());
        };
        let restored = self.finish_backup(backup).and_then(|cut| Ok((self.restored(&cut)?, cut)));
        let (media, cut) = match restored {
            Ok(restored) => restored,
            Err(_) if self.has_disk_failed()? => return Ok(()),
            Err(error) => return Err(format!("backup: {error}")),
        };
        let has_tail =
            cut.partitions().any(|partition| cut.applied(partition) < cut.end(partition));
        self.stats.add(Fault::Restored, has_tail);
        drop(cut);
        self.go_down_and_restore(media)
    }

    /// Gives the backup up if the log needs the space that it keeps.
    pub(crate) fn look_after_backup(&mut self) -> Result<(), String> {
        if self.backup.is_some() && self.node()?.cuts().is_disk_short() {
            self.backup = None;
        }
        Ok(())
    }

    fn begin_backup(&mut self) -> Result<Backup, String> {
        let cuts = self.node()?.cuts().clone();
        let text = |error: runtime_partition::CutError| error.to_string();
        let ends = cuts.begin().and_then(Begun::finish).map_err(text)?;
        let ends = ends.partitions().map(|partition| ends.end(partition)).collect();
        Ok(Backup { begun: cuts.begin().map_err(text)?, ends })
    }

    fn finish_backup(&self, backup: Backup) -> Result<Cut, String> {
        let Backup { begun, ends } = backup;
        let sabotage = self.sabotage;
        let cut = begun.finish_with(|partition, end| match sabotage {
            Some(Sabotage::CutBeforeTables) => ends[usize::from(partition.0)],
            Some(Sabotage::CutOfOneEarlier) if partition.0 == 0 => ends[0],
            Some(_) | None => end,
        });
        cut.map_err(|error| error.to_string())
    }

    fn restored(&mut self, cut: &Cut) -> Result<Media, String> {
        let media = Media::new(self.node()?.count());
        restore(cut, &media.plain)?;
        Ok(media)
    }

    fn has_disk_failed(&mut self) -> Result<bool, String> {
        let media = self.node()?.media();
        Ok(media.has_log_failed() || media.have_tables_failed() || media.is_off().is_some())
    }
}
