//! One vector for several symbols.

use std::sync::Arc;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use pressrun_kernels::bag;
use rand::Rng;

use crate::init::Init;
use crate::{Error, Result, op};

/// Bags of symbols with weights, one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Bags {
    indices: Vec<u32>,
    weights: Vec<f32>,
    offsets: Vec<usize>,
}

impl Default for Bags {
    fn default() -> Self {
        Self { indices: Vec::new(), weights: Vec::new(), offsets: vec![0] }
    }
}

impl Bags {
    /// Adds a bag: symbols, each with its weight.
    pub fn push(&mut self, bag: impl IntoIterator<Item = (u32, f32)>) {
        for (index, weight) in bag {
            self.indices.push(index);
            self.weights.push(weight);
        }
        self.offsets.push(self.indices.len());
    }

    /// Number of bags.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The symbols of all bags.
    pub fn indices(&self) -> &[u32] {
        &self.indices
    }

    /// The weight of each.
    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// Where each bag begins, and at last the number of symbols.
    pub fn offsets(&self) -> &[usize] {
        &self.offsets
    }

    pub(crate) fn borrowed(&self) -> bag::Bags<'_> {
        let Self { indices, weights, offsets } = self;
        bag::Bags { indices, weights, offsets }
    }
}

/// Makes an [`EmbeddingBag`].
#[derive(Debug, Clone)]
pub struct EmbeddingBagConfig {
    symbols: usize,
    width: usize,
    init: Init,
}

impl EmbeddingBagConfig {
    /// A table of `symbols` rows, drawn from N(0, 1) as in PyTorch.
    pub fn new(symbols: usize, width: usize) -> Self {
        Self { symbols, width, init: Init::Normal { mean: 0.0, std: 1.0 } }
    }

    /// How the table is drawn.
    pub fn with_init(mut self, init: Init) -> Self {
        self.init = init;
        self
    }

    /// Makes the table.
    ///
    /// # Errors
    /// If a size is 0.
    pub fn init(&self, device: &Device, rng: &mut (impl Rng + ?Sized)) -> Result<EmbeddingBag> {
        let (n, d) = (self.symbols, self.width);
        Error::unless(n > 0, "EmbeddingBag", "symbols", n, "at least 1")?;
        Error::unless(d > 0, "EmbeddingBag", "width", d, "at least 1")?;
        Ok(EmbeddingBag { weight: self.init.param([n, d], (n, d), device, rng) })
    }
}

/// Weighted sums of the vectors of symbols.
///
/// ```text
/// y_b = sum_i w_bi W[s_bi, :]
/// ```
///
/// # Shapes
/// - `s_b`: any number of symbols below `symbols`, with weights `w_b`; `W`: `[symbols, width]`
/// - output: `[bags, width]`
///
/// # Panics
/// `forward` if a symbol is not below `symbols`.
///
/// # Example
/// ```
/// use std::sync::Arc;
///
/// use pressrun_nn::{device, embedding::{Bags, EmbeddingBagConfig}};
/// use rand::SeedableRng;
///
/// let device = device::named("flex")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let table = EmbeddingBagConfig::new(10, 4).init(&device, &mut rng)?;
/// let mut bags = Bags::default();
/// bags.push([(1, 1.0), (7, 0.5)]);
/// bags.push([]);
/// let y = table.forward(&Arc::new(bags));
/// assert_eq!(y.dims(), [2, 4]);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct EmbeddingBag {
    /// W, `[symbols, width]`.
    pub weight: Param<Tensor<2>>,
}

impl EmbeddingBag {
    /// The sum of each bag; no gradient for the bags' weights.
    ///
    /// # Panics
    /// If a symbol is not below `symbols`.
    pub fn forward(&self, bags: &Arc<Bags>) -> Tensor<2> {
        op::bag(self.weight.val(), bags)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::{device, testing};

    #[test]
    fn sums_by_hand_and_their_gradient() {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut table = EmbeddingBagConfig::new(3, 2).init(&device, &mut rng).unwrap();
        table.weight =
            Param::from_tensor(Tensor::from_floats([[0., 1.], [2., 3.], [4., 5.]], &device));
        let mut bags = Bags::default();
        bags.push([(2, 0.5), (0, 1.0), (2, 1.0)]);
        bags.push([]);
        bags.push([(1, -1.0)]);
        let bags = Arc::new(bags);
        let y: Vec<f32> = table.forward(&bags).try_into_vec_as().unwrap();
        assert_eq!(y, [6.0, 8.5, 0.0, 0.0, -2.0, -3.0]);
        testing::check_module(&table, |t: &EmbeddingBag| (t.forward(&bags) * 0.1).exp().sum());
        let none = EmbeddingBagConfig::new(0, 2).init(&device, &mut rng).unwrap_err();
        assert_eq!(none.to_string(), "EmbeddingBag: `symbols` is `0`; expected at least 1");
    }
}
