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
//! | [`NoisyTopKGate`] | the k largest of `h` and learned noise | their softmax |
//! | [`KeyGate`] | the k largest of `softmax(n(x) n(v)^T / sqrt(d))` | those, divided by their sum |
//! | [`HashGate`] | a fixed random expert for each symbol | 1 |
//! | [`BaseGate`] | the balanced assignment of largest `h` | `sigmoid(h)` |
//! | [`StableGate`] | largest entry of `h`, later a fixed expert for each symbol | `sigmoid(h)` |
//! | [`CometGate`] | leaves that k soft trees have not ruled out, at most k in the end | one softmax over them |
//! | [`DSelectKGate`] | numbers that k selectors write in binary | a mixture of the selectors |
//! | [`Routing::uniform`] | all experts | 1 / experts |
//!
//! All of these are behind one call, [`Router::forward`], with [`LocalSearch`] before any of them.
//! Gates that decide about something else than the experts of a token have inputs of their own and
//! the same [`Routing`]:
//!
//! | gate | decides about | `c` | `g` |
//! |---|---|---|---|
//! | [`DeferralGate`] | a general or a special expert | the second where `sigmoid(MLP(x)) > theta`, else the first | 1 |
//!
//! | [`ExitGate`] | after which block to stop | the first exit whose gate is open | 1 |
//! | [`ThresholdExit`] | the same | the first exit whose classifier is confident enough | 1 |
//! | [`AttentionWeightedGate`] | experts of a user, by a sequence | all experts | a default and a sum over the sequence, of any sign |
//!
//! What a gate adds to the loss is in its [`Routing`]; the balance losses are in [`balance`], what
//! can be said of a routing afterwards in [`statistics`]. Gates of Gaussian mixtures, whose rates of
//! convergence are studied, are in [`mixture`](crate::mixture).

pub mod assignment;
mod attention_weighted;
pub mod balance;
mod base;
mod comet;
mod deferral;
mod dselect_k;
mod dts;
mod exit;
mod hash;
mod key;
mod local_search;
mod noisy_top_k;
mod path;
mod router;
mod routing;
mod stable;
pub mod statistics;
mod switch;
mod top_k;

pub use attention_weighted::{AttentionWeightedGate, AttentionWeightedGateConfig, GateUnit};
pub use base::{BaseGate, BaseGateConfig};
pub use comet::{CometGate, CometGateConfig};
pub use deferral::{DeferralGate, DeferralGateConfig, deferral_threshold};
pub use dselect_k::{DSelectKGate, DSelectKGateConfig};
pub use dts::{DtsGate, DtsGateConfig, GateWeights, gumbel_noise};
pub use exit::{
    ExitGate, ExitGateConfig, FEATURES, ThresholdExit, exit_distribution, exit_targets,
    optimal_exit, uncertainty_features,
};
pub use hash::{HashGate, HashGateConfig};
pub use key::{KeyGate, KeyGateConfig, standardise};
pub use local_search::{LocalSearch, LocalSearchConfig};
pub use noisy_top_k::{NoisyTopKGate, NoisyTopKGateConfig};
pub use path::smooth_step;
pub use router::{Gate, Pass, Router, Tokens};
pub use routing::{Chosen, Routing};
pub use stable::{StableGate, StableGateConfig};
pub use switch::{SwitchGate, SwitchGateConfig};
pub use top_k::{TopKGate, TopKGateConfig, top_k};
