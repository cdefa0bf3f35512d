//! LeNet-5, the small convolutional classifier.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand::Rng;

use super::{Conv2d, Conv2dConfig};
use crate::activation::Activation;
use crate::linear::{Linear, LinearConfig};
use crate::{Error, Result, pool};

/// Makes a [`LeNet5`].
#[derive(Debug, Clone)]
pub struct LeNet5Config {
    classes: usize,
}

/// What the layers of a network cost, each in multiply-adds for one input, first layer first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerCosts(pub Vec<u64>);

impl LayerCosts {
    /// Multiply-adds of a forward pass.
    pub fn forward(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Multiply-adds of a forward and a backward pass: each layer once forwards, once for the
    /// gradient of its weight, and, but for the first, once for the gradient of its input.
    ///
    /// # Example
    /// ```
    /// use pressrun_nn::conv::LayerCosts;
    ///
    /// assert_eq!(LayerCosts(vec![10, 1]).training(), 11 + 11 + 1);
    /// ```
    pub fn training(&self) -> u64 {
        3 * self.forward() - self.0.first().copied().unwrap_or(0)
    }
}

impl LeNet5Config {
    /// For grey pictures of 28 x 28 pixels in that many classes.
    pub fn new(classes: usize) -> Self {
        Self { classes }
    }

    /// Weights and biases: 60,856 up to the features, and 85 for each class.
    ///
    /// ```
    /// use pressrun_nn::conv::LeNet5Config;
    ///
    /// assert_eq!(LeNet5Config::new(10).parameters(), 61_706);
    /// ```
    pub fn parameters(&self) -> u64 {
        let conv = |inputs: u64, outputs: u64| outputs * (25 * inputs + 1);
        let linear = |inputs: u64, outputs: u64| outputs * (inputs + 1);
        let head = linear(84, self.classes as u64);
        conv(1, 6) + conv(6, 16) + linear(400, 120) + linear(120, 84) + head
    }

    /// Multiply-adds of each layer for one picture; biases, pooling and ReLU are not counted.
    ///
    /// ```
    /// use pressrun_nn::conv::LeNet5Config;
    ///
    /// assert_eq!(LeNet5Config::new(10).costs().forward(), 416_520);
    /// ```
    pub fn costs(&self) -> LayerCosts {
        let conv = |side: u64, inputs: u64, outputs: u64| side * side * outputs * 25 * inputs;
        LayerCosts(vec![
            conv(28, 1, 6),
            conv(10, 6, 16),
            400 * 120,
            120 * 84,
            84 * self.classes as u64,
        ])
    }

    /// Makes the network, with PyTorch's default initial weights.
    ///
    /// # Errors
    /// If there is no class.
    pub fn init(&self, device: &Device, rng: &mut (impl Rng + ?Sized)) -> Result<LeNet5> {
        let classes = self.classes;
        Error::unless(classes > 0, "LeNet5", "classes", classes, "at least 1")?;
        let first = Conv2dConfig::new(1, 6, [5, 5]).with_padding([2, 2]);
        Ok(LeNet5 {
            conv1: first.init(device, rng)?,
            conv2: Conv2dConfig::new(6, 16, [5, 5]).init(device, rng)?,
            fc1: LinearConfig::new(400, 120).init(device, rng)?,
            fc2: LinearConfig::new(120, LeNet5::FEATURES).init(device, rng)?,
            head: LinearConfig::new(LeNet5::FEATURES, classes).init(device, rng)?,
        })
    }
}

/// Two convolutions and three affine layers.
///
/// ```text
/// x    [1, 28, 28]
/// a    pool(relu(conv 6 @ 5 x 5, padding 2))     [6, 14, 14]
/// b    pool(relu(conv 16 @ 5 x 5))               [16, 5, 5]
/// phi  relu(W4 relu(W3 b))                       400 -> 120 -> 84
/// z    W5 phi                                    84 -> classes
/// ```
///
/// `pool` takes the largest of 2 x 2. Of the variants in use this is the one with ReLU, largest
/// instead of mean pooling, and all maps connected.
///
/// # Shapes
/// - `x`: `[batch, 1, 28, 28]`
/// - features `phi`: `[batch, 84]`, logits `z`: `[batch, classes]`
///
/// # Source
/// `LeCun`, Bottou, Bengio, Haffner, 1998: Gradient-based learning applied to document recognition.
///
/// # Panics
/// `features` and `forward` if `x` is not `[batch, 1, 28, 28]`.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{conv::LeNet5Config, device};
/// use rand::SeedableRng;
///
/// let device = device::named("flex")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let net = LeNet5Config::new(10).init(&device, &mut rng)?;
/// let x = Tensor::<4>::ones([2, 1, 28, 28], &device);
/// assert_eq!(net.features(x.clone()).dims(), [2, 84]);
/// assert_eq!(net.forward(x).dims(), [2, 10]);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct LeNet5 {
    /// First convolution.
    pub conv1: Conv2d,
    /// Second convolution.
    pub conv2: Conv2d,
    /// W3.
    pub fc1: Linear,
    /// W4.
    pub fc2: Linear,
    /// W5.
    pub head: Linear,
}

impl LeNet5 {
    /// Number of features before the last layer.
    pub const FEATURES: usize = 84;

