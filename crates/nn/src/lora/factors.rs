//! The two factors.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use rand::Rng;

use crate::activation::Activation;
use crate::init::Init;
use crate::{Error, Result, op};

/// Makes a [`Lora`].
#[derive(Debug, Clone)]
pub struct LoraConfig {
    rank: usize,
    init: Init,
}

impl LoraConfig {
    /// Factors of this rank, the first drawn from N(0, 0.01^2); the second is 0.
    pub fn new(rank: usize) -> Self {
        Self { rank, init: Init::Normal { mean: 0.0, std: 0.01 } }
    }

    /// How the first factor is drawn.
    pub fn with_init(mut self, init: Init) -> Self {
        self.init = init;
        self
    }

    /// Makes the factors for a layer with `inputs` and `outputs`.
    ///
    /// # Errors
    /// If a size or the rank is 0.
    pub fn init(
        &self,
        (inputs, outputs): (usize, usize),
        device: &Device,
        rng: &mut (impl Rng + ?Sized),
    ) -> Result<Lora> {
        let rank = self.rank;
        Error::unless(rank > 0, "Lora", "rank", rank, "at least 1")?;
        Error::unless(inputs > 0, "Lora", "inputs", inputs, "at least 1")?;
        Error::unless(outputs > 0, "Lora", "outputs", outputs, "at least 1")?;
        let a = self.init.param([inputs, rank], (inputs, rank), device, rng);
        let b = Init::Constant(0.0).param([rank, outputs], (rank, outputs), device, rng);
        Ok(Lora { a, b })
    }
}

/// A change of low rank of a linear map.
///
/// ```text
/// y = x A B / r
/// ```
///
/// `r`: the rank. With `B = 0`, as it begins, the change is none.
///
/// # Shapes
/// - `x`: `[tokens, inputs]`, `A`: `[inputs, r]`, `B`: `[r, outputs]`
/// - output: `[tokens, outputs]`
///
/// # Source
/// Hu et al., arXiv:2106.09685, with alpha = 1: divided by the rank.
///
/// # Panics
/// `forward` if the last dimension of `x` is not `inputs`.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, lora::LoraConfig};
/// use rand::SeedableRng;
///
/// let device = device::named("flex")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let lora = LoraConfig::new(2).init((4, 3), &device, &mut rng)?;
/// let y = lora.forward(Tensor::ones([5, 4], &device));
/// assert_eq!(y.clone().dims(), [5, 3]);
/// assert_eq!(y.abs().sum().into_scalar::<f32>(), 0.0);
/// assert_eq!(lora.parameters(), 2 * (4 + 3));
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct Lora {
    /// A, `[inputs, r]`.
    pub a: Param<Tensor<2>>,
    /// B, `[r, outputs]`.
    pub b: Param<Tensor<2>>,
}

impl Lora {
    /// `x A B / r`.
    ///
    /// # Panics
    /// If the last dimension of `x` is not `inputs`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let (dims, a) = (x.dims(), self.a.val());
        let fits = dims[1] == a.dims()[0];
        assert!(fits, "Lora: input {dims:?} does not fit A {:?}", a.dims());
        // The scale is applied where there are fewest numbers.
        let narrow = op::linear(x, a, None, None, Activation::Identity) / self.rank() as f64;
        op::linear(narrow, self.b.val(), None, None, Activation::Identity)
    }

    /// `A B / r` as one matrix, `[inputs, outputs]`.
    pub fn delta(&self) -> Tensor<2> {
        self.a.val().matmul(self.b.val()) / self.rank() as f64
    }

    /// r.
    pub fn rank(&self) -> usize {
        self.a.dims()[1]
    }

    /// Number of parameters.
    pub fn parameters(&self) -> usize {
        let ([inputs, rank], [_, outputs]) = (self.a.dims(), self.b.dims());
        rank * (inputs + outputs)
    }
}

