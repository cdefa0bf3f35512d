//! Scaled dot-product attention with several heads.
//!
//! No matrix of queries by keys is kept: the forward pass keeps two numbers for each query, from
//! which the backward pass computes the weights again (Dao et al., arXiv:2205.14135). A head is
//! worked on by one thread, a block of queries at a time, with all keys: exact weights, and a block
//! small enough for the cache.

mod backward;
mod dropout;
mod forward;
mod layout;
mod product;
#[cfg(test)]
mod tests;

pub use backward::{Gradients, Wanted};
pub use dropout::Dropout;
pub use forward::{Forward, Statistics};
pub use layout::{Heads, Order, Shape, Strides};

/// Attention of queries to keys, and its values.
///
/// ```text
/// S = scale Q K^T + M
/// P = softmax of each row of S, over the keys that the query may see
/// Y = (Z * P) V
/// ```
///
/// Q, K, V: queries, keys and values of one head of one example; M: additive mask; Z: factors of
/// dropout, 1 without. A query that sees no key has output 0, and no gradient comes from it.
///
/// # Shapes
/// - Q and Y: `[queries, width]`, K and V: `[keys, width]`, for every example and head
/// - `mask`: `[queries, keys]`, `key_mask`: `[batch, keys]`
///
/// # Source
/// Vaswani et al., arXiv:1706.03762.
#[derive(Debug, Clone, Copy)]
pub struct Attention<'a> {
    /// Sizes.
    pub shape: Shape,
    /// Factor of the products of queries and keys, as a rule `1 / sqrt(width)`.
    pub scale: f32,
    /// If present, query i sees keys 0 to i + this: 0 where queries and keys are the same
    /// sequence, keys - queries where the queries are its end.
    pub causal: Option<usize>,
    /// Added to S for every example and head; minus infinity takes a key from a query's sight.
    pub mask: Option<&'a [f32]>,
    /// Whether an example's keys can be seen.
    pub key_mask: Option<&'a [bool]>,
    /// Dropout of the weights.
    pub dropout: Option<Dropout>,
}

impl Attention<'_> {
    /// Attention without masks and dropout, scaled by `1 / sqrt(width)`.
    pub fn new(shape: Shape) -> Self {
        let scale = 1.0 / (shape.width as f32).sqrt();
        Self { shape, scale, causal: None, mask: None, key_mask: None, dropout: None }
    }

    /// Panics if a mask does not fit.
    fn check(&self, function: &str) {
        let Shape { batch, queries, keys, .. } = self.shape;
        if let Some(mask) = self.mask {
            let (len, all) = (mask.len(), queries * keys);
            assert!(len == all, "{function}: mask of {len} numbers, expected {all}");
        }
        if let Some(mask) = self.key_mask {
            let (len, all) = (mask.len(), batch * keys);
            assert!(len == all, "{function}: key mask of {len} values, expected {all}");
        }
    }

    /// Keys that query `i` sees at most.
    fn visible(&self, i: usize) -> usize {
        let keys = self.shape.keys;
        self.causal.map_or(keys, |first| keys.min(i + 1 + first))
    }
}
