//! A sequential ReLU network that is evaluated at a point and over a box.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use rand::Rng;

use super::{IntervalBounds, ibp_std, margin};
use crate::activation::Activation;
use crate::conv::{Conv2d, Conv2dConfig};
use crate::init::Init;
use crate::linear::{Linear, LinearConfig};
use crate::norm::{BatchNorm, BatchNormConfig, Moments};
use crate::{Error, Result, op};

/// How the weights of all layers but the last are drawn; biases and the last layer are drawn as
/// PyTorch does by default.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum HiddenInit {
    /// The same rule for every layer.
    Rule(Init),
    /// Normal with the standard deviation [`ibp_std`] of the layer's fan-in.
    Ibp,
}

impl HiddenInit {
    fn of(self, fan_in: usize) -> Init {
        match self {
            Self::Rule(init) => init,
            Self::Ibp => Init::Normal { mean: 0.0, std: ibp_std(fan_in) },
        }
    }
}

/// A convolution of a [`BoundedNet`]: output channels, and kernel, stride and padding of both axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvShape {
    /// Output channels.
    pub channels: usize,
    /// Side of the kernel.
    pub kernel: usize,
    /// Stride.
    pub stride: usize,
    /// Zeros on each side.
    pub padding: usize,
}

/// Makes a [`BoundedNet`].
#[derive(Debug, Clone)]
pub struct BoundedNetConfig {
    input: [usize; 3],
    classes: usize,
    convs: Vec<ConvShape>,
    hidden: Vec<usize>,
    batch_norm: bool,
    init: HiddenInit,
}

impl BoundedNetConfig {
    /// From `inputs` numbers to `classes` logits, without hidden layers yet.
    pub fn flat(inputs: usize, classes: usize) -> Self {
        Self::image([1, 1, inputs], classes)
    }

    /// From pictures of `[channels, height, width]` to `classes` logits.
    pub fn image(input: [usize; 3], classes: usize) -> Self {
        Self {
            input,
            classes,
            convs: Vec::new(),
            hidden: Vec::new(),
            batch_norm: false,
            init: HiddenInit::Rule(Init::FanIn),
        }
    }

    /// These convolutions first.
    pub fn with_convs(mut self, convs: impl Into<Vec<ConvShape>>) -> Self {
        self.convs = convs.into();
        self
    }

    /// Fully connected hidden layers of these widths, after the convolutions.
    pub fn with_hidden(mut self, widths: impl Into<Vec<usize>>) -> Self {
        self.hidden = widths.into();
        self
    }

    /// Batch normalisation after every hidden affine layer, fully connected ones too.
    pub fn with_batch_norm(mut self, batch_norm: bool) -> Self {
        self.batch_norm = batch_norm;
        self
    }

    /// How the hidden weights are drawn.
    pub fn with_init(mut self, init: HiddenInit) -> Self {
        self.init = init;
        self
    }

    /// Makes the network.
    ///
    /// # Errors
    /// If there is no hidden layer, a size is 0, there are fewer than two classes, or a kernel does
    /// not fit into its input.
    pub fn init(&self, device: &Device, rng: &mut (impl Rng + ?Sized)) -> Result<BoundedNet> {
        const NAME: &str = "BoundedNet";
        let layers = self.convs.len() + self.hidden.len();
        Error::unless(layers > 0, NAME, "hidden", layers, "at least 1 hidden layer")?;
        Error::unless(self.classes >= 2, NAME, "classes", self.classes, "at least 2")?;
        let norm = |features: usize| {
            self.batch_norm.then(|| BatchNormConfig::new(features).init(device)).transpose()
        };
        let [mut channels, mut height, mut width] = self.input;
        let mut convs = Vec::new();
        for shape in &self.convs {
            let config = Conv2dConfig::new(channels, shape.channels, [shape.kernel; 2])
                .with_stride([shape.stride; 2])
                .with_padding([shape.padding; 2]);
            let config = config.clone().with_init(self.init.of(config.fan_in().max(1)));
            let layer = config.init(device, rng)?;
            let size = config.output_size([height, width]);
            let sides = format!("{} on {height} x {width}", shape.kernel);
            Error::unless(size.is_some(), NAME, "kernel", sides, "one that fits in")?;
            [height, width] = size.unwrap_or_default();
            channels = shape.channels;
            convs.push(ConvBlock { layer, norm: norm(channels)? });
        }
        let mut units = channels * height * width;
        let mut hidden = Vec::new();
        for &outputs in &self.hidden {
            let config = LinearConfig::new(units, outputs).with_init(self.init.of(units.max(1)));
            hidden.push(LinearBlock { layer: config.init(device, rng)?, norm: norm(outputs)? });
            units = outputs;
        }
        let head = LinearConfig::new(units, self.classes).init(device, rng)?;
        Ok(BoundedNet { convs, hidden, head, input: self.input })
    }
}

