//! Attention.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand::Rng;

use crate::init::Init;
use crate::linear::{Linear, LinearConfig};
use crate::{Error, Result, op};

/// Attention of queries that were made elsewhere, divided among `heads`.
///
/// ```text
/// y = concat(softmax(Q K^T / sqrt(d_head)) V)
/// ```
///
/// # Shapes
/// - `q`: `[batch, queries, width]`; `k`, `v`: `[batch, keys, width]`
/// - output: `[batch, queries, width]`
///
/// # Source
/// Vaswani et al., arXiv:1706.03762.
///
/// # Panics
/// If the shapes do not fit together or the heads do not divide the width.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{attention::attend, device};
///
/// let x = Tensor::<3>::ones([2, 5, 8], &device::named("flex")?);
/// let y = attend(4, x.clone(), x.clone(), x);
/// assert!((y.mean().into_scalar::<f32>() - 1.0).abs() < 1e-6);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
pub fn attend(heads: usize, q: Tensor<3>, k: Tensor<3>, v: Tensor<3>) -> Tensor<3> {
    let ([batch, queries, width], dims) = (q.dims(), k.dims());
    let fits = dims == v.dims() && dims[0] == batch && dims[2] == width;
    let divides = heads > 0 && width.is_multiple_of(heads);
    let shapes = ([batch, queries, width], dims, v.dims());
    assert!(fits && divides, "attend: {heads} heads, q, k and v of {shapes:?}");
    op::attention(op::Attention { heads, causal: false }, q, k, v)
}

/// Makes a [`CausalSelfAttention`].
#[derive(Debug, Clone)]
pub struct CausalSelfAttentionConfig {
    width: usize,
    heads: usize,
    init: Init,
}

impl CausalSelfAttentionConfig {
    /// Attention of this width, divided among `heads`, with Glorot's uniform initial weights.
    pub fn new(width: usize, heads: usize) -> Self {
        Self { width, heads, init: Init::XavierUniform { gain: 1.0 } }
    }

    /// How the four maps are drawn.
    pub fn with_init(mut self, init: Init) -> Self {
        self.init = init;
        self
    }

    /// Makes the layer.
    ///
    /// # Errors
    /// If a size is 0 or the heads do not divide the width.
    pub fn init(
        &self,
        device: &Device,
        rng: &mut (impl Rng + ?Sized),
    ) -> Result<CausalSelfAttention> {
        let (width, heads) = (self.width, self.heads);
        let divides = heads > 0 && width > 0 && width.is_multiple_of(heads);
        Error::unless(divides, "CausalSelfAttention", "heads", heads, "a divisor of the width")?;
        let mut map = || {
            let config = LinearConfig::new(width, width).with_init(self.init);
            config.with_bias_init(Init::Constant(0.0)).init(device, rng)
        };
        let (query, key, value, out) = (map()?, map()?, map()?, map()?);
        Ok(CausalSelfAttention { query, key, value, out, heads })
    }
}

/// Each position looks at itself and at the positions before it.
///
/// ```text
/// Q, K, V = x W_q + b_q, x W_k + b_k, x W_v + b_v     divided among the heads
/// A = softmax(Q K^T / sqrt(d_head) + M)               M = 0 up to the diagonal, -inf above
/// y = concat(A V) W_o + b_o
/// ```
///
/// # Shapes
/// - `x` and output: `[batch, positions, width]`
///
/// # Source
/// Vaswani et al., arXiv:1706.03762.
///
/// # Panics
/// `forward` if the last dimension of `x` is not `width`.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{attention::CausalSelfAttentionConfig, device};
/// use rand::SeedableRng;
///
/// let device = device::named("flex")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let layer = CausalSelfAttentionConfig::new(8, 2).init(&device, &mut rng)?;
/// assert_eq!(layer.forward(Tensor::ones([3, 5, 8], &device)).dims(), [3, 5, 8]);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct CausalSelfAttention {
    /// `W_q`, `b_q`.
    pub query: Linear,
    /// `W_k`, `b_k`.
    pub key: Linear,
    /// `W_v`, `b_v`.
    pub value: Linear,
    /// `W_o`, `b_o`.
    pub out: Linear,
    heads: usize,
}

