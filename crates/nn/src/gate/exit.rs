//! Gates of early exits: after which block a sample leaves a network.

use burn::module::{Module, Param};
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor, TensorData};
use rand::Rng;

use super::{Chosen, Routing};
use crate::init::Init;
use crate::{Error, Result, op};

/// Numbers that a gate sees of a classifier's output.
pub const FEATURES: usize = 4;

/// How certain a classifier is, in four numbers; no gradient.
///
/// ```text
/// p = softmax(z)
/// u = ( max p,  H(p),  p_(1) - p_(2),  H(p^2 / sum p^2) )        H(p) = - sum_c p_c ln p_c
/// ```
///
/// `p_(1)` and `p_(2)` are the two largest. `p^2 / sum p^2` is the softmax of `2 z`.
///
/// # Shapes
/// - `z`: `[rows, classes]`
/// - output `u`: `[rows, 4]`, cut off from the graph of `z`
///
/// # Source
/// Regol et al., arXiv:2310.09163.
///
/// # Panics
/// With fewer than two classes.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, gate::uncertainty_features};
///
/// let z = Tensor::<2>::zeros([1, 2], &device::named("flex")?);
/// let u: Vec<f32> = uncertainty_features(z).try_into_vec_as().unwrap();
/// let expected = [0.5, 2f32.ln(), 0.0, 2f32.ln()];
/// assert!(u.iter().zip(expected).all(|(u, e)| (u - e).abs() < 1e-6));
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
pub fn uncertainty_features(logits: Tensor<2>) -> Tensor<2> {
    let [rows, classes] = logits.dims();
    assert!(classes > 1, "uncertainty_features: [{rows}, {classes}] has no second class");
    let z = logits.detach();
    let entropy = |z: Tensor<2>| {
        let log_p = op::log_softmax(z);
        -(log_p.clone().exp() * log_p).sum_dim(1)
    };
    let top = op::softmax(z.clone()).topk(2, 1);
    let [first, second] = [0, 1].map(|at| top.clone().narrow(1, at, 1));
    let margin = first.clone() - second;
    Tensor::cat(vec![first, entropy(z.clone()), margin, entropy(z * 2.0)], 1)
}

/// Makes an [`ExitGate`].
#[derive(Debug, Clone)]
pub struct ExitGateConfig {
    gates: usize,
    init: Init,
}

impl ExitGateConfig {
    /// As many gates, one after each but the last block, with PyTorch's default initial weights.
    pub fn new(gates: usize) -> Self {
        Self { gates, init: Init::FanIn }
    }

    /// How weights and biases are drawn.
    pub fn with_init(mut self, init: Init) -> Self {
        self.init = init;
        self
    }

    /// Makes the gates.
    ///
    /// # Errors
    /// If there are none.
    pub fn init(&self, device: &Device, rng: &mut (impl Rng + ?Sized)) -> Result<ExitGate> {
        Error::unless(self.gates > 0, "ExitGate", "gates", self.gates, "at least 1")?;
        let weight = self.init.param([self.gates, FEATURES], (FEATURES, 1), device, rng);
        let bias = self.init.param([self.gates], (FEATURES, 1), device, rng);
        Ok(ExitGate { weight, bias })
    }
}

/// A gate for each exit but the last: an affine map of the uncertainty of the exit's classifier.
///
/// ```text
/// h_l = w_l . u_l + b_l        g_l = sigmoid(h_l)        u_l = uncertainty_features(z_l)
/// ```
///
/// A sample leaves at the first exit whose conditional probability, see [`exit_distribution`], is
/// one half or more, and at the last exit, which has no gate, if there is none.
///
/// # Shapes
/// - `u`: `[rows, gates, 4]`, `w`: `[gates, 4]`, `b`: `[gates]`
/// - `h`: `[rows, gates]`; the routing is over `gates + 1` exits, one for each row
///
/// # Source
/// Regol et al., arXiv:2310.09163.
///
/// # Panics
/// If the last dimensions of `u` are not `[gates, 4]`.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, gate::ExitGateConfig, init::Init};
/// use rand::SeedableRng;
///
/// let device = device::named("flex")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let gate = ExitGateConfig::new(2).with_init(Init::Constant(-1.0)).init(&device, &mut rng)?;
/// // sigmoid(-5) is little at both gates: to the last exit.
/// let routing = gate.route(Tensor::ones([1, 2, 4], &device));
/// assert_eq!(routing.chosen.load(), [0, 0, 1]);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct ExitGate {
    /// w, `[gates, 4]`.
    pub weight: Param<Tensor<2>>,
    /// b, `[gates]`.
    pub bias: Param<Tensor<1>>,
}

