//! Layer normalisation.

use burn::tensor::{Tensor, module};
use pressrun_kernels::norm::group::Group;
use pressrun_kernels::norm::layer::{Kind, Layer};
use pressrun_kernels::norm::{Statistics, Wanted};

use super::{Array, Fused, Grad, Saved, run};

/// `(x - m) / sqrt(v + eps) * gamma + beta` over the last dimension.
pub(crate) fn layer_norm<const D: usize>(
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    eps: f64,
) -> Tensor<D> {
    let inputs = [x.into_dispatch(), gamma.into_dispatch(), beta.into_dispatch()].map(Some);
    match run(LayerNorm { eps: eps as f32 }, inputs) {
        Ok(y) => Tensor::from_dispatch(y),
        Err(given) => {
            let [x, gamma, beta] = given.map(|tensor| tensor.expect("always given"));
            let (gamma, beta) = (Tensor::from_dispatch(gamma), Tensor::from_dispatch(beta));
            module::layer_norm(Tensor::from_dispatch(x), gamma, Some(beta), eps)
        }
    }
}

#[derive(Debug, Clone)]
struct LayerNorm {
    eps: f32,
}

impl LayerNorm {
    fn kernel<'a>(&self, gamma: &'a Array, beta: Option<&'a Array>) -> Layer<'a> {
        let (gamma, beta) = (Some(gamma.values()), beta.map(Array::values));
        Layer { kind: Kind::Layer, gamma, beta, eps: self.eps }
    }
}

impl Fused<3> for LayerNorm {
    type Kept = Statistics;
    const READS: [bool; 3] = [true, true, false];
    const READS_OUTPUT: bool = false;

    fn forward(&self, [x, gamma, beta]: [&Array; 3]) -> (Array, Statistics) {
        let (rows, width) = x.rows();
        let found = self.kernel(gamma, Some(beta)).forward(x.values(), None, [rows, width]);
        (x.like(found.y), found.statistics)
    }

    fn backward(
        &self,
        saved: &Saved<3, Statistics>,
        grad: &Array,
        [x_wanted, gamma_wanted, beta]: [bool; 3],
    ) -> [Option<Grad>; 3] {
        let [x, gamma, _] = &saved.inputs;
        let (rows, width) = x.rows();
        let wanted = Wanted { x: x_wanted, gamma: gamma_wanted, beta };
        let (x, kernel) = (x.values(), self.kernel(gamma, None));
        let found = kernel.backward(x, [rows, width], &saved.kept, grad.values(), None, wanted);
        [found.x, found.gamma, found.beta].map(|g| g.map(Grad::from))
    }
}

/// `x / sqrt(mean of x^2 + eps) * gamma` over the last dimension.
pub(crate) fn rms_norm<const D: usize>(x: Tensor<D>, gamma: Tensor<1>, eps: f64) -> Tensor<D> {
    match run(RmsNorm { eps: eps as f32 }, [x.into_dispatch(), gamma.into_dispatch()].map(Some)) {
        Ok(y) => Tensor::from_dispatch(y),
        Err(given) => {
            let [x, gamma] = given.map(|tensor| tensor.expect("always given"));
            plain_rms(Tensor::from_dispatch(x), Tensor::from_dispatch(gamma), eps)
        }
    }
}

fn plain_rms<const D: usize>(x: Tensor<D>, gamma: Tensor<1>, eps: f64) -> Tensor<D> {
    let root = (x.clone().square().mean_dim(D - 1) + eps).sqrt();
    x / root * gamma.unsqueeze()
}

#[derive(Debug, Clone)]
struct RmsNorm {
    eps: f32,
}

impl RmsNorm {
    fn kernel<'a>(&self, gamma: &'a Array) -> Layer<'a> {
        Layer { kind: Kind::Rms, gamma: Some(gamma.values()), beta: None, eps: self.eps }
    }
}

impl Fused<2> for RmsNorm {
    type Kept = Statistics;
    const READS: [bool; 2] = [true, true];
    const READS_OUTPUT: bool = false;

