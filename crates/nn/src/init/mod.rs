//! Initial weights, drawn on the host from a generator of the caller's.
//!
//! Trainings run side by side in threads of one process, so that a generator shared by the process
//! would make their numbers depend on timing. Nothing in this crate draws from one.

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

/// How the entries of a weight are drawn.
///
/// ```text
/// Uniform      U(low, high)
/// Normal       N(mean, std^2)
/// XavierUniform   U(-a, a)         a = gain * sqrt(6 / (fan_in + fan_out))
/// XavierNormal    N(0, s^2)        s = gain * sqrt(2 / (fan_in + fan_out))
/// KaimingUniform  U(-a, a)         a = gain * sqrt(3 / fan_in)
/// KaimingNormal   N(0, s^2)        s = gain / sqrt(fan_in)
/// FanIn           U(-a, a)         a = 1 / sqrt(fan_in)
/// ```
///
/// `gain` is sqrt(2) for ReLU. `FanIn` is what PyTorch gives to weight and bias of a linear layer
/// by default (Kaiming's uniform with a = sqrt(5)).
///
/// # Source
/// Glorot and Bengio 2010; He et al., arXiv:1502.01852; `torch.nn.init`.
///
/// # Example
/// ```
/// use pressrun_nn::{device, init::Init};
/// use rand::SeedableRng;
///
/// let device = device::named("flex")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let w = Init::FanIn.tensor([4, 8], (4, 8), &device, &mut rng);
/// assert!(w.abs().max().into_scalar::<f32>() <= 0.5);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Init {
    /// The same value everywhere.
    Constant(f64),
    /// Uniform between two limits.
    Uniform {
        /// Lower limit.
        low: f64,
        /// Upper limit.
        high: f64,
    },
    /// Normal.
    Normal {
        /// Mean.
        mean: f64,
        /// Standard deviation.
        std: f64,
    },
    /// Glorot's uniform.
    XavierUniform {
        /// Factor for the activation that follows.
        gain: f64,
    },
    /// Glorot's normal.
    XavierNormal {
        /// Factor for the activation that follows.
        gain: f64,
    },
    /// He's uniform.
    KaimingUniform {
        /// Factor for the activation that follows.
        gain: f64,
    },
    /// He's normal.
    KaimingNormal {
        /// Factor for the activation that follows.
        gain: f64,
    },
    /// PyTorch's default for linear layers.
    FanIn,
}

impl Init {
    /// `count` values for a weight with these fans (inputs, outputs).
    pub fn values(
        self,
        count: usize,
        (fan_in, fan_out): (usize, usize),
        rng: &mut (impl Rng + ?Sized),
    ) -> Vec<f32> {
        let (fan_in, fan_out) = (fan_in.max(1) as f64, fan_out.max(1) as f64);
        match self {
            Self::Constant(value) => vec![value as f32; count],
            Self::Uniform { low, high } => uniform(count, low, high, rng),
            Self::Normal { mean, std } => normal(count, mean, std, rng),
            Self::XavierUniform { gain } => {
                let a = gain * (6.0 / (fan_in + fan_out)).sqrt();
                uniform(count, -a, a, rng)
            }
            Self::XavierNormal { gain } => {
                normal(count, 0.0, gain * (2.0 / (fan_in + fan_out)).sqrt(), rng)
            }
            Self::KaimingUniform { gain } => {
                let a = gain * (3.0 / fan_in).sqrt();
                uniform(count, -a, a, rng)
            }
            Self::KaimingNormal { gain } => normal(count, 0.0, gain / fan_in.sqrt(), rng),
            Self::FanIn => {
                let a = 1.0 / fan_in.sqrt();
                uniform(count, -a, a, rng)
            }
        }
    }

