//! Balance losses: what keeps a gate from sending everything to a few experts.

use burn::tensor::Tensor;

use super::Chosen;

/// Load times importance, for any number of experts per token.
///
/// ```text
/// l = E sum_e me_e ce_e       me = mean over tokens of g (or of the probabilities)
///                             ce = mean over tokens of c, constant for gradients
/// ```
///
/// A dense uniform gate has `l = E`, balanced routing to one expert `l = 1`: the loss falls as
/// routing gets sparser, and is smallest for a given sparsity when the load is even.
///
/// # Shapes
/// - `g`: `[tokens, experts]`
/// - output: `[1]`
///
/// # Source
/// Switch Transformer, arXiv:2101.03961, equation 4 (`g` = probabilities, one expert). `EvoMoE` writes
/// the same number as `E^2 mean_e(me ce)`.
///
/// # Panics
/// If `g` and `chosen` differ in shape.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, gate::{Chosen, balance}};
///
/// let g = Tensor::from_floats([[0.7, 0.3, 0., 0.], [0.2, 0.8, 0., 0.]], &device::named("flex")?);
/// let c = Chosen::above(&g, 0.001);
/// let l = balance::load_times_importance(g, &c).into_scalar::<f32>();
/// assert!((l - 4.0).abs() < 1e-6);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
pub fn load_times_importance(g: Tensor<2>, chosen: &Chosen) -> Tensor<1> {
    let [tokens, experts] = g.dims();
    assert_eq!(
        (tokens, experts),
        (chosen.tokens(), chosen.experts()),
        "load_times_importance: weights {:?} do not fit the chosen",
        [tokens, experts]
    );
    let count: Vec<f32> = chosen.load().iter().map(|&n| n as f32 / tokens as f32).collect();
    let ce = Tensor::<1>::from_floats(count.as_slice(), &g.device());
    let me = g.mean_dim(0).squeeze_dim::<1>(0);
    (me * ce).sum() * experts as f64
}

/// The squared coefficient of variation: how uneven the experts' shares are, whatever their sum.
///
/// ```text
/// CV^2 = variance / (mean^2 + 1e-10)        the variance divides by the number of experts
/// ```
///
/// 0 where all are alike; `E - 1` where one expert has everything.
///
/// # Shapes
/// - `shares`: `[experts]`; output: `[1]`
///
/// # Source
/// Shazeer et al., arXiv:1701.06538, equation 6 (importance) and appendix A (load).
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, gate::balance};
///
/// let shares = Tensor::from_floats([1.0, 3.0], &device::named("flex")?);
/// assert_eq!(balance::cv_squared(shares).into_scalar::<f32>(), 0.25);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
pub fn cv_squared(shares: Tensor<1>) -> Tensor<1> {
    let mean = shares.clone().mean();
    let variance = (shares - mean.clone()).square().mean();
    variance / (mean.square() + 1e-10)
}

/// Pushes tokens away from experts that have more than their share, and towards those with less.
///
/// ```text
/// l = 1/T sum_e (n_e - n) / n sum_{t sent to e} s_t        n = T / E
/// ```
///
/// `s_t` is the token's weight at its expert; the load `n_e` is constant for gradients. Balanced
/// loads have `l = 0`.
///
/// # Shapes
/// - `g`: `[tokens, experts]`, the weights of the chosen; output: `[1]`
///
/// # Source
/// `StableMoE`, arXiv:2204.08396, section 3.1; divided by the number of tokens.
///
/// # Panics
/// If `g` and `chosen` differ in shape.
pub fn excess_load(g: Tensor<2>, chosen: &Chosen) -> Tensor<1> {
    let [tokens, experts] = g.dims();
    assert_eq!(
        (tokens, experts),
        (chosen.tokens(), chosen.experts()),
        "excess_load: weights {:?} do not fit the chosen",
        [tokens, experts]
    );
    let fair = tokens as f32 / experts as f32;
    let excess: Vec<f32> = chosen.load().iter().map(|&n| n as f32 / fair - 1.0).collect();
    let excess = Tensor::<1>::from_floats(excess.as_slice(), &g.device());
    (g.sum_dim(0).squeeze_dim::<1>(0) * excess).sum() / tokens as f64
}

/// Entropy of the experts' load as a fraction of its largest value, `ln E`.
///
/// ```text
/// H = -sum_e f_e ln f_e / ln E        f = share of all evaluations
/// ```
///
/// 1: all experts see equally many tokens; 0: one expert sees them all. With one expert it is 1.
///
/// # Example
/// ```
/// use pressrun_nn::gate::balance;
///
/// assert_eq!(balance::load_entropy(&[5, 5, 5, 5]), 1.0);
/// assert_eq!(balance::load_entropy(&[9, 0, 0]), 0.0);
/// ```
pub fn load_entropy(load: &[usize]) -> f64 {
    let total = load.iter().sum::<usize>() as f64;
    if load.len() < 2 || total == 0.0 {
        return 1.0;
    }
    let terms = load.iter().filter(|n| **n > 0).map(|&n| {
        let f = n as f64 / total;
        -f * f.ln()
    });
    terms.sum::<f64>() / (load.len() as f64).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::Routing;
    use crate::{device, testing};

    #[test]
    fn dense_uniform_is_the_number_of_experts_and_balanced_top_1_is_1() {
        let device = device::named("flex").unwrap();
        let routing = Routing::uniform(6, 3, &device);
        let dense = load_times_importance(routing.weights.clone(), &routing.chosen);
        assert!((dense.into_scalar::<f32>() - 3.0).abs() < 1e-6);
        let one = Chosen::one_hot(&[0, 1, 2, 0, 1, 2], 3);
        let sparse = load_times_importance(routing.weights.clone(), &one).into_scalar::<f32>();
        assert!((sparse - 1.0).abs() < 1e-6);
        // All to one expert with certainty: E.
        let collapsed = Chosen::one_hot(&[1; 6], 3);
        let worst = load_times_importance(collapsed.tensor(&device), &collapsed);
        assert!((worst.into_scalar::<f32>() - 3.0).abs() < 1e-6);
    }

    #[test]
    fn even_shares_cost_nothing_and_a_collapse_costs_most() {
        let device = device::named("flex").unwrap();
        let cv = |v: [f32; 4]| cv_squared(Tensor::from_floats(v, &device)).into_scalar::<f32>();
        assert_eq!(cv([2.0; 4]), 0.0);
        assert!((cv([0.0, 8.0, 0.0, 0.0]) - 3.0).abs() < 1e-6);

        let even = Chosen::one_hot(&[0, 1, 2, 0, 1, 2], 3);
        let excess = |c: &Chosen| excess_load(c.tensor(&device), c).into_scalar::<f32>();
        assert_eq!(excess(&even), 0.0);
        // All 6 tokens at one expert: (6 - 2) / 2 times 6 weights of 1, divided by 6.
        assert!((excess(&Chosen::one_hot(&[1; 6], 3)) - 2.0).abs() < 1e-6);
    }

    #[test]
    fn gradient() {
        let device = device::named("flex").unwrap();
        let chosen = Chosen::new(vec![true, false, true, true, false, true], 3);
        let values = [0.2, 0.3, 0.5, 0.1, 0.6, 0.3];
        testing::check_input(&device, [2, 3], &values, |g| load_times_importance(g, &chosen));
        testing::check_input(&device, [2, 3], &values, |g| excess_load(g, &chosen));
        testing::check_input(&device, [3], &values[..3], cv_squared);
    }
}
