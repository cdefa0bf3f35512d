//! Transposed convolution over pictures.

use burn::module::{Module, Param};
use burn::tensor::ops::ConvTransposeOptions;
use burn::tensor::{Device, Tensor};
use rand::Rng;

use crate::init::Init;
use crate::{Error, Result, op};

/// Makes a [`ConvTranspose2d`].
#[derive(Debug, Clone)]
pub struct ConvTranspose2dConfig {
    inputs: usize,
    outputs: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    init: Init,
}

impl ConvTranspose2dConfig {
    /// From `inputs` to `outputs` channels by a kernel of `[height, width]`, with stride 1, nothing
    /// cut off, a bias, and PyTorch's default initial weights.
    pub fn new(inputs: usize, outputs: usize, kernel: [usize; 2]) -> Self {
        let (stride, padding, init) = ([1, 1], [0, 0], Init::FanIn);
        Self { inputs, outputs, kernel, stride, padding, init }
    }

    /// How far apart the input's numbers are put, down and right.
    pub fn with_stride(mut self, stride: [usize; 2]) -> Self {
        self.stride = stride;
        self
    }

    /// Rows cut off above and below, columns cut off left and right.
    pub fn with_padding(mut self, padding: [usize; 2]) -> Self {
        self.padding = padding;
        self
    }

    /// How the weight is drawn; its fan-in is `outputs * kernel height * kernel width`, as
    /// PyTorch counts it.
    pub fn with_init(mut self, init: Init) -> Self {
        self.init = init;
        self
    }

    /// Makes the layer.
    ///
    /// # Errors
    /// If a number of channels, a side of the kernel or a stride is 0.
    pub fn init(&self, device: &Device, rng: &mut (impl Rng + ?Sized)) -> Result<ConvTranspose2d> {
        const NAME: &str = "ConvTranspose2d";
        let (i, o, [kh, kw]) = (self.inputs, self.outputs, self.kernel);
        Error::unless(i > 0, NAME, "inputs", i, "at least 1")?;
        Error::unless(o > 0, NAME, "outputs", o, "at least 1")?;
        for (name, pair) in [("kernel", self.kernel), ("stride", self.stride)] {
            let ok = pair[0] > 0 && pair[1] > 0;
            Error::unless(ok, NAME, name, format!("{pair:?}"), "at least 1 each")?;
        }
        let fans = (o * kh * kw, i * kh * kw);
        let weight = self.init.param([i, o, kh, kw], fans, device, rng);
        let bias = Init::FanIn.param([o], fans, device, rng);
        Ok(ConvTranspose2d { weight, bias, stride: self.stride, padding: self.padding })
    }
}

/// The map that a convolution's gradient with respect to its input is.
///
/// ```text
/// y[n, o, s i + k - p, s j + l - p] += W[c, o, k, l] x[n, c, i, j]        for all c, i, j, k, l
/// ```
///
/// `s`: stride, `p`: padding; then the bias is added.
///
/// # Shapes
/// - `x`: `[batch, inputs, height, width]`, `W`: `[inputs, outputs, kh, kw]`, `b`: `[outputs]`
/// - output: `[batch, outputs, (height - 1) s - 2 p + kh, (width - 1) s - 2 p + kw]`
///
/// # Source
/// As `torch.nn.ConvTranspose2d`.
///
/// # Panics
/// `forward` if `x` does not have `inputs` channels.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{conv::ConvTranspose2dConfig, device};
/// use rand::SeedableRng;
///
/// let device = device::named("flex")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let config = ConvTranspose2dConfig::new(3, 2, [2, 2]).with_stride([2, 2]);
/// let y = config.init(&device, &mut rng)?.forward(Tensor::ones([1, 3, 4, 5], &device));
/// assert_eq!(y.dims(), [1, 2, 8, 10]);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct ConvTranspose2d {
    /// W, `[inputs, outputs, kernel height, kernel width]`.
    pub weight: Param<Tensor<4>>,
    /// b, `[outputs]`.
    pub bias: Param<Tensor<1>>,
    stride: [usize; 2],
    padding: [usize; 2],
}

impl ConvTranspose2d {
    /// The transposed convolution of `x`.
    ///
    /// # Panics
    /// If `x` does not have `inputs` channels.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let (dims, weight) = (x.dims(), self.weight.val());
        assert!(
            dims[1] == weight.dims()[0],
            "ConvTranspose2d: input {dims:?} does not fit weight {:?}",
            weight.dims()
        );
        let options = ConvTransposeOptions::new(self.stride, self.padding, [0, 0], [1, 1], 1);
        op::conv_transpose2d(x, weight, Some(self.bias.val()), options)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::testing::{check_input, check_module};
    use crate::{conv::Conv2dConfig, device};

    /// The transpose of a convolution with the same weight: <conv(x), y> = <x, transposed(y)>.
    #[test]
    fn it_is_the_transpose_of_the_convolution() {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let conv = Conv2dConfig::new(2, 3, [3, 2]).with_stride([2, 1]).with_padding([1, 0]);
        let conv = conv.with_bias(false).init(&device, &mut rng).unwrap();
        let config = ConvTranspose2dConfig::new(3, 2, [3, 2]).with_stride([2, 1]);
        let mut transposed = config.with_padding([1, 0]).init(&device, &mut rng).unwrap();
        transposed.weight = conv.weight.clone();
        transposed.bias = transposed.bias.map(|b| b.zeros_like());
        let x = Init::FanIn.tensor([1, 2, 5, 4], (1, 1), &device, &mut rng);
        let y = Init::FanIn.tensor([1, 3, 3, 3], (1, 1), &device, &mut rng);
        let one = (conv.forward(x.clone()) * y.clone()).sum().into_scalar::<f32>();
        let other = (x * transposed.forward(y)).sum().into_scalar::<f32>();
        assert!((one - other).abs() < 1e-4, "{one} {other}");
    }

    #[test]
    fn gradients() {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let config = ConvTranspose2dConfig::new(2, 2, [2, 3]).with_stride([2, 1]);
        let layer = config.init(&device, &mut rng).unwrap();
        let values = Init::FanIn.values(12, (1, 1), &mut rng);
        check_input(&device, [1, 2, 2, 3], &values, |x| layer.forward(x).square().sum());
        let x = Tensor::<1>::from_floats(values.as_slice(), &device).reshape([1, 2, 2, 3]);
        check_module(&layer, |l: &ConvTranspose2d| l.forward(x.clone()).square().sum());
    }
}
