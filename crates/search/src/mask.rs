//! Sets of papers by number.

/// A set of papers, one bit for each number.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Mask {
    words: Vec<u64>,
    papers: u32,
}

impl Mask {
    /// No paper of so many.
    pub(crate) fn none(papers: u32) -> Self {
        Self { words: vec![0; papers.div_ceil(64) as usize], papers }
    }

    /// All papers of so many.
    pub(crate) fn all(papers: u32) -> Self {
        let mut mask = Self { words: vec![u64::MAX; papers.div_ceil(64) as usize], papers };
        mask.trim();
        mask
    }

    /// Puts a paper in; one beyond the end is none.
    pub(crate) fn set(&mut self, number: u32) {
        if number < self.papers {
            self.words[number as usize / 64] |= 1 << (number % 64);
        }
    }

    /// Takes a paper out.
    pub(crate) fn clear(&mut self, number: u32) {
        if number < self.papers {
            self.words[number as usize / 64] &= !(1 << (number % 64));
        }
    }

    pub(crate) fn has(&self, number: u32) -> bool {
        number < self.papers && self.words[number as usize / 64] >> (number % 64) & 1 == 1
    }

    pub(crate) fn and(&mut self, other: &Self) {
        for (i, word) in self.words.iter_mut().enumerate() {
            *word &= other.words.get(i).copied().unwrap_or(0);
        }
    }

    pub(crate) fn or(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word |= other);
    }

    pub(crate) fn and_not(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word &= !other);
    }

    /// More papers, which are not in the set.
    pub(crate) fn grow(&mut self, papers: u32) {
        self.papers = self.papers.max(papers);
        self.words.resize(self.papers.div_ceil(64) as usize, 0);
    }

    /// The set, 64 papers a word.
    pub(crate) fn words(&self) -> &[u64] {
        &self.words
    }

    /// The papers in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        (0_u32..).zip(&self.words).flat_map(|(i, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = (rest != 0).then(|| rest.trailing_zeros())?;
                rest &= rest - 1;
                Some(i * 64 + bit)
            })
        })
    }

    fn trim(&mut self) {
        let used = self.papers % 64;
        if let Some(last) = self.words.last_mut().filter(|_| used > 0) {
            *last &= (1 << used) - 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sets_as_sets(
            papers in 1..200_u32,
            a in prop::collection::btree_set(0..200_u32, 0..50),
            b in prop::collection::btree_set(0..200_u32, 0..50),
        ) {
            let within = |set: &BTreeSet<u32>| set.iter().copied().filter(|n| *n < papers).collect::<BTreeSet<_>>();
            let mask = |set: &BTreeSet<u32>| {
                let mut mask = Mask::none(papers);
                set.iter().for_each(|n| mask.set(*n));
                mask
            };
            let list = |mask: &Mask| mask.iter().collect::<BTreeSet<_>>();
            let (x, y) = (within(&a), within(&b));
            prop_assert_eq!(list(&mask(&a)), x.clone());
            let with = |change: &dyn Fn(&mut Mask)| { let mut m = mask(&a); change(&mut m); list(&m) };
            prop_assert_eq!(with(&|m| m.and(&mask(&b))), &x & &y);
            prop_assert_eq!(with(&|m| m.or(&mask(&b))), &x | &y);
            prop_assert_eq!(with(&|m| m.and_not(&mask(&b))), &x - &y);
            let all: BTreeSet<u32> = (0..papers).collect();
            prop_assert_eq!(list(&Mask::all(papers)), all);
            prop_assert!((0..200).all(|n| mask(&a).has(n) == x.contains(&n)));
        }
    }
}
