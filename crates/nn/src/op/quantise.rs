//! Quantisers with straight-through gradients.

use burn::tensor::Tensor;
use pressrun_kernels::quantise::{PowerOfTwo, Scale, Sign, Uniform};

use super::{Array, Fused, Grad, Saved, run};

/// What a quantiser rounds to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Quantiser {
    /// Signs, times a scale.
    Sign(Sign),
    /// Powers of two.
    PowerOfTwo(PowerOfTwo),
    /// Steps of equal size, of so many bits.
    Uniform {
        /// Bits.
        bits: u32,
        /// Size of a step.
        step: f32,
    },
}

/// Quantises a tensor.
///
/// The plain form is the kernel, too, on the tensor's numbers: there is no tensor operation that
/// rounds a logarithm exactly. It then has no gradient.
pub(crate) fn quantise<const D: usize>(quantiser: Quantiser, x: Tensor<D>) -> Tensor<D> {
    match run(Quantise(quantiser), [Some(x.into_dispatch())]) {
        Ok(y) => Tensor::from_dispatch(y),
        Err([x]) => {
            let x: Tensor<D> = Tensor::from_dispatch(x.expect("always given"));
            let (dims, device) = (x.dims(), x.device());
            assert!(!x.is_require_grad(), "quantise: a gradient on another device than Flex");
            let values: Vec<f32> = x.try_into_vec_as().expect("floats");
            let array = Array::new(values, dims);
            let (y, _) = Quantise(quantiser).forward([&array]);
            Tensor::<1>::from_floats(y.values(), &device).reshape(dims)
        }
    }
}

#[derive(Debug, Clone)]
struct Quantise(Quantiser);

impl Fused<1> for Quantise {
    /// The scale of the signs.
    type Kept = Vec<f32>;
    const READS: [bool; 1] = [true];
    const READS_OUTPUT: bool = false;

    fn forward(&self, [x]: [&Array; 1]) -> (Array, Vec<f32>) {
        let (_, width) = x.rows();
        let (y, scale) = match self.0 {
            Quantiser::Sign(sign) => {
                let found = sign.forward(x.values(), width);
                (found.output, found.scale)
            }
            Quantiser::PowerOfTwo(power) => (power.forward(x.values()), Vec::new()),
            Quantiser::Uniform { bits, step } => {
                let uniform = Uniform { bits, scale: Scale::One(step) };
                (uniform.forward(x.values(), width), Vec::new())
            }
        };
        (x.like(y), scale)
    }

    fn backward(
        &self,
        saved: &Saved<1, Vec<f32>>,
        grad: &Array,
        _: [bool; 1],
    ) -> [Option<Grad>; 1] {
        let [x] = &saved.inputs;
        let ((_, width), dy, x) = (x.rows(), grad.values(), x.values());
        let dx = match self.0 {
            Quantiser::Sign(sign) => sign.backward(x, &saved.kept, dy, width),
            Quantiser::PowerOfTwo(power) => power.backward(x, dy),
            Quantiser::Uniform { bits, step } => {
                Uniform { bits, scale: Scale::One(step) }.backward(x, dy, width)
            }
        };
        [Some(dx.into())]
    }
}
