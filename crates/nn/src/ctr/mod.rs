//! Models of click-through rates: gated embeddings of categorical values, the interactions between
//! them, and the backbones made of both.
//!
//! A row of the log has one value per field, numbered through over all fields. A backbone sees the
//! embedded values only, `[rows, fields, width]`, so that whatever gates the embedding gates every
//! interaction: a pair is scaled by the product of its two gates.

mod backbone;
mod cross;
mod gated;
mod interaction;

pub use backbone::{Backbone, BackboneConfig, Dcn, DeepFm, Fm, Ipnn};
pub use cross::{CrossNet, CrossNetConfig};
pub use gated::{GateMode, GatedEmbedding, GatedEmbeddingConfig};
pub use interaction::{fm_pairwise, inner_products};
