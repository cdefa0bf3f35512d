//! Papers as numbers, and the weights of words by their stems.

use std::collections::HashMap;

use super::{Frequencies, Recipe};
use crate::embed::UNIT;
use crate::shelf::Shelf;

/// Makes numbers of papers; words get columns as they come.
#[derive(Debug)]
pub(super) struct Describer<'a> {
    shelf: &'a Shelf,
    frequencies: &'a Frequencies,
    /// Factors of the vector's numbers as they are stored, and of the words.
    factors: (f32, f32),
    columns: HashMap<u32, u32, foldhash::fast::FixedState>,
    /// Stem and rarity of each column, and the first paper that had it.
    pub words: Vec<(u32, f32, u32)>,
}

impl<'a> Describer<'a> {
    pub(super) fn new(shelf: &'a Shelf, frequencies: &'a Frequencies, recipe: &Recipe) -> Self {
        let share = recipe.vectors.clamp(0.0, 1.0);
        let factors = ((share / UNIT).sqrt(), (1.0 - share).sqrt());
        Self { shelf, frequencies, factors, columns: HashMap::default(), words: Vec::new() }
    }

    /// The vector's part of a paper's description.
    pub(super) fn dense(&self, number: u32) -> Vec<f32> {
        let vector = self.shelf.vector(number).iter();
        vector.map(|value| f32::from(*value) * self.factors.0).collect()
    }

    /// The words' part: columns with amounts.
    pub(super) fn words(&mut self, number: u32) -> Vec<(u32, f32)> {
        let stems = self.shelf.stems(number);
        let each = self.each(stems.len());
        let mut amounts: HashMap<u32, f32, foldhash::fast::FixedState> = HashMap::default();
        let mut order = Vec::new();
        for &stem in stems {
            let Self { columns, words, frequencies, .. } = self;
            let column = *columns.entry(stem).or_insert_with(|| {
                words.push((stem, frequencies.rarity(stem), number));
                words.len() as u32 - 1
            });
            let amount = amounts.entry(column).or_insert_with(|| {
                order.push(column);
                0.0
            });
            *amount += self.words[column as usize].1 * each;
        }
        order.into_iter().map(|column| (column, amounts[&column])).collect()
    }

    /// What a word counts in a text of so many, before its rarity.
    fn each(&self, length: usize) -> f32 {
        self.factors.1 / (length.max(1) as f32).sqrt()
    }

    /// The factor of a vector's numbers as they are stored.
    pub(super) fn of_vector(&self) -> f32 {
        self.factors.0
    }

    /// The factor of words.
    pub(super) fn of_words(&self) -> f32 {
        self.factors.1
    }
}

/// What words are worth, by stem: a table in which most words of most papers are not found at their
/// first place, which is all that is looked at then.
#[derive(Debug)]
pub(super) struct Table {
    /// Stem and weight; the weight 0 means a free place.
    places: Vec<(u32, f32)>,
    mask: usize,
}

impl Table {
    pub(super) fn new(weights: impl Iterator<Item = (u32, f32)> + Clone) -> Self {
        let size = (2 * weights.clone().count()).next_power_of_two().max(16);
        let mut table = Self { places: vec![(0, 0.0); size], mask: size - 1 };
        for (stem, weight) in weights.filter(|(_, weight)| *weight != 0.0) {
            let mut at = stem as usize & table.mask;
            while table.places[at].1 != 0.0 {
                at = (at + 1) & table.mask;
            }
            table.places[at] = (stem, weight);
        }
        table
    }

    /// The weight of a stem; 0 for one that is not there.
    #[inline]
    pub(super) fn weight(&self, stem: u32) -> f32 {
        // A stem is a hash already.
        let mut at = stem as usize & self.mask;
        loop {
            let (other, weight) = self.places[at];
            if other == stem || weight == 0.0 {
                return weight;
            }
            at = (at + 1) & self.mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_finds_what_was_put_in() {
        let weights: Vec<(u32, f32)> = (0..1000_u32).map(|i| (i * 64, 1.0 + i as f32)).collect();
        let table = Table::new(weights.iter().copied());
        for (stem, weight) in &weights {
            assert_eq!(table.weight(*stem), *weight);
            assert_eq!(table.weight(stem + 1), 0.0);
        }
        assert_eq!(Table::new(std::iter::empty()).weight(0), 0.0);
    }
}
