//! Scaled dot-product attention of several heads.

use burn::tensor::{Bool, Tensor, activation};
use pressrun_kernels::attention::{self as kernel, Heads, Order, Shape, Statistics, Strides};

use super::{Array, Fused, Grad, Saved, of, run};

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
    match run(Packed(spec), [Some(qkv.into_dispatch())]) {
        Ok(y) => Tensor::from_dispatch(y),
        Err([qkv]) => {
            let (qkv, width): (Tensor<3>, _) = (of(qkv), width / 3);
            let part =
                |i: usize| qkv.clone().slice([0..batch, 0..positions, i * width..(i + 1) * width]);
            plain(spec, part(0), part(1), part(2))
        }
    }
}

/// Attention on separate queries, keys and values.
///
/// # Shapes
/// - `q`: `[batch, queries, width]`, `k`, `v`: `[batch, keys, width]`
/// - output: `[batch, queries, width]`
pub(crate) fn attention(spec: Attention, q: Tensor<3>, k: Tensor<3>, v: Tensor<3>) -> Tensor<3> {
    match run(Apart(spec), [q, k, v].map(|t| Some(t.into_dispatch()))) {
        Ok(y) => Tensor::from_dispatch(y),
        Err([q, k, v]) => plain(spec, of(q), of(k), of(v)),
    }
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

impl Attention {
    fn kernel(
        self,
        [batch, queries, width]: [usize; 3],
        keys: usize,
    ) -> kernel::Attention<'static> {
        let shape = Shape { batch, heads: self.heads, queries, keys, width: width / self.heads };
        kernel::Attention { causal: self.causal.then_some(0), ..kernel::Attention::new(shape) }
    }
}

fn sizes(array: &Array) -> [usize; 3] {
    array.dims().try_into().expect("three dimensions")
}

/// On one tensor.
#[derive(Debug, Clone)]
struct Packed(Attention);

impl Packed {
    fn kernel(&self, qkv: &Array) -> kernel::Attention<'static> {
        let [batch, positions, width] = sizes(qkv);
        self.0.kernel([batch, positions, width / 3], positions)
    }
}

impl Fused<1> for Packed {
    type Kept = Statistics;
    const READS: [bool; 1] = [true];
    const READS_OUTPUT: bool = false;

    fn forward(&self, [qkv]: [&Array; 1]) -> (Array, Statistics) {
        let [batch, positions, width] = sizes(qkv);
        let found = self.kernel(qkv).forward_packed(qkv.values());
        (Array::new(found.y, [batch, positions, width / 3]), found.statistics)
    }

    fn backward(
        &self,
        saved: &Saved<1, Statistics>,
        grad: &Array,
        _: [bool; 1],
    ) -> [Option<Grad>; 1] {
        let [qkv] = &saved.inputs;
        let kernel = self.kernel(qkv);
        [Some(kernel.backward_packed(qkv.values(), &saved.kept, grad.values()).into())]
    }
}

/// On three tensors.
#[derive(Debug, Clone)]
struct Apart(Attention);

impl Apart {
    fn heads<'a>(&self, array: &'a Array) -> Heads<'a> {
        let [_, positions, width] = sizes(array);
        let heads = self.0.heads;
        Heads::new(array.values(), Strides::time_heads(positions, heads, width / heads))
    }
}

impl Fused<3> for Apart {
    type Kept = Statistics;
    const READS: [bool; 3] = [true; 3];
    const READS_OUTPUT: bool = false;

    fn forward(&self, [q, k, v]: [&Array; 3]) -> (Array, Statistics) {
        let kernel = self.0.kernel(sizes(q), sizes(k)[1]);
        let [qs, ks, vs] = [q, k, v].map(|array| self.heads(array));
        let found = kernel.forward(qs, ks, vs, Order::TimeHeads);
        (q.like(found.y), found.statistics)
    }

    fn backward(
        &self,
        saved: &Saved<3, Statistics>,
        grad: &Array,
        [q_wanted, k_wanted, v_wanted]: [bool; 3],
    ) -> [Option<Grad>; 3] {
        let [q, k, v] = &saved.inputs;
        let kernel = self.0.kernel(sizes(q), sizes(k)[1]);
        let [q, k, v, grad] = [q, k, v, grad].map(|array| self.heads(array));
        let wanted = kernel::Wanted { q: q_wanted, k: k_wanted, v: v_wanted };
        let found = kernel.backward(q, k, v, &saved.kept, grad, Order::TimeHeads, wanted);
        [found.q, found.k, found.v].map(|g| g.map(Grad::from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device;

    fn wave(shape: [usize; 3], seed: f32) -> Tensor<3> {
        let device = device::named("flex").unwrap();
        let len: usize = shape.iter().product();
        let values: Vec<f32> = (0..len).map(|i| (i as f32 * 0.7 + seed).sin()).collect();
        Tensor::<1>::from_floats(values.as_slice(), &device).reshape(shape).require_grad()
    }

    fn difference(a: Tensor<3>, b: Tensor<3>) -> f32 {
        assert_eq!(a.dims(), b.dims());
        (a - b).abs().max().into_scalar()
    }

    #[test]
    fn apart_it_equals_the_plain_form() {
        for (causal, keys) in [(false, 5), (false, 7), (true, 5)] {
            let spec = Attention { heads: 3, causal };
            let make =
                || (wave([2, 5, 12], 0.0), wave([2, keys, 12], 1.0), wave([2, keys, 12], 2.0));
            let weigh = wave([2, 5, 12], 4.0);
            let (q, k, v) = make();
            let y = attention(spec, q.clone(), k.clone(), v.clone());
            let grads = (y.clone() * weigh.clone()).sum().backward();
            let (pq, pk, pv) = make();
            let expected = plain(spec, pq.clone(), pk.clone(), pv.clone());
            let plain_grads = (expected.clone() * weigh).sum().backward();
            assert!(difference(y, expected) < 1e-5);
            for (mine, theirs) in [(q, pq), (k, pk), (v, pv)] {
                let (mine, theirs) =
                    (mine.grad(&grads).unwrap(), theirs.grad(&plain_grads).unwrap());
                assert!(difference(mine, theirs) < 1e-5, "{causal} {keys}");
            }
        }
    }

    #[test]
    fn side_by_side_it_is_the_same() {
        for causal in [false, true] {
            let spec = Attention { heads: 2, causal };
            let (qkv, weigh) = (wave([2, 6, 24], 0.0), wave([2, 6, 8], 4.0));
            let y = attention_packed(spec, qkv.clone());
            let grads = (y.clone() * weigh.clone()).sum().backward();
            let parts: [Tensor<3>; 3] = std::array::from_fn(|i| {
                qkv.clone().slice([0..2, 0..6, i * 8..(i + 1) * 8]).detach().require_grad()
            });
            let [q, k, v] = parts.clone();
            let expected = attention(spec, q, k, v);
            assert!(difference(y, expected.clone()) < 1e-6);
            let apart = (expected * weigh).sum().backward();
            let joined = Tensor::cat(parts.map(|part| part.grad(&apart).unwrap()).to_vec(), 2);
            assert!(difference(qkv.grad(&grads).unwrap(), joined) < 1e-6);
        }
    }
}
