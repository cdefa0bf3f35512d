//! What this process has done with mail since it began.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters that only grow.
#[derive(Debug, Default)]
pub struct Counters {
    composed: AtomicU64,
    accepted: AtomicU64,
    deferred: AtomicU64,
    failed: AtomicU64,
}

/// The state of [`Counters`] at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// Issues of the digest that were put into the outbox.
    pub composed: u64,
    /// Mails that were taken over.
    pub accepted: u64,
    /// Attempts after which a mail waits for another.
    pub deferred: u64,
    /// Mails that were given up.
    pub failed: u64,
}

impl Counters {
    pub(crate) fn composed(&self, more: u64) {
        self.composed.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn deferred(&self) {
        self.deferred.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    /// How they stand.
    pub fn get(&self) -> Counted {
        Counted {
            composed: self.composed.load(Ordering::Relaxed),
            accepted: self.accepted.load(Ordering::Relaxed),
            deferred: self.deferred.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
        }
    }
}
