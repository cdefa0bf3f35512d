//! Sequences of behaviours of different lengths: weights for each place, pooling, random masks.
//!
//! A batch of sequences is padded to one length, `[rows, places, width]`, and comes with a mask
//! `[rows, places]` that is 1 at a behaviour and 0 at padding. Whatever stands at a place with mask
//! 0 has no influence on a result or a gradient.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand::{Rng, RngExt};

use crate::activation::Activation;
use crate::mlp::{Mlp, MlpConfig};
use crate::{Error, Result};

/// Makes an [`ActivationUnit`].
#[derive(Debug, Clone)]
pub struct ActivationUnitConfig {
    width: usize,
    hidden: Vec<usize>,
    activation: Activation,
}

impl ActivationUnitConfig {
    /// A unit over vectors of this width, with one hidden layer of 16 and ReLU.
    pub fn new(width: usize) -> Self {
        Self { width, hidden: vec![16], activation: Activation::Relu }
    }

    /// The hidden layers.
    pub fn with_hidden(mut self, hidden: impl Into<Vec<usize>>) -> Self {
        self.hidden = hidden.into();
        self
    }

    /// The nonlinearity of the hidden layers.
    pub fn with_activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    /// Makes the unit.
    ///
    /// # Errors
    /// If a size is 0.
    pub fn init(&self, device: &Device, rng: &mut (impl Rng + ?Sized)) -> Result<ActivationUnit> {
        Error::unless(self.width > 0, "ActivationUnit", "width", self.width, "at least 1")?;
        let sizes = [&[4 * self.width], &self.hidden[..], &[1]].concat();
        let mlp = MlpConfig::new(sizes).with_activation(self.activation).init(device, rng)?;
        Ok(ActivationUnit { mlp })
    }
}

/// How much each behaviour of a sequence counts in the light of a key.
///
/// ```text
/// w_j = m_j MLP([h_j, k, h_j * k, h_j - k])
/// ```
///
/// The weights are no softmax: they may be negative, and their sum grows with the sequence.
///
/// # Shapes
/// - `seq` h: `[rows, places, width]`, `key` k: `[rows, width]`, `mask` m: `[rows, places]`
/// - output w: `[rows, places]`, 0 where the mask is 0
///
/// # Source
/// Zhou et al., Deep Interest Network, arXiv:1706.06978, with the product and the difference of
/// both vectors among the inputs of the network.
///
/// # Panics
/// `weights` if the shapes do not fit together.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, sequence::{ActivationUnitConfig, weighted_sum}};
/// use rand::SeedableRng;
///
/// let device = device::named("flex")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let unit = ActivationUnitConfig::new(4).init(&device, &mut rng)?;
/// let seq = Tensor::ones([1, 3, 4], &device);
/// let mask = Tensor::from_floats([[1.0, 1.0, 0.0]], &device);
/// let w = unit.weights(seq.clone(), Tensor::ones([1, 4], &device), mask);
/// assert_eq!(weighted_sum(seq, w.clone()).dims(), [1, 4]);
/// let w: Vec<f32> = w.try_into_vec_as().unwrap();
/// assert!(w[0] == w[1] && w[2] == 0.0);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct ActivationUnit {
    /// From behaviour, key, product and difference to one number.
    pub mlp: Mlp,
}

impl ActivationUnit {
    /// The weight of each place.
    ///
    /// # Panics
    /// If the shapes do not fit together.
    pub fn weights(&self, seq: Tensor<3>, key: Tensor<2>, mask: Tensor<2>) -> Tensor<2> {
        check("ActivationUnit", &seq, Some(&key), &mask);
        let key = at_each_place(key, seq.dims()[1]);
        let inputs = vec![seq.clone(), key.clone(), seq.clone() * key.clone(), seq - key];
        self.mlp.forward(Tensor::cat(inputs, 2)).squeeze_dim::<2>(2) * mask
    }
}

/// The sum of a sequence's vectors, each times its weight.
///
/// ```text
/// v = sum over j of w_j h_j
/// ```
///
/// # Shapes
/// - `seq` h: `[rows, places, width]`, `weights` w: `[rows, places]`
/// - output v: `[rows, width]`
///
/// # Panics
/// If the shapes do not fit together.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, sequence::weighted_sum};
///
/// let device = device::named("flex")?;
/// let seq = Tensor::<3>::from_floats([[[1.0, 0.0], [0.0, 2.0]]], &device);
/// let v = weighted_sum(seq, Tensor::from_floats([[0.5, -1.0]], &device));
/// assert_eq!(v.try_into_vec_as::<f32>().unwrap(), [0.5, -2.0]);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
pub fn weighted_sum(seq: Tensor<3>, weights: Tensor<2>) -> Tensor<2> {
    check("weighted_sum", &seq, None, &weights);
    weights.unsqueeze_dim::<3>(1).matmul(seq).squeeze_dim(1)
}

/// A key beside every place of a sequence, `[rows, width]` to `[rows, places, width]`.
pub(crate) fn at_each_place(key: Tensor<2>, places: usize) -> Tensor<3> {
    let [rows, width] = key.dims();
    key.unsqueeze_dim::<3>(1).expand([rows, places, width])
}

/// Panics if sequence, key and mask do not fit together.
pub(crate) fn check(layer: &str, seq: &Tensor<3>, key: Option<&Tensor<2>>, mask: &Tensor<2>) {
    let ([rows, places, width], found) = (seq.dims(), mask.dims());
    assert_eq!(
        found,
        [rows, places],
        "{layer}: mask {found:?} does not fit sequence {:?}",
        seq.dims()
    );
    if let Some(key) = key.map(Tensor::dims) {
        assert_eq!(
            key,
            [rows, width],
            "{layer}: key {key:?} does not fit sequence {:?}",
            seq.dims()
        );
    }
}

