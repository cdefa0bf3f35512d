//! Which expert stands where: a permutation that is learned early and then stays.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use rand::Rng;

use super::{Chosen, Routing, assignment};
use crate::init::Init;
use crate::{Error, Result, op};

/// Makes a [`LocalSearch`].
#[derive(Debug, Clone)]
pub struct LocalSearchConfig {
    experts: usize,
    steps: usize,
    log10_temperature: (f64, f64),
    iterations: (usize, usize),
    zeta: f64,
}

impl LocalSearchConfig {
    /// A search over the first `steps` training steps with the authors' schedule: temperature from
    /// 1e-3 to 1e-7, 20 to 150 iterations, penalty 1e-4.
    pub fn new(experts: usize, steps: usize) -> Self {
        let (log10_temperature, iterations) = ((-3.0, -7.0), (20, 150));
        Self { experts, steps, log10_temperature, iterations, zeta: 1e-4 }
    }

    /// Decimal logarithm of the temperature at the first and the last step.
    pub fn with_log10_temperature(mut self, from: f64, to: f64) -> Self {
        self.log10_temperature = (from, to);
        self
    }

    /// Factor of the penalty.
    pub fn with_zeta(mut self, zeta: f64) -> Self {
        self.zeta = zeta;
        self
    }

    /// Makes the search.
    ///
    /// # Errors
    /// If there are no experts, or the penalty's factor is below 0.
    pub fn init(&self, device: &Device, rng: &mut (impl Rng + ?Sized)) -> Result<LocalSearch> {
        let n = self.experts;
        Error::unless(n > 0, "LocalSearch", "experts", n, "at least 1")?;
        Error::unless(self.zeta >= 0.0, "LocalSearch", "zeta", self.zeta, "0 or more")?;
        let draw = Init::Uniform { low: -0.05, high: 0.05 };
        let log_weights = draw.param([n, n], (n, n), device, rng);
        Ok(LocalSearch { log_weights, config: self.clone() })
    }
}

/// A permutation of the experts behind any gate.
///
/// ```text
/// P = Sinkhorn(R / T)                            for the first `steps` steps, T falling
/// P = the permutation of largest sum_jl P_jl     from then on, and whenever evaluated
/// g' = g P, with the sum of each row of g
/// penalty = zeta (H(P) + H(P with rows divided by their sums)),  H = sum -P ln(P + 1e-6)
/// ```
///
/// While P is soft, R is trained with everything else: the gate can leave a bad choice of experts
/// as a whole instead of one hyperplane after another. Once P is a permutation R takes no gradient.
/// No noise is added to R, as in the authors' settings.
///
/// # Shapes
/// - `R`: `[experts, experts]`; routing: `[tokens, experts]` before and after
///
/// # Source
/// COMET, arXiv:2306.02824 ("local search"): one matrix for all trees.
///
/// # Panics
/// `forward` and `forward_train` if the routing is for another number of experts.
///
/// # Example
/// ```
/// use pressrun_nn::{device, gate::{Chosen, LocalSearchConfig, Routing}};
/// use rand::SeedableRng;
///
/// let device = device::named("flex")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let search = LocalSearchConfig::new(3, 100).init(&device, &mut rng)?;
/// let chosen = Chosen::one_hot(&[0, 1, 2], 3);
/// let routing = search.forward(Routing::new(chosen.tensor(&device), chosen), 100);
/// let place = search.permutation(100);
/// assert_eq!(routing.chosen, Chosen::one_hot(&place, 3));
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct LocalSearch {
    /// R.
    pub log_weights: Param<Tensor<2>>,
    #[module(skip)]
    config: LocalSearchConfig,
}

impl LocalSearch {
    /// The routing with its experts permuted as at training step `step`: softly, then finally.
    ///
    /// # Panics
    /// If the routing is for another number of experts.
    pub fn forward_train(&self, routing: Routing, step: usize) -> Routing {
        if step >= self.config.steps {
            return self.forward(routing, step);
        }
        self.check(&routing);
        let p = self.soft(step);
        let g = routing.weights;
        let moved = g.clone().matmul(p.clone());
        let weights = moved.clone() * (g.sum_dim(1) / (moved.sum_dim(1) + 1e-20));
        let h = |p: Tensor<2>| -(p.clone() * (p + 1e-6).log()).sum();
        let rows = p.clone() / (p.clone().sum_dim(1) + 1e-20);
        let penalty = (h(p) + h(rows)) * self.config.zeta;
        let chosen = Chosen::above(&weights, 0.0);
        Routing { weights, chosen, ..routing }.with_penalty(penalty)
    }

    /// The routing with its experts permuted by the permutation of step `step`.
    ///
    /// # Panics
    /// If the routing is for another number of experts.
    pub fn forward(&self, routing: Routing, step: usize) -> Routing {
        self.check(&routing);
        let place = self.permutation(step);
        let chosen = routing.chosen.permuted(&place);
        let n = place.len();
        let matrix = Chosen::one_hot(&place, n).tensor(&routing.weights.device());
        Routing { weights: routing.weights.matmul(matrix), chosen, ..routing }
    }

