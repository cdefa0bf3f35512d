//! The affine map with activation and residual.

use burn::tensor::{Tensor, module};
use pressrun_kernels::activation::{Activation as Kernel, Needs};
use pressrun_kernels::linear::{self, LinearShape, Wanted};

use super::{Array, Fused, Grad, Saved, activate, kernel_of, run};
use crate::activation::Activation;

/// `f(x W + b) + r` over the last dimension; `b` and `r` are optional.
///
/// # Panics
/// If the shapes do not fit.
pub(crate) fn linear<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    residual: Option<Tensor<D>>,
    activation: Activation,
) -> Tensor<D> {
    let inputs = [
        Some(x.into_dispatch()),
        Some(weight.into_dispatch()),
        bias.map(Tensor::into_dispatch),
        residual.map(Tensor::into_dispatch),
    ];
    let kernel = kernel_of(activation);
    let given = match run(Linear { activation: kernel }, inputs) {
        Ok(y) => return Tensor::from_dispatch(y),
        Err(given) => given,
    };
    let [x, weight, bias, residual] = given;
    let (x, weight) = (x.expect("given above"), weight.expect("given above"));
    let bias = bias.map(Tensor::from_dispatch);
    let z = module::linear(Tensor::from_dispatch(x), Tensor::from_dispatch(weight), bias);
    let y = activate(activation, z);
    match residual {
        Some(residual) => y + Tensor::from_dispatch(residual),
        None => y,
    }
}

#[derive(Debug, Clone)]
struct Linear {
    activation: Kernel,
}

impl Linear {
    fn shape(&self, x: &Array, w: &Array) -> LinearShape {
        let (rows, inputs) = x.rows();
        LinearShape { rows, inputs, outputs: w.dims()[1] }
    }
}

impl Fused<4> for Linear {
    /// What the activation's gradient is computed from: the output before it or after it.
    type Kept = Option<Array>;
    const READS: [bool; 4] = [true, true, false, false];
    const READS_OUTPUT: bool = false;

    fn forward(&self, [x, w, bias, residual]: [&Array; 4]) -> (Array, Option<Array>) {
        let shape = self.shape(x, w);
        let residual = (!is_absent(residual)).then(|| residual.values());
        // The activation's own output is needed: nothing may be added to it in place.
        let apart = residual.is_some() && self.activation.needs() == Needs::Output;
        let add = if apart { None } else { residual };
        let found =
            linear::forward(shape, x.values(), w.values(), bias.given(), add, self.activation);
        let mut dims = x.dims().to_vec();
        *dims.last_mut().expect("at least one dimension") = shape.outputs;
        let y = Array::new(found.y, dims.clone());
        let kept = match self.activation.needs() {
            Needs::Nothing => None,
            Needs::Input => found.z.map(|z| Array::new(z, dims)),
            Needs::Output => Some(y.clone()),
        };
        match residual {
            Some(r) if apart => {
                let sum = y.values().iter().zip(r).map(|(y, r)| y + r).collect();
                (y.like(sum), kept)
            }
            _ => (y, kept),
        }
    }

    fn backward(
        &self,
        saved: &Saved<4, Option<Array>>,
        grad: &Array,
        [x_wanted, w_wanted, bias_wanted, residual_wanted]: [bool; 4],
    ) -> [Option<Grad>; 4] {
        let [x, w, ..] = &saved.inputs;
        let shape = self.shape(x, w);
        let wanted = Wanted { x: x_wanted, w: w_wanted, bias: bias_wanted };
        let from = saved.kept.as_ref().map_or(&[][..], Array::values);
        let (x, w, dy) = (x.values(), w.values(), grad.values());
        let found = linear::backward(shape, x, w, from, dy, self.activation, wanted);
        let [dx, dw, db] = [found.x, found.w, found.bias].map(|g| g.map(Grad::from));
        [dx, dw, db, residual_wanted.then_some(Grad::Same)]
    }
}

