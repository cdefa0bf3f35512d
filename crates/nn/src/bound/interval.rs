//! Boxes of activations and what each kind of layer makes of them.

use std::ops::Add;

use burn::tensor::Tensor;
use burn::tensor::ops::ConvOptions;

use crate::activation::Activation;
use crate::op;

/// A box around every activation: all values from `center - radius` to `center + radius`.
///
/// ```text
/// l = c - r,  u = c + r,  c = (l + u) / 2,  r = (u - l) / 2 >= 0
/// affine:      c' = W c + b             r' = |W| r
/// fixed scale: c' = s c + t             r' = |s| r
/// relu:        l' = max(l, 0)           u' = max(u, 0)
/// ```
///
/// Every method returns a box that holds the layer's output for every input of the box before it:
/// the bound is sound, and exact for one affine layer. Gradients flow through both tensors and
/// through the weights.
///
/// # Shapes
/// - `center` and `radius`: the shape of the activations, the batch first
///
/// # Source
/// Gowal et al., arXiv:1810.12715, section 3, in centre and radius form.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use pressrun_nn::bound::IntervalBounds;
///
/// let device = Device::flex();
/// let x = Tensor::<2>::from_data([[0.5, 0.2]], &device);
/// let weight = Tensor::<2>::from_data([[1.0, 2.0], [-1.0, 1.0]], &device);
/// let bounds = IntervalBounds::from_box(x, 0.1, 0.0, 1.0).linear(weight, None);
/// // x0 - x1 with both in a box of radius 0.1 around (0.5, 0.2): 0.3 -+ 0.2
/// let lower = bounds.lower().try_into_vec_as::<f32>().unwrap();
/// assert!((lower[0] - 0.1).abs() < 1e-6);
/// ```
#[derive(Debug, Clone)]
pub struct IntervalBounds<const D: usize> {
    /// Middle of the box.
    pub center: Tensor<D>,
    /// Half of its width, nowhere negative.
    pub radius: Tensor<D>,
}

impl<const D: usize> IntervalBounds<D> {
    /// The box from `lower` to `upper`.
    ///
    /// # Panics
    /// If the shapes differ.
    pub fn new(lower: Tensor<D>, upper: Tensor<D>) -> Self {
        let (a, b) = (lower.dims(), upper.dims());
        assert_eq!(a, b, "IntervalBounds: lower has shape {a:?}, upper {b:?}");
        Self {
            center: (lower.clone() + upper.clone()).mul_scalar(0.5),
            radius: (upper - lower).mul_scalar(0.5),
        }
    }

    /// All points within `eps` of `x` in every coordinate that are valid inputs.
    ///
    /// ```text
    /// l = max(x - eps, low),  u = min(x + eps, high)
    /// ```
    ///
    /// # Panics
    /// If `eps` is negative or not finite, or `low > high`.
    pub fn from_box(x: Tensor<D>, eps: f64, low: f64, high: f64) -> Self {
        assert!(eps >= 0.0 && eps.is_finite(), "IntervalBounds: eps is {eps}, expected >= 0");
        assert!(low <= high, "IntervalBounds: the range is {low}..{high}");
        let lower = x.clone().sub_scalar(eps).clamp(low, high);
        let upper = x.add_scalar(eps).clamp(low, high);
        Self::new(lower, upper)
    }

    /// Lower end of the box.
    pub fn lower(&self) -> Tensor<D> {
        self.center.clone() - self.radius.clone()
    }

    /// Upper end of the box.
    pub fn upper(&self) -> Tensor<D> {
        self.center.clone() + self.radius.clone()
    }

    /// Mean radius over batch and units, a tensor of one element.
    pub fn mean_radius(&self) -> Tensor<1> {
        self.radius.clone().mean()
    }

