//! Convolution over pictures.

mod lenet;
mod transposed;

use burn::module::{Module, Param};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor};
use rand::Rng;

use crate::init::Init;
use crate::{Error, Result, op};

pub use lenet::{LayerCosts, LeNet5, LeNet5Config};
pub use transposed::{ConvTranspose2d, ConvTranspose2dConfig};

/// Makes a [`Conv2d`].
#[derive(Debug, Clone)]
pub struct Conv2dConfig {
    inputs: usize,
    outputs: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    bias: bool,
    init: Init,
    bias_init: Init,
}

impl Conv2dConfig {
    /// From `inputs` to `outputs` channels by a kernel of `[height, width]`, with stride 1, no
    /// padding, a bias, and PyTorch's default initial weights.
    pub fn new(inputs: usize, outputs: usize, kernel: [usize; 2]) -> Self {
        Self {
            inputs,
            outputs,
            kernel,
            stride: [1, 1],
            padding: [0, 0],
            bias: true,
            init: Init::FanIn,
            bias_init: Init::FanIn,
        }
    }

    /// Steps of the kernel, down and right.
    pub fn with_stride(mut self, stride: [usize; 2]) -> Self {
        self.stride = stride;
        self
    }

    /// Rows of zeros above and below, columns of zeros left and right.
    pub fn with_padding(mut self, padding: [usize; 2]) -> Self {
        self.padding = padding;
        self
    }

    /// Whether there is a bias.
    pub fn with_bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }

    /// How the weight is drawn; its fan-in is `inputs * kernel height * kernel width`.
    pub fn with_init(mut self, init: Init) -> Self {
        self.init = init;
        self
    }

    /// How the bias is drawn.
    pub fn with_bias_init(mut self, init: Init) -> Self {
        self.bias_init = init;
        self
    }

    /// Values that one output depends on: `inputs * kernel height * kernel width`.
    pub fn fan_in(&self) -> usize {
        self.inputs * self.kernel[0] * self.kernel[1]
    }

    /// Height and width of the output for an input of that height and width, or nothing if the
    /// kernel does not fit in.
    pub fn output_size(&self, input: [usize; 2]) -> Option<[usize; 2]> {
        let side = |axis: usize| {
            let room = (input[axis] + 2 * self.padding[axis]).checked_sub(self.kernel[axis])?;
            Some(room / self.stride[axis] + 1)
        };
        Some([side(0)?, side(1)?])
    }

    /// Makes the layer.
    ///
    /// # Errors
    /// If a number of channels, a side of the kernel or a stride is 0.
    pub fn init(&self, device: &Device, rng: &mut (impl Rng + ?Sized)) -> Result<Conv2d> {
        let (i, o, [kh, kw]) = (self.inputs, self.outputs, self.kernel);
        Error::unless(i > 0, "Conv2d", "inputs", i, "at least 1")?;
        Error::unless(o > 0, "Conv2d", "outputs", o, "at least 1")?;
        let sides = |pair: [usize; 2]| (pair[0] > 0 && pair[1] > 0, format!("{pair:?}"));
        let (ok, text) = sides(self.kernel);
        Error::unless(ok, "Conv2d", "kernel", text, "at least 1 each")?;
        let (ok, text) = sides(self.stride);
        Error::unless(ok, "Conv2d", "stride", text, "at least 1 each")?;
        let fans = (self.fan_in(), o * kh * kw);
        let weight = self.init.param([o, i, kh, kw], fans, device, rng);
        let bias = self.bias.then(|| self.bias_init.param([o], fans, device, rng));
        Ok(Conv2d { weight, bias, stride: self.stride, padding: self.padding })
    }
}

/// Convolution (cross-correlation) with zeros around the picture.
///
/// ```text
/// y[n, o, i, j] = b[o] + sum_{c, k, l} W[o, c, k, l] x[n, c, s i + k - p, s j + l - p]
/// ```
///
/// `s`: stride, `p`: padding.
///
/// # Shapes
/// - `x`: `[batch, inputs, height, width]`, `W`: `[outputs, inputs, kh, kw]`, `b`: `[outputs]`
/// - output: `[batch, outputs, (height + 2 p - kh) / s + 1, (width + 2 p - kw) / s + 1]`
///
/// # Source
/// Initial weights as in `torch.nn.Conv2d`.
///
/// # Panics
/// `forward` if `x` does not have `inputs` channels.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{conv::Conv2dConfig, device, init::Init};
/// use rand::SeedableRng;
///
/// let device = device::named("flex")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let config = Conv2dConfig::new(1, 1, [2, 2]).with_bias(false).with_init(Init::Constant(1.0));
/// let x = Tensor::<4>::from_floats([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]], &device);
/// let y = config.init(&device, &mut rng)?.forward(x);
/// assert_eq!(y.try_into_vec_as::<f32>().unwrap(), [12.0, 16.0]);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct Conv2d {
    /// W, `[outputs, inputs, kernel height, kernel width]`.
    pub weight: Param<Tensor<4>>,
    /// b, `[outputs]`.
    pub bias: Option<Param<Tensor<1>>>,
    stride: [usize; 2],
    padding: [usize; 2],
}