/// Convolution, batch normalisation if there is any, ReLU.
#[derive(Module, Debug)]
pub struct ConvBlock {
    /// The convolution.
    pub layer: Conv2d,
    /// Its normalisation, by channel.
    pub norm: Option<BatchNorm>,
}

/// Affine map, batch normalisation if there is any, ReLU.
#[derive(Module, Debug)]
pub struct LinearBlock {
    /// The affine map.
    pub layer: Linear,
    /// Its normalisation.
    pub norm: Option<BatchNorm>,
}

/// What a [`BoundedNet`] does to a box.
#[derive(Debug, Clone)]
pub struct Bounded {
    /// Before each ReLU, from the first layer on: `[batch, units]`.
    pub pre_relu: Vec<IntervalBounds<2>>,
    /// Before the last layer: `[batch, units]`.
    pub last: IntervalBounds<2>,
}

/// A network of convolutions and affine layers with ReLU, and batch normalisation or none, that
/// runs three streams: the clean example, and centre and radius of a box around it.
///
/// ```text
/// h <- relu(norm(W h + b))  for each hidden layer;   logits = W h + b
/// ```
///
/// While training, batch normalisation takes mean and biased variance of the *clean* batch, and the
/// box goes through that fixed affine map; gradients flow through the statistics. In evaluation the
/// running statistics take their place in all streams.
///
/// # Shapes
/// - `x` and boxes: `[batch, inputs]`, pictures as `channels * height * width` numbers
/// - logits: `[batch, classes]`
///
/// # Source
/// Shi et al., arXiv:2103.17268 (batch normalisation after every hidden layer);
/// Gowal et al., arXiv:1810.12715 (interval bounds).
///
/// # Panics
/// All passes if `x` does not have `inputs` columns.
///
/// # Example
/// ```
/// use burn::tensor::{Int, Tensor};
/// use pressrun_nn::bound::{BoundedNetConfig, ConvShape, HiddenInit, IntervalBounds};
/// use pressrun_nn::device;
/// use rand::SeedableRng;
///
/// let device = device::named("flex")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let net = BoundedNetConfig::image([1, 4, 4], 3)
///     .with_convs([ConvShape { channels: 2, kernel: 3, stride: 2, padding: 1 }])
///     .with_hidden([5])
///     .with_batch_norm(true)
///     .with_init(HiddenInit::Ibp)
///     .init(&device, &mut rng)?;
/// let x = Tensor::<2>::full([1, 16], 0.5, &device);
/// let bounded = net.bounds(IntervalBounds::from_box(x.clone(), 0.1, 0.0, 1.0));
/// assert_eq!(bounded.pre_relu[0].center.dims(), [1, 2 * 2 * 2]);
/// let label = Tensor::<1, Int>::from_ints([0], &device);
/// let lower = net.margin(&bounded.last, label);
/// let logits = net.forward(x).try_into_vec_as::<f32>().unwrap();
/// let lower = lower.try_into_vec_as::<f32>().unwrap();
/// assert!(lower[0] <= logits[0] - logits[1] && lower[1] <= logits[0] - logits[2]);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct BoundedNet {
    /// Convolutions, first to last.
    pub convs: Vec<ConvBlock>,
    /// Fully connected hidden layers, first to last.
    pub hidden: Vec<LinearBlock>,
    /// The last layer.
    pub head: Linear,
    #[module(skip)]
    input: [usize; 3],
}

/// Statistics of one normalisation, and of how many samples.
type Statistics = (Moments, usize);