    /// An affine map of the last dimension.
    ///
    /// ```text
    /// c' = c W + b,  r' = r |W|
    /// ```
    ///
    /// # Shapes
    /// - `weight`: `[in, out]`, `bias`: `[out]`
    ///
    /// # Panics
    /// If the last dimension is not `in`.
    pub fn linear(self, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Self {
        let [input, _] = weight.dims();
        let dims = self.center.dims();
        assert!(
            dims[D - 1] == input,
            "IntervalBounds::linear: bounds of shape {dims:?}, weight of shape {:?}",
            weight.dims()
        );
        let map = |x, weight, bias| op::linear(x, weight, bias, None, Activation::Identity);
        let radius = map(self.radius, weight.clone().abs(), None);
        Self { center: map(self.center, weight, bias), radius }
    }

    /// A fixed map of each unit; `scale` and `shift` broadcast.
    ///
    /// ```text
    /// c' = s c + t,  r' = |s| r
    /// ```
    pub fn scale_shift(self, scale: Tensor<D>, shift: Tensor<D>) -> Self {
        Self { center: self.center * scale.clone() + shift, radius: self.radius * scale.abs() }
    }

    /// A fixed map of each channel (dimension 1), such as batch normalisation by given statistics.
    ///
    /// ```text
    /// c' = s c + t,  r' = |s| r              batch norm: s = gamma / sqrt(var + eps), t = beta - s mean
    /// ```
    ///
    /// The statistics must be those of the network's own forward pass (of the clean batch in
    /// training, the running ones in evaluation); statistics of the centres, or of lower and upper
    /// ends apart, would bound another network. Gradients flow through them.
    ///
    /// # Shapes
    /// - `scale`, `shift`: `[channels]`, as from [`crate::norm::BatchNorm::affine`]
    ///
    /// # Panics
    /// If there is no dimension 1 or it is not `channels`.
    pub fn scale_channels(self, scale: Tensor<1>, shift: Tensor<1>) -> Self {
        let (dims, [channels]) = (self.center.dims(), scale.dims());
        assert!(
            D >= 2 && dims[1] == channels,
            "IntervalBounds: bounds {dims:?} do not fit {channels} channels"
        );
        let mut shape = [1; D];
        shape[1] = channels;
        self.scale_shift(scale.reshape(shape), shift.reshape(shape))
    }

    /// `max(., 0)`, which is monotone: the ends of the box map to the ends.
    pub fn relu(self) -> Self {
        let relu = |x| op::activate(Activation::Relu, x);
        Self::new(relu(self.lower()), relu(self.upper()))
    }

    /// The same box in another shape.
    ///
    /// # Panics
    /// If the number of entries differs.
    pub fn reshape<const E: usize>(self, shape: [usize; E]) -> IntervalBounds<E> {
        IntervalBounds { center: self.center.reshape(shape), radius: self.radius.reshape(shape) }
    }

    /// All units of an example in one row: `[batch, units]`.
    pub fn flatten(self) -> IntervalBounds<2> {
        let dims = self.center.dims();
        self.reshape([dims[0], dims[1..].iter().product()])
    }

    /// The same box without the graph that led to it.
    pub fn detach(self) -> Self {
        Self { center: self.center.detach(), radius: self.radius.detach() }
    }
}

/// The sum of two activations, as of a residual branch and its trunk.
///
/// ```text
/// c' = c_1 + c_2,  r' = r_1 + r_2
/// ```
///
/// The two boxes are treated as independent, which is sound and, where they depend on the same
/// input, not tight.
impl<const D: usize> Add for IntervalBounds<D> {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { center: self.center + other.center, radius: self.radius + other.radius }
    }
}

impl IntervalBounds<4> {
    /// A convolution: the centre through `W`, the radius through `|W|` without bias.
    ///
    /// Padding adds zeros to both, that is, points that are exactly zero.
    ///
    /// # Shapes
    /// - bounds: `[batch, in, height, width]`, `weight`: `[out, in / groups, kh, kw]`,
    ///   `bias`: `[out]`
    ///
    /// # Panics
    /// If the channels do not match, as [`burn::tensor::module::conv2d`].
    pub fn conv2d(
        self,
        weight: Tensor<4>,
        bias: Option<Tensor<1>>,
        options: ConvOptions<2>,
    ) -> Self {
        let radius = op::conv2d(self.radius, weight.clone().abs(), None, options.clone());
        Self { center: op::conv2d(self.center, weight, bias, options), radius }
    }
}
