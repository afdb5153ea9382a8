//! What a server's processes use, as `/proc` tells it.

use std::{fs, time::Duration};

/// Of a process and its children.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// Processor time since its start.
    pub(crate) processor: Duration,
    /// Resident memory in bytes.
    pub(crate) memory: u64,
}

impl Usage {
    /// What process `id` and all that it has started use now.
    pub(crate) fn of(id: u32) -> Self {
        let mut usage = Self::default();
        let processes: Vec<Process> = fs::read_dir("/proc")
            .expect("there is a /proc")
            .filter_map(|entry| Process::read(entry.ok()?.file_name().to_str()?.parse().ok()?))
            .collect();
        let mut wanted = vec![id];
        while let Some(id) = wanted.pop() {
            wanted.extend(processes.iter().filter(|process| process.parent == id).map(|process| process.id));
            if let Some(process) = processes.iter().find(|process| process.id == id) {
                usage.processor += process.processor;
                usage.memory += process.memory;
            }
        }
        usage
    }
}

struct Process {
    id: u32,
    parent: u32,
    processor: Duration,
    memory: u64,
}

impl Process {
    fn read(id: u32) -> Option<Self> {
        /// The kernel shows times in hundredths of a second on every machine, and memory in pages.
        const TICK: Duration = Duration::from_millis(10);
        const PAGE: u64 = 4_096;
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The name may have spaces and brackets in it; what follows it has none.
        let rest: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |place: usize| -> Option<u64> { rest.get(place)?.parse().ok() };
        let ticks = u32::try_from(number(11)? + number(12)?).ok()?;
        let parent = u32::try_from(number(1)?).ok()?;
        Some(Self { id, parent, processor: TICK * ticks, memory: number(21)? * PAGE })
    }
}
