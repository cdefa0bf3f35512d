//! Optimisers: gradients in, a changed module out.

mod adam;

pub use adam::{Adam, AdamConfig, grad_norm};
