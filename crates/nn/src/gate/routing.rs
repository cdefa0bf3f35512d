//! What a gate decides.

use burn::tensor::{Device, Tensor, TensorData};

/// Which experts see which token.
///
/// It lives on the host, because the experts' inputs have to be gathered by it; it takes no
/// gradient.
///
/// # Example
/// ```
/// use pressrun_nn::gate::Chosen;
///
/// let chosen = Chosen::one_hot(&[1, 1, 0], 3);
/// assert_eq!(chosen.load(), [1, 2, 0]);
/// assert_eq!(chosen.tokens_of(1), [0, 1]);
/// assert_eq!(chosen.mean_active(), 1.0);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    experts: usize,
    rows: Vec<bool>,
}

impl Chosen {
    /// From a table `[tokens, experts]`, row after row.
    ///
    /// # Panics
    /// If the table is not made of whole rows.
    pub fn new(rows: Vec<bool>, experts: usize) -> Self {
        assert!(
            experts > 0 && rows.len().is_multiple_of(experts),
            "Chosen: a table of {} entries has no rows of {experts} experts",
            rows.len()
        );
        Self { experts, rows }
    }

    /// Every expert for every token.
    pub fn all(tokens: usize, experts: usize) -> Self {
        Self::new(vec![true; tokens * experts], experts)
    }

    /// One expert for each token.
    ///
    /// # Panics
    /// If an expert is not below `experts`.
    pub fn one_hot(expert_of: &[usize], experts: usize) -> Self {
        let mut chosen = Self::new(vec![false; expert_of.len() * experts], experts);
        for (token, &expert) in expert_of.iter().enumerate() {
            assert!(expert < experts, "Chosen: expert {expert} of {experts}");
            chosen.rows[token * experts + expert] = true;
        }
        chosen
    }

    /// The entries of `values`, `[tokens, experts]`, that are above `threshold`.
    pub fn above(values: &Tensor<2>, threshold: f32) -> Self {
        let rows = host(values).into_iter().map(|v| v > threshold).collect();
        Self::new(rows, values.dims()[1])
    }

    /// The largest entry of each row of `values`, `[tokens, experts]`; the first of equal ones.
    pub fn largest(values: &Tensor<2>) -> Self {
        let experts = values.dims()[1];
        let largest =
            |row: &[f32]| (1..experts).fold(0, |best, e| if row[e] > row[best] { e } else { best });
        let expert_of: Vec<usize> = host(values).chunks(experts).map(largest).collect();
        Self::one_hot(&expert_of, experts)
    }

    /// The `k` largest entries of each row of `values`, `[tokens, experts]`; the first of equal
    /// ones.
    ///
    /// # Panics
    /// If there are fewer than `k` experts.
    pub fn top(values: &Tensor<2>, k: usize) -> Self {
        let experts = values.dims()[1];
        assert!(k <= experts, "Chosen: the {k} largest of {experts} experts");
        let mut rows = vec![false; values.dims()[0] * experts];
        for (values, row) in host(values).chunks(experts).zip(rows.chunks_mut(experts)) {
            for _ in 0..k {
                let free = (0..experts).filter(|&e| !row[e]);
                let best = free.reduce(|best, e| if values[e] > values[best] { e } else { best });
                row[best.expect("fewer than all are taken")] = true;
            }
        }
        Self::new(rows, experts)
    }

    /// Number of tokens.
    pub fn tokens(&self) -> usize {
        self.rows.len() / self.experts
    }

    /// Number of experts.
    pub fn experts(&self) -> usize {
        self.experts
    }

    /// Whether `expert` sees `token`.
    pub fn get(&self, token: usize, expert: usize) -> bool {
        self.rows[token * self.experts + expert]
    }

    /// The tokens that `expert` sees.
    pub fn tokens_of(&self, expert: usize) -> Vec<usize> {
        (0..self.tokens()).filter(|&token| self.get(token, expert)).collect()
    }

    /// How many experts see a token, if that is the same for all tokens.
    pub(crate) fn choices(&self) -> Option<usize> {
        let active = self.active();
        let first = *active.first()?;
        active.iter().all(|k| *k == first).then_some(first)
    }

