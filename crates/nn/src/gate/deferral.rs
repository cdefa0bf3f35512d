//! The gate between a general expert and a special one.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand::Rng;

use super::{Chosen, Routing};
use crate::Result;
use crate::activation::Activation;
use crate::linear::{Linear, LinearConfig};

/// Makes a [`DeferralGate`].
#[derive(Debug, Clone)]
pub struct DeferralGateConfig {
    features: usize,
    hidden: usize,
    threshold: f32,
}

impl DeferralGateConfig {
    /// A gate on that many features with 8 hidden units and threshold 0.5.
    pub fn new(features: usize) -> Self {
        Self { features, hidden: 8, threshold: 0.5 }
    }

    /// Hidden units.
    pub fn with_hidden(mut self, hidden: usize) -> Self {
        self.hidden = hidden;
        self
    }

    /// Above which trust the second expert is taken.
    pub fn with_threshold(mut self, threshold: f32) -> Self {
        self.threshold = threshold;
        self
    }

    /// Multiply-adds of the two layers for one input.
    pub fn costs(&self) -> [u64; 2] {
        [(self.features * self.hidden) as u64, self.hidden as u64]
    }

    /// Makes the gate, with PyTorch's default initial weights.
    ///
    /// # Errors
    /// If a size is 0.
    pub fn init(&self, device: &Device, rng: &mut (impl Rng + ?Sized)) -> Result<DeferralGate> {
        Ok(DeferralGate {
            hidden: LinearConfig::new(self.features, self.hidden).init(device, rng)?,
            score: LinearConfig::new(self.hidden, 1).init(device, rng)?,
            threshold: self.threshold,
        })
    }
}

/// Takes the second of two experts where a small network trusts it, else the first.
///
/// ```text
/// gamma = sigmoid(v relu(x W + b) + d)      trust in the second expert
/// c = (0, 1) where gamma > theta, else (1, 0)
/// g = c                                     soft: g = (1 - gamma, gamma), c = (1, 1)
/// ```
///
/// The gate is trained on `gamma` by a binary loss of the caller's: 1 where the second expert
/// corrects the first. The hard `g` is constant for gradients. With `theta = 1` the first expert
/// has every token, with `theta < 0` the second.
///
/// # Shapes
/// - `x`: `[tokens, features]`, `W`: `[features, hidden]`, `v`: `[hidden, 1]`
/// - `gamma`: `[tokens]`, weights `g`: `[tokens, 2]`, each row sums to 1
///
/// # Source
/// The gating network of arXiv:1811.00056, sizes ours. Such a gate is the rejector of learning to
/// defer, Madras et al., arXiv:1711.06664.
///
/// # Panics
/// `logits`, `trust`, `forward` and `forward_soft` if the last dimension of `x` is not `features`.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, gate::DeferralGateConfig};
/// use rand::SeedableRng;
///
/// let device = device::named("flex")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let gate = DeferralGateConfig::new(4).with_threshold(1.0).init(&device, &mut rng)?;
/// let x = Tensor::<2>::ones([3, 4], &device);
/// assert_eq!(gate.forward(x.clone()).chosen.load(), [3, 0]);
/// assert_eq!(gate.with_threshold(-1.0).forward(x).chosen.load(), [0, 3]);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct DeferralGate {
    /// W and b.
    pub hidden: Linear,
    /// v and d.
    pub score: Linear,
    threshold: f32,
}

impl DeferralGate {
    /// Above which trust the second expert is taken.
    pub fn threshold(&self) -> f32 {
        self.threshold
    }

    /// The same gate with another threshold.
    #[must_use]
    pub fn with_threshold(mut self, threshold: f32) -> Self {
        self.threshold = threshold;
        self
    }

    /// The logits of the trust, `[tokens]`.
    ///
    /// # Panics
    /// If the last dimension of `x` is not the number of features.
    pub fn logits(&self, x: Tensor<2>) -> Tensor<1> {
        self.score.forward(self.hidden.forward_activated(x, Activation::Relu)).squeeze_dim(1)
    }

    /// The trust `gamma`, `[tokens]`.
    ///
    /// # Panics
    /// If the last dimension of `x` is not the number of features.
    pub fn trust(&self, x: Tensor<2>) -> Tensor<1> {
        Activation::Sigmoid.forward(self.logits(x))
    }

    /// One expert for each token.
    ///
    /// # Panics
    /// If the last dimension of `x` is not the number of features.
    pub fn forward(&self, x: Tensor<2>) -> Routing {
        let trust = self.trust(x);
        let device = trust.device();
        let trust: Vec<f32> = trust.try_into_vec_as().expect("floats");
        let expert_of: Vec<usize> =
            trust.iter().map(|&gamma| usize::from(gamma > self.threshold)).collect();
        let chosen = Chosen::one_hot(&expert_of, 2);
        Routing::new(chosen.tensor(&device), chosen)
    }

    /// Both experts for each token, weighted by the trust; the threshold plays no part.
    ///
    /// # Panics
    /// If the last dimension of `x` is not the number of features.
    pub fn forward_soft(&self, x: Tensor<2>) -> Routing {
        let trust: Tensor<2> = self.trust(x).unsqueeze_dim(1);
        let chosen = Chosen::all(trust.dims()[0], 2);
        let weights = Tensor::cat(vec![trust.clone().neg().add_scalar(1.0), trust], 1);
        Routing::new(weights, chosen)
    }
}

