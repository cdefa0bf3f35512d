//! Sinkhorn's normalisation.

use burn::tensor::{Tensor, activation};
use pressrun_kernels::sinkhorn::{Halves, Sinkhorn};

use super::{Array, Fused, Grad, Saved, run};

/// Rows and columns of `exp(x / temperature)` divided by their sums in turn, `[n, n]`.
///
/// # Panics
/// If `x` is not square.
pub(crate) fn sinkhorn(x: Tensor<2>, temperature: f64, iterations: usize) -> Tensor<2> {
    let [n, columns] = x.dims();
    assert_eq!(n, columns, "sinkhorn: {n} x {columns} is not square");
    match run(Sinkhorn { n, temperature, iterations }, [Some(x.into_dispatch())]) {
        Ok(p) => Tensor::from_dispatch(p),
        Err([x]) => plain(Tensor::from_dispatch(x.expect("given")), temperature, iterations),
    }
}

fn plain(x: Tensor<2>, temperature: f64, iterations: usize) -> Tensor<2> {
    let z = (0..iterations)
        .fold(x / temperature, |z, _| activation::log_softmax(activation::log_softmax(z, 1), 0));
    z.exp()
}

impl Fused<1> for Sinkhorn {
    type Kept = Halves;
    const READS: [bool; 1] = [false];
    const READS_OUTPUT: bool = true;

    fn forward(&self, [x]: [&Array; 1]) -> (Array, Halves) {
        let (p, halves) = Self::forward(self, x.values());
        (x.like(p), halves)
    }

    fn backward(&self, saved: &Saved<1, Halves>, grad: &Array, _: [bool; 1]) -> [Option<Grad>; 1] {
        let found = Self::backward(self, saved.output.values(), &saved.kept, grad.values());
        [Some(found.into())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device;

    #[test]
    fn the_operation_is_the_plain_form_with_its_gradient() {
        let device = device::named("flex").unwrap();
        let x = [[0.3, -0.2, 0.9], [0.1, 0.4, -0.5], [0.7, 0.0, 0.2]];
        let make = || Tensor::<2>::from_floats(x, &device).require_grad();
        let weight = Tensor::<2>::from_floats([[1.0, -2.0, 0.5]; 3], &device);
        let run = |x: &Tensor<2>, p: Tensor<2>| {
            let grads = (p.clone() * weight.clone()).square().sum().backward();
            (p, x.grad(&grads).unwrap())
        };
        let (a, b) = (make(), make());
        let (p, dx) = run(&a, sinkhorn(a.clone(), 0.3, 9));
        let (q, dy) = run(&b, plain(b.clone(), 0.3, 9));
        let apart = |a: Tensor<2>, b: Tensor<2>| (a - b).abs().max().into_scalar::<f32>();
        assert!(apart(p.inner(), q.inner()) < 1e-5 && apart(dx, dy) < 1e-4);
    }
}