    /// The activations before the last layer.
    ///
    /// # Panics
    /// If `x` is not `[batch, 1, 28, 28]`.
    pub fn features(&self, x: Tensor<4>) -> Tensor<2> {
        let dims = x.dims();
        let [batch, ..] = dims;
        assert_eq!(dims, [batch, 1, 28, 28], "LeNet5: input {dims:?}; expected [_, 1, 28, 28]");
        let a = pool::relu_max_pool2d(self.conv1.forward(x), [2, 2]);
        let b = pool::relu_max_pool2d(self.conv2.forward(a), [2, 2]);
        let b = b.reshape([batch, 400]);
        let c = self.fc1.forward_activated(b, Activation::Relu);
        self.fc2.forward_activated(c, Activation::Relu)
    }

    /// The logits.
    ///
    /// # Panics
    /// If `x` is not `[batch, 1, 28, 28]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        self.head.forward(self.features(x))
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::{device, init, testing};

    #[test]
    fn counts_are_those_of_the_layers() {
        let device = device::named("flex").unwrap();
        let config = LeNet5Config::new(10);
        let net = config.init(&device, &mut ChaCha8Rng::seed_from_u64(1)).unwrap();
        // 6 * 26, 16 * 151, 120 * 401, 84 * 121, 10 * 85
        let by_layer = [
            net.conv1.num_params(),
            net.conv2.num_params(),
            net.fc1.num_params(),
            net.fc2.num_params(),
            net.head.num_params(),
        ];
        assert_eq!(by_layer, [156, 2_416, 48_120, 10_164, 850]);
        assert_eq!(net.num_params() as u64, config.parameters());
        let costs = config.costs();
        assert_eq!(costs.0, [117_600, 240_000, 48_000, 10_080, 840]);
        assert_eq!(costs.training(), 3 * 416_520 - 117_600);
        assert_eq!(LeNet5Config::new(47).parameters(), 64_851);
        let error = LeNet5Config::new(0).init(&device, &mut ChaCha8Rng::seed_from_u64(1));
        let expected = "LeNet5: `classes` is `0`; expected at least 1";
        assert_eq!(error.unwrap_err().to_string(), expected);
    }

    /// All weights 1/10 and biases 0, a picture of ones: the middle of each map by hand.
    #[test]
    fn values_by_hand() {
        let device = device::named("flex").unwrap();
        let mut net =
            LeNet5Config::new(1).init(&device, &mut ChaCha8Rng::seed_from_u64(1)).unwrap();
        let tenth =
            |n: [usize; 4]| burn::module::Param::from_tensor(Tensor::<4>::full(n, 0.1, &device));
        net.conv1.weight = tenth([6, 1, 5, 5]);
        net.conv2.weight = tenth([16, 6, 5, 5]);
        net.conv1.bias = None;
        net.conv2.bias = None;
        for layer in [&mut net.fc1, &mut net.fc2, &mut net.head] {
            let (i, o) = layer.sizes();
            layer.weight =
                burn::module::Param::from_tensor(Tensor::full([i, o], 1.0 / i as f64, &device));
            layer.bias = None;
        }
        // The first map is 2.5 inside. At its rim the kernel loses rows and columns, but the
        // largest of a square of 2 x 2 at the rim still lacks one row or column: 5 * 4 / 10 = 2 at
        // an edge, 1.6 in a corner. The second map sums 6 channels of 5 x 5 tenths:
        // 37.5 inside; with one rim of 5 values of 2, 36; in a corner,
        // 0.6 (16 * 2.5 + 8 * 2 + 1.6) = 34.56.
        // The largest of a square avoids the rim, so that all of b is 37.5, and means keep it.
        let z = net.forward(Tensor::ones([1, 1, 28, 28], &device)).into_scalar::<f32>();
        assert!((z - 37.5).abs() < 1e-3, "{z}");
    }

    #[test]
    fn gradients_reach_every_layer() {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let net = LeNet5Config::new(2).init(&device, &mut rng).unwrap();
        let pixels = init::Init::FanIn.values(28 * 28, (1, 1), &mut rng);
        let x = Tensor::<1>::from_floats(pixels.as_slice(), &device).reshape([1, 1, 28, 28]);
        // The layers themselves are checked in their own files; here, that none is cut off, and
        // that a step against the gradient lowers the loss.
        let loss = |net: &LeNet5| net.forward(x.clone()).square().sum();
        let grads = burn::optim::GradientsParams::from_grads(loss(&net).backward(), &net);
        assert_eq!(grads.len(), 10);
        let mut adam = crate::optim::AdamConfig::new().init().unwrap();
        let before = loss(&net).into_scalar::<f32>();
        let gradients = loss(&net).backward();
        let net = adam.step(1e-3, net, gradients);
        assert!(loss(&net).into_scalar::<f32>() < before);
        testing::check_module(&net.head, |head: &Linear| {
            head.forward(net.valid().features(x.clone())).square().sum()
        });
    }

    #[test]
    #[should_panic(expected = "LeNet5: input [1, 1, 8, 8]; expected [_, 1, 28, 28]")]
    fn another_size_panics() {
        let device = device::named("flex").unwrap();
        let net = LeNet5Config::new(2).init(&device, &mut ChaCha8Rng::seed_from_u64(1)).unwrap();
        net.forward(Tensor::ones([1, 1, 8, 8], &device));
    }
}
