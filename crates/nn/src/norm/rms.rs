//! Normalisation by the root of the mean square.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use crate::{Error, Result, op};

/// Makes a [`RmsNorm`].
#[derive(Debug, Clone)]
pub struct RmsNormConfig {
    width: usize,
    eps: f64,
}

impl RmsNormConfig {
    /// Over the last dimension, of this width, with eps = 1e-5.
    pub fn new(width: usize) -> Self {
        Self { width, eps: 1e-5 }
    }

    /// What is added to the mean square.
    pub fn with_eps(mut self, eps: f64) -> Self {
        self.eps = eps;
        self
    }

    /// Makes the layer, with gamma = 1.
    ///
    /// # Errors
    /// If the width is 0 or eps is not positive.
    pub fn init(&self, device: &Device) -> Result<RmsNorm> {
        Error::unless(self.width > 0, "RmsNorm", "width", self.width, "at least 1")?;
        Error::unless(self.eps > 0.0, "RmsNorm", "eps", self.eps, "more than 0")?;
        let gamma = Param::from_tensor(Tensor::ones([self.width], device));
        Ok(RmsNorm { gamma, eps: self.eps })
    }
}

/// Divides each sample by the root of the mean square of its features.
///
/// ```text
/// y = x / sqrt(mean of x^2 + eps) * gamma
/// ```
///
/// # Shapes
/// - `x` and output: `[.., width]`; `gamma`: `[width]`
///
/// # Source
/// Zhang and Sennrich, arXiv:1910.07467.
///
/// # Panics
/// `forward` if the last dimension of `x` is not `width`.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, norm::RmsNormConfig};
///
/// let device = device::named("flex")?;
/// let x = Tensor::<2>::from_floats([[1.0, 7.0]], &device);
/// let y = RmsNormConfig::new(2).init(&device)?.forward(x);
/// assert!((y.max().into_scalar::<f32>() - 1.4).abs() < 1e-4);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct RmsNorm {
    /// Scale, `[width]`.
    pub gamma: Param<Tensor<1>>,
    eps: f64,
}

impl RmsNorm {
    /// Normalises over the last dimension.
    ///
    /// # Panics
    /// If the last dimension of `x` is not `width`.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let (dims, width) = (x.dims(), self.gamma.dims());
        assert_eq!(
            dims.last(),
            width.first(),
            "RmsNorm: input {dims:?} does not fit gamma {width:?}"
        );
        op::rms_norm(x, self.gamma.val(), self.eps)
    }
}