/// The smallest threshold with which deferring costs at most `slack` of accuracy.
///
/// ```text
/// theta = min { t in {-1} and all gamma :  R(inf) - R(t) <= slack n }
/// R(t) = number of rows that are right if rows with gamma > t go to the second expert
/// ```
///
/// A threshold between two values of the trust routes as the lower of them does, so that no other
/// value need be tried. Without rows it is 1: nothing speaks for deferring.
///
/// # Shapes
/// - `trust`, `first_right`, `second_right`: `[rows]`
///
/// # Source
/// Ours; arXiv:1811.00056 does not say how its gate decides.
///
/// # Panics
/// If the numbers of rows differ.
///
/// # Example
/// ```
/// use pressrun_nn::gate::deferral_threshold;
///
/// // The second expert repairs row 0 and breaks rows 1 and 2.
/// let (trust, first, second) = ([0.9, 0.6, 0.2], [false, true, true], [true, false, false]);
/// assert_eq!(deferral_threshold(&trust, &first, &second, 0.0), 0.2);
/// assert_eq!(deferral_threshold(&trust, &first, &second, 0.34), -1.0);
/// ```
pub fn deferral_threshold(
    trust: &[f32],
    first_right: &[bool],
    second_right: &[bool],
    slack: f64,
) -> f32 {
    let n = trust.len();
    assert!(
        n == first_right.len() && n == second_right.len(),
        "deferral_threshold: {n} rows of trust, {} and {} of the experts",
        first_right.len(),
        second_right.len()
    );
    if n == 0 {
        return 1.0;
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| trust[b].total_cmp(&trust[a]));
    // From the largest trust down: once all rows above a value are routed, that value is a
    // candidate, and the last one that holds is the smallest.
    let (mut lost, mut smallest) = (0i64, trust[order[0]]);
    for (at, &row) in order.iter().enumerate() {
        lost += i64::from(first_right[row]) - i64::from(second_right[row]);
        let next = order.get(at + 1).map_or(-1.0, |&row| trust[row]);
        let complete = next < trust[row];
        // A hair of room: 0.005 * 200 is a whole row also where a product is rounded down.
        if complete && lost as f64 <= slack * n as f64 + 1e-9 {
            smallest = next;
        }
    }
    smallest
}

#[cfg(test)]
mod tests {
    use burn::module::Param;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::{device, testing};

    #[test]
    fn values_by_hand_and_gradients() {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let config = DeferralGateConfig::new(2).with_hidden(2);
        let mut gate = config.init(&device, &mut rng).unwrap();
        let hidden = [[1.0, -1.0], [0.5, 2.0]];
        gate.hidden.weight = Param::from_tensor(Tensor::from_floats(hidden, &device));
        gate.score.weight = Param::from_tensor(Tensor::from_floats([[2.0], [-1.0]], &device));
        gate.hidden.bias = None;
        gate.score.bias = None;
        // (1, 1): relu(1.5, 1) -> 3 - 1 = 2, sigmoid 0.880797;
        // (-1, 0): relu(-1, 1) -> -1, sigmoid 0.268941.
        let x = Tensor::<2>::from_floats([[1.0, 1.0], [-1.0, 0.0]], &device);
        let trust: Vec<f32> = gate.trust(x.clone()).try_into_vec_as().unwrap();
        assert!((trust[0] - 0.880_797).abs() < 1e-5 && (trust[1] - 0.268_941).abs() < 1e-5);
        let routing = gate.forward(x.clone());
        assert_eq!(routing.chosen, Chosen::one_hot(&[1, 0], 2));
        let weights: Vec<f32> = routing.weights.try_into_vec_as().unwrap();
        assert_eq!(weights, [0.0, 1.0, 1.0, 0.0]);
        let soft: Vec<f32> = gate.forward_soft(x.clone()).weights.try_into_vec_as().unwrap();
        let expected = [0.119_203, 0.880_797, 0.731_059, 0.268_941];
        assert!(soft.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5), "{soft:?}");

        let gate = config.init(&device, &mut rng).unwrap();
        testing::check_module(&gate, |gate: &DeferralGate| {
            gate.forward_soft(x.clone()).weights.square().sum()
        });
    }

    #[test]
    fn sizes_of_84_features() {
        let device = device::named("flex").unwrap();
        let config = DeferralGateConfig::new(84);
        let gate = config.init(&device, &mut ChaCha8Rng::seed_from_u64(1)).unwrap();
        // 84 * 8 + 8 + 8 + 1
        assert_eq!(gate.num_params(), 689);
        assert_eq!(config.costs(), [672, 8]);
    }

    /// Every threshold tried one after another, from below.
    fn by_trial(trust: &[f32], first: &[bool], second: &[bool], slack: f64) -> f32 {
        let right = |t: f32| {
            let rows = trust.iter().zip(first.iter().zip(second));
            rows.filter(|&(&gamma, (&a, &b))| if gamma > t { b } else { a }).count() as f64
        };
        let mut candidates = vec![-1.0];
        candidates.extend_from_slice(trust);
        candidates.sort_by(f32::total_cmp);
        let holds = |t: &f32| right(f32::INFINITY) - right(*t) <= slack * trust.len() as f64 + 1e-9;
        candidates.into_iter().find(holds).unwrap()
    }

    proptest! {
        #[test]
        fn the_threshold_is_the_smallest_that_holds(
            rows in prop::collection::vec((0u8..6, any::<bool>(), any::<bool>()), 1..30),
            slack in 0.0..0.2f64,
        ) {
            let trust: Vec<f32> = rows.iter().map(|row| f32::from(row.0) / 5.0).collect();
            let first: Vec<bool> = rows.iter().map(|row| row.1).collect();
            let second: Vec<bool> = rows.iter().map(|row| row.2).collect();
            let found = deferral_threshold(&trust, &first, &second, slack);
            prop_assert_eq!(found, by_trial(&trust, &first, &second, slack));
        }
    }

    #[test]
    fn without_rows_nothing_is_deferred() {
        assert_eq!(deferral_threshold(&[], &[], &[], 0.1), 1.0);
    }
}
