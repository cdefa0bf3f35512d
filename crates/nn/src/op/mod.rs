//! Fused operations.
//!
//! Each is one node of the gradient's graph, computed by a kernel of `pressrun-kernels`. On another
//! device than Flex, in another precision or with gradient checkpointing, the same function
//! computes the plain form from tensor operations, which is also its test's oracle.

mod activation;
mod attention;
mod bag;
mod conv;
mod expert;
mod fused;
mod gather;
mod kan;
mod linear;
mod norm;
mod optim;
mod pool;
mod quantise;
mod recurrent;
mod sinkhorn;
mod softmax;

pub(crate) use activation::{activate, kernel_of};
pub(crate) use attention::{Attention, attention, attention_packed};
pub(crate) use bag::bag;
pub(crate) use conv::{conv_transpose2d, conv2d};
pub(crate) use expert::{ExpertWeights, MOST_EXPERTS, experts};
use fused::of;
pub(crate) use fused::{Array, Fused, Grad, Saved, indices, run};
pub(crate) use gather::{gather, scatter_add};
pub(crate) use kan::{Basis, kan, rational};
pub(crate) use linear::linear;
pub(crate) use norm::{group_norm, layer_norm, rms_norm};
pub(crate) use optim::{Moments, Velocity, adam, sgd, sum_of_squares};
pub(crate) use pool::{avg_pool, max_pool};
pub(crate) use quantise::{Quantiser, quantise};
pub(crate) use recurrent::{Cell, RecurrentWeights, recurrent, recurrent_last};
pub(crate) use sinkhorn::sinkhorn;
pub(crate) use softmax::{bce_with_logits, cross_entropy, log_softmax, softmax};