    fn forward(&self, [x, gamma]: [&Array; 2]) -> (Array, Statistics) {
        let (rows, width) = x.rows();
        let found = self.kernel(gamma).forward(x.values(), None, [rows, width]);
        (x.like(found.y), found.statistics)
    }

    fn backward(
        &self,
        saved: &Saved<2, Statistics>,
        grad: &Array,
        [x_wanted, gamma_wanted]: [bool; 2],
    ) -> [Option<Grad>; 2] {
        let [x, gamma] = &saved.inputs;
        let (rows, width) = x.rows();
        let wanted = Wanted { x: x_wanted, gamma: gamma_wanted, beta: false };
        let (x, kernel) = (x.values(), self.kernel(gamma));
        let found = kernel.backward(x, [rows, width], &saved.kept, grad.values(), None, wanted);
        [found.x, found.gamma].map(|g| g.map(Grad::from))
    }
}

/// Normalises pictures over groups of channels, then scales and shifts each channel.
pub(crate) fn group_norm(
    groups: usize,
    x: Tensor<4>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    eps: f64,
) -> Tensor<4> {
    let inputs = [x.into_dispatch(), gamma.into_dispatch(), beta.into_dispatch()].map(Some);
    match run(GroupNorm { groups, eps: eps as f32 }, inputs) {
        Ok(y) => Tensor::from_dispatch(y),
        Err(given) => {
            let [x, gamma, beta] = given.map(|tensor| tensor.expect("always given"));
            let (gamma, beta) = (Tensor::from_dispatch(gamma), Tensor::from_dispatch(beta));
            plain_group(groups, Tensor::from_dispatch(x), gamma, beta, eps)
        }
    }
}

fn plain_group(
    groups: usize,
    x: Tensor<4>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    eps: f64,
) -> Tensor<4> {
    let dims = x.dims();
    let [batch, channels, height, width] = dims;
    let x = x.reshape([batch, groups, channels / groups * height * width]);
    let centred = x.clone() - x.mean_dim(2);
    let root = (centred.clone().square().mean_dim(2) + eps).sqrt();
    let each = |t: Tensor<1>| t.reshape([1, channels, 1, 1]);
    (centred / root).reshape(dims) * each(gamma) + each(beta)
}

#[derive(Debug, Clone)]
struct GroupNorm {
    groups: usize,
    eps: f32,
}

impl GroupNorm {
    fn kernel<'a>(&self, gamma: &'a Array, beta: Option<&'a Array>) -> Group<'a> {
        let (gamma, beta) = (Some(gamma.values()), beta.map(Array::values));
        Group { groups: self.groups, gamma, beta, eps: self.eps }
    }

    fn shape(x: &Array) -> [usize; 3] {
        let d = x.dims();
        [d[0], d[1], d[2] * d[3]]
    }
}

impl Fused<3> for GroupNorm {
    type Kept = Statistics;
    const READS: [bool; 3] = [true, true, false];
    const READS_OUTPUT: bool = false;

    fn forward(&self, [x, gamma, beta]: [&Array; 3]) -> (Array, Statistics) {
        let found = self.kernel(gamma, Some(beta)).forward(x.values(), Self::shape(x));
        (x.like(found.y), found.statistics)
    }

