//! Gaussian mixtures of experts in `f64`: densities, maximum likelihood, and how far a fit is off.
//!
//! These are models with a handful of parameters whose rates of convergence are studied, not layers
//! of a network: plain numbers, no tensors, no gradients by a tape.
//!
//! ```text
//! p(y | x) = sum_i softmax_i(z(x)) N(y | a_i^T x + b_i, nu_i)       nu_i is a variance
//! ```
//!
//! | gate | `z_i(x)` |
//! |---|---|
//! | [`TopKGate`] | `beta1_i^T x + beta0_i` for the K experts selected, else `-inf` |
//! | [`TemperatureGate`] | `(s(beta1_i^T x) - s(0) + beta0_i) / tau` |
//!
//! [`GaussianMoe`] is the model, [`em_fit`] its maximum likelihood estimate, [`fisher_information`]
//! what a sample says about its parameters. [`voronoi_loss`] and [`hellinger`] measure a fit,
//! [`loglog_slope`] how fast such an error falls.

mod em;
mod exponent;
mod fisher;
mod gate;
mod hellinger;
mod linalg;
mod model;
mod slope;
mod temperature;
mod top_k;
mod voronoi;

pub use em::{Em, EmOptions, Fit, Inverse, em_fit};
pub use exponent::{Perturbation, cell_exponent, taylor_coefficient};
pub use fisher::{fisher_information, mean_score};
pub use gate::Gate;
pub use hellinger::{Grid, hellinger, mean_hellinger};
pub use linalg::{SymEig, solve_positive, solve_pseudo, sym_eig};
pub use model::{Expert, GaussianMoe};
pub use slope::{Slope, fit_slope, loglog_slope};
pub use temperature::{Activation, TemperatureGate};
pub use top_k::{Select, TopKGate};
pub use voronoi::{
    Atom, Combine, Exponents, cell_errors, required_selection, voronoi_cells, voronoi_loss,
};

#[cfg(test)]
mod tests;
