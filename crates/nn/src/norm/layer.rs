//! Layer normalisation.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use crate::{Error, Result, op};

/// Makes a [`LayerNorm`].
#[derive(Debug, Clone)]
pub struct LayerNormConfig {
    width: usize,
    eps: f64,
}

impl LayerNormConfig {
    /// Over the last dimension, of this width, with eps = 1e-5.
    pub fn new(width: usize) -> Self {
        Self { width, eps: 1e-5 }
    }

    /// What is added to the variance.
    pub fn with_eps(mut self, eps: f64) -> Self {
        self.eps = eps;
        self
    }

    /// Makes the layer, with gamma = 1 and beta = 0.
    ///
    /// # Errors
    /// If the width is 0 or eps is not positive.
    pub fn init(&self, device: &Device) -> Result<LayerNorm> {
        Error::unless(self.width > 0, "LayerNorm", "width", self.width, "at least 1")?;
        Error::unless(self.eps > 0.0, "LayerNorm", "eps", self.eps, "more than 0")?;
        Ok(LayerNorm {
            gamma: Param::from_tensor(Tensor::ones([self.width], device)),
            beta: Param::from_tensor(Tensor::zeros([self.width], device)),
            eps: self.eps,
        })
    }
}

/// Normalises each sample over its features.
///
/// ```text
/// y = (x - m) / sqrt(v + eps) * gamma + beta
/// ```
///
/// `m`, `v`: mean and biased variance over the last dimension.
///
/// # Shapes
/// - `x` and output: `[.., width]`; `gamma`, `beta`: `[width]`
///
/// # Source
/// Ba et al., arXiv:1607.06450.
///
/// # Panics
/// `forward` if the last dimension of `x` is not `width`.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, norm::LayerNormConfig};
///
/// let device = device::named("flex")?;
/// let x = Tensor::<2>::from_floats([[1.0, 3.0]], &device);
/// let y = LayerNormConfig::new(2).init(&device)?.forward(x);
/// assert!((y.max().into_scalar::<f32>() - 1.0).abs() < 1e-4);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct LayerNorm {
    /// Scale, `[width]`.
    pub gamma: Param<Tensor<1>>,
    /// Shift, `[width]`.
    pub beta: Param<Tensor<1>>,
    eps: f64,
}

impl LayerNorm {
    /// Normalises over the last dimension.
    ///
    /// # Panics
    /// If the last dimension of `x` is not `width`.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let (dims, gamma) = (x.dims(), self.gamma.val());
        assert_eq!(
            dims.last(),
            gamma.dims().first(),
            "LayerNorm: input {dims:?} does not fit gamma {:?}",
            gamma.dims()
        );
        op::layer_norm(x, gamma, self.beta.val(), self.eps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{device, testing};

    /// (1, 2, 6): mean 3, variance 14 / 3, so (-2, -1, 3) / 2.160247 = -0.925820, -0.462910,
    /// 1.388730 for eps -> 0.
    #[test]
    fn values_by_hand() {
        let device = device::named("flex").unwrap();
        let norm = LayerNormConfig::new(3).with_eps(1e-10).init(&device).unwrap();
        let y = norm.forward(Tensor::<2>::from_floats([[1., 2., 6.]], &device));
        let y: Vec<f32> = y.try_into_vec_as().unwrap();
        for (a, b) in y.iter().zip([-0.925_820, -0.462_91, 1.388_73]) {
            assert!((a - b).abs() < 1e-5, "{y:?}");
        }
    }

    #[test]
    fn shift_and_scale_of_the_input_do_not_matter_and_gradients() {
        let device = device::named("flex").unwrap();
        let norm = LayerNormConfig::new(4).with_eps(1e-8).init(&device).unwrap();
        let x = Tensor::<2>::from_floats([[1., -2., 0.5, 3.], [0.1, 0.4, -0.3, 0.2]], &device);
        let moved = norm.forward(x.clone() * 7.0 + 3.0) - norm.forward(x.clone());
        assert!(moved.abs().max().into_scalar::<f32>() < 1e-4);
        let weigh = Tensor::<2>::from_floats([[1., 2., -1., 0.5]], &device);
        testing::check_module(&norm, |n: &LayerNorm| (n.forward(x.clone()) * weigh.clone()).sum());
        let values = [1., -2., 0.5, 3.];
        testing::check_input(&device, [1, 4], &values, |x| (norm.forward(x) * weigh.clone()).sum());
    }

    #[test]
    #[should_panic(expected = "LayerNorm: input [1, 2] does not fit gamma [4]")]
    fn a_wrong_width_panics_with_both_shapes() {
        let device = device::named("flex").unwrap();
        LayerNormConfig::new(4).init(&device).unwrap().forward(Tensor::<2>::ones([1, 2], &device));
    }
}
