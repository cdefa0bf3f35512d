//! Rational activations.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use crate::{Error, Result, op};

/// Makes a [`RationalActivation`].
#[derive(Debug, Clone)]
pub struct RationalActivationConfig {
    channels: usize,
    groups: usize,
    numerator: Vec<f64>,
    denominator: Vec<f64>,
}

impl RationalActivationConfig {
    /// 8 groups (or 1, if 8 do not divide the channels) that begin as the identity, with degrees 5
    /// and 4.
    pub fn new(channels: usize) -> Self {
        let groups = if channels.is_multiple_of(8) { 8 } else { 1 };
        let numerator = vec![0.0, 1.0, 0.0, 0.0, 0.0, 0.0];
        Self { channels, groups, numerator, denominator: vec![0.0; 4] }
    }

    /// How many groups of channels have coefficients of their own.
    pub fn with_groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }

    /// The coefficients that every group begins with: `a_0 .. a_m` and `b_1 .. b_n`.
    pub fn with_coefficients(
        mut self,
        numerator: impl Into<Vec<f64>>,
        denominator: impl Into<Vec<f64>>,
    ) -> Self {
        (self.numerator, self.denominator) = (numerator.into(), denominator.into());
        self
    }

    /// Makes the activation.
    ///
    /// # Errors
    /// If the groups do not divide the channels, or there are no coefficients or more than 15.
    pub fn init(&self, device: &Device) -> Result<RationalActivation> {
        let (channels, groups) = (self.channels, self.groups);
        let divides = groups > 0 && channels > 0 && channels.is_multiple_of(groups);
        const NAME: &str = "RationalActivation";
        Error::unless(divides, NAME, "groups", groups, "a divisor of the channels")?;
        for (name, list) in [("numerator", &self.numerator), ("denominator", &self.denominator)] {
            let len = list.len();
            Error::unless((1..=15).contains(&len), NAME, name, len, "1 to 15 coefficients")?;
        }
        let repeated = |list: &[f64]| {
            let row: Vec<f32> = list.iter().map(|v| *v as f32).collect();
            let all = row.repeat(groups);
            let tensor = Tensor::<1>::from_floats(all.as_slice(), device);
            Param::from_tensor(tensor.reshape([groups, row.len()]))
        };
        let (numerator, denominator) = (repeated(&self.numerator), repeated(&self.denominator));
        Ok(RationalActivation { numerator, denominator })
    }
}

/// A learnt rational function, the same for the channels of a group.
///
/// ```text
/// y = (a_0 + a_1 x + .. + a_m x^m) / (1 + |b_1 x + .. + b_n x^n|)
/// ```
///
/// # Shapes
/// - `x` and output: `[.., channels]`; `a`: `[groups, m + 1]`, `b`: `[groups, n]`
///
/// # Source
/// Kolmogorov-Arnold Transformer, arXiv:2409.10594; safe Padé units: arXiv:1907.06732.
///
/// # Panics
/// `forward` if the groups do not divide the last dimension of `x`.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, kan::RationalActivationConfig};
///
/// let device = device::named("flex")?;
/// let config = RationalActivationConfig::new(2).with_coefficients([0.0, 1.0], [1.0]);
/// let y = config.init(&device)?.forward(Tensor::<1>::from_floats([1.0, -3.0], &device));
/// assert_eq!(y.try_into_vec_as::<f32>().unwrap(), [0.5, -0.75]);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct RationalActivation {
    /// a, `[groups, m + 1]`.
    pub numerator: Param<Tensor<2>>,
    /// b, `[groups, n]`.
    pub denominator: Param<Tensor<2>>,
}

impl RationalActivation {
    /// Applies the function.
    ///
    /// # Panics
    /// If the groups do not divide the last dimension of `x`.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let (dims, [groups, _]) = (x.dims(), self.numerator.dims());
        let channels = dims[D - 1];
        assert!(
            channels.is_multiple_of(groups),
            "RationalActivation: input {dims:?} does not fit {groups} groups"
        );
        let rows = dims[..D - 1].iter().product();
        let x = x.reshape([rows, channels]);
        op::rational(groups, x, self.numerator.val(), self.denominator.val()).reshape(dims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{device, testing};

    #[test]
    fn groups_have_their_own_functions_and_gradients() {
        let device = device::named("flex").unwrap();
        let config = RationalActivationConfig::new(4).with_groups(2);
        let config = config.with_coefficients([0.1, 0.9, -0.3], [0.4, -0.2]);
        let mut f = config.init(&device).unwrap();
        let rows = [[0.1, 0.9, -0.3], [0.0, 2.0, 0.0]];
        f.numerator = Param::from_tensor(Tensor::from_floats(rows, &device));
        // x = 2: (0.1 + 1.8 - 1.2) / (1 + |0.8 - 0.8|) = 0.7 and 4.
        let y = f.forward(Tensor::<2>::from_floats([[2.0, 2.0, 2.0, 2.0]], &device));
        let y: Vec<f32> = y.try_into_vec_as().unwrap();
        assert!(y.iter().zip([0.7, 0.7, 4.0, 4.0]).all(|(a, b)| (a - b).abs() < 1e-5), "{y:?}");
        let values = [0.5, -1.1, 0.7, 1.9];
        let x = Tensor::<1>::from_floats(values, &device).reshape([1, 4]);
        testing::check_module(&f, |f: &RationalActivation| f.forward(x.clone()).square().sum());
        testing::check_input(&device, [1, 4], &values, |x| f.forward(x).square().sum());
    }

    #[test]
    fn it_begins_as_the_identity() {
        let device = device::named("flex").unwrap();
        let f = RationalActivationConfig::new(16).init(&device).unwrap();
        let x = Tensor::<2>::from_floats([[0.5; 16]], &device);
        assert!((f.forward(x.clone()) - x).abs().max().into_scalar::<f32>() < 1e-6);
        assert!(RationalActivationConfig::new(6).with_groups(4).init(&device).is_err());
    }
}