impl CausalSelfAttention {
    /// Applies the layer.
    ///
    /// # Panics
    /// If the last dimension of `x` is not `width`.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let q = self.query.forward(x.clone());
        let k = self.key.forward(x.clone());
        let v = self.value.forward(x);
        let spec = op::Attention { heads: self.heads, causal: true };
        self.out.forward(op::attention(spec, q, k, v))
    }

    /// Multiplications and additions of one position among `positions`, forwards.
    pub fn flops(&self, positions: usize) -> u64 {
        let (width, _) = self.query.sizes();
        (8 * width * width + 4 * positions * width) as u64
    }
}

/// Makes a [`SelfAttention`].
#[derive(Debug, Clone)]
pub struct SelfAttentionConfig {
    width: usize,
    heads: usize,
    causal: bool,
    init: Init,
}

impl SelfAttentionConfig {
    /// Attention of this width, divided among `heads`, in which every position sees all, with
    /// Glorot's uniform initial weights.
    pub fn new(width: usize, heads: usize) -> Self {
        Self { width, heads, causal: false, init: Init::XavierUniform { gain: 1.0 } }
    }

    /// Whether a position sees itself and the positions before it only.
    pub fn with_causal(mut self, causal: bool) -> Self {
        self.causal = causal;
        self
    }

    /// How the two maps are drawn.
    pub fn with_init(mut self, init: Init) -> Self {
        self.init = init;
        self
    }

    /// Makes the layer.
    ///
    /// # Errors
    /// If a size is 0 or the heads do not divide the width.
    pub fn init(&self, device: &Device, rng: &mut (impl Rng + ?Sized)) -> Result<SelfAttention> {
        let (width, heads) = (self.width, self.heads);
        let divides = heads > 0 && width > 0 && width.is_multiple_of(heads);
        Error::unless(divides, "SelfAttention", "heads", heads, "a divisor of the width")?;
        let mut map = |outputs| {
            let config = LinearConfig::new(width, outputs).with_init(self.init);
            config.with_bias_init(Init::Constant(0.0)).init(device, rng)
        };
        let (qkv, out) = (map(3 * width)?, map(width)?);
        Ok(SelfAttention { qkv, out, heads, causal: self.causal })
    }
}

/// Attention within a sequence, with queries, keys and values from one linear map.
///
/// ```text
/// (Q, K, V) = x W + b                              divided among the heads
/// y = concat(softmax(Q K^T / sqrt(d_head) + M) V) W_o + b_o
/// ```
///
/// `M`: 0, or minus infinity above the diagonal if causal.
///
/// # Shapes
/// - `x` and output: `[batch, positions, width]`; `W`: `[width, 3 width]`, queries first
///
/// # Source
/// Vaswani et al., arXiv:1706.03762.
///
/// # Panics
/// `forward` if the last dimension of `x` is not `width`.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{attention::SelfAttentionConfig, device};
/// use rand::SeedableRng;
///
/// let device = device::named("flex")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let layer = SelfAttentionConfig::new(8, 2).init(&device, &mut rng)?;
/// assert_eq!(layer.forward(Tensor::ones([3, 5, 8], &device)).dims(), [3, 5, 8]);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct SelfAttention {
    /// W, b.
    pub qkv: Linear,
    /// `W_o`, `b_o`.
    pub out: Linear,
    heads: usize,
    causal: bool,
}

