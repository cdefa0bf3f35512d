//! Layer normalisation.

use burn::tensor::{Tensor, module};
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
}
