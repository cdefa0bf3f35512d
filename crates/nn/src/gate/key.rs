//! The gate whose keys were learned elsewhere.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::{Chosen, Routing};
use crate::{Error, Result, op};

/// What is added to the variance of a key or an activation.
const VARIANCE_EPS: f64 = 1e-5;
/// What is added to the sum of the kept weights.
const SUM_EPS: f64 = 1e-6;

/// Makes a [`KeyGate`].
#[derive(Debug, Clone)]
pub struct KeyGateConfig {
    k: usize,
}

impl KeyGateConfig {
    /// A gate that gives each token `k` experts.
    pub fn new(k: usize) -> Self {
        Self { k }
    }

    /// Makes the gate of keys, `[experts, inputs]`, which take no gradient.
    ///
    /// # Errors
    /// If there are no features, or k is 0 or above the number of experts.
    pub fn init(&self, keys: Tensor<2>) -> Result<KeyGate> {
        let (k, [experts, inputs]) = (self.k, keys.dims());
        let fits = k > 0 && k <= experts;
        Error::unless(fits, "KeyGate", "k", k, "1 or more, and at most the experts")?;
        Error::unless(inputs > 0, "KeyGate", "inputs", inputs, "at least 1")?;
        let keys = Param::from_tensor(standardise(keys).detach()).no_grad();
        Ok(KeyGate { keys, k })
    }
}

/// Sends each token to the experts whose keys agree best with it.
///
/// ```text
/// a_z = n(v_z) . n(x) / sqrt(inputs)            n: see `standardise`
/// p = softmax(a)                                over all experts
/// g = p where p is one of the k largest of its row, else 0; divided by (its sum + 1e-6)
/// ```
///
/// Nothing is learned here: each key `v` was learned beside its expert, without the others. As key
/// and token are standardised, neither the size of a key nor a number added to all of its entries
/// counts. A key of zeros agrees equally with everything.
///
/// # Shapes
/// - `x`: `[tokens, inputs]`, `v`: `[experts, inputs]`
/// - output `g`: `[tokens, experts]`; there is no balance loss
///
/// # Source
/// `PHATGOOSE`, arXiv:2402.05859; constants as in the authors' code (class `Router`).
///
/// # Panics
/// `forward` if the last dimension of `x` is not `inputs`.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, gate::{Chosen, KeyGateConfig}};
///
/// let device = device::named("flex")?;
/// let keys = Tensor::<2>::from_floats([[1., 2., 3.], [3., 2., 1.]], &device);
/// let gate = KeyGateConfig::new(1).init(keys)?;
/// let routing = gate.forward(Tensor::from_floats([[0., 5., 9.], [2., 1., -4.]], &device));
/// assert_eq!(routing.chosen, Chosen::one_hot(&[0, 1], 2));
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct KeyGate {
    /// n(v), `[experts, inputs]`.
    keys: Param<Tensor<2>>,
    k: usize,
}

impl KeyGate {
    /// Number of experts.
    pub fn experts(&self) -> usize {
        self.keys.dims()[0]
    }

    /// How well each token agrees with each key, `[tokens, experts]`.
    ///
    /// # Panics
    /// If the last dimension of `x` is not `inputs`.
    pub fn scores(&self, x: Tensor<2>) -> Tensor<2> {
        let (dims, [experts, inputs]) = (x.dims(), self.keys.dims());
        let fits = dims[1] == inputs;
        assert!(fits, "KeyGate: input {dims:?} does not fit keys {:?}", [experts, inputs]);
        standardise(x).matmul(self.keys.val().transpose()) / (inputs as f64).sqrt()
    }

    /// Routes the tokens.
    ///
    /// # Panics
    /// If the last dimension of `x` is not `inputs`.
    pub fn forward(&self, x: Tensor<2>) -> Routing {
        let p = op::softmax(self.scores(x));
        let chosen = Chosen::top(&p, self.k);
        let kept = p.clone() * chosen.tensor(&p.device());
        let weights = kept.clone() / (kept.sum_dim(1) + SUM_EPS);
        Routing::new(weights, chosen)
    }
}