    /// A tensor for a weight with these fans (inputs, outputs).
    pub fn tensor<const D: usize>(
        self,
        shape: [usize; D],
        fans: (usize, usize),
        device: &Device,
        rng: &mut (impl Rng + ?Sized),
    ) -> Tensor<D> {
        let values = self.values(shape.iter().product(), fans, rng);
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    /// A trainable parameter with these fans (inputs, outputs).
    pub fn param<const D: usize>(
        self,
        shape: [usize; D],
        fans: (usize, usize),
        device: &Device,
        rng: &mut (impl Rng + ?Sized),
    ) -> Param<Tensor<D>> {
        Param::from_tensor(self.tensor(shape, fans, device, rng))
    }
}

/// `count` draws from U(low, high).
pub fn uniform(count: usize, low: f64, high: f64, rng: &mut (impl Rng + ?Sized)) -> Vec<f32> {
    (0..count).map(|_| (low + (high - low) * rng.random::<f64>()) as f32).collect()
}

/// `count` draws from N(mean, std^2).
pub fn normal(count: usize, mean: f64, std: f64, rng: &mut (impl Rng + ?Sized)) -> Vec<f32> {
    (0..count).map(|_| (mean + std * rng.sample::<f64, _>(StandardNormal)) as f32).collect()
}

/// `count` draws from the standard Gumbel distribution, `-ln(-ln U)`.
///
/// U is kept away from 0 and 1 by half of the generator's step, so that no draw is infinite.
pub fn gumbel(count: usize, rng: &mut (impl Rng + ?Sized)) -> Vec<f32> {
    const STEP: f64 = 1.0 / (1u64 << 53) as f64;
    let draw = |_| {
        let u = rng.random::<f64>() + 0.5 * STEP;
        -(-(u.min(1.0 - 0.5 * STEP)).ln()).ln() as f32
    };
    (0..count).map(draw).collect()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn moments(init: Init) -> (f64, f64, f64) {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let values = init.values(40_000, (50, 150), &mut rng);
        let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / values.len() as f64;
        let var = values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>();
        let largest = values.iter().fold(0.0, |m, v| f64::max(m, f64::from(v.abs())));
        (mean, (var / values.len() as f64).sqrt(), largest)
    }

    /// Deviations by the formulas of the table for fans 50 and 150: a uniform draw on (-a, a) has
    /// a / sqrt(3). 40,000 draws know a deviation to 0.5 %.
    #[test]
    fn deviations_and_limits_are_those_of_the_table() {
        let cases = [
            (Init::XavierUniform { gain: 1.0 }, 0.1, Some(0.173_205)),
            (Init::XavierNormal { gain: 2.0 }, 0.2, None),
            (Init::KaimingUniform { gain: 2f64.sqrt() }, 0.2, Some(0.346_410)),
            (Init::KaimingNormal { gain: 1.0 }, 0.141_421, None),
            (Init::FanIn, 0.081_650, Some(0.141_421)),
            (Init::Normal { mean: 0.0, std: 0.3 }, 0.3, None),
        ];
        for (init, std, limit) in cases {
            let (mean, found, largest) = moments(init);
            assert!(mean.abs() < 0.02 * std && (found / std - 1.0).abs() < 0.02, "{init:?}");
            if let Some(limit) = limit {
                assert!(largest <= limit + 1e-6 && largest > 0.999 * limit, "{init:?}");
            }
        }
        assert_eq!(moments(Init::Constant(0.5)), (0.5, 0.0, 0.5));
    }

    #[test]
    fn gumbel_has_the_mean_and_variance_of_its_law() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let values = gumbel(100_000, &mut rng);
        assert!(values.iter().all(|v| v.is_finite()));
        let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / 1e5;
        let var = values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / 1e5;
        // Euler's constant and pi^2 / 6.
        assert!((mean - 0.577_216).abs() < 0.015, "{mean}");
        assert!((var - 1.644_934).abs() < 0.05, "{var}");
    }

    #[test]
    fn the_same_generator_gives_the_same_values() {
        let draw = |seed| Init::FanIn.values(5, (3, 3), &mut ChaCha8Rng::seed_from_u64(seed));
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
