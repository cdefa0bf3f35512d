//! Papers that are near another one in meaning.

use crate::embed::UNIT;
use crate::index::Index;

/// A neighbour of a paper.
#[derive(Debug, Clone, PartialEq)]
pub struct Related {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Cosine of the two vectors.
    pub similarity: f32,
}

/// Least cosine of a neighbour worth naming.
const LEAST: f32 = 0.35;

impl Index {
    /// The papers nearest to that of an id, the nearest first; none if it is not in the index.
    pub fn related(&self, id: &str, most: usize) -> Vec<Related> {
        let snapshot = self.snapshot();
        let shelf = &snapshot.shelf;
        let Some(own) = shelf.number(id) else { return Vec::new() };
        let vector = shelf.vector(own);
        let mut products = Vec::new();
        let mut near: Vec<(i32, u32)> = Vec::new();
        let least = (LEAST * UNIT) as i32;
        for (first, block) in shelf.blocks() {
            products.resize(block.entries.len(), 0);
            pressrun_kernels::scan::dots(&block.vectors, vector, &mut products);
            let numbers = (first..).zip(&products).filter(|(_, product)| **product >= least);
            let others = numbers.filter(|(number, _)| *number != own && shelf.alive().has(*number));
            near.extend(others.map(|(number, product)| (*product, number)));
        }
        near.sort_unstable_by_key(|(product, number)| (std::cmp::Reverse(*product), *number));
        let near = near.into_iter().take(most).map(|(product, number)| Related {
            id: shelf.entry(number).id.to_string(),
            title: shelf.entry(number).title.to_string(),
            similarity: product as f32 / UNIT,
        });
        near.collect()
    }
}