    /// P at a step, before it is made a permutation.
    pub fn soft(&self, step: usize) -> Tensor<2> {
        let LocalSearchConfig { steps, log10_temperature: (hot, cold), iterations, .. } =
            self.config;
        let last = steps.saturating_sub(1).max(1);
        let way = step.min(last) as f64 / last as f64;
        let temperature = 10f64.powf(hot + (cold - hot) * way);
        let (few, many) = (iterations.0 as f64, iterations.1 as f64);
        let iterations = (few + (many - few) * way).round() as usize;
        op::sinkhorn(self.log_weights.val(), temperature, iterations)
    }

    /// Where each expert stands after step `step`.
    pub fn permutation(&self, step: usize) -> Vec<usize> {
        let p: Vec<f32> = self.soft(step).try_into_vec_as().expect("floats");
        let cost: Vec<f64> = p.iter().map(|p| -f64::from(*p)).collect();
        assignment::cheapest(&cost, self.config.experts)
    }

    fn check(&self, routing: &Routing) {
        let (found, expected) = (routing.chosen.experts(), self.config.experts);
        assert_eq!(found, expected, "LocalSearch: a routing for {found} of {expected} experts");
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::expert::{MoeFfn, MoeFfnConfig};
    use crate::{device, testing};

    fn search(n: usize) -> (LocalSearch, Device, ChaCha8Rng) {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        (LocalSearchConfig::new(n, 50).init(&device, &mut rng).unwrap(), device, rng)
    }

    fn fixed(search: &mut LocalSearch, place: &[usize], device: &Device) {
        let matrix = Chosen::one_hot(place, place.len()).tensor(device);
        search.log_weights = Param::from_tensor(matrix);
    }

    /// The first weight goes to the third place, the second to the first, and so on.
    #[test]
    fn a_permutation_by_hand() {
        let (mut search, device, _) = search(4);
        fixed(&mut search, &[2, 0, 3, 1], &device);
        let weights = [[0.187_709, 0.761_343, 0.050_948, 0.0]];
        let chosen = Chosen::new(vec![true, true, true, false], 4);
        let routing = Routing::new(Tensor::from_floats(weights, &device), chosen);
        for moved in [search.forward(routing.clone(), 9), search.forward_train(routing, 60)] {
            let g: Vec<f32> = moved.weights.try_into_vec_as().unwrap();
            assert_eq!(g, [0.761_343, 0.0, 0.187_709, 0.050_948]);
            assert_eq!(moved.chosen, Chosen::new(vec![true, false, true, true], 4));
            assert!(moved.penalty.is_none());
        }
    }

    #[test]
    fn soft_matrices_are_doubly_stochastic_and_end_as_the_permutation() {
        let (search, ..) = search(5);
        for step in [0, 25, 49] {
            let p = search.soft(step);
            for dim in [0, 1] {
                let sums: Vec<f32> = p.clone().sum_dim(dim).try_into_vec_as().unwrap();
                assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 0.05), "{step}: {sums:?}");
            }
        }
        let last: Vec<f32> = search.soft(49).try_into_vec_as().unwrap();
        let place = search.permutation(49);
        for (from, to) in place.iter().enumerate() {
            assert!(last[from * 5 + to] > 0.99);
        }
    }

    /// Experts that are exchanged and a permutation that exchanges them back predict the same.
    #[test]
    fn permuted_experts_under_the_inverse_permutation_are_the_experts() {
        let (mut search, device, mut rng) = search(3);
        let place = [2, 0, 1];
        fixed(&mut search, &place, &device);
        let moe = MoeFfnConfig::new(2, 4, 3).init(&device, &mut rng).unwrap();
        let mut moved = moe.experts.clone();
        place.iter().zip(&moe.experts).for_each(|(to, expert)| moved[*to] = expert.clone());
        let moved = MoeFfn::new(moved).unwrap();
        let x = Tensor::<2>::from_floats([[0.3, -1.0], [1.2, 0.1]], &device);
        let weights = Tensor::from_floats([[0.2, 0.5, 0.3], [0.0, 1.0, 0.0]], &device);
        let chosen = Chosen::above(&weights, 0.0);
        let routing = Routing::new(weights, chosen);
        let before = moe.forward(x.clone(), &routing);
        let after = moved.forward(x, &search.forward(routing, 50));
        assert!((before - after).abs().max().into_scalar::<f32>() < 1e-6);
    }

    #[test]
    fn gradients_reach_the_matrix_while_it_is_soft() {
        let (mut search, device, _) = search(3);
        // At a temperature of 1e-3 the matrix of the first step is hard; a warm one is checked.
        search.config = search.config.with_log10_temperature(-0.5, -1.0).with_zeta(0.1);
        let weights = Tensor::<2>::from_floats([[0.2, 0.5, 0.3], [0.0, 1.0, 0.0]], &device);
        let routing = Routing::new(weights.clone(), Chosen::above(&weights, 0.0));
        testing::check_module(&search, |search: &LocalSearch| {
            let moved = search.forward_train(routing.clone(), 0);
            moved.weights.square().sum() + moved.penalty.expect("soft")
        });
    }
}
