//! Bounds of activations as centre and radius, and what layers make of them.
//!
//! ```text
//! x in [c - r, c + r],  r >= 0
//! ```
//!
//! # Source
//! Gowal et al., "On the Effectiveness of Interval Bound Propagation", arXiv:1810.12715, section 3.

mod linear;
mod relu;

pub use linear::{
    Gradients, MapGradients, MapWanted, Wanted, linear, linear_backward, through, through_backward,
};
pub use relu::{relu, relu_backward, relu_ends, relu_ends_backward};

/// A box around activations, or the gradients of one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bounds {
    /// Middle of each activation's interval.
    pub center: Vec<f32>,
    /// Half of its width.
    pub radius: Vec<f32>,
}

/// Lower and upper ends of activations' intervals, or their gradients.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ends {
    /// Lower ends.
    pub lower: Vec<f32>,
    /// Upper ends.
    pub upper: Vec<f32>,
}

/// Panics with a message if a length is wrong.
fn expect(function: &str, what: &str, len: usize, expected: usize) {
    assert!(len == expected, "{function}: {what} has {len} numbers, expected {expected}");
}

#[cfg(test)]
mod testing {
    /// Numbers between -1 and 1 without a pattern that the kernels could use.
    pub(super) fn wave(len: usize, seed: usize) -> Vec<f32> {
        (0..len).map(|i| ((i * 7 + seed * 13) as f32 * 0.71 + 0.3).sin()).collect()
    }

    /// The result of `f` in a pool of each number of threads is the same.
    pub(super) fn same_with_any_threads<T: PartialEq + Send>(f: impl Fn() -> T + Sync) {
        let run = |threads| {
            rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(&f)
        };
        let one = run(1);
        assert!(one == run(2) && one == run(3));
    }
}
