//! Faults on purpose: a full disk, a disk that fails, a sudden end at every place that matters.

mod disk_full;
mod failed_sync;
mod kill_points;
mod migration;
mod work;
