//! How often two words stand side by side in the whole collection.

use std::sync::atomic::{AtomicU16, Ordering};

/// Counters. Two pairs that share one make each other look more frequent: with six million pairs of
/// 87,000 papers a counter has one and a half stray occurrences, which a rarity hardly shows.
const COUNTERS: usize = 1 << 22;

/// The number of two neighbouring stems.
pub(crate) fn pair(first: u32, second: u32) -> u64 {
    u64::from(first) << 32 | u64::from(second)
}

/// Counts of neighbouring stems. Only ever added to; readers see each count on its own.
#[derive(Debug)]
pub(crate) struct Pairs(Box<[AtomicU16]>);

impl Pairs {
    pub(crate) fn new() -> Self {
        Self((0..COUNTERS).map(|_| AtomicU16::new(0)).collect())
    }

    /// Counts the pairs of a text.
    pub(crate) fn add(&self, stems: &[u32]) {
        for neighbours in stems.windows(2) {
            let counter = self.counter(pair(neighbours[0], neighbours[1]));
            // One writer only, so nothing is lost between reading and writing.
            let count = counter.load(Ordering::Relaxed);
            counter.store(count.saturating_add(1), Ordering::Relaxed);
        }
    }

    /// How often a pair occurs, at least.
    pub(crate) fn count(&self, pair: u64) -> u32 {
        u32::from(self.counter(pair).load(Ordering::Relaxed))
    }

    fn counter(&self, pair: u64) -> &AtomicU16 {
        // The upper bits of a product with an odd constant depend on all bits of the pair.
        let hash = pair.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        &self.0[(hash >> (64 - COUNTERS.trailing_zeros())) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_counted_in_their_order() {
        let pairs = Pairs::new();
        pairs.add(&[1, 2, 1, 2, 3]);
        pairs.add(&[7]);
        pairs.add(&[]);
        let counts = [(1, 2), (2, 1), (2, 3), (3, 2)].map(|(a, b)| pairs.count(pair(a, b)));
        assert_eq!(counts, [2, 1, 1, 0]);
        (0..70_000).for_each(|_| pairs.add(&[5, 5]));
        assert_eq!(pairs.count(pair(5, 5)), u32::from(u16::MAX));
    }
}
