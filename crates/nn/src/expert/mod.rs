//! Experts: networks of which each token sees only those that a [`Routing`](crate::gate::Routing)
//! has chosen.

mod bank;
mod dispatch;
mod ffn;
mod spawn;

pub use bank::{ExpertBank, ExpertBankConfig, ExpertLayer};
pub use dispatch::dispatch;
pub use ffn::{MoeFfn, MoeFfnConfig};
pub use spawn::{mean_cosine, spawn_experts};
