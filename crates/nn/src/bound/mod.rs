//! What a network can do at most over a whole box of inputs: interval bounds, and training with them.
//!
//! [`IntervalBounds`] carries a box through layers; [`margin()`] turns the last box into lower bounds
//! of the margins, [`verified`] into certificates, and [`robust_cross_entropy`] into a loss.
//! [`BoundedNet`] is a sequential network that does all of it. For training from scratch,
//! [`ibp_std`] gives initial weights that keep boxes at their width, and [`tightness_loss`] and
//! [`relu_balance_loss`] keep them narrow and the ReLU states balanced while the radius is ramped up
//! ([`crate::schedule::Schedule::Smoothed`]).

mod init;
mod interval;
mod margin;
mod net;
mod regularize;

pub use init::{ibp_std, normal_mean_abs, width_gain};
pub use interval::IntervalBounds;
pub use margin::{logit_margins, margin, robust_cross_entropy, verified};
pub use net::{
    Bounded, BoundedNet, BoundedNetConfig, ConvBlock, ConvShape, HiddenInit, LinearBlock,
};
pub use regularize::{ReluStates, relu_balance_loss, tightness_loss};

#[cfg(test)]
mod soundness;
#[cfg(test)]
mod tests;