impl ExitGate {
    /// The logits `h`.
    ///
    /// # Panics
    /// If the last dimensions of `features` are not `[gates, 4]`.
    pub fn forward(&self, features: Tensor<3>) -> Tensor<2> {
        let (u, w) = (features.dims(), self.weight.dims());
        assert_eq!(u[1..], w, "ExitGate: features {u:?} do not fit weight {w:?}");
        let h = (features * self.weight.val().unsqueeze()).sum_dim(2).squeeze_dim::<2>(2);
        h + self.bias.val().unsqueeze()
    }

    /// Which exit each row takes.
    ///
    /// # Panics
    /// As [`ExitGate::forward`].
    pub fn route(&self, features: Tensor<3>) -> Routing {
        let device = features.device();
        let (_, q) = exit_distribution(sigmoid(self.forward(features)));
        let [_, gates] = q.dims();
        let q = host(&q);
        let first = |row: &[f32]| row.iter().position(|&q| q >= 0.5).unwrap_or(gates);
        one_exit(&q.chunks(gates).map(first).collect::<Vec<_>>(), gates + 1, &device)
    }
}

/// The probability with which each exit is taken, and with which it is taken once it is reached.
///
/// ```text
/// P_l = max(0, min(g_l, 1 - sum_{j<l} g_j))        P_last = 1 - sum_l P_l
/// q_l = P_l / prod_{j<l} (1 - q_j)                 1 where the product is 0
/// ```
///
/// The product is `1 - sum_{j<l} P_j`, what is left when exit `l` is reached.
///
/// # Shapes
/// - `g`: `[rows, gates]`, within 0 and 1
/// - output `P`: `[rows, gates + 1]`, each row sums to 1; `q`: `[rows, gates]`
///
/// # Source
/// Regol et al., arXiv:2310.09163.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, gate::exit_distribution};
///
/// let g = Tensor::<2>::from_floats([[0.25, 0.375]], &device::named("flex")?);
/// let (p, q) = exit_distribution(g);
/// assert_eq!(p.try_into_vec_as::<f32>().unwrap(), [0.25, 0.375, 0.375]);
/// assert_eq!(q.try_into_vec_as::<f32>().unwrap(), [0.25, 0.5]);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
pub fn exit_distribution(g: Tensor<2>) -> (Tensor<2>, Tensor<2>) {
    let before = g.clone().cumsum(1) - g.clone();
    let left = (-before + 1.0).clamp_min(0.0);
    let p = g.min_pair(left.clone());
    let q = (p.clone() / left.clone()).mask_fill(left.equal_elem(0.0), 1.0);
    let last = (-p.clone().sum_dim(1) + 1.0).clamp_min(0.0);
    (Tensor::cat(vec![p, last], 1), q.clamp(0.0, 1.0))
}

/// The exit at which loss and cost together are least; it takes labels to know it.
///
/// ```text
/// o = argmin_l  loss_l + lambda cost_l        the first of equal ones
/// ```
///
/// # Shapes
/// - `losses`: `[rows, exits]`, `cost`: `[exits]`
/// - output: the exit of each row, from 0
///
/// # Source
/// Regol et al., arXiv:2310.09163.
///
/// # Panics
/// If there are not as many costs as exits.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, gate::optimal_exit};
///
/// let losses = Tensor::<2>::from_floats([[0.9, 0.5, 0.25]], &device::named("flex")?);
/// assert_eq!(optimal_exit(&losses, &[0.25, 0.5, 1.0], 1.0), [1]);
/// assert_eq!(optimal_exit(&losses, &[0.25, 0.5, 1.0], 0.0), [2]);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
pub fn optimal_exit(losses: &Tensor<2>, cost: &[f64], lambda: f64) -> Vec<usize> {
    let [rows, exits] = losses.dims();
    let costs = cost.len();
    assert!(exits == costs, "optimal_exit: losses [{rows}, {exits}] and {costs} costs");
    let best = |row: &[f32]| {
        let total = |l: usize| f64::from(row[l]) + lambda * cost[l];
        (1..exits).fold(0, |best, l| if total(l) < total(best) { l } else { best })
    };
    host(losses).chunks(exits).map(best).collect()
}

