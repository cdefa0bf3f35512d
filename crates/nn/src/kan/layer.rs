//! Learnt functions on every edge, as sums of fixed bases.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use pressrun_kernels::kan::{bspline, radial};
use rand::Rng;

use crate::init::Init;
use crate::{Error, Result, op};

/// The functions that an edge's function is a sum of.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Basis {
    /// sin(k s x) and cos(k s x) for k from 1 to `grid`, with a learnt scale s for each input.
    Fourier {
        /// Number of multiples.
        grid: usize,
    },
    /// B-splines of this order on equal intervals; 0 outside of them.
    BSpline {
        /// Lower end.
        low: f64,
        /// Upper end.
        high: f64,
        /// Number of intervals.
        grid: usize,
        /// Order: 3 is cubic.
        order: usize,
    },
    /// exp(-((x - c) / h)^2) for `count` centres c from `low` to `high`, h apart.
    Radial {
        /// First centre.
        low: f64,
        /// Last centre.
        high: f64,
        /// Number of centres.
        count: usize,
    },
}

impl Basis {
    fn kernel(self) -> op::Basis {
        match self {
            Self::Fourier { grid } => op::Basis::Fourier(grid),
            Self::BSpline { low, high, grid, order } => op::Basis::BSpline(bspline::Grid {
                low: low as f32,
                high: high as f32,
                size: grid,
                order,
            }),
            Self::Radial { low, high, count } => {
                op::Basis::Radial(radial::Centers::new(low as f32, high as f32, count))
            }
        }
    }

    fn check(self) -> Result<()> {
        let (name, size, least, ends) = match self {
            Self::Fourier { grid } => ("grid", grid, 1, None),
            Self::BSpline { low, high, grid, .. } => ("grid", grid, 1, Some((low, high))),
            Self::Radial { low, high, count } => ("count", count, 2, Some((low, high))),
        };
        Error::unless(size >= least, "Kan", name, size, "at least 1, and 2 centres")?;
        let (low, high) = ends.unwrap_or((0.0, 1.0));
        Error::unless(low < high, "Kan", "low", low, "less than `high`")
    }
}

/// Makes a [`Kan`].
#[derive(Debug, Clone)]
pub struct KanConfig {
    inputs: usize,
    outputs: usize,
    basis: Basis,
    bias: bool,
    init: Init,
}

impl KanConfig {
    /// A layer with bias, whose weights are drawn as a linear layer's on the features.
    pub fn new(inputs: usize, outputs: usize, basis: Basis) -> Self {
        Self { inputs, outputs, basis, bias: true, init: Init::FanIn }
    }

    /// Whether there is a bias.
    pub fn with_bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }

    /// How the weight is drawn.
    pub fn with_init(mut self, init: Init) -> Self {
        self.init = init;
        self
    }

    /// Makes the layer.
    ///
    /// # Errors
    /// If a size is 0 or the basis has no extent.
    pub fn init(&self, device: &Device, rng: &mut (impl Rng + ?Sized)) -> Result<Kan> {
        let (i, o) = (self.inputs, self.outputs);
        Error::unless(i > 0, "Kan", "inputs", i, "at least 1")?;
        Error::unless(o > 0, "Kan", "outputs", o, "at least 1")?;
        self.basis.check()?;
        let features = i * self.basis.kernel().features();
        let scale = matches!(self.basis, Basis::Fourier { .. })
            .then(|| Param::from_tensor(Tensor::ones([i], device)));
        let weight = self.init.param([features, o], (features, o), device, rng);
        let bias = self.bias.then(|| Param::from_tensor(Tensor::zeros([o], device)));
        Ok(Kan { scale, weight, bias, basis: self.basis })
    }
}

