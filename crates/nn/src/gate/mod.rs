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
//! | [`KeyGate`] | the k largest of `softmax(n(x) n(v)^T / sqrt(d))` | those, divided by their sum |
//! | [`HashGate`] | a fixed random expert for each symbol | 1 |
//! | [`Routing::uniform`] | all experts | 1 / experts |

pub mod balance;
mod dts;
mod hash;
mod key;
mod routing;
pub mod statistics;
mod switch;
mod top_k;

pub use dts::{DtsGate, DtsGateConfig, GateWeights, gumbel_noise};
pub use hash::{HashGate, HashGateConfig};
pub use key::{KeyGate, KeyGateConfig, standardise};
pub use routing::{Chosen, Routing};
pub use switch::{SwitchGate, SwitchGateConfig};
pub use top_k::{TopKGate, TopKGateConfig, top_k};
