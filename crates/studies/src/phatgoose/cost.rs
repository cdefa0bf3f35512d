//! What an update costs, counted.

use super::data::{PATCHES, PIXELS};
use super::model::Shape;

/// What is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The factors of an expert.
    Expert,
    /// The gates in front of a finished expert.
    Gates,
}

/// Multiplications of an update for each token, forwards and backwards.
///
/// Backwards, a frozen map passes its gradient on, at the price of one application, and a trained
/// one costs two. Norms, activations and the classes are left out: they are the same in both phases.
pub fn update_cost(shape: &Shape, rank: usize, phase: Phase) -> f64 {
    let maps = shape.maps();
    let base: usize = maps.iter().map(|(i, o)| i * o).sum();
    let factors: usize = maps.iter().map(|(i, o)| rank * (i + o)).sum();
    let inputs: usize = maps.iter().map(|(i, _)| i).sum();
    let attention = 2 * PATCHES * shape.width;
    let layer = match phase {
        Phase::Expert => 2 * base + 3 * factors + 3 * attention,
        // Forwards v . x and s x; backwards the gradients of s, of v and of x in both.
        Phase::Gates => 2 * base + 2 * factors + 3 * attention + 6 * inputs,
    };
    (shape.layers * layer + PIXELS * shape.width) as f64
}
