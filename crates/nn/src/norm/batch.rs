//! Batch normalisation.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use crate::{Error, Result};

/// Makes a [`BatchNorm`].
#[derive(Debug, Clone)]
pub struct BatchNormConfig {
    features: usize,
    eps: f64,
    momentum: f64,
}

impl BatchNormConfig {
    /// Over a batch of this many features, with eps = 1e-5 and momentum = 0.1.
    pub fn new(features: usize) -> Self {
        Self { features, eps: 1e-5, momentum: 0.1 }
    }

    /// What is added to the variance.
    pub fn with_eps(mut self, eps: f64) -> Self {
        self.eps = eps;
        self
    }

    /// Weight of a new batch in the running statistics.
    pub fn with_momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }

    /// Makes the layer, with gamma = 1, beta = 0, running mean 0 and running variance 1.
    ///
    /// # Errors
    /// If there are 0 features, eps is not positive, or the momentum is not within 0 and 1.
    pub fn init(&self, device: &Device) -> Result<BatchNorm> {
        let (eps, momentum) = (self.eps, self.momentum);
        Error::unless(self.features > 0, "BatchNorm", "features", self.features, "at least 1")?;
        Error::unless(eps > 0.0, "BatchNorm", "eps", eps, "more than 0")?;
        let within = (0.0..=1.0).contains(&momentum);
        Error::unless(within, "BatchNorm", "momentum", momentum, "between 0 and 1")?;
        let shape = [self.features];
        let buffer = |t: Tensor<1>| Param::from_tensor(t).set_require_grad(false);
        Ok(BatchNorm {
            gamma: Param::from_tensor(Tensor::ones(shape, device)),
            beta: Param::from_tensor(Tensor::zeros(shape, device)),
            running_mean: buffer(Tensor::zeros(shape, device)),
            running_var: buffer(Tensor::ones(shape, device)),
            eps,
            momentum,
        })
    }
}

/// Mean and biased variance of each feature.
#[derive(Debug, Clone)]
pub struct Moments {
    /// Mean, `[features]`.
    pub mean: Tensor<1>,
    /// Biased variance (divided by the number of samples), `[features]`.
    pub var: Tensor<1>,
}

impl Moments {
    /// Of a batch `[samples, features]`; gradients flow through both.
    pub fn of(x: &Tensor<2>) -> Self {
        let mean = x.clone().mean_dim(0);
        let var = (x.clone() - mean.clone()).square().mean_dim(0);
        Self { mean: mean.squeeze_dim(0), var: var.squeeze_dim(0) }
    }
}

/// Normalises each feature over the samples of the batch.
///
/// ```text
/// y = (x - m) / sqrt(v + eps) * gamma + beta
/// running <- (1 - momentum) running + momentum (m, v n / (n - 1))
/// ```
///
/// `m`, `v`: mean and biased variance over the batch of `n` samples while training, else the
/// running statistics, which take the unbiased variance as PyTorch does.
///
/// The parts of a training step are open to callers that need them apart: for interval bounds, take
/// [`Moments::of`] the clean batch, [`BatchNorm::update`] once, then send centre and radius through
/// the fixed affine map of [`BatchNorm::affine`].
///
/// # Shapes
/// - `x` and output: `[samples, features]`; all statistics and parameters: `[features]`
///
/// # Source
/// Ioffe and Szegedy, arXiv:1502.03167; update rule as in `torch.nn.BatchNorm1d`.
///
/// # Panics
/// `forward` and `forward_train` if the last dimension of `x` is not `features`.
///
/// # Example: the affine map of a clean batch, applied to something else
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, norm::{BatchNormConfig, Moments}};
///
/// let device = device::named("flex")?;
/// let norm = BatchNormConfig::new(1).with_eps(1e-12).init(&device)?;
/// let clean = Tensor::<2>::from_floats([[1.0], [5.0]], &device);
/// let (scale, shift) = norm.affine(&Moments::of(&clean));
/// // mean 3, deviation 2: y = x / 2 - 3 / 2
/// assert_eq!(scale.into_scalar::<f32>(), 0.5);
/// assert_eq!(shift.into_scalar::<f32>(), -1.5);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct BatchNorm {
    /// Scale, `[features]`.
    pub gamma: Param<Tensor<1>>,
    /// Shift, `[features]`.
    pub beta: Param<Tensor<1>>,
    /// Running mean, `[features]`; not trained.
    pub running_mean: Param<Tensor<1>>,
    /// Running unbiased variance, `[features]`; not trained.
    pub running_var: Param<Tensor<1>>,
    eps: f64,
    momentum: f64,
}

