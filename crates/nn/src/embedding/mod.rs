//! Vectors for symbols.

mod bag;

use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor};
use rand::Rng;

use crate::init::Init;
use crate::{Error, Result, op};

pub use bag::{Bags, EmbeddingBag, EmbeddingBagConfig};

/// Makes an [`Embedding`].
#[derive(Debug, Clone)]
pub struct EmbeddingConfig {
    symbols: usize,
    width: usize,
    init: Init,
}

impl EmbeddingConfig {
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
    pub fn init(&self, device: &Device, rng: &mut (impl Rng + ?Sized)) -> Result<Embedding> {
        let (n, d) = (self.symbols, self.width);
        Error::unless(n > 0, "Embedding", "symbols", n, "at least 1")?;
        Error::unless(d > 0, "Embedding", "width", d, "at least 1")?;
        Ok(Embedding { weight: self.init.param([n, d], (n, d), device, rng) })
    }
}

/// A table of vectors, one for each symbol.
///
/// ```text
/// y_i = W[s_i, :]
/// ```
///
/// # Shapes
/// - `s`: `[rows, columns]`, integers below `symbols`; `W`: `[symbols, width]`
/// - output: `[rows, columns, width]`
///
/// # Panics
/// `forward` if a symbol is not below `symbols`.
///
/// # Example
/// ```
/// use burn::tensor::{Int, Tensor};
/// use pressrun_nn::{device, embedding::EmbeddingConfig};
/// use rand::SeedableRng;
///
/// let device = device::named("flex")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let table = EmbeddingConfig::new(10, 4).init(&device, &mut rng)?;
/// let symbols = Tensor::<2, Int>::from_ints([[1, 2, 3], [3, 2, 1]], &device);
/// assert_eq!(table.forward(symbols).dims(), [2, 3, 4]);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct Embedding {
    /// W, `[symbols, width]`.
    pub weight: Param<Tensor<2>>,
}

impl Embedding {
    /// The vectors of these symbols.
    ///
    /// # Panics
    /// If a symbol is not below `symbols`.
    pub fn forward(&self, symbols: Tensor<2, Int>) -> Tensor<3> {
        let [rows, columns] = symbols.dims();
        let y = op::gather(self.weight.val(), &op::indices(symbols));
        let width = y.dims()[1];
        y.reshape([rows, columns, width])
    }

    /// The vectors of a list of symbols, `[symbols]` to `[symbols, width]`.
    ///
    /// # Panics
    /// If a symbol is not below `symbols`.
    pub fn rows(&self, symbols: Tensor<1, Int>) -> Tensor<2> {
        op::gather(self.weight.val(), &op::indices(symbols))
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::{device, testing};

    #[test]
    fn rows_of_the_table_and_gradients_that_add_up() {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut table = EmbeddingConfig::new(3, 2).init(&device, &mut rng).unwrap();
        table.weight =
            Param::from_tensor(Tensor::from_floats([[0., 1.], [2., 3.], [4., 5.]], &device));
        let symbols = Tensor::<2, Int>::from_ints([[2, 0], [2, 1]], &device);
        let y: Vec<f32> = table.forward(symbols.clone()).try_into_vec_as().unwrap();
        assert_eq!(y, [4., 5., 0., 1., 4., 5., 2., 3.]);
        let list: Vec<f32> = table.rows(symbols.clone().reshape([4])).try_into_vec_as().unwrap();
        assert_eq!(list, y);
        // Symbol 2 stands there twice: its gradient is the sum of both.
        let grads = table.forward(symbols.clone()).sum().backward();
        let grad: Vec<f32> = table.weight.grad(&grads).unwrap().try_into_vec_as().unwrap();
        assert_eq!(grad, [1., 1., 1., 1., 2., 2.]);
        testing::check_module(&table, |t: &Embedding| {
            (t.forward(symbols.clone()) * 0.1).exp().sum()
        });
    }
}
