//! The cross network.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use rand::Rng;

use crate::init::Init;
use crate::linear::{Linear, LinearConfig};
use crate::{Error, Result};

/// Makes a [`CrossNet`].
#[derive(Debug, Clone)]
pub struct CrossNetConfig {
    inputs: usize,
    layers: usize,
}

impl CrossNetConfig {
    /// A network of `layers` cross layers over `inputs` numbers.
    pub fn new(inputs: usize, layers: usize) -> Self {
        Self { inputs, layers }
    }

    /// Makes the network: initial weights as in `torch.nn.Linear`, biases 0.
    ///
    /// # Errors
    /// If a size is 0.
    pub fn init(&self, device: &Device, rng: &mut (impl Rng + ?Sized)) -> Result<CrossNet> {
        Error::unless(self.layers > 0, "CrossNet", "layers", self.layers, "at least 1")?;
        let weight = LinearConfig::new(self.inputs, 1).with_bias(false);
        let weights = (0..self.layers).map(|_| weight.init(device, rng)).collect::<Result<_>>()?;
        let zero = Init::Constant(0.0);
        let bias = |_| zero.param([self.inputs], (self.inputs, 1), device, rng);
        Ok(CrossNet { weights, biases: (0..self.layers).map(bias).collect() })
    }
}

/// Layers that multiply by the input again and again: a polynomial whose degree is the depth.
///
/// ```text
/// x_{l+1} = x_0 (w_l^T x_l) + b_l + x_l
/// ```
///
/// # Shapes
/// - `x_0`: `[rows, inputs]`, `w_l`: `[inputs, 1]`, `b_l`: `[inputs]`
/// - output: `[rows, inputs]`
///
/// # Source
/// Wang et al., Deep & Cross Network, arXiv:1708.05123, equation 3.
///
/// # Panics
/// `forward` if the last dimension of `x_0` is not `inputs`.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{ctr::CrossNetConfig, device};
/// use rand::SeedableRng;
///
/// let device = device::named("flex")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let net = CrossNetConfig::new(4, 3).init(&device, &mut rng)?;
/// // Without bias a zero stays a zero.
/// let y = net.forward(Tensor::<2>::zeros([2, 4], &device));
/// assert_eq!(y.abs().sum().into_scalar::<f32>(), 0.0);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct CrossNet {
    /// w, one for each layer.
    pub weights: Vec<Linear>,
    /// b, one for each layer.
    pub biases: Vec<Param<Tensor<1>>>,
}

impl CrossNet {
    /// Applies all layers.
    ///
    /// # Panics
    /// If the last dimension of `x` is not `inputs`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let layers = self.weights.iter().zip(&self.biases);
        layers.fold(x.clone(), |xl, (w, b)| {
            x.clone() * w.forward(xl.clone()) + b.val().unsqueeze() + xl
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{device, testing};
    use burn::tensor::TensorData;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn net(layers: usize) -> CrossNet {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        CrossNetConfig::new(2, layers).init(&device, &mut rng).unwrap()
    }

    #[test]
    fn two_layers_by_hand() {
        // x0 = (1, 2), w = (1, -1) and (2, 0), b = (0.5, 0) and (0, 1):
        // x1 = (1, 2) * -1 + (0.5, 0) + (1, 2) = (0.5, 0)
        // x2 = (1, 2) *  1 + (0, 1) + (0.5, 0) = (1.5, 3)
        let device = device::named("flex").unwrap();
        let mut net = net(2);
        for (layer, (w, b)) in
            [([1.0, -1.0], [0.5, 0.0]), ([2.0, 0.0], [0.0, 1.0])].into_iter().enumerate()
        {
            let w = Tensor::<2>::from_data(TensorData::new(w.to_vec(), [2, 1]), &device);
            net.weights[layer].weight = Param::from_tensor(w);
            net.biases[layer] = Param::from_tensor(Tensor::from_floats(b, &device));
        }
        let y = net.forward(Tensor::from_floats([[1.0, 2.0]], &device));
        assert_eq!(y.try_into_vec_as::<f32>().unwrap(), [1.5, 3.0]);
    }

    #[test]
    fn gradients() {
        let device = device::named("flex").unwrap();
        let net = net(3);
        let x = [0.4, -0.7, 1.1, 0.2];
        testing::check_input(&device, [2, 2], &x, |x: Tensor<2>| net.forward(x).square().mean());
        let x = Tensor::<2>::from_data(TensorData::new(x.to_vec(), [2, 2]), &device);
        testing::check_module(&net, |net: &CrossNet| net.forward(x.clone()).square().mean());
    }

    #[test]
    fn depth_is_the_degree() {
        // Along a ray, without bias, n layers give a polynomial of degree n + 1 without constant
        // term: its difference of order n + 2 over equal steps vanishes, that of order n + 1 does
        // not.
        let device = device::named("flex").unwrap();
        let net = net(2);
        let at = |t: f32| {
            let x = Tensor::<2>::from_floats([[0.9 * t, 0.4 * t]], &device);
            f64::from(net.forward(x).sum().into_scalar::<f32>())
        };
        let v: Vec<f64> = (0..5).map(|i| at(i as f32)).collect();
        let third = v[3] - 3.0 * v[2] + 3.0 * v[1] - v[0];
        let fourth = v[4] - 4.0 * v[3] + 6.0 * v[2] - 4.0 * v[1] + v[0];
        assert!(fourth.abs() < 1e-4, "{fourth}");
        assert!(third.abs() > 1e-2, "{third}");
    }
}