impl SelfAttention {
    /// Applies the layer.
    ///
    /// # Panics
    /// If the last dimension of `x` is not `width`.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        self.out.forward(self.attend(x))
    }

    /// Applies the layer and adds `r`.
    ///
    /// # Panics
    /// If the last dimension of `x` is not `width`, or `r` has another shape.
    pub fn forward_residual(&self, x: Tensor<3>, r: Tensor<3>) -> Tensor<3> {
        self.out.forward_residual(self.attend(x), r)
    }

    fn attend(&self, x: Tensor<3>) -> Tensor<3> {
        let spec = op::Attention { heads: self.heads, causal: self.causal };
        op::attention_packed(spec, self.qkv.forward(x))
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::{device, testing};

    fn layer(width: usize, heads: usize) -> (CausalSelfAttention, Device) {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        (CausalSelfAttentionConfig::new(width, heads).init(&device, &mut rng).unwrap(), device)
    }

    fn wave(shape: [usize; 3], device: &Device) -> Tensor<3> {
        let n = shape.iter().product::<usize>();
        let values: Vec<f32> = (0..n).map(|i| (i as f32 * 0.7).sin()).collect();
        Tensor::<1>::from_floats(values.as_slice(), device).reshape(shape)
    }

    #[test]
    fn two_positions_by_hand() {
        let (mut layer, device) = layer(1, 1);
        for map in [&mut layer.query, &mut layer.key, &mut layer.value, &mut layer.out] {
            map.weight = map.weight.clone().map(|w| w.ones_like());
        }
        // q = k = v = x = (1, 2). Position 1 sees itself: 1. Position 2: scores 2 and 4, weights
        // 1 / (1 + e^2) and the rest: 2 - 1 / (1 + e^2) = 1.880797.
        let y = layer.forward(Tensor::from_floats([[[1.0], [2.0]]], &device));
        let y: Vec<f32> = y.try_into_vec_as().unwrap();
        assert!((y[0] - 1.0).abs() < 1e-6 && (y[1] - 1.880797).abs() < 1e-5, "{y:?}");
    }

    #[test]
    fn a_later_position_changes_no_earlier_one() {
        let (layer, device) = layer(8, 4);
        let x = wave([2, 5, 8], &device);
        let changed = x.clone().slice_fill([0..2, 3..5, 0..8], 7.0);
        let part = |x| layer.forward(x).slice([0..2, 0..3, 0..8]);
        assert!((part(x) - part(changed)).abs().max().into_scalar::<f32>() < 1e-6);
    }

    #[test]
    fn gradients() {
        let (layer, device) = layer(4, 2);
        let x = wave([2, 3, 4], &device);
        testing::check_module(&layer.clone().no_key_bias(), |m: &CausalSelfAttention| {
            m.forward(x.clone()).square().sum()
        });
        let values: Vec<f32> = x.try_into_vec_as().unwrap();
        testing::check_input(&device, [2, 3, 4], &values, |x| layer.forward(x).square().sum());
    }

    impl CausalSelfAttention {
        /// The key's bias shifts all scores of a row alike: its gradient is 0 but for rounding.
        fn no_key_bias(mut self) -> Self {
            self.key.bias = None;
            self
        }
    }

    /// The same weights, once in three maps and once side by side.
    #[test]
    fn one_map_gives_what_three_give() {
        let (apart, device) = layer(8, 2);
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let config = SelfAttentionConfig::new(8, 2).with_causal(true);
        let mut packed = config.init(&device, &mut rng).unwrap();
        let maps = [&apart.query, &apart.key, &apart.value];
        let weights = maps.map(|map| map.weight.val()).to_vec();
        packed.qkv.weight = burn::module::Param::from_tensor(Tensor::cat(weights, 1).detach());
        packed.out = apart.out.clone();
        let x = wave([2, 5, 8], &device);
        let difference = packed.forward(x.clone()) - apart.forward(x.clone());
        assert!(difference.abs().max().into_scalar::<f32>() < 1e-5);
        packed.causal = false;
        let weigh = wave([2, 5, 8], &device);
        packed.qkv.bias = None;
        testing::check_module(&packed, |m: &SelfAttention| {
            (m.forward_residual(x.clone(), x.clone()) * weigh.clone()).sum()
        });
    }

    /// Separate queries, keys and values against those of one map; only the values' rows count.
    #[test]
    fn what_was_made_elsewhere_is_attended_to_alike() {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let packed = SelfAttentionConfig::new(8, 2).init(&device, &mut rng).unwrap();
        let x = wave([2, 5, 8], &device);
        let qkv = packed.qkv.forward(x.clone());
        let part = |i: usize| qkv.clone().slice([0..2, 0..5, 8 * i..8 * i + 8]);
        let y = packed.out.forward(attend(2, part(0), part(1), part(2)));
        assert!((y - packed.forward(x.clone())).abs().max().into_scalar::<f32>() < 1e-5);
        let (k, v) = (wave([1, 3, 4], &device), wave([1, 3, 4], &device) * 0.5);
        let values: Vec<f32> = wave([1, 2, 4], &device).try_into_vec_as().unwrap();
        testing::check_input(&device, [1, 2, 4], &values, |q| {
            attend(2, q, k.clone(), v.clone()).square().sum()
        });
    }

    #[test]
    #[should_panic(expected = "attend: 3 heads, q, k and v of ([2, 5, 8], [2, 5, 8], [2, 5, 8])")]
    fn heads_that_do_not_divide_the_width_panic() {
        let x = wave([2, 5, 8], &device::named("flex").unwrap());
        attend(3, x.clone(), x.clone(), x);
    }

    #[test]
    fn heads_must_divide_the_width() {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let error = CausalSelfAttentionConfig::new(8, 3).init(&device, &mut rng).unwrap_err();
        assert_eq!(
            error.to_string(),
            "CausalSelfAttention: `heads` is `3`; expected a divisor of the width"
        );
    }
}
