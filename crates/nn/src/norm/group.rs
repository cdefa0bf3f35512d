//! Group normalisation.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use crate::{Error, Result, op};

/// Makes a [`GroupNorm`].
#[derive(Debug, Clone)]
pub struct GroupNormConfig {
    groups: usize,
    channels: usize,
    eps: f64,
}

impl GroupNormConfig {
    /// Over `groups` groups of `channels` channels, with eps = 1e-5.
    pub fn new(groups: usize, channels: usize) -> Self {
        Self { groups, channels, eps: 1e-5 }
    }

    /// What is added to the variance.
    pub fn with_eps(mut self, eps: f64) -> Self {
        self.eps = eps;
        self
    }

    /// Makes the layer, with gamma = 1 and beta = 0.
    ///
    /// # Errors
    /// If the groups do not divide the channels or eps is not positive.
    pub fn init(&self, device: &Device) -> Result<GroupNorm> {
        let (groups, channels) = (self.groups, self.channels);
        let divides = groups > 0 && channels > 0 && channels.is_multiple_of(groups);
        Error::unless(divides, "GroupNorm", "groups", groups, "a divisor of the channels")?;
        Error::unless(self.eps > 0.0, "GroupNorm", "eps", self.eps, "more than 0")?;
        Ok(GroupNorm {
            gamma: Param::from_tensor(Tensor::ones([channels], device)),
            beta: Param::from_tensor(Tensor::zeros([channels], device)),
            groups,
            eps: self.eps,
        })
    }
}

/// Normalises each picture over groups of channels.
///
/// ```text
/// y = (x - m) / sqrt(v + eps) * gamma + beta
/// ```
///
/// `m`, `v`: mean and biased variance over the channels of a group and all places; `gamma` and
/// `beta` for each channel. One group for each channel is instance normalisation.
///
/// # Shapes
/// - `x` and output: `[batch, channels, height, width]`; `gamma`, `beta`: `[channels]`
///
/// # Source
/// Wu and He, arXiv:1803.08494.
///
/// # Panics
/// `forward` if `x` does not have `channels` channels.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, norm::GroupNormConfig};
///
/// let device = device::named("flex")?;
/// let x = Tensor::<4>::from_floats([[[[1.0, 3.0]]]], &device);
/// let y = GroupNormConfig::new(1, 1).init(&device)?.forward(x);
/// assert!((y.max().into_scalar::<f32>() - 1.0).abs() < 1e-4);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct GroupNorm {
    /// Scale, `[channels]`.
    pub gamma: Param<Tensor<1>>,
    /// Shift, `[channels]`.
    pub beta: Param<Tensor<1>>,
    groups: usize,
    eps: f64,
}

impl GroupNorm {
    /// Normalises over groups of channels.
    ///
    /// # Panics
    /// If `x` does not have `channels` channels.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let (dims, channels) = (x.dims(), self.gamma.dims());
        assert_eq!(
            dims[1], channels[0],
            "GroupNorm: input {dims:?} does not fit channels {channels:?}"
        );
        op::group_norm(self.groups, x, self.gamma.val(), self.beta.val(), self.eps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{device, testing};

    #[test]
    fn gradients_and_groups() {
        let device = device::named("flex").unwrap();
        let norm = GroupNormConfig::new(2, 4).init(&device).unwrap();
        let values: Vec<f32> = (0..16).map(|i| (i as f32 * 0.7).sin()).collect();
        let x = Tensor::<1>::from_floats(&values[..], &device).reshape([1, 4, 2, 2]);
        let weigh = Tensor::<1>::from_floats(&values[..], &device).reshape([1, 4, 2, 2]).exp();
        let run = |n: &GroupNorm, x| (n.forward(x) * weigh.clone()).sum();
        testing::check_module(&norm, |n: &GroupNorm| run(n, x.clone()));
        testing::check_input(&device, [1, 4, 2, 2], &values, |x| run(&norm, x));
        // A shift of one group alone changes nothing.
        let shift = Tensor::<1>::from_floats([5.0, 5.0, 0.0, 0.0], &device).reshape([1, 4, 1, 1]);
        let moved = norm.forward(x.clone() + shift) - norm.forward(x);
        assert!(moved.abs().max().into_scalar::<f32>() < 1e-4);
        let error = GroupNormConfig::new(3, 4).init(&device).unwrap_err().to_string();
        assert_eq!(error, "GroupNorm: `groups` is `3`; expected a divisor of the channels");
    }
}
