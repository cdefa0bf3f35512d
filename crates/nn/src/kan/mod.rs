//! Layers of Kolmogorov-Arnold networks: a learnt function on every edge.

mod layer;
mod rational;

pub use layer::{Basis, Kan, KanConfig};
pub use rational::{RationalActivation, RationalActivationConfig};
