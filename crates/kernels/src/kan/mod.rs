//! Layers of Kolmogorov-Arnold networks: features of each input, then a linear map.
//!
//! ```text
//! y = F(x) W + b        F: the P features of input 0, then those of input 1, ..
//! ```
//!
//! The features of a batch are P times as large as the batch. They are never in memory as a whole:
//! a block of inputs and rows is made, multiplied while it is in the cache and forgotten, and made
//! again in the backward pass. In a block the rows of the batch lie side by side in vectors, so that
//! a feature is a row of the block and both products read it in place.
//!
//! - [`fourier`]: sines and cosines
//! - [`bspline`]: B-splines of any order
//! - [`radial`]: Gaussian bells
//! - [`rational`]: a rational function of each channel, without a linear map

pub mod bspline;
pub mod fourier;
mod layer;
mod operand;
pub mod radial;
pub mod rational;

pub(crate) use layer::column_sums;

/// Sizes of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Examples.
    pub rows: usize,
    /// Numbers of an example.
    pub inputs: usize,
    /// Numbers that the layer makes of them.
    pub outputs: usize,
}

/// Which gradients of a layer are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Of the input.
    pub input: bool,
    /// Of the weights.
    pub weight: bool,
    /// Of the bias.
    pub bias: bool,
}

impl Wanted {
    /// All of them.
    pub const ALL: Self = Self { input: true, weight: true, bias: true };
}

/// The gradients of a layer that were wanted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Gradients {
    /// `[rows, inputs]`.
    pub input: Option<Vec<f32>>,
    /// `[inputs * P, outputs]`.
    pub weight: Option<Vec<f32>>,
    /// `[outputs]`.
    pub bias: Option<Vec<f32>>,
}

#[cfg(test)]
mod testing;