    /// The experts of each token, one token after the other.
    pub(crate) fn by_token(&self) -> Vec<i64> {
        let seen = self.rows.iter().enumerate().filter(|(_, c)| **c);
        seen.map(|(at, _)| (at % self.experts) as i64).collect()
    }

    /// Number of experts that each token is seen by.
    pub fn active(&self) -> Vec<usize> {
        self.rows.chunks(self.experts).map(|row| row.iter().filter(|c| **c).count()).collect()
    }

    /// Number of tokens that each expert sees.
    pub fn load(&self) -> Vec<usize> {
        let mut load = vec![0; self.experts];
        for row in self.rows.chunks(self.experts) {
            for (count, &c) in load.iter_mut().zip(row) {
                *count += usize::from(c);
            }
        }
        load
    }

    /// The same choice among experts of which number `e` stands at place `place[e]`.
    ///
    /// # Panics
    /// If `place` is not a permutation of the experts.
    pub fn permuted(&self, place: &[usize]) -> Self {
        let mut taken = vec![false; self.experts];
        place.iter().for_each(|&to| taken[to] = true);
        assert!(
            place.len() == self.experts && taken.iter().all(|t| *t),
            "Chosen: {place:?} is no permutation of {} experts",
            self.experts
        );
        let mut rows = vec![false; self.rows.len()];
        for (old, new) in self.rows.chunks(self.experts).zip(rows.chunks_mut(self.experts)) {
            place.iter().zip(old).for_each(|(&to, &c)| new[to] = c);
        }
        Self { experts: self.experts, rows }
    }

    /// How often an expert is evaluated for a token: the unit in which routing is paid.
    pub fn evaluations(&self) -> u64 {
        self.rows.iter().filter(|c| **c).count() as u64
    }

    /// Mean number of experts of a token.
    pub fn mean_active(&self) -> f64 {
        self.evaluations() as f64 / self.tokens().max(1) as f64
    }

    /// Standard deviation over the tokens of the number of experts: 0 for any fixed number.
    pub fn sd_active(&self) -> f64 {
        let mean = self.mean_active();
        let squares = self.active().into_iter().map(|n| (n as f64 - mean).powi(2)).sum::<f64>();
        (squares / self.tokens().max(1) as f64).sqrt()
    }

    /// As numbers 0 and 1, `[tokens, experts]`.
    pub fn tensor(&self, device: &Device) -> Tensor<2> {
        let values: Vec<f32> = self.rows.iter().map(|&c| f32::from(u8::from(c))).collect();
        Tensor::from_data(TensorData::new(values, [self.tokens(), self.experts]), device)
    }
}

/// A gate's decision about a batch of tokens.
///
/// # Shapes
/// - `weights` (g): `[tokens, experts]`, 0 where not `chosen` (c)
/// - `balance` and `penalty`: `[1]`
#[derive(Debug, Clone)]
pub struct Routing {
    /// g: what each expert's output is multiplied by.
    pub weights: Tensor<2>,
    /// c: which experts are evaluated.
    pub chosen: Chosen,
    /// The gate's own balance loss, see [`super::balance`], to be multiplied by a factor of the
    /// trainer's choice; gates that do not learn, or need none, have none.
    pub balance: Option<Tensor<1>>,
    /// What else the gate wants to be added to the loss, with its own factor in it: the entropy by
    /// which a differentiable gate becomes sparse.
    pub penalty: Option<Tensor<1>>,
}

impl Routing {
    /// A decision without further losses.
    ///
    /// # Panics
    /// If `weights` has not the shape of `chosen`.
    pub fn new(weights: Tensor<2>, chosen: Chosen) -> Self {
        assert_eq!(
            weights.dims(),
            [chosen.tokens(), chosen.experts()],
            "Routing: the weights do not fit what is chosen, tokens by experts"
        );
        Self { weights, chosen, balance: None, penalty: None }
    }

    /// The same with a balance loss.
    pub fn with_balance(self, balance: Tensor<1>) -> Self {
        Self { balance: Some(balance), ..self }
    }

