//! Fused operations.
//!
//! Each is one node of the gradient's graph, computed by a kernel of `pressrun-kernels`. On another
//! device than Flex, in another precision or with gradient checkpointing, the same function
//! computes the plain form from tensor operations, which is also its test's oracle.

mod activation;
mod attention;
mod fused;
mod kan;
mod linear;
mod optim;
mod pool;
mod recurrent;

pub(crate) use activation::{activate, kernel_of};
pub(crate) use attention::{Attention, attention, attention_packed};
pub(crate) use fused::{Array, Fused, Grad, Saved, host, indices, run};
pub(crate) use kan::{Basis, kan, rational};
pub(crate) use linear::linear;
pub(crate) use optim::{Moments, adam, sum_of_squares};
pub(crate) use pool::{avg_pool, max_pool};
pub(crate) use recurrent::{Cell, RecurrentWeights, recurrent, recurrent_last};
