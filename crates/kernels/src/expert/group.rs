//! Pairs of a token and a choice, sorted by expert.

use std::ops::Range;

use crate::gather::check_indices;

/// A stable sorting of pairs by expert. A pair's number is `token * choices + choice`; its place is
/// where the sorting puts it.
#[derive(Debug, Clone)]
pub(super) struct Grouping {
    /// Where the places of each expert begin, and behind the last one the number of pairs.
    pub(super) starts: Vec<usize>,
    /// The token at each place.
    pub(super) tokens: Vec<u32>,
    /// The pair at each place.
    pub(super) pairs: Vec<u32>,
    /// The place of each pair.
    pub(super) places: Vec<u32>,
}

impl Grouping {
    /// Sorts by counting.
    pub(super) fn new(of: &str, chosen: &[i64], choices: usize, experts: usize) -> Self {
        check_indices(of, chosen, experts);
        let count = chosen.len();
        assert!(u32::try_from(count).is_ok(), "{of}: {count} pairs are more than 2^32");
        let mut starts = vec![0; experts + 1];
        for expert in chosen {
            starts[*expert as usize + 1] += 1;
        }
        for e in 0..experts {
            starts[e + 1] += starts[e];
        }
        let mut next = starts.clone();
        let (mut tokens, mut pairs) = (vec![0; count], vec![0; count]);
        let mut places = Vec::with_capacity(count);
        // `max`: without choices there are no chunks either.
        for (token, chosen) in chosen.chunks_exact(choices.max(1)).enumerate() {
            for expert in chosen {
                let place = &mut next[*expert as usize];
                tokens[*place] = token as u32;
                pairs[*place] = places.len() as u32;
                places.push(*place as u32);
                *place += 1;
            }
        }
        Self { starts, tokens, pairs, places }
    }

    /// The places of an expert.
    pub(super) fn of(&self, expert: usize) -> Range<usize> {
        self.starts[expert]..self.starts[expert + 1]
    }

    /// Each expert with places in this range, and these places.
    pub(super) fn within(
        &self,
        range: Range<usize>,
    ) -> impl Iterator<Item = (usize, Range<usize>)> {
        (0..self.starts.len() - 1).filter_map(move |expert| {
            let Range { start, end } = self.of(expert);
            let part = start.max(range.start)..end.min(range.end);
            (!part.is_empty()).then_some((expert, part))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sorting_is_stable_and_knows_its_inverse() {
        let grouping = Grouping::new("test", &[2, 0, 0, 2, 2, 3], 2, 5);
        assert_eq!(grouping.starts, [0, 2, 2, 5, 6, 6]);
        assert_eq!(grouping.pairs, [1, 2, 0, 3, 4, 5]);
        assert_eq!(grouping.tokens, [0, 1, 0, 1, 2, 2]);
        assert_eq!(grouping.places, [2, 0, 1, 3, 4, 5]);
        let within: Vec<_> = grouping.within(1..4).collect();
        assert_eq!(within, [(0, 1..2), (2, 2..4)]);
        assert_eq!(grouping.within(0..0).count(), 0);
        let empty = Grouping::new("test", &[], 0, 3);
        assert_eq!(empty.starts, [0; 4]);
    }

    #[test]
    #[should_panic(expected = "test: index 5 at position 2, expected 0..5")]
    fn an_expert_that_is_not_there_is_named() {
        Grouping::new("test", &[0, 1, 5], 1, 5);
    }
}