    /// The same with one more penalty.
    pub fn with_penalty(self, penalty: Tensor<1>) -> Self {
        let penalty = match self.penalty {
            Some(other) => other + penalty,
            None => penalty,
        };
        Self { penalty: Some(penalty), ..self }
    }

    /// What is to be added to the loss of the task: `factor * balance + penalty`; nothing if the
    /// gate asks for nothing.
    ///
    /// # Example
    /// ```
    /// use burn::tensor::Tensor;
    /// use pressrun_nn::{device, gate::Routing};
    ///
    /// let device = device::named("flex")?;
    /// let one = || Tensor::<1>::ones([1], &device);
    /// let routing = Routing::uniform(3, 4, &device);
    /// assert!(routing.extra_loss(0.01).is_none());
    /// let routing = routing.with_balance(one()).with_penalty(one()).with_penalty(one());
    /// assert_eq!(routing.extra_loss(0.5).unwrap().into_scalar::<f32>(), 2.5);
    /// # Ok::<(), pressrun_nn::Error>(())
    /// ```
    pub fn extra_loss(&self, factor: f64) -> Option<Tensor<1>> {
        let balance = self.balance.clone().map(|balance| balance * factor);
        match (balance, self.penalty.clone()) {
            (Some(balance), Some(penalty)) => Some(balance + penalty),
            (balance, penalty) => balance.or(penalty),
        }
    }

    /// Every expert for every token, all with the same weight.
    ///
    /// # Example
    /// ```
    /// use pressrun_nn::{device, gate::Routing};
    ///
    /// let routing = Routing::uniform(3, 4, &device::named("flex")?);
    /// assert_eq!(routing.weights.sum().into_scalar::<f32>(), 3.0);
    /// assert_eq!(routing.chosen.mean_active(), 4.0);
    /// # Ok::<(), pressrun_nn::Error>(())
    /// ```
    pub fn uniform(tokens: usize, experts: usize, device: &Device) -> Self {
        let weights = Tensor::full([tokens, experts], 1.0 / experts as f64, device);
        Self::new(weights, Chosen::all(tokens, experts))
    }
}

fn host(values: &Tensor<2>) -> Vec<f32> {
    values.clone().try_into_vec_as().expect("floats")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::device;

    #[test]
    fn spread_of_the_number_of_experts_by_hand() {
        // Tokens with 1 and 3 experts: mean 2, deviation 1.
        let rows = vec![true, false, false, true, true, true];
        let chosen = Chosen::new(rows, 3);
        assert_eq!((chosen.mean_active(), chosen.sd_active()), (2.0, 1.0));
        assert_eq!(Chosen::all(5, 3).sd_active(), 0.0);
    }

    #[test]
    fn the_largest_entry_is_one_even_in_a_tie() {
        let device = device::named("flex").unwrap();
        let values = Tensor::<2>::from_floats([[0.5, 0.5], [0.1, 0.9]], &device);
        assert_eq!(Chosen::largest(&values), Chosen::one_hot(&[0, 1], 2));
    }

    #[test]
    #[should_panic(expected = "no rows of 3 experts")]
    fn a_table_without_whole_rows_panics() {
        Chosen::new(vec![true; 4], 3);
    }

    proptest! {
        #[test]
        fn counts_by_token_and_by_expert_agree(
            rows in prop::collection::vec(any::<bool>(), 0..40),
            experts in 1..5usize,
        ) {
            let whole = rows.len() / experts * experts;
            let chosen = Chosen::new(rows[..whole].to_vec(), experts);
            let by_token: usize = chosen.active().iter().sum();
            let by_expert: usize = chosen.load().iter().sum();
            let lists: usize = (0..experts).map(|e| chosen.tokens_of(e).len()).sum();
            prop_assert_eq!(by_token, by_expert);
            prop_assert_eq!(by_token, lists);
            prop_assert_eq!(by_token as u64, chosen.evaluations());
            let device = device::named("flex").unwrap();
            if whole > 0 {
                let sum = chosen.tensor(&device).sum().into_scalar::<f32>();
                prop_assert_eq!(sum as usize, by_token);
            }
        }
    }
}
