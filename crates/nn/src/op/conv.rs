//! Convolution over pictures.

use burn::backend::DispatchTensor;
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
use burn::tensor::{Tensor, module};
use pressrun_kernels::conv::{
    self, Conv2dShape, ConvTranspose2dShape, Wanted, conv_transpose2d_backward, conv2d_backward,
};

use super::{Array, Fused, Grad, Saved, of, run};

/// A convolution.
///
/// # Panics
/// If the shapes do not fit.
pub(crate) fn conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: ConvOptions<2>,
) -> Tensor<4> {
    let sides = options.padding;
    if sides.iter().any(|side| side.0 != side.1) {
        return module::conv2d(x, weight, bias, options);
    }
    match run(Conv(options.clone()), inputs(x, weight, bias)) {
        Ok(y) => Tensor::from_dispatch(y),
        Err([x, weight, bias]) => {
            module::conv2d(of(x), of(weight), bias.map(Tensor::from_dispatch), options)
        }
    }
}

/// A transposed convolution: the gradient of a convolution's input.
///
/// # Panics
/// If the shapes do not fit.
pub(crate) fn conv_transpose2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: ConvTransposeOptions<2>,
) -> Tensor<4> {
    match run(Transposed(options.clone()), inputs(x, weight, bias)) {
        Ok(y) => Tensor::from_dispatch(y),
        Err([x, weight, bias]) => {
            module::conv_transpose2d(of(x), of(weight), bias.map(Tensor::from_dispatch), options)
        }
    }
}

fn inputs(x: Tensor<4>, weight: Tensor<4>, bias: Option<Tensor<1>>) -> [Option<DispatchTensor>; 3] {
    [Some(x.into_dispatch()), Some(weight.into_dispatch()), bias.map(Tensor::into_dispatch)]
}

fn dims(array: &Array) -> [usize; 4] {
    array.dims().try_into().expect("four dimensions")
}

#[derive(Debug, Clone)]
struct Conv(ConvOptions<2>);

impl Conv {
    fn shape(&self, x: &Array, weight: &Array) -> Conv2dShape {
        let ([batch, inputs, height, width], [outputs, _, kh, kw]) = (dims(x), dims(weight));
        let ConvOptions { stride, padding, dilation, groups } = self.0.clone();
        let (kernel, padding) = ([kh, kw], padding.map(|side| side.0));
        Conv2dShape {
            batch,
            inputs,
            outputs,
            height,
            width,
            kernel,
            stride,
            padding,
            dilation,
            groups,
        }
    }
}

impl Fused<3> for Conv {
    type Kept = ();
    const READS: [bool; 3] = [true, true, false];
    const READS_OUTPUT: bool = false;

    fn forward(&self, [x, weight, bias]: [&Array; 3]) -> (Array, ()) {
        let shape = self.shape(x, weight);
        let y = conv::conv2d(shape, x.values(), weight.values(), bias.given());
        let [height, width] = shape.output_size();
        (Array::new(y, [shape.batch, shape.outputs, height, width]), ())
    }

    fn backward(
        &self,
        saved: &Saved<3, ()>,
        grad: &Array,
        [x_wanted, w, bias]: [bool; 3],
    ) -> [Option<Grad>; 3] {
        let [x, weight, _] = &saved.inputs;
        let (shape, wanted) = (self.shape(x, weight), Wanted { x: x_wanted, w, bias });
        let found = conv2d_backward(shape, x.values(), weight.values(), grad.values(), wanted);
        [found.x, found.w, found.bias].map(|g| g.map(Grad::from))
    }
}

#[derive(Debug, Clone)]
struct Transposed(ConvTransposeOptions<2>);

impl Transposed {
    fn shape(&self, x: &Array, weight: &Array) -> ConvTranspose2dShape {
        let ([batch, inputs, height, width], [_, of_group, kh, kw]) = (dims(x), dims(weight));
        let o = &self.0;
        ConvTranspose2dShape {
            batch,
            inputs,
            outputs: of_group * o.groups,
            height,
            width,
            kernel: [kh, kw],
            stride: o.stride,
            padding: o.padding,
            output_padding: o.padding_out,
            dilation: o.dilation,
            groups: o.groups,
        }
    }
}

impl Fused<3> for Transposed {
    type Kept = ();
    const READS: [bool; 3] = [true, true, false];
    const READS_OUTPUT: bool = false;