impl BatchNorm {
    /// Normalises by the running statistics.
    ///
    /// # Panics
    /// If the last dimension of `x` is not `features`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.apply(x, &self.running())
    }

    /// Normalises by the statistics of the batch and lets them into the running ones.
    ///
    /// # Panics
    /// If the last dimension of `x` is not `features`.
    pub fn forward_train(&mut self, x: Tensor<2>) -> Tensor<2> {
        let moments = Moments::of(&x);
        self.update(&moments, x.dims()[0]);
        self.apply(x, &moments)
    }

    /// The running statistics.
    pub fn running(&self) -> Moments {
        Moments { mean: self.running_mean.val(), var: self.running_var.val() }
    }

    /// Lets the statistics of a batch of `samples` into the running ones.
    pub fn update(&mut self, moments: &Moments, samples: usize) {
        let unbiased = samples as f64 / samples.saturating_sub(1).max(1) as f64;
        let mix = |running: &Param<Tensor<1>>, new: Tensor<1>| {
            let old = running.val() * (1.0 - self.momentum);
            let mixed = old + new.detach() * self.momentum;
            running.clone().map(|_| mixed.detach().set_require_grad(false))
        };
        let mean = mix(&self.running_mean, moments.mean.clone());
        let var = mix(&self.running_var, moments.var.clone() * unbiased);
        self.running_mean = mean;
        self.running_var = var;
    }

    /// The affine map `y = scale x + shift` that normalising by these statistics is.
    pub fn affine(&self, moments: &Moments) -> (Tensor<1>, Tensor<1>) {
        let scale = self.gamma.val() / (moments.var.clone() + self.eps).sqrt();
        let shift = self.beta.val() - moments.mean.clone() * scale.clone();
        (scale, shift)
    }

    /// Normalises by these statistics.
    ///
    /// # Panics
    /// If the last dimension of `x` is not `features`.
    pub fn apply(&self, x: Tensor<2>, moments: &Moments) -> Tensor<2> {
        let (dims, features) = (x.dims(), self.gamma.dims());
        assert_eq!(
            dims[1], features[0],
            "BatchNorm: input {dims:?} does not fit features {features:?}"
        );
        let (scale, shift) = self.affine(moments);
        x * scale.unsqueeze() + shift.unsqueeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{device, testing};

    fn norm(features: usize) -> (BatchNorm, Device) {
        let device = device::named("flex").unwrap();
        (BatchNormConfig::new(features).init(&device).unwrap(), device)
    }

    fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.try_into_vec_as().unwrap()
    }

    /// (1, 2, 6): mean 3, biased variance 14 / 3, unbiased 7. With momentum 0.1 the running mean
    /// becomes 0.3 and the running variance 0.9 + 0.7 = 1.6.
    #[test]
    fn training_normalises_by_the_batch_and_moves_the_running_statistics() {
        let (mut norm, device) = norm(1);
        let x = Tensor::<2>::from_floats([[1.], [2.], [6.]], &device);
        let y = host(norm.forward_train(x.clone()));
        for (a, b) in y.iter().zip([-0.925_820, -0.462_91, 1.388_73]) {
            assert!((a - b).abs() < 1e-4, "{y:?}");
        }
        assert!((host(norm.running().mean)[0] - 0.3).abs() < 1e-6);
        assert!((host(norm.running().var)[0] - 1.6).abs() < 1e-6);
        // Afterwards: (x - 0.3) / sqrt(1.6 + 1e-5).
        let y = host(norm.forward(x));
        assert!((y[0] - 0.7 / 1.600_01f32.sqrt()).abs() < 1e-5, "{y:?}");
    }

    #[test]
    fn the_running_statistics_are_no_trained_parameters() {
        let (mut norm, device) = norm(2);
        let x = Tensor::<2>::from_floats([[1., 0.2], [-0.5, 0.7], [0.3, -1.]], &device);
        norm.forward_train(x.clone());
        assert!(!norm.running_mean.is_require_grad() && !norm.running_var.is_require_grad());
        let weigh = Tensor::<2>::from_floats([[1., 2.], [-1., 0.5], [0.7, 0.1]], &device);
        // check_module fails if a trained parameter gets no gradient.
        testing::check_module(&norm, |n: &BatchNorm| (n.forward(x.clone()) * weigh.clone()).sum());
    }

    #[test]
    fn gradients_flow_through_mean_and_variance() {
        let (norm, device) = norm(2);
        let weigh = Tensor::<2>::from_floats([[1., 2.], [-1., 0.5], [0.7, 0.1]], &device);
        let train = |n: &BatchNorm, x: Tensor<2>| {
            let moments = Moments::of(&x);
            (n.apply(x, &moments) * weigh.clone()).sum()
        };
        let values = [1., 0.2, -0.5, 0.7, 0.3, -1.];
        testing::check_input(&device, [3, 2], &values, |x| train(&norm, x));
        // Normalised rows do not move with a common shift: the gradients of a feature add up to 0.
        let x = Tensor::<1>::from_floats(values, &device).reshape([3, 2]).require_grad();
        let grad = host(x.grad(&train(&norm, x.clone()).backward()).unwrap().sum_dim(0));
        assert!(grad.iter().all(|g| g.abs() < 1e-5), "{grad:?}");
    }

    #[test]
    fn a_momentum_above_1_is_refused() {
        let device = device::named("flex").unwrap();
        let error = BatchNormConfig::new(1).with_momentum(1.5).init(&device).unwrap_err();
        assert_eq!(error.to_string(), "BatchNorm: `momentum` is `1.5`; expected between 0 and 1");
    }
}
