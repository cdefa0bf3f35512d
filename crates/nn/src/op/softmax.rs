//! Softmax and the losses that contain it.

use std::sync::Arc;

use burn::tensor::{Int, Tensor, activation};
use pressrun_kernels::softmax::cross_entropy::{CrossEntropy, Mean};
use pressrun_kernels::softmax::{self as kernel, binary_cross_entropy};

use super::{Array, Fused, Grad, Saved, indices, run};

/// Softmax over the last dimension.
pub(crate) fn softmax<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    match run(Softmax { log: false }, [Some(x.into_dispatch())]) {
        Ok(y) => Tensor::from_dispatch(y),
        Err([x]) => activation::softmax(Tensor::<D>::from_dispatch(x.expect("given")), D - 1),
    }
}

/// The logarithm of softmax over the last dimension.
pub(crate) fn log_softmax<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    match run(Softmax { log: true }, [Some(x.into_dispatch())]) {
        Ok(y) => Tensor::from_dispatch(y),
        Err([x]) => activation::log_softmax(Tensor::<D>::from_dispatch(x.expect("given")), D - 1),
    }
}

/// The mean negative log-likelihood of the right classes, `[1]`.
///
/// # Panics
/// If a class is not one of the logits' columns.
pub(crate) fn cross_entropy(logits: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
    let list = indices(targets.clone());
    match run(Likelihood(list), [Some(logits.into_dispatch())]) {
        Ok(y) => Tensor::from_dispatch(y),
        Err([x]) => {
            let log_p = activation::log_softmax(Tensor::<2>::from_dispatch(x.expect("given")), 1);
            -log_p.gather(1, targets.unsqueeze_dim(1)).mean()
        }
    }
}

/// The mean binary cross-entropy of logits, `[1]`; no gradient for the targets.
pub(crate) fn bce_with_logits<const D: usize>(logits: Tensor<D>, targets: Tensor<D>) -> Tensor<1> {
    let wants = targets.is_require_grad();
    let inputs = [Some(logits.into_dispatch()), Some(targets.into_dispatch())];
    let [z, y] = if wants {
        inputs
    } else {
        match run(Binary, inputs) {
            Ok(loss) => return Tensor::from_dispatch(loss),
            Err(given) => given,
        }
    };
    let (z, y) = (z.expect("given"), y.expect("given"));
    let (z, y): (Tensor<D>, Tensor<D>) = (Tensor::from_dispatch(z), Tensor::from_dispatch(y));
    let soft = z.clone().abs().neg().exp().log1p();
    (activation::relu(z.clone()) - z * y + soft).mean()
}

fn shape(array: &Array) -> [usize; 2] {
    let (rows, width) = array.rows();
    [rows, width]
}

#[derive(Debug, Clone)]
struct Softmax {
    log: bool,
}

impl Fused<1> for Softmax {
    type Kept = ();
    const READS: [bool; 1] = [false];
    const READS_OUTPUT: bool = true;

    fn forward(&self, [x]: [&Array; 1]) -> (Array, ()) {
        let forward = if self.log { kernel::log_forward } else { kernel::forward };
        (x.like(forward(x.values(), shape(x))), ())
    }

    fn backward(&self, saved: &Saved<1, ()>, grad: &Array, _: [bool; 1]) -> [Option<Grad>; 1] {
        let backward = if self.log { kernel::log_backward } else { kernel::backward };
        let y = &saved.output;
        [Some(backward(y.values(), grad.values(), shape(y)).into())]
    }
}

#[derive(Debug, Clone)]
struct Likelihood(Arc<[i64]>);

impl Fused<1> for Likelihood {
    type Kept = Mean;
    const READS: [bool; 1] = [true];
    const READS_OUTPUT: bool = false;

    fn forward(&self, [z]: [&Array; 1]) -> (Array, Mean) {
        let mean = CrossEntropy::default().mean(z.values(), &self.0, shape(z));
        (Array::new(vec![mean.loss], [1]), mean)
    }

    fn backward(&self, saved: &Saved<1, Mean>, grad: &Array, _: [bool; 1]) -> [Option<Grad>; 1] {
        let ([z], g) = (&saved.inputs, grad.values()[0]);
        let loss = CrossEntropy::default();
        [Some(loss.mean_backward(z.values(), &self.0, shape(z), &saved.kept, g).into())]
    }
}

#[derive(Debug, Clone)]
struct Binary;

impl Fused<2> for Binary {
    type Kept = ();
    const READS: [bool; 2] = [true, true];
    const READS_OUTPUT: bool = false;

    fn forward(&self, [z, y]: [&Array; 2]) -> (Array, ()) {
        (Array::new(vec![binary_cross_entropy::mean(z.values(), y.values())], [1]), ())
    }

    fn backward(&self, saved: &Saved<2, ()>, grad: &Array, _: [bool; 2]) -> [Option<Grad>; 2] {
        let ([z, y], g) = (&saved.inputs, grad.values()[0]);
        let dz = binary_cross_entropy::mean_backward(z.values(), y.values(), g);
        [Some(dz.into()), None]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device;

    #[test]
    fn both_equal_their_plain_forms() {
        let device = device::named("flex").unwrap();
        let values: Vec<f32> = (0..60).map(|i| 3.0 * (i as f32 * 0.7).sin()).collect();
        let make =
            || Tensor::<1>::from_floats(&values[..], &device).reshape([3, 4, 5]).require_grad();
        let weigh = make().inner().exp();
        let weigh = Tensor::<3>::from_data(weigh.into_data(), &device);
        type F = fn(Tensor<3>) -> Tensor<3>;
        let pairs: [(F, F); 2] = [
            (softmax, |x| activation::softmax(x, 2)),
            (log_softmax, |x| activation::log_softmax(x, 2)),
        ];
        for (mine, plain) in pairs {
            let (a, b) = (make(), make());
            let (y, expected) = (mine(a.clone()), plain(b.clone()));
            let ga = (y.clone() * weigh.clone()).sum().backward();
            let gb = (expected.clone() * weigh.clone()).sum().backward();
            assert!((y - expected).abs().max().into_scalar::<f32>() < 1e-6);
            let difference = a.grad(&ga).unwrap() - b.grad(&gb).unwrap();
            assert!(difference.abs().max().into_scalar::<f32>() < 2e-5);
        }
    }
}
