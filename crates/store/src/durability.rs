//! When a commit counts as durable.

/// When a commit counts as durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Once the disk has confirmed it (`synchronous=FULL`, `synchronous_commit=on`).
    #[default]
    Full,
    /// Once the database has it (`synchronous=NORMAL`, `synchronous_commit=off`): a crash of Corella's process loses
    /// nothing, a power cut may lose the last moments, and so may a crash of PostgreSQL.
    Relaxed,
}