/// Mean 0 and variance 1 over the features of each row, without anything learned.
///
/// ```text
/// n(x) = (x - m) / sqrt(v + 1e-5)        m, v: mean and biased variance of the row
/// ```
///
/// # Shapes
/// - `x` and output: `[rows, features]`
pub fn standardise(x: Tensor<2>) -> Tensor<2> {
    let (width, device) = (x.dims()[1], x.device());
    let (one, zero) = (Tensor::ones([width], &device), Tensor::zeros([width], &device));
    op::layer_norm(x, one, zero, VARIANCE_EPS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{device, testing};

    fn keys() -> Tensor<2> {
        let device = device::named("flex").unwrap();
        Tensor::from_floats([[1., 2., 3., 4.], [4., 3., 2., 1.], [1., -1., 1., -1.]], &device)
    }

    fn values(x: Tensor<2>) -> Vec<f32> {
        x.try_into_vec_as().unwrap()
    }

    fn near(found: &[f32], expected: &[f32]) -> bool {
        found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 2e-6)
    }

    /// For x = (1, 2, 3, 4): m = 2.5, v = 1.25, so n(x) . n(x) / 2 = 2.5 / 1.25001 = 1.999984; the
    /// second key is the first backwards. Third: v = 1, n(x) . key = (-1.5 + 0.5 + 0.5 - 1.5) /
    /// sqrt(1.25001) = -1.788847, half of it times 1 / sqrt(1.00001) is -0.894419. The softmax is
    /// 0.931404, 0.017060, 0.051536, and the first and third, over their sum + 1e-6, are left.
    #[test]
    fn scores_and_weights_by_hand() {
        let gate = KeyGateConfig::new(2).init(keys()).unwrap();
        let x = keys().slice([0..1, 0..4]);
        let scores = values(gate.scores(x.clone()));
        assert!(near(&scores, &[1.999_984, -1.999_984, -0.894_419]), "{scores:?}");
        let p = values(op::softmax(gate.scores(x.clone())));
        assert!(near(&p, &[0.931_404, 0.017_060, 0.051_536]), "{p:?}");
        let routing = gate.forward(x);
        assert_eq!(routing.chosen, Chosen::new(vec![true, false, true], 3));
        let g = values(routing.weights);
        assert!(near(&g, &[0.947_568, 0.0, 0.052_431]), "{g:?}");
    }

    /// Keys of zeros are what is left of a second phase in which nothing was learned.
    #[test]
    fn keys_of_zeros_prefer_nobody() {
        let gate = KeyGateConfig::new(3).init(keys() * 0.0).unwrap();
        let g = values(gate.forward(keys()).weights);
        assert!(g.iter().all(|g| (g - 1.0 / 3.0).abs() < 1e-5), "{g:?}");
    }

    #[test]
    fn gradients_to_the_tokens() {
        let device = device::named("flex").unwrap();
        let gate = KeyGateConfig::new(2).init(keys()).unwrap();
        let weigh = Tensor::<2>::from_floats([[1.0, 2.0, -1.0]], &device);
        let x = [0.3, -1.0, 0.5, 1.4];
        testing::check_input(&device, [1, 4], &x, |x| {
            (gate.forward(x).weights * weigh.clone()).sum()
        });
    }

    #[test]
    fn too_many_choices_and_another_width_are_refused() {
        let error = KeyGateConfig::new(4).init(keys()).unwrap_err().to_string();
        let expected = "KeyGate: `k` is `4`; expected 1 or more, and at most the experts";
        assert_eq!(error, expected);
    }

    #[test]
    #[should_panic(expected = "KeyGate: input [3, 3] does not fit keys [3, 4]")]
    fn another_width_panics_with_both_shapes() {
        let gate = KeyGateConfig::new(1).init(keys()).unwrap();
        gate.forward(keys().slice([0..3, 0..3]));
    }

    proptest! {
        #[test]
        fn neither_the_size_of_a_key_nor_its_mean_counts(
            x in prop::collection::vec(-2.0f32..2.0, 4),
            scale in 1.0f64..10.0,
            shift in -3.0f64..3.0,
        ) {
            let device = device::named("flex").unwrap();
            let x = Tensor::<1>::from_floats(x.as_slice(), &device).reshape([1, 4]);
            let gate = KeyGateConfig::new(2).init(keys()).unwrap();
            let moved = KeyGateConfig::new(2).init(keys() * scale + shift).unwrap();
            let (a, b) = (values(gate.scores(x.clone())), values(moved.scores(x)));
            for (a, b) in a.iter().zip(&b) {
                prop_assert!((a - b).abs() < 1e-4, "{} for {}", b, a);
            }
        }
    }
}
