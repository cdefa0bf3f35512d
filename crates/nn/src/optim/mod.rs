//! Optimisers: gradients in, a changed module out.

mod adam;
mod sgd;

pub use adam::{Adam, AdamConfig, grad_norm};
pub use sgd::{Sgd, SgdConfig};
