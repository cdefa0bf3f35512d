//! Mini-batches: which rows a training step takes.

use rand::Rng;
use rand::seq::SliceRandom;

/// Mini-batches over `len` rows, shuffled anew for every epoch.
///
/// Every row comes exactly once in an epoch; with [`Batches::drop_last`], the rows of an incomplete
/// last batch are left out of that epoch. The order is a function of the generator alone, so that
/// arms with the same stream see the same batches.
///
/// # Example
/// ```
/// use pressrun_data::Batches;
/// use rand::SeedableRng;
///
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
/// let mut batches = Batches::new(10, 4);
/// let sizes: Vec<usize> = batches.epoch(&mut rng).map(<[usize]>::len).collect();
/// assert_eq!(sizes, [4, 4, 2]);
/// assert_eq!(batches.per_epoch(), 3);
/// ```
#[derive(Debug, Clone)]
pub struct Batches {
    order: Vec<usize>,
    size: usize,
    drop_last: bool,
    /// Where the next batch of `next` starts; at or past the end a new epoch begins.
    at: usize,
}

impl Batches {
    /// Batches of `size` rows, the last of an epoch smaller where it does not come out even.
    ///
    /// # Panics
    /// If `size` is 0.
    pub fn new(len: usize, size: usize) -> Self {
        assert!(size > 0, "batches: expected a size of at least 1, found 0");
        Self { order: (0..len).collect(), size, drop_last: false, at: usize::MAX }
    }

    /// Leaves an incomplete last batch out.
    #[must_use]
    pub fn drop_last(mut self) -> Self {
        self.drop_last = true;
        self
    }

    /// Number of batches in an epoch.
    pub fn per_epoch(&self) -> usize {
        self.used().div_ceil(self.size)
    }

    /// Shuffles and hands out the batches of one epoch.
    pub fn epoch(&mut self, rng: &mut impl Rng) -> impl ExactSizeIterator<Item = &[usize]> {
        self.shuffle(rng);
        // What `next` had left of its epoch is void: the order under it has changed.
        self.at = usize::MAX;
        self.order[..self.used()].chunks(self.size)
    }

    /// The next batch of an endless stream, for training that counts steps and not epochs.
    ///
    /// Shuffles whenever an epoch is used up, so that the stream is one epoch after another.
    ///
    /// # Panics
    /// If there is no batch in an epoch.
    ///
    /// # Example
    /// ```
    /// use pressrun_data::Batches;
    /// use rand::SeedableRng;
    ///
    /// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    /// let mut batches = Batches::new(4, 2);
    /// let mut rows = [batches.next(&mut rng).to_vec(), batches.next(&mut rng).to_vec()].concat();
    /// rows.sort();
    /// assert_eq!(rows, [0, 1, 2, 3]);
    /// ```
    pub fn next(&mut self, rng: &mut impl Rng) -> &[usize] {
        assert!(
            self.per_epoch() > 0,
            "batches: {} rows give no batch of {}",
            self.order.len(),
            self.size
        );
        if self.at >= self.used() {
            self.shuffle(rng);
            self.at = 0;
        }
        let start = self.at;
        self.at = (start + self.size).min(self.used());
        &self.order[start..self.at]
    }

    /// From the sorted order, not from the last epoch's: an epoch's order then depends on the
    /// generator's state alone, also where a run continues from a checkpoint.
    fn shuffle(&mut self, rng: &mut impl Rng) {
        self.order.sort_unstable();
        self.order.shuffle(rng);
    }

    fn used(&self) -> usize {
        let rest = self.order.len() % self.size;
        self.order.len() - if self.drop_last { rest } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn rng(seed: u64) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(seed)
    }

    proptest! {
        #[test]
        fn every_row_comes_once_in_each_epoch(
            len in 0usize..150,
            size in 1usize..40,
            seed in any::<u64>(),
        ) {
            let mut batches = Batches::new(len, size);
            let mut rng = rng(seed);
            for _ in 0..2 {
                let epoch = batches.epoch(&mut rng);
                prop_assert_eq!(epoch.len(), len.div_ceil(size));
                let parts: Vec<Vec<usize>> = epoch.map(<[usize]>::to_vec).collect();
                let full = parts.iter().rev().skip(1).all(|part| part.len() == size);
                prop_assert!(full, "only the last batch may be short");
                let mut rows = parts.concat();
                rows.sort_unstable();
                prop_assert_eq!(rows, (0..len).collect::<Vec<_>>());
            }
        }

        #[test]
        fn dropping_the_last_leaves_full_batches_of_different_rows(
            len in 0usize..150,
            size in 1usize..40,
            seed in any::<u64>(),
        ) {
            let mut batches = Batches::new(len, size).drop_last();
            prop_assert_eq!(batches.per_epoch(), len / size);
            let mut rows = Vec::new();
            for batch in batches.epoch(&mut rng(seed)) {
                prop_assert_eq!(batch.len(), size);
                rows.extend_from_slice(batch);
            }
            prop_assert_eq!(rows.len(), len / size * size);
            rows.sort_unstable();
            rows.dedup();
            prop_assert_eq!(rows.len(), len / size * size);
        }

        #[test]
        fn the_endless_stream_is_the_epochs_in_turn(
            len in 1usize..60,
            size in 1usize..20,
            seed in any::<u64>(),
        ) {
            let (mut by_epoch, mut endless) = (Batches::new(len, size), Batches::new(len, size));
            let (mut first, mut second) = (rng(seed), rng(seed));
            for _ in 0..3 {
                let expected: Vec<Vec<usize>> =
                    by_epoch.epoch(&mut first).map(<[usize]>::to_vec).collect();
                for batch in expected {
                    prop_assert_eq!(endless.next(&mut second), batch);
                }
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_order_and_another_seed_another() {
        let order = |seed| -> Vec<usize> {
            Batches::new(100, 7).epoch(&mut rng(seed)).flatten().copied().collect()
        };
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
        assert_ne!(order(1), (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn a_second_epoch_has_another_order() {
        let (mut batches, mut rng) = (Batches::new(50, 50), rng(4));
        let first = batches.epoch(&mut rng).next().unwrap().to_vec();
        assert_ne!(batches.epoch(&mut rng).next().unwrap(), first);
    }

    #[test]
    #[should_panic(expected = "3 rows give no batch of 4")]
    fn an_endless_stream_of_nothing_panics() {
        Batches::new(3, 4).drop_last().next(&mut rng(0));
    }
}
