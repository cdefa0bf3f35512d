//! Gates: which experts see which token, and how much each counts.
//!
//! One notation for the whole family; the gates differ only in how `g` and `c` come about.
//!
//! ```text
//! h = x W                      logits, [tokens, experts]
//! c                            chosen: 1 where an expert sees a token, constant for gradients
//! g                            weights, 0 where c is 0
//! y = sum_e g_e Expert_e(x)    evaluated only where c is 1, see `expert::dispatch`
//! ```
//!
//! | gate | `c` | `g` |
//! |---|---|---|
//! | [`DtsGate`] | `softmax((h + G) / T) > 0.001`, later its largest entry | the same softmax |
//! | [`SwitchGate`] | largest entry of `softmax(h)` | that entry |
//! | [`TopKGate`] | the k largest of `softmax(h)` | those, divided by their sum |
//! | [`HashGate`] | a fixed random expert for each symbol | 1 |
//! | [`Routing::uniform`] | all experts | 1 / experts |
//! | [`ExitGate`] | the first exit of a network whose gate is open | 1 |
//! | [`ThresholdExit`] | the first exit whose classifier is confident enough | 1 |

pub mod balance;
mod dts;
mod exit;
mod hash;
mod routing;
mod switch;
mod top_k;

pub use dts::{DtsGate, DtsGateConfig, GateWeights, gumbel_noise};
pub use exit::{
    ExitGate, ExitGateConfig, FEATURES, ThresholdExit, exit_distribution, exit_targets,
    optimal_exit, uncertainty_features,
};
pub use hash::{HashGate, HashGateConfig};
pub use routing::{Chosen, Routing};
pub use switch::{SwitchGate, SwitchGateConfig};
pub use top_k::{TopKGate, TopKGateConfig, top_k};