/// The mean of several changes as one dense change.
///
/// ```text
/// D = (1 / Z) sum_z A_z B_z / r_z
/// ```
///
/// It is the mean of the products, not the product of the means.
///
/// # Shapes
/// - output: `[inputs, outputs]`
///
/// # Source
/// The merged experts with which `PHATGOOSE`, arXiv:2402.05859, is compared.
///
/// # Errors
/// If there are no experts.
///
/// # Example
/// ```
/// use pressrun_nn::{device, lora::{LoraConfig, merge}};
/// use rand::SeedableRng;
///
/// let device = device::named("flex")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let lora = LoraConfig::new(2).init((4, 3), &device, &mut rng)?;
/// assert_eq!(merge([&lora, &lora])?.dims(), [4, 3]);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
pub fn merge<'a>(experts: impl IntoIterator<Item = &'a Lora>) -> Result<Tensor<2>> {
    let deltas: Vec<Tensor<2>> = experts.into_iter().map(Lora::delta).collect();
    let count = deltas.len();
    let sum = deltas.into_iter().reduce(|sum, delta| sum + delta);
    Error::unless(sum.is_some(), "merge", "experts", count, "at least 1")?;
    Ok(sum.expect("checked above") / count as f64)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::{device, testing};

    /// (1, 2) A with A = ((1, 3), (2, -1)) is (5, 1); B = 1; divided by the rank 2.
    #[test]
    fn values_by_hand() {
        let device = device::named("flex").unwrap();
        let param = |rows: [[f32; 2]; 2]| Param::from_tensor(Tensor::from_floats(rows, &device));
        let lora = Lora { a: param([[1., 3.], [2., -1.]]), b: param([[1., 0.], [0., 1.]]) };
        let x = Tensor::<2>::from_floats([[1.0, 2.0]], &device);
        let y: Vec<f32> = lora.forward(x.clone()).try_into_vec_as().unwrap();
        assert_eq!(y, [2.5, 0.5]);
        let dense: Vec<f32> = x.matmul(lora.delta()).try_into_vec_as().unwrap();
        assert_eq!(dense, y);
    }

    /// Of A1 B1 = 1 and A2 B2 = (-1)(-1) = 1 the mean is 1; the mean of the factors would be 0.
    #[test]
    fn products_are_averaged_not_factors() {
        let device = device::named("flex").unwrap();
        let one = |value: f32| Lora {
            a: Param::from_tensor(Tensor::from_floats([[value]], &device)),
            b: Param::from_tensor(Tensor::from_floats([[value]], &device)),
        };
        let (plus, minus) = (one(1.0), one(-1.0));
        let merged = merge([&plus, &minus]).unwrap();
        assert_eq!(merged.into_scalar::<f32>(), 1.0);
        let error = merge([]).unwrap_err().to_string();
        assert_eq!(error, "merge: `experts` is `0`; expected at least 1");
    }

    #[test]
    fn gradients_and_the_start() {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let lora = LoraConfig::new(2).init((3, 4), &device, &mut rng).unwrap();
        assert_eq!(lora.delta().abs().max().into_scalar::<f32>(), 0.0);
        let sd = lora.a.val().square().mean().sqrt().into_scalar::<f32>();
        assert!(sd > 0.003 && sd < 0.02, "{sd}");
        let init = Init::Normal { mean: 0.0, std: 0.5 };
        let mut lora = LoraConfig::new(2).with_init(init).init((3, 4), &device, &mut rng).unwrap();
        lora.b = init.param([2, 4], (2, 4), &device, &mut rng);
        let x = Tensor::<2>::from_floats([[0.3, -1.0, 0.5], [1.2, 0.1, -0.7]], &device);
        testing::check_module(&lora, |l: &Lora| l.forward(x.clone()).tanh().sum());
    }

    #[test]
    #[should_panic(expected = "Lora: input [1, 2] does not fit A [3, 2]")]
    fn a_wrong_width_panics_with_both_shapes() {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let lora = LoraConfig::new(2).init((3, 4), &device, &mut rng).unwrap();
        lora.forward(Tensor::ones([1, 2], &device));
    }

    #[test]
    fn a_rank_of_0_is_refused() {
        let device = device::named("flex").unwrap();
        let error = LoraConfig::new(0).init((3, 4), &device, &mut ChaCha8Rng::seed_from_u64(1));
        assert_eq!(error.unwrap_err().to_string(), "Lora: `rank` is `0`; expected at least 1");
    }
}