/// What each gate should say: to leave at the best exit, and at every later gate too.
///
/// ```text
/// t_l = 1 where l >= o, else 0
/// ```
///
/// # Shapes
/// - `optimal`: the exit of each row, from 0; that after the last gate gives a row of zeros
/// - output: `[rows, gates]`
///
/// # Source
/// Regol et al., arXiv:2310.09163.
///
/// # Example
/// ```
/// use pressrun_nn::{device, gate::exit_targets};
///
/// let t = exit_targets(&[1, 3], 3, &device::named("flex")?);
/// assert_eq!(t.try_into_vec_as::<f32>().unwrap(), [0.0, 1.0, 1.0, 0.0, 0.0, 0.0]);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
pub fn exit_targets(optimal: &[usize], gates: usize, device: &Device) -> Tensor<2> {
    let row = |&o: &usize| (0..gates).map(move |l| f32::from(u8::from(l >= o)));
    let values: Vec<f32> = optimal.iter().flat_map(row).collect();
    Tensor::from_data(TensorData::new(values, [optimal.len(), gates]), device)
}

/// Exits by confidence: a sample leaves at the first exit that is as confident as its threshold.
///
/// ```text
/// exit = min { l : confidence_l >= threshold_l }        threshold_last = -infinity
/// ```
///
/// # Shapes
/// - `confidence`: `[rows, exits]`, e.g. the largest probability; the last column is not read
///
/// # Source
/// The usual baseline of early exits, e.g. Huang et al., arXiv:1703.09844.
///
/// # Panics
/// `route` if `confidence` has another number of exits.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, gate::ThresholdExit};
///
/// let confidence = [[0.9, 1.0], [0.4, 1.0], [0.6, 1.0], [0.5, 1.0]];
/// let confidence = Tensor::<2>::from_floats(confidence, &device::named("flex")?);
/// let exits = ThresholdExit::fit(&confidence, &[0.5, 0.5])?;
/// assert_eq!(exits.route(&confidence).chosen.tokens_of(0), [0, 2]);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ThresholdExit {
    thresholds: Vec<f32>,
}

impl ThresholdExit {
    /// The thresholds by which these rows leave in these shares, exit by exit among the rows that
    /// are still there.
    ///
    /// Shares are taken relative to their sum. Rows with the same confidence leave together, and
    /// what that takes too many is taken from the next exit.
    ///
    /// # Errors
    /// If there are fewer than two exits, not one share for each, or shares that are no shares.
    pub fn fit(confidence: &Tensor<2>, shares: &[f64]) -> Result<Self> {
        let ([rows, exits], sum) = (confidence.dims(), shares.iter().sum::<f64>());
        let fits = exits > 1 && shares.len() == exits;
        Error::unless(fits, "ThresholdExit", "shares", shares.len(), "one an exit, two or more")?;
        let whole = sum > 0.0 && sum.is_finite() && shares.iter().all(|share| *share >= 0.0);
        Error::unless(whole, "ThresholdExit", "shares", format!("{shares:?}"), "0 or more each")?;
        let values = host(confidence);
        let mut staying: Vec<usize> = (0..rows).collect();
        let (mut thresholds, mut share) = (Vec::new(), 0.0);
        for (exit, own) in shares[..exits - 1].iter().enumerate() {
            share += own / sum;
            let gone = rows - staying.len();
            let leaving = ((share * rows as f64).round() as usize).saturating_sub(gone);
            let of = |row: usize| values[row * exits + exit];
            staying.sort_by(|&a, &b| of(b).total_cmp(&of(a)));
            let last = leaving.min(staying.len()).checked_sub(1);
            let threshold = last.map_or(f32::INFINITY, |last| of(staying[last]));
            staying.retain(|&row| of(row) < threshold);
            thresholds.push(threshold);
        }
        Ok(Self { thresholds })
    }

    /// The thresholds of all exits but the last.
    pub fn thresholds(&self) -> &[f32] {
        &self.thresholds
    }

