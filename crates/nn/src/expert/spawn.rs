//! Many experts from one.

use burn::module::Param;
use burn::tensor::{Tensor, TensorData};
use rand::{Rng, RngExt};

use crate::linear::Linear;
use crate::mlp::Mlp;
use crate::{Error, Result};

/// Copies of a trained expert, each with another random part of its weights set to zero.
///
/// ```text
/// W_i = W * m_i        m_i ~ Bernoulli(1 - rho) for each entry, independent for each copy
/// ```
///
/// Masked entries start at zero and are trained like all others; biases are not masked. The copies'
/// parameters are new ones, so that an optimiser begins with empty moments for them. With
/// `rho = 0` the copies are equal, and under a gate that treats them alike they stay so.
///
/// # Shapes
/// - each copy: that of `base`
///
/// # Source
/// `EvoMoE`, arXiv:2112.14397, expert-diversify phase (random masking).
///
/// # Errors
/// If `count` is 0 or `rho` is not within 0 and 1.
///
/// # Example
/// ```
/// use pressrun_nn::{device, expert::{mean_cosine, spawn_experts}, mlp::MlpConfig};
/// use rand::SeedableRng;
///
/// let device = device::named("flex")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let base = MlpConfig::new([8, 32, 8]).init(&device, &mut rng)?;
/// let equal = spawn_experts(&base, 4, 0.0, &mut rng)?;
/// assert!(mean_cosine(&equal) > 0.99999);
/// let masked = spawn_experts(&base, 4, 0.3, &mut rng)?;
/// assert!(mean_cosine(&masked) < 0.8);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
pub fn spawn_experts(
    base: &Mlp,
    count: usize,
    rho: f64,
    rng: &mut (impl Rng + ?Sized),
) -> Result<Vec<Mlp>> {
    Error::unless(count > 0, "spawn_experts", "count", count, "at least 1")?;
    Error::unless((0.0..1.0).contains(&rho), "spawn_experts", "rho", rho, "from 0 to below 1")?;
    let mut copy = |layer: &Linear| {
        let weight = layer.weight.val();
        let keep: Vec<f32> = (0..weight.shape().num_elements())
            .map(|_| if rng.random_bool(rho) { 0.0 } else { 1.0 })
            .collect();
        let mask = Tensor::from_data(TensorData::new(keep, weight.dims()), &weight.device());
        Linear {
            weight: Param::from_tensor((weight * mask).detach()),
            bias: layer.bias.as_ref().map(|bias| Param::from_tensor(bias.val().detach())),
        }
    };
    let mut expert =
        || Mlp { layers: base.layers.iter().map(&mut copy).collect(), activation: base.activation };
    Ok((0..count).map(|_| expert()).collect())
}

/// Mean cosine between the weights of two experts, over all pairs; 1 with fewer than two.
///
/// # Panics
/// If the experts differ in shape.
pub fn mean_cosine(experts: &[Mlp]) -> f64 {
    let flat = |expert: &Mlp| -> Vec<f64> {
        let weights = expert.layers.iter().map(|layer| layer.weight.val().into_data());
        weights.flat_map(|data| data.iter::<f64>().collect::<Vec<_>>()).collect()
    };
    let flat: Vec<Vec<f64>> = experts.iter().map(flat).collect();
    let dot = |a: &[f64], b: &[f64]| {
        assert_eq!(a.len(), b.len(), "mean_cosine: experts of different shape");
        a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>()
    };
    let (mut sum, mut pairs) = (0.0, 0);
    for (i, a) in flat.iter().enumerate() {
        for b in &flat[..i] {
            sum += dot(a, b) / (dot(a, a) * dot(b, b)).sqrt();
            pairs += 1;
        }
    }
    if pairs == 0 { 1.0 } else { sum / f64::from(pairs) }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::expert::MoeFfn;
    use crate::gate::Routing;
    use crate::mlp::MlpConfig;
    use crate::optim::AdamConfig;
    use crate::{device, loss};

    #[test]
    fn a_share_rho_of_each_weight_is_zero_and_biases_are_kept() {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let base = MlpConfig::new([20, 50, 20]).init(&device, &mut rng).unwrap();
        let experts = spawn_experts(&base, 3, 0.3, &mut rng).unwrap();
        for expert in &experts {
            for (layer, old) in expert.layers.iter().zip(&base.layers) {
                let zero = layer.weight.val().equal_scalar(0.0).int().sum().into_scalar::<i64>();
                // 1000 entries, standard deviation sqrt(1000 * 0.3 * 0.7) = 14.5: within 4.
                assert!((zero - 300).abs() < 58, "{zero}");
                let (new, old) = (layer.bias.as_ref().unwrap(), old.bias.as_ref().unwrap());
                assert!((new.val() - old.val()).abs().max().into_scalar::<f32>() == 0.0);
                assert_ne!(new.id, old.id);
            }
        }
    }

    /// Copies that are not perturbed stay identical under a gate that treats them alike; masked
    /// ones do not.
    #[test]
    fn only_masked_copies_separate_under_a_uniform_gate() {
        let device = device::named("flex").unwrap();
        for (rho, identical) in [(0.0, true), (0.3, false)] {
            let mut rng = ChaCha8Rng::seed_from_u64(7);
            let base = MlpConfig::new([3, 8, 3]).init(&device, &mut rng).unwrap();
            let mut moe = MoeFfn::new(spawn_experts(&base, 4, rho, &mut rng).unwrap()).unwrap();
            let mut adam = AdamConfig::new().init().unwrap();
            let x = Tensor::<2>::from_floats([[1., 0., 0.], [0., 1., 0.], [0., 0., 1.]], &device);
            let y = Tensor::from_ints([1, 2, 0], &device);
            let routing = Routing::uniform(3, 4, &device);
            for _ in 0..50 {
                let loss = loss::cross_entropy(moe.forward(x.clone(), &routing), y.clone());
                moe = adam.step(0.02, moe, loss.backward());
            }
            let cosine = mean_cosine(&moe.experts);
            assert_eq!(cosine > 0.999_99, identical, "rho {rho}: cosine {cosine}");
        }
    }
}