impl BoundedNet {
    /// Logits in evaluation.
    ///
    /// # Panics
    /// If `x` does not have `inputs` columns.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.clean(x, None)
    }

    /// The box behind every layer, in evaluation.
    ///
    /// # Panics
    /// If the box does not have `inputs` columns.
    pub fn bounds(&self, input: IntervalBounds<2>) -> Bounded {
        let running = self.norms().map(|norm| (norm.running(), 0)).collect::<Vec<_>>();
        self.bounds_by(input, &running)
    }

    /// Logits of the batch and the box behind every layer, while training; lets the statistics of
    /// the batch into the running ones.
    ///
    /// # Panics
    /// If `x` or the box does not have `inputs` columns.
    pub fn forward_train(
        &mut self,
        x: Tensor<2>,
        input: IntervalBounds<2>,
    ) -> (Tensor<2>, Bounded) {
        let mut statistics = Vec::new();
        let logits = self.clean(x, Some(&mut statistics));
        let bounded = self.bounds_by(input, &statistics);
        for (norm, (moments, samples)) in self.norms_mut().zip(&statistics) {
            norm.update(moments, *samples);
        }
        (logits, bounded)
    }

    /// Lower bounds of the margins between the label's logit and the others, as [`margin()`].
    pub fn margin(&self, last: &IntervalBounds<2>, labels: Tensor<1, Int>) -> Tensor<2> {
        let Linear { weight, bias } = &self.head;
        margin(last, weight.val(), bias.as_ref().map(|b| b.val()), labels)
    }

    /// Number of inputs.
    pub fn inputs(&self) -> usize {
        self.input.iter().product()
    }

    /// The clean stream: by the running statistics, or by those of the batch, which are collected.
    fn clean(&self, x: Tensor<2>, mut batch: Option<&mut Vec<Statistics>>) -> Tensor<2> {
        let rows = self.check(x.dims());
        let mut flat = x;
        if !self.convs.is_empty() {
            let [channels, height, width] = self.input;
            let mut image = flat.reshape([rows, channels, height, width]);
            for block in &self.convs {
                let y = block.layer.forward(image);
                image = op::activate(
                    Activation::Relu,
                    normalise(block.norm.as_ref(), y, batch.as_deref_mut()),
                );
            }
            flat = image.flatten(1, 3);
        }
        for block in &self.hidden {
            let y = block.layer.forward(flat);
            flat = op::activate(
                Activation::Relu,
                normalise(block.norm.as_ref(), y, batch.as_deref_mut()),
            );
        }
        self.head.forward(flat)
    }

    /// The box through layers whose normalisations have these statistics.
    fn bounds_by(&self, input: IntervalBounds<2>, statistics: &[Statistics]) -> Bounded {
        let rows = self.check(input.center.dims());
        let mut statistics = statistics.iter();
        let mut pre_relu = Vec::new();
        let mut flat = input;
        if !self.convs.is_empty() {
            let [channels, height, width] = self.input;
            let mut image = flat.reshape([rows, channels, height, width]);
            for ConvBlock { layer, norm } in &self.convs {
                let bias = layer.bias.as_ref().map(|b| b.val());
                let y = image.conv2d(layer.weight.val(), bias, layer.options());
                let y = match norm {
                    Some(norm) => scale(norm, y, statistics.next()),
                    None => y,
                };
                pre_relu.push(y.clone().flatten());
                image = y.relu();
            }
            flat = image.flatten();
        }
        for LinearBlock { layer, norm } in &self.hidden {
            let y = flat.linear(layer.weight.val(), layer.bias.as_ref().map(|b| b.val()));
            let y = match norm {
                Some(norm) => scale(norm, y, statistics.next()),
                None => y,
            };
            pre_relu.push(y.clone());
            flat = y.relu();
        }
        Bounded { pre_relu, last: flat }
    }

    fn norms(&self) -> impl Iterator<Item = &BatchNorm> {
        let convs = self.convs.iter().filter_map(|block| block.norm.as_ref());
        convs.chain(self.hidden.iter().filter_map(|block| block.norm.as_ref()))
    }

    fn norms_mut(&mut self) -> impl Iterator<Item = &mut BatchNorm> {
        let convs = self.convs.iter_mut().filter_map(|block| block.norm.as_mut());
        convs.chain(self.hidden.iter_mut().filter_map(|block| block.norm.as_mut()))
    }

    fn check(&self, dims: [usize; 2]) -> usize {
        let inputs = self.inputs();
        assert!(dims[1] == inputs, "BoundedNet: input {dims:?} does not fit {inputs} inputs");
        dims[0]
    }
}

/// The clean stream through a normalisation, if there is one.
fn normalise<const D: usize>(
    norm: Option<&BatchNorm>,
    y: Tensor<D>,
    batch: Option<&mut Vec<Statistics>>,
) -> Tensor<D> {
    let Some(norm) = norm else { return y };
    let moments = match batch {
        Some(collected) => {
            let statistics = channel_moments(&y);
            collected.push(statistics.clone());
            statistics.0
        }
        None => norm.running(),
    };
    let (scale, shift) = norm.affine(&moments);
    let mut shape = [1; D];
    shape[1] = scale.dims()[0];
    y * scale.reshape(shape) + shift.reshape(shape)
}

/// The box through a normalisation by the statistics of the clean stream.
fn scale<const D: usize>(
    norm: &BatchNorm,
    y: IntervalBounds<D>,
    statistics: Option<&Statistics>,
) -> IntervalBounds<D> {
    let (moments, _) = statistics.expect("one entry for each normalisation");
    let (scale, shift) = norm.affine(moments);
    y.scale_channels(scale, shift)
}

/// Mean and biased variance of each channel (dimension 1) over all others, and of how many values.
fn channel_moments<const D: usize>(y: &Tensor<D>) -> Statistics {
    let dims = y.dims();
    let others: Vec<usize> = (0..D).filter(|&d| d != 1).collect();
    let mean = y.clone().mean_dims(&others);
    let var = (y.clone() - mean.clone()).square().mean_dims(&others);
    let flat = |t: Tensor<D>| t.reshape([dims[1]]);
    let samples = dims.iter().product::<usize>() / dims[1];
    (Moments { mean: flat(mean), var: flat(var) }, samples)
}
