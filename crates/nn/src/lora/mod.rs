//! Low-rank changes of linear layers that stay as they are.
//!
//! A [`Lora`] is the change, `x A B / r`; one that belongs to a task is an expert. [`LoraLinear`] is
//! a frozen layer with one change, [`InputGate`] learns which tokens a finished change is for,
//! [`MixedLoraLinear`] is a frozen layer with many changes of which a gate chooses, and
//! [`merge`] makes one dense change of many.

mod factors;
mod layer;
mod mixed;

pub use factors::{Lora, LoraConfig, merge};
pub use layer::{InputGate, InputGateConfig, LoraLinear};
pub use mixed::MixedLoraLinear;