/// Drops behaviours at random: each with probability `p`, but never all of a sequence.
///
/// A sequence of which nothing would be left keeps one behaviour, drawn evenly. Padding stays
/// padding.
///
/// # Shapes
/// - `mask` and output: rows of `places` entries, one row after the other
///
/// # Panics
/// If `mask` is not made of whole rows.
///
/// # Example
/// ```
/// use pressrun_nn::sequence::mask_sequence;
/// use rand::SeedableRng;
///
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let mask = [true, true, false, true, false, false];
/// assert_eq!(mask_sequence(&mask, 3, 0.0, &mut rng), mask);
/// let kept = mask_sequence(&mask, 3, 1.0, &mut rng);
/// assert_eq!(kept[..3].iter().filter(|k| **k).count(), 1);
/// assert_eq!(kept[3..], mask[3..]);
/// ```
pub fn mask_sequence(
    mask: &[bool],
    places: usize,
    p: f64,
    rng: &mut (impl Rng + ?Sized),
) -> Vec<bool> {
    assert!(
        places > 0 && mask.len().is_multiple_of(places),
        "mask_sequence: {} entries are no rows of {places} places",
        mask.len()
    );
    let mut kept = Vec::with_capacity(mask.len());
    for row in mask.chunks(places) {
        let start = kept.len();
        kept.extend(row.iter().map(|&there| there && rng.random::<f64>() >= p));
        let there: Vec<usize> = (0..places).filter(|&at| row[at]).collect();
        if !there.is_empty() && !kept[start..].contains(&true) {
            kept[start + there[rng.random_range(0..there.len())]] = true;
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::{device, testing};

    fn unit(activation: Activation) -> (ActivationUnit, Device) {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let config = ActivationUnitConfig::new(2).with_hidden([3]).with_activation(activation);
        (config.init(&device, &mut rng).unwrap(), device)
    }

    #[test]
    fn the_four_inputs_by_hand() {
        let (mut unit, device) = unit(Activation::Identity);
        // One layer that weighs its inputs by 1, 10, 100, ...: the order of the inputs is seen.
        let weight = [[1e0], [1e1], [1e2], [1e3], [1e4], [1e5], [1e6], [1e7]];
        unit.mlp.layers.truncate(1);
        unit.mlp.layers[0].weight =
            burn::module::Param::from_tensor(Tensor::from_floats(weight, &device));
        unit.mlp.layers[0].bias = None;
        let seq = Tensor::<3>::from_floats([[[3.0, 4.0], [9.0, 9.0]]], &device);
        let key = Tensor::<2>::from_floats([[1.0, 2.0]], &device);
        let mask = Tensor::<2>::from_floats([[1.0, 0.0]], &device);
        // h = (3, 4), k = (1, 2), h * k = (3, 8), h - k = (2, 2).
        let w: Vec<f32> = unit.weights(seq, key, mask).try_into_vec_as().unwrap();
        assert_eq!(w, [22_832_143.0, 0.0]);
    }

    #[test]
    fn gradients_reach_the_unit_the_sequence_and_the_key() {
        let (unit, device) = unit(Activation::Tanh);
        let key = Tensor::<2>::from_floats([[0.5, -0.3], [0.1, 0.9]], &device);
        let mask = Tensor::<2>::from_floats([[1.0, 1.0], [1.0, 0.0]], &device);
        let values = [0.3, -1.0, 0.5, 1.2, 0.1, -0.7, 0.6, 0.2];
        let of_seq = |unit: &ActivationUnit, seq: Tensor<3>| {
            let w = unit.weights(seq.clone(), key.clone(), mask.clone());
            weighted_sum(seq, w).square().sum()
        };
        testing::check_input(&device, [2, 2, 2], &values, |seq| of_seq(&unit, seq));
        let seq = Tensor::<1>::from_floats(values, &device).reshape([2, 2, 2]);
        testing::check_module(&unit, |unit: &ActivationUnit| of_seq(unit, seq.clone()));
        testing::check_input(&device, [2, 2], &[0.5, -0.3, 0.1, 0.9], |key| {
            unit.weights(seq.clone(), key, mask.clone()).square().sum()
        });
    }

    #[test]
    #[should_panic(expected = "ActivationUnit: key [1, 3] does not fit sequence [1, 2, 2]")]
    fn a_key_of_another_width_panics() {
        let (unit, device) = unit(Activation::Relu);
        let ones = Tensor::ones([1, 2, 2], &device);
        unit.weights(ones, Tensor::ones([1, 3], &device), Tensor::ones([1, 2], &device));
    }

    #[test]
    fn a_share_of_p_is_dropped() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let kept = mask_sequence(&vec![true; 20_000], 100, 0.2, &mut rng);
        let share = kept.iter().filter(|k| **k).count() as f64 / 20_000.0;
        assert!((share - 0.8).abs() < 0.01, "{share}");
    }

    proptest! {
        #[test]
        fn something_is_kept_and_padding_stays(
            mask in prop::collection::vec(any::<bool>(), 12),
            p in 0.0f64..1.0,
            seed in 0u64..1000,
        ) {
            let kept = mask_sequence(&mask, 4, p, &mut ChaCha8Rng::seed_from_u64(seed));
            prop_assert!(kept.iter().zip(&mask).all(|(&kept, &there)| there || !kept));
            for (kept, there) in kept.chunks(4).zip(mask.chunks(4)) {
                prop_assert_eq!(kept.contains(&true), there.contains(&true));
            }
        }
    }
}