    fn forward(&self, [x, weight, bias]: [&Array; 3]) -> (Array, ()) {
        let shape = self.shape(x, weight);
        let y = conv::conv_transpose2d(shape, x.values(), weight.values(), bias.given());
        let [height, width] = shape.output_size();
        (Array::new(y, [shape.batch, shape.outputs, height, width]), ())
    }

    fn backward(
        &self,
        saved: &Saved<3, ()>,
        grad: &Array,
        [x_wanted, w, bias]: [bool; 3],
    ) -> [Option<Grad>; 3] {
        let [x, weight, _] = &saved.inputs;
        let (shape, wanted) = (self.shape(x, weight), Wanted { x: x_wanted, w, bias });
        let (x, weight) = (x.values(), weight.values());
        let found = conv_transpose2d_backward(shape, x, weight, grad.values(), wanted);
        [found.x, found.w, found.bias].map(|g| g.map(Grad::from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device;

    fn wave<const D: usize>(shape: [usize; D], seed: f32) -> Tensor<D> {
        let device = device::named("flex").unwrap();
        let len: usize = shape.iter().product();
        let values: Vec<f32> = (0..len).map(|i| (i as f32 * 0.7 + seed).sin()).collect();
        Tensor::<1>::from_floats(values.as_slice(), &device).reshape(shape).require_grad()
    }

    fn difference<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> f32 {
        assert_eq!(a.dims(), b.dims());
        (a - b).abs().max().into_scalar()
    }

    /// Both forms from the same inputs: values and all gradients.
    fn check(
        weight: [usize; 4],
        outputs: usize,
        mine: impl Fn(Tensor<4>, Tensor<4>, Option<Tensor<1>>) -> Tensor<4>,
        plain: impl Fn(Tensor<4>, Tensor<4>, Option<Tensor<1>>) -> Tensor<4>,
    ) {
        let make = || (wave([2, 4, 6, 5], 0.0), wave(weight, 1.0), wave([outputs], 2.0));
        let ((x, w, b), (px, pw, pb)) = (make(), make());
        let y = mine(x.clone(), w.clone(), Some(b.clone()));
        let expected = plain(px.clone(), pw.clone(), Some(pb.clone()));
        let grads = y.clone().square().sum().backward();
        let plain_grads = expected.clone().square().sum().backward();
        assert!(difference(y, expected) < 1e-4);
        assert!(difference(x.grad(&grads).unwrap(), px.grad(&plain_grads).unwrap()) < 1e-3);
        assert!(difference(w.grad(&grads).unwrap(), pw.grad(&plain_grads).unwrap()) < 2e-3);
        assert!(difference(b.grad(&grads).unwrap(), pb.grad(&plain_grads).unwrap()) < 2e-3);
    }

    #[test]
    fn convolution_equals_its_plain_form() {
        for (kernel, stride, padding, dilation, groups) in [
            ([3, 3], [1, 1], [1, 1], [1, 1], 1),
            ([3, 2], [2, 1], [0, 1], [1, 2], 2),
            ([1, 1], [1, 2], [0, 0], [1, 1], 1),
            ([3, 3], [1, 1], [1, 1], [1, 1], 4),
        ] {
            let options = ConvOptions::new(stride, padding, dilation, groups);
            let weight = [8, 4 / groups, kernel[0], kernel[1]];
            check(
                weight,
                8,
                |x, w, b| conv2d(x, w, b, options.clone()),
                |x, w, b| module::conv2d(x, w, b, options.clone()),
            );
        }
    }

    #[test]
    fn transposed_convolution_equals_its_plain_form() {
        for (kernel, stride, padding, out, groups) in [
            ([3, 3], [1, 1], [1, 1], [0, 0], 1),
            ([3, 2], [2, 1], [1, 0], [1, 0], 2),
            ([2, 2], [2, 2], [0, 0], [0, 0], 1),
        ] {
            let options = ConvTransposeOptions::new(stride, padding, out, [1, 1], groups);
            let weight = [4, 6 / groups, kernel[0], kernel[1]];
            check(
                weight,
                6,
                |x, w, b| conv_transpose2d(x, w, b, options.clone()),
                |x, w, b| module::conv_transpose2d(x, w, b, options.clone()),
            );
        }
    }
}