    /// Which exit each row takes.
    ///
    /// # Panics
    /// If `confidence` has another number of exits.
    pub fn route(&self, confidence: &Tensor<2>) -> Routing {
        let ([rows, exits], gates) = (confidence.dims(), self.thresholds.len());
        let fits = exits == gates + 1;
        assert!(fits, "ThresholdExit: confidence [{rows}, {exits}] and {gates} thresholds");
        let first = |row: &[f32]| {
            let mut pairs = row.iter().zip(&self.thresholds);
            pairs.position(|(value, threshold)| value >= threshold).unwrap_or(gates)
        };
        let exit_of: Vec<usize> = host(confidence).chunks(exits).map(first).collect();
        one_exit(&exit_of, exits, &confidence.device())
    }
}

/// One exit for each row, with weight 1.
fn one_exit(exit_of: &[usize], exits: usize, device: &Device) -> Routing {
    let chosen = Chosen::one_hot(exit_of, exits);
    Routing::new(chosen.tensor(device), chosen)
}

fn host(values: &Tensor<2>) -> Vec<f32> {
    values.clone().try_into_vec_as().expect("floats")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::{device, testing};

    fn near(found: &Tensor<2>, expected: &[f32]) {
        let found = host(found);
        let same = found.len() == expected.len();
        let near = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6);
        assert!(same && near, "{found:?} {expected:?}");
    }

    /// p = (0.7, 0.2, 0.1): H = -0.7 ln 0.7 - 0.2 ln 0.2 - 0.1 ln 0.1 = 0.801819; squares 0.49,
    /// 0.04 and 0.01, divided by 0.54: 0.907407, 0.074074, 0.018519, H = 0.354829.
    #[test]
    fn features_by_hand_and_without_gradient() {
        let device = device::named("flex").unwrap();
        let z = Tensor::<2>::from_floats([[0.7, 0.2, 0.1], [0.1, 0.7, 0.2]], &device).log();
        let u = uncertainty_features(z.clone());
        near(&u, &[0.7, 0.801_819, 0.5, 0.354_829].repeat(2));
        let z = z.require_grad();
        let grads = (uncertainty_features(z.clone()).sum() + z.clone().sum() * 0.5).backward();
        near(&z.grad(&grads).unwrap(), &[0.5; 6]);
    }

    /// 1 - 0.3 = 0.7 is left for the second, 0.6 / 0.7 = 0.857143; 0.1 for the third, who wants
    /// more; nothing for the fourth.
    #[test]
    fn distribution_by_hand() {
        let device = device::named("flex").unwrap();
        let g = Tensor::<2>::from_floats([[0.3, 0.6, 0.5, 0.9], [0.1, 0.2, 0.0, 0.3]], &device);
        let (p, q) = exit_distribution(g.clone());
        near(&p, &[0.3, 0.6, 0.1, 0.0, 0.0, 0.1, 0.2, 0.0, 0.3, 0.4]);
        near(&q, &[0.3, 0.857_143, 1.0, 1.0, 0.1, 0.222_222, 0.0, 0.428_571]);
        // The gates' biases make g; the features count nothing.
        let gate = ExitGateConfig::new(4).with_init(Init::Constant(0.0));
        let mut gate = gate.init(&device, &mut ChaCha8Rng::seed_from_u64(1)).unwrap();
        let exit_of = |gate: &ExitGate| gate.route(Tensor::zeros([1, 4, 4], &device));
        for (row, exit) in [(0, 1), (1, 4)] {
            let g = g.clone().narrow(0, row, 1).squeeze_dim::<1>(0);
            gate.bias = Param::from_tensor((g.clone() / (-g + 1.0)).log());
            let routing = exit_of(&gate);
            assert_eq!(routing.chosen, Chosen::one_hot(&[exit], 5));
            assert_eq!(routing.weights.sum().into_scalar::<f32>(), 1.0);
        }
    }

    /// Totals for lambda 0.3: 0.975, 0.65, 0.525, 0.55.
    #[test]
    fn optimal_exits_and_targets_by_hand() {
        let device = device::named("flex").unwrap();
        let losses = Tensor::<2>::from_floats([[0.9, 0.5, 0.3, 0.25]], &device);
        let cost = [0.25, 0.5, 0.75, 1.0];
        for (lambda, exit) in [(0.0, 4), (0.3, 3), (1.0, 2), (3.0, 1)] {
            assert_eq!(optimal_exit(&losses, &cost, lambda), [exit - 1], "lambda {lambda}");
        }
        near(&exit_targets(&[1], 3, &device), &[0.0, 1.0, 1.0]);
        near(&exit_targets(&[3], 3, &device), &[0.0; 3]);
    }

    #[test]
    fn gradients_of_the_gate() {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let gate = ExitGateConfig::new(2).init(&device, &mut rng).unwrap();
        let values: Vec<f32> = (0..24).map(|i| (i as f32 * 0.7).sin()).collect();
        let u = Tensor::<1>::from_floats(values.as_slice(), &device).reshape([3, 2, 4]);
        testing::check_module(&gate, |gate: &ExitGate| gate.forward(u.clone()).tanh().sum());
        let error = ExitGateConfig::new(0).init(&device, &mut rng).unwrap_err();
        assert_eq!(error.to_string(), "ExitGate: `gates` is `0`; expected at least 1");
    }

    /// Of 4 rows a half, a quarter and a quarter: rows 1 and 3 are the most confident at the first
    /// exit, row 2 is at the second.
    #[test]
    fn thresholds_by_hand() {
        let device = device::named("flex").unwrap();
        let rows = [[0.5, 0.6, 0.0], [0.9, 0.1, 0.0], [0.4, 0.8, 0.0], [0.7, 0.9, 0.0]];
        let confidence = Tensor::<2>::from_floats(rows, &device);
        let fitted = ThresholdExit::fit(&confidence, &[2.0, 1.0, 1.0]).unwrap();
        assert_eq!(fitted.thresholds(), [0.7, 0.8]);
        assert_eq!(fitted.route(&confidence).chosen, Chosen::one_hot(&[2, 0, 1, 0], 3));
        let none = ThresholdExit::fit(&confidence, &[0.0, 0.0, 1.0]).unwrap();
        assert_eq!(none.route(&confidence).chosen.load(), [0, 0, 4]);
        let error = ThresholdExit::fit(&confidence, &[0.5, 0.5]).unwrap_err().to_string();
        assert_eq!(error, "ThresholdExit: `shares` is `2`; expected one an exit, two or more");
        assert!(ThresholdExit::fit(&confidence, &[0.5, -0.5, 1.0]).is_err());
    }

    #[test]
    #[should_panic(expected = "ExitGate: features [1, 3, 4] do not fit weight [2, 4]")]
    fn features_of_other_gates_panic() {
        let device = device::named("flex").unwrap();
        let gate = ExitGateConfig::new(2).init(&device, &mut ChaCha8Rng::seed_from_u64(0));
        gate.unwrap().forward(Tensor::ones([1, 3, 4], &device));
    }

    proptest! {
        #[test]
        fn a_distribution_sums_to_1_and_agrees_with_its_conditionals(
            g in prop::collection::vec(0.0..=1.0f32, 1..8),
        ) {
            let device = device::named("flex").unwrap();
            let gates = g.len();
            let g = Tensor::<1>::from_floats(g.as_slice(), &device).reshape([1, gates]);
            let (p, q) = exit_distribution(g);
            let (p, q) = (host(&p), host(&q));
            prop_assert!((p.iter().sum::<f32>() - 1.0).abs() < 1e-6);
            prop_assert!(p.iter().chain(&q).all(|v| (0.0..=1.0).contains(v)));
            let mut left = 1.0;
            for (p, q) in p.iter().zip(&q) {
                prop_assert!((p - q * left).abs() < 1e-5);
                left *= 1.0 - q;
            }
        }

        /// Different confidences leave in the shares asked for, to half a row each.
        #[test]
        fn fitted_rows_leave_in_their_shares(
            seed in any::<u64>(), shares in prop::collection::vec(0.05..1.0f64, 2..6),
        ) {
            let device = device::named("flex").unwrap();
            let (rows, exits) = (40, shares.len());
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let values = crate::init::uniform(rows * exits, 0.0, 1.0, &mut rng);
            let confidence = Tensor::<1>::from_floats(values.as_slice(), &device);
            let confidence = confidence.reshape([rows, exits]);
            let fitted = ThresholdExit::fit(&confidence, &shares).unwrap();
            let load = fitted.route(&confidence).chosen.load();
            let (mut expected, mut found) = (0.0, 0);
            for (share, load) in shares.iter().zip(load) {
                expected += share / shares.iter().sum::<f64>() * rows as f64;
                found += load;
                prop_assert!((expected - found as f64).abs() < 0.501, "{} {}", expected, found);
            }
        }
    }
}