fn is_absent(array: &Array) -> bool {
    array.dims() == [0]
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, FloatDType};

    use super::*;
    use crate::{device, testing};

    fn wave<const D: usize>(shape: [usize; D], seed: f32, device: &Device) -> Tensor<D> {
        let len: usize = shape.iter().product();
        let values: Vec<f32> = (0..len).map(|i| (i as f32 * 0.7 + seed).sin()).collect();
        Tensor::<1>::from_floats(values.as_slice(), device).reshape(shape)
    }

    const ACTIVATIONS: [Activation; 4] =
        [Activation::Identity, Activation::Relu, Activation::Gelu, Activation::Tanh];

    /// The definition in tensor operations.
    fn plain(x: Tensor<3>, w: Tensor<2>, b: Tensor<1>, r: Tensor<3>, f: Activation) -> Tensor<3> {
        super::super::activation::plain(f, module::linear(x, w, Some(b))) + r
    }

    fn difference<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> f32 {
        assert_eq!(a.dims(), b.dims());
        (a - b).abs().max().into_scalar()
    }

    #[test]
    fn values_and_gradients_equal_the_plain_form() {
        let device = device::named("flex").unwrap();
        for f in ACTIVATIONS {
            let make = || {
                let x = wave([2, 3, 5], 0.0, &device).require_grad();
                let w = wave([5, 7], 1.0, &device).require_grad();
                let b = wave([7], 2.0, &device).require_grad();
                (x, w, b, wave([2, 3, 7], 3.0, &device).require_grad())
            };
            let weigh = wave([2, 3, 7], 4.0, &device);
            let (x, w, b, r) = make();
            let y = linear(x.clone(), w.clone(), Some(b.clone()), Some(r.clone()), f);
            let grads = (y.clone() * weigh.clone()).sum().backward();
            let (px, pw, pb, pr) = make();
            let expected = plain(px.clone(), pw.clone(), pb.clone(), pr.clone(), f);
            let plain_grads = (expected.clone() * weigh).sum().backward();
            assert!(difference(y, expected) < 1e-5, "{f:?}");
            assert!(difference(x.grad(&grads).unwrap(), px.grad(&plain_grads).unwrap()) < 1e-5);
            assert!(difference(w.grad(&grads).unwrap(), pw.grad(&plain_grads).unwrap()) < 1e-5);
            assert!(difference(b.grad(&grads).unwrap(), pb.grad(&plain_grads).unwrap()) < 1e-5);
            assert!(difference(r.grad(&grads).unwrap(), pr.grad(&plain_grads).unwrap()) < 1e-5);
        }
    }

    #[test]
    fn inputs_need_not_be_contiguous() {
        let device = device::named("flex").unwrap();
        let x = wave([5, 6], 0.0, &device);
        let w = wave([7, 5], 1.0, &device);
        let y =
            linear(x.clone().transpose(), w.clone().transpose(), None, None, Activation::Identity);
        let expected = x.transpose().matmul(w.transpose());
        assert!(difference(y.clone(), expected) < 1e-5);
        // A gradient that is a view, too: the sum over a transpose.
        let (a, b) = (wave([3, 2], 0.0, &device).require_grad(), wave([2, 2], 1.0, &device));
        let y = linear(a.clone(), b.clone(), None, None, Activation::Identity);
        let grads = (y.transpose() * wave([2, 3], 2.0, &device)).sum().backward();
        let expected = wave([2, 3], 2.0, &device).transpose().matmul(b.transpose());
        assert!(difference(a.grad(&grads).unwrap(), expected.inner()) < 1e-5);
    }

    /// With gradient checkpointing and in double precision the plain form is computed.
    #[test]
    fn elsewhere_the_plain_form_is_computed() {
        let plain = Device::flex();
        let (x, w) = (wave([4, 3], 0.0, &plain), wave([3, 2], 1.0, &plain));
        let expected = linear(x.clone(), w.clone(), None, None, Activation::Gelu);
        let (x64, w64) = (x.clone().cast(FloatDType::F64), w.clone().cast(FloatDType::F64));
        let y = linear(x64, w64, None, None, Activation::Gelu).cast(FloatDType::F32);
        assert!(difference(y, expected.clone()) < 1e-5);
        let device = Device::flex().autodiff().gradient_checkpointing();
        let x = wave([4, 3], 0.0, &device).require_grad();
        let y = linear(x.clone(), wave([3, 2], 1.0, &device), None, None, Activation::Gelu);
        let grads = y.clone().sum().backward();
        assert!(x.grad(&grads).is_some());
        assert!(difference(y.inner(), expected) < 1e-5);
    }

    #[test]
    fn what_needs_no_gradient_gets_none_and_what_is_used_twice_the_sum() {
        let device = device::named("flex").unwrap();
        let x = wave([2, 2], 0.0, &device);
        let w = wave([2, 2], 1.0, &device).require_grad();
        let run = |w: Tensor<2>| {
            let h = linear(x.clone(), w.clone(), None, None, Activation::Tanh);
            linear(h, w, None, None, Activation::Identity).sum()
        };
        let grads = run(w.clone()).backward();
        assert!(x.grad(&grads).is_none());
        let values: Vec<f32> = w.inner().try_into_vec_as().unwrap();
        testing::check_input(&device, [2, 2], &values, run);
    }

    #[test]
    fn no_rows_give_no_rows_and_zero_gradients() {
        let device = device::named("flex").unwrap();
        let x = Tensor::<2>::zeros([0, 3], &device);
        let w = wave([3, 2], 1.0, &device).require_grad();
        let y = linear(x, w.clone(), None, None, Activation::Relu);
        assert_eq!(y.dims(), [0, 2]);
        let grads = y.sum().backward();
        assert_eq!(w.grad(&grads).unwrap().abs().max().into_scalar::<f32>(), 0.0);
    }
}
