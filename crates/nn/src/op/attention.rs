//! Scaled dot-product attention of several heads.

use burn::tensor::{Bool, Tensor, activation};

/// What queries see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attention {
    /// Heads that the width is divided among.
    pub(crate) heads: usize,
    /// Whether a position sees itself and what is before it only.
    pub(crate) causal: bool,
}

/// Attention on queries, keys and values side by side, as one linear map makes them.
///
/// ```text
/// y = softmax(q k^T / sqrt(d) + M) v        for each head; d = width / heads
/// ```
///
/// # Shapes
/// - `qkv`: `[batch, positions, 3 * width]`
/// - output: `[batch, positions, width]`
pub(crate) fn attention_packed(spec: Attention, qkv: Tensor<3>) -> Tensor<3> {
    let [batch, positions, width] = qkv.dims();
    let width = width / 3;
    let part = |i: usize| qkv.clone().slice([0..batch, 0..positions, i * width..(i + 1) * width]);
    plain(spec, part(0), part(1), part(2))
}

/// Attention on separate queries, keys and values.
///
/// # Shapes
/// - `q`: `[batch, queries, width]`, `k`, `v`: `[batch, keys, width]`
/// - output: `[batch, queries, width]`
pub(crate) fn attention(spec: Attention, q: Tensor<3>, k: Tensor<3>, v: Tensor<3>) -> Tensor<3> {
    plain(spec, q, k, v)
}

/// The definition in tensor operations.
pub(crate) fn plain(spec: Attention, q: Tensor<3>, k: Tensor<3>, v: Tensor<3>) -> Tensor<3> {
    let ([batch, queries, width], [_, keys, _]) = (q.dims(), k.dims());
    let (device, head) = (q.device(), width / spec.heads);
    let split = |x: Tensor<3>| {
        let [batch, positions, _] = x.dims();
        x.reshape([batch, positions, spec.heads, head]).swap_dims(1, 2)
    };
    let (q, k, v) = (split(q) * (head as f64).powf(-0.5), split(k), split(v));
    let mut scores = q.matmul(k.swap_dims(2, 3));
    if spec.causal {
        let future = Tensor::<2, Bool>::tril_mask([queries, keys], 0, &device);
        // A finite number instead of minus infinity: its weight is 0 in single precision, and no
        // gradient can become NaN.
        scores = scores + (future.float() * -1e9).unsqueeze();
    }
    let y = activation::softmax(scores, 3).matmul(v);
    y.swap_dims(1, 2).reshape([batch, queries, width])
}