    fn backward(
        &self,
        saved: &Saved<3, Statistics>,
        grad: &Array,
        [x_wanted, gamma_wanted, beta]: [bool; 3],
    ) -> [Option<Grad>; 3] {
        let [x, gamma, _] = &saved.inputs;
        let wanted = Wanted { x: x_wanted, gamma: gamma_wanted, beta };
        let (shape, kernel) = (Self::shape(x), self.kernel(gamma, None));
        let found = kernel.backward(x.values(), shape, &saved.kept, grad.values(), wanted);
        [found.x, found.gamma, found.beta].map(|g| g.map(Grad::from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device;

    #[test]
    fn it_equals_the_plain_form() {
        let device = device::named("flex").unwrap();
        let wave = |len: usize, seed: f32| {
            let values: Vec<f32> = (0..len).map(|i| (i as f32 * 0.7 + seed).sin()).collect();
            Tensor::<1>::from_floats(values.as_slice(), &device)
        };
        for width in [1, 5, 16, 35] {
            let make = || {
                let x = wave(6 * width, 0.0).reshape([2, 3, width]).require_grad();
                (x, wave(width, 1.0).require_grad(), wave(width, 2.0).require_grad())
            };
            let weigh = wave(6 * width, 3.0).reshape([2, 3, width]);
            let (x, gamma, beta) = make();
            let y = layer_norm(x.clone(), gamma.clone(), beta.clone(), 1e-5);
            let grads = (y.clone() * weigh.clone()).sum().backward();
            let (px, pgamma, pbeta) = make();
            let plain = module::layer_norm(px.clone(), pgamma.clone(), Some(pbeta.clone()), 1e-5);
            let plain_grads = (plain.clone() * weigh).sum().backward();
            assert!((y - plain).abs().max().into_scalar::<f32>() < 1e-5);
            let (a, b) = (x.grad(&grads).unwrap(), px.grad(&plain_grads).unwrap());
            assert!((a - b).abs().max().into_scalar::<f32>() < 1e-4, "{width}");
            for (mine, theirs) in [(gamma, pgamma), (beta, pbeta)] {
                let (a, b) = (mine.grad(&grads).unwrap(), theirs.grad(&plain_grads).unwrap());
                assert!((a - b).abs().max().into_scalar::<f32>() < 1e-5, "{width}");
            }
        }
    }

    #[test]
    fn the_others_equal_their_plain_forms() {
        let device = device::named("flex").unwrap();
        let wave = |len: usize, seed: f32| {
            let values: Vec<f32> = (0..len).map(|i| (i as f32 * 0.7 + seed).sin()).collect();
            Tensor::<1>::from_floats(values.as_slice(), &device)
        };
        let make = || {
            let x = wave(2 * 6 * 3 * 5, 0.0).reshape([2, 6, 3, 5]).require_grad();
            (x, wave(6, 1.0).require_grad(), wave(6, 2.0).require_grad())
        };
        for groups in [1, 2, 6] {
            let ((x, g, b), (px, pg, pb)) = (make(), make());
            let y = group_norm(groups, x.clone(), g.clone(), b.clone(), 1e-5);
            let plain = plain_group(groups, px.clone(), pg.clone(), pb.clone(), 1e-5);
            let weigh = wave(2 * 6 * 3 * 5, 3.0).reshape([2, 6, 3, 5]);
            let grads = (y.clone() * weigh.clone()).sum().backward();
            let plain_grads = (plain.clone() * weigh).sum().backward();
            assert!((y - plain).abs().max().into_scalar::<f32>() < 1e-5);
            let (a, e) = (x.grad(&grads).unwrap(), px.grad(&plain_grads).unwrap());
            assert!((a - e).abs().max().into_scalar::<f32>() < 1e-4, "{groups}");
            for (mine, theirs) in [(g, pg), (b, pb)] {
                let (a, e) = (mine.grad(&grads).unwrap(), theirs.grad(&plain_grads).unwrap());
                assert!((a - e).abs().max().into_scalar::<f32>() < 1e-4, "{groups}");
            }
        }
        let make = || (wave(21, 0.0).reshape([3, 7]).require_grad(), wave(7, 1.0).require_grad());
        let ((x, g), (px, pg)) = (make(), make());
        let y = rms_norm(x.clone(), g.clone(), 1e-5);
        let plain = plain_rms(px.clone(), pg.clone(), 1e-5);
        let (ga, gb) =
            (y.clone().square().sum().backward(), plain.clone().square().sum().backward());
        assert!((y - plain).abs().max().into_scalar::<f32>() < 1e-5);
        let difference = x.grad(&ga).unwrap() - px.grad(&gb).unwrap();
        assert!(difference.abs().max().into_scalar::<f32>() < 1e-4);
        let difference = g.grad(&ga).unwrap() - pg.grad(&gb).unwrap();
        assert!(difference.abs().max().into_scalar::<f32>() < 1e-4);
    }
}
