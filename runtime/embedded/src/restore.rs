//! A node's media made of a cut, as a restored backup makes files.

use runtime_core::PartitionId;
use runtime_log::{Batch, Log, Lsn, ManualLog, disk::Disk};
use runtime_partition::Cut;
use runtime_store::{StoreFill, StoreName};

use crate::{media::Media, node::LOG};

/// Fills empty media.
///
/// # Errors
/// Returns an error if the cut cannot be read or the media cannot be written.
pub fn restore<D: Disk + Clone>(cut: &Cut, media: &Media<D>) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let id = |partition: PartitionId| runtime_log::PartitionId(partition.0);
    let before = cut.partitions().map(|partition| (id(partition), Lsn(cut.applied(partition).0)));
    let before = before.filter(|(_, lsn)| *lsn > Lsn(0)).collect();
    let log = ManualLog::create(media.disk.clone(), LOG, before).map_err(|error| text(&error))?;
    let partitions = u16::try_from(media.tables.len()).map_err(|error| text(&error))?;
    for (partition, tables) in cut.partitions().zip(&media.tables) {
        let records = cut.records(partition).collect::<Result<Vec<_>, _>>();
        let records = records.map_err(|error| text(&error))?;
        let first_lsn = Lsn(cut.applied(partition).0 + 1);
        log.append(Batch { partition: id(partition), first_lsn, records }, Box::new(|_| ()));
        let name = StoreName { partition: partition.0, partitions, directory: None };
        let mut fill = StoreFill::create(tables.clone(), name).map_err(|error| text(&error))?;
        for row in cut.rows(partition).map_err(|error| text(&error))? {
            let (key, value) = row.map_err(|error| text(&error))?;
            fill.add(&key, &value).map_err(|error| text(&error))?;
        }
        fill.finish(cut.applied(partition)).map_err(|error| text(&error))?;
    }
    log.commit();
    log.seal().map_err(|error| text(&error))
}