/// A learnt function of one variable on every edge from an input to an output.
///
/// ```text
/// y_j = b_j + sum over i, p of W_(i p) j phi_p(x_i)
/// ```
///
/// `phi`: the functions of the [`Basis`]. Features and map are one operation: the features of a
/// batch are never in memory as a whole.
///
/// # Shapes
/// - `x`: `[.., inputs]`, `W`: `[inputs * functions, outputs]`, `b`: `[outputs]`
/// - output: `[.., outputs]`
///
/// # Source
/// KAN, arXiv:2404.19756; radial: `FastKAN`, arXiv:2405.06721. Without the added `SiLU` branch, which
/// is a linear layer on `silu(x)`.
///
/// # Panics
/// `forward` if the last dimension of `x` is not `inputs`.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, init::Init, kan::{Basis, KanConfig}};
/// use rand::SeedableRng;
///
/// let device = device::named("flex")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let config = KanConfig::new(1, 1, Basis::Fourier { grid: 1 }).with_init(Init::Constant(1.0));
/// let y = config.init(&device, &mut rng)?.forward(Tensor::<1>::from_floats([0.5], &device));
/// let expected = 0.5f32.sin() + 0.5f32.cos();
/// assert!((y.into_scalar::<f32>() - expected).abs() < 1e-6);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct Kan {
    /// s of [`Basis::Fourier`], `[inputs]`.
    pub scale: Option<Param<Tensor<1>>>,
    /// W, `[inputs * functions, outputs]`.
    pub weight: Param<Tensor<2>>,
    /// b, `[outputs]`.
    pub bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    basis: Basis,
}

impl Kan {
    /// Applies the layer.
    ///
    /// # Panics
    /// If the last dimension of `x` is not `inputs`.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let (mut dims, [features, outputs]) = (x.dims(), self.weight.dims());
        let inputs = features / self.basis.kernel().features();
        assert_eq!(dims.last(), Some(&inputs), "Kan: input {dims:?} does not fit {inputs} inputs");
        let rows = dims[..D - 1].iter().product();
        let scale = self.scale.as_ref().map(Param::val);
        let bias = self.bias.as_ref().map(Param::val);
        let x = x.reshape([rows, inputs]);
        let y = op::kan(self.basis.kernel(), x, scale, self.weight.val(), bias);
        dims[D - 1] = outputs;
        y.reshape(dims)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::{device, testing};

    /// Cubic B-splines sum to 1 within the grid, and to 0 outside of the extended one; at a knot
    /// they are 1/6, 2/3, 1/6.
    #[test]
    fn splines_by_hand() {
        let device = device::named("flex").unwrap();
        let basis = Basis::BSpline { low: 0.0, high: 1.0, grid: 4, order: 3 };
        let config = KanConfig::new(1, 1, basis).with_init(Init::Constant(1.0)).with_bias(false);
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let mut kan = config.init(&device, &mut rng).unwrap();
        let at = |kan: &Kan, x: f32| {
            kan.forward(Tensor::<1>::from_floats([x], &device)).into_scalar::<f32>()
        };
        assert!((at(&kan, 0.3) - 1.0).abs() < 1e-6 && (at(&kan, 0.0) - 1.0).abs() < 1e-6);
        assert_eq!(at(&kan, 2.0), 0.0);
        // The knot 0.5 lies in the middle of the basis number 3 of 7: its neighbours have 1/6.
        let unit = [0., 0., 0., 1., 0., 0., 0.];
        let weight = Tensor::<1>::from_floats(unit, &device).reshape([7, 1]);
        kan.weight = Param::from_tensor(weight);
        assert!((at(&kan, 0.5) - 2.0 / 3.0).abs() < 1e-5, "{}", at(&kan, 0.5));
        assert!((at(&kan, 0.25) - 1.0 / 6.0).abs() < 1e-5, "{}", at(&kan, 0.25));
    }

    #[test]
    fn gradients_of_every_basis() {
        let device = device::named("flex").unwrap();
        for basis in [
            Basis::Fourier { grid: 2 },
            Basis::BSpline { low: -1.0, high: 1.0, grid: 3, order: 2 },
            Basis::Radial { low: -1.0, high: 1.0, count: 3 },
        ] {
            let mut rng = ChaCha8Rng::seed_from_u64(1);
            let kan = KanConfig::new(2, 2, basis).init(&device, &mut rng).unwrap();
            let values = [0.11, -0.52, 0.83, 0.27];
            let x = Tensor::<1>::from_floats(values, &device).reshape([2, 2]);
            testing::check_module(&kan, |k: &Kan| k.forward(x.clone()).square().sum());
            testing::check_input(&device, [2, 2], &values, |x| kan.forward(x).square().sum());
        }
    }

    #[test]
    fn a_basis_without_extent_is_refused() {
        let device = device::named("flex").unwrap();
        let basis = Basis::Radial { low: 1.0, high: 1.0, count: 3 };
        let error = KanConfig::new(1, 1, basis).init(&device, &mut ChaCha8Rng::seed_from_u64(0));
        assert_eq!(error.unwrap_err().to_string(), "Kan: `low` is `1`; expected less than `high`");
    }
}
