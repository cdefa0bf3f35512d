//! In how many papers a word stands.

use std::collections::HashMap;

use crate::index::Snapshot;
use crate::mask::Mask;

/// Counts of papers by the number of a stem, in step with the shelf.
///
/// Filled when recommendations are first asked for, which then takes a moment; from then on only what
/// was added or taken out is counted. Readers of search never need it.
#[derive(Debug, Default)]
pub(crate) struct Frequencies {
    /// The papers that are counted.
    counted: Mask,
    papers: u32,
    counts: HashMap<u32, u32, foldhash::fast::FixedState>,
}

impl Frequencies {
    /// Counts what has changed up to a snapshot, which must not be older than the one before.
    pub(super) fn follow(&mut self, snapshot: &Snapshot) {
        let alive = snapshot.shelf.alive();
        if self.counted == *alive {
            return;
        }
        self.counted.grow(snapshot.shelf.end());
        let (mut new, mut gone) = (alive.clone(), self.counted.clone());
        new.and_not(&self.counted);
        gone.and_not(alive);
        let mut stems = Vec::new();
        let mut each = |number: u32, count: &mut dyn FnMut(u32)| {
            stems.clear();
            stems.extend_from_slice(snapshot.shelf.stems(number));
            stems.sort_unstable();
            stems.dedup();
            stems.iter().for_each(|stem| count(*stem));
        };
        for number in new.iter() {
            each(number, &mut |stem| *self.counts.entry(stem).or_default() += 1);
            self.papers += 1;
        }
        for number in gone.iter() {
            each(number, &mut |stem| {
                if let Some(count) = self.counts.get_mut(&stem) {
                    *count -= 1;
                    if *count == 0 {
                        self.counts.remove(&stem);
                    }
                }
            });
            self.papers -= 1;
        }
        self.counted = alive.clone();
    }

    /// How rare a word is: 1 for one that no paper has, 0 for one that all have.
    ///
    /// ```text
    /// idf = ln((1 + N) / (1 + N_j)) / ln(1 + N)
    /// ```
    pub(super) fn rarity(&self, stem: u32) -> f32 {
        let papers = 1.0 + self.papers as f32;
        let with = 1.0 + self.counts.get(&stem).copied().unwrap_or(0) as f32;
        // Of one paper all words are as rare as can be.
        (papers / with).ln() / papers.ln().max(f32::MIN_POSITIVE)
    }
}