impl Conv2d {
    /// The convolution of `x`.
    ///
    /// # Panics
    /// If `x` does not have `inputs` channels.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let (dims, weight) = (x.dims(), self.weight.val());
        assert!(
            dims[1] == weight.dims()[1],
            "Conv2d: input {dims:?} does not fit weight {:?}",
            weight.dims()
        );
        op::conv2d(x, weight, self.bias.as_ref().map(Param::val), self.options())
    }

    /// Stride and padding as the engine takes them.
    pub fn options(&self) -> ConvOptions<2> {
        ConvOptions::new(self.stride, self.padding, [1, 1], 1)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::device;
    use crate::testing::{check_input, check_module};

    /// The definition's sum for one output, by plain loops over the kernel.
    fn one_output(x: &[f32], x_dims: [usize; 4], layer: &Conv2d, at: [usize; 4]) -> f32 {
        let [_, channels, height, width] = x_dims;
        let [n, o, i, j] = at;
        let weight = layer.weight.val().try_into_vec_as::<f32>().unwrap();
        let bias = layer.bias.as_ref().unwrap().val().try_into_vec_as::<f32>().unwrap();
        let [_, _, kh, kw] = layer.weight.dims();
        let mut sum = bias[o];
        for (c, k, l) in (0..channels * kh * kw).map(|f| (f / (kh * kw), f / kw % kh, f % kw)) {
            let row = (layer.stride[0] * i + k).checked_sub(layer.padding[0]);
            let column = (layer.stride[1] * j + l).checked_sub(layer.padding[1]);
            if let (Some(row), Some(column)) = (row, column)
                && row < height
                && column < width
            {
                sum += weight[((o * channels + c) * kh + k) * kw + l]
                    * x[((n * channels + c) * height + row) * width + column];
            }
        }
        sum
    }

    #[test]
    fn equals_the_definition_for_any_kernel_stride_and_padding() {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let x_dims = [2, 3, 6, 5];
        for (kernel, stride, padding) in [
            ([3, 3], [1, 1], [1, 1]),
            ([3, 3], [2, 2], [1, 1]),
            ([1, 1], [1, 1], [0, 0]),
            ([2, 3], [2, 1], [0, 2]),
            ([4, 1], [1, 3], [2, 0]),
        ] {
            let config = Conv2dConfig::new(3, 4, kernel).with_stride(stride).with_padding(padding);
            let layer = config.init(&device, &mut rng).unwrap();
            let x = Init::FanIn.values(x_dims.iter().product(), (1, 1), &mut rng);
            let input = Tensor::<1>::from_floats(x.as_slice(), &device).reshape(x_dims);
            let y = layer.forward(input);
            let dims = y.dims();
            assert_eq!(Some([dims[2], dims[3]]), config.output_size([6, 5]));
            let y = y.try_into_vec_as::<f32>().unwrap();
            for (at, value) in y.iter().enumerate() {
                let (j, rest) = (at % dims[3], at / dims[3]);
                let (i, rest) = (rest % dims[2], rest / dims[2]);
                let place = [rest / dims[1], rest % dims[1], i, j];
                let expected = one_output(&x, x_dims, &layer, place);
                assert!((value - expected).abs() < 1e-5, "{kernel:?} {stride:?} {place:?}");
            }
        }
    }

    #[test]
    fn gradients_agree_with_finite_differences() {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let config = Conv2dConfig::new(2, 2, [3, 2]).with_stride([2, 1]).with_padding([1, 0]);
        let layer = config.init(&device, &mut rng).unwrap();
        let values = Init::FanIn.values(2 * 4 * 3, (1, 1), &mut rng);
        check_input(&device, [1, 2, 4, 3], &values, |x| layer.forward(x).square().sum());
        let x = Tensor::<1>::from_floats(values.as_slice(), &device).reshape([1, 2, 4, 3]);
        check_module(&layer, |layer: &Conv2d| layer.forward(x.clone()).square().sum());
    }

    #[test]
    fn the_fan_in_counts_channels_and_kernel() {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        let config = Conv2dConfig::new(16, 32, [3, 3]).with_init(Init::KaimingNormal { gain: 1.0 });
        assert_eq!(config.fan_in(), 144);
        let weight = config.init(&device, &mut rng).unwrap().weight.val();
        let std = weight.square().mean().sqrt().into_scalar::<f32>();
        assert!((std - 1.0 / 12.0).abs() < 2e-3, "{std}");
        assert!(Conv2dConfig::new(1, 1, [0, 3]).init(&device, &mut rng).is_err());
        assert_eq!(Conv2dConfig::new(1, 1, [5, 5]).output_size([4, 4]), None);
    }
}
