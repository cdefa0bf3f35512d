//! Pooling.

use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};
use burn::tensor::{Tensor, activation, module};
use pressrun_kernels::pool::{self, MaxPool, PoolShape};

use super::{Array, Fused, Grad, Saved, of, run};

/// The largest of every window, after ReLU if `relu`.
pub(crate) fn max_pool(
    x: Tensor<4>,
    kernel: [usize; 2],
    stride: [usize; 2],
    relu: bool,
) -> Tensor<4> {
    match run(Max { window: Window { kernel, stride }, relu }, [Some(x.into_dispatch())]) {
        Ok(y) => Tensor::from_dispatch(y),
        Err([x]) => plain_max(of(x), kernel, stride, relu),
    }
}

fn plain_max(x: Tensor<4>, kernel: [usize; 2], stride: [usize; 2], relu: bool) -> Tensor<4> {
    let options = MaxPoolOptions { stride, ..MaxPoolOptions::new(kernel) };
    let y = module::max_pool2d(x, options);
    if relu { activation::relu(y) } else { y }
}

/// The mean of every window.
pub(crate) fn avg_pool(x: Tensor<4>, kernel: [usize; 2], stride: [usize; 2]) -> Tensor<4> {
    match run(Mean(Window { kernel, stride }), [Some(x.into_dispatch())]) {
        Ok(y) => Tensor::from_dispatch(y),
        Err([x]) => plain_mean(of(x), kernel, stride),
    }
}

fn plain_mean(x: Tensor<4>, kernel: [usize; 2], stride: [usize; 2]) -> Tensor<4> {
    module::avg_pool2d(x, AvgPoolOptions { stride, ..AvgPoolOptions::new(kernel) })
}

#[derive(Debug, Clone)]
struct Window {
    kernel: [usize; 2],
    stride: [usize; 2],
}

impl Window {
    fn shape(&self, [batch, channels, height, width]: [usize; 4]) -> PoolShape {
        let (kernel, stride) = (self.kernel, self.stride);
        PoolShape { planes: batch * channels, input: [height, width], kernel, stride }
    }

    fn output(&self, dims: [usize; 4]) -> [usize; 4] {
        let [height, width] = self.shape(dims).output();
        [dims[0], dims[1], height, width]
    }
}

fn dims(array: &Array) -> [usize; 4] {
    array.dims().try_into().expect("four dimensions")
}

#[derive(Debug, Clone)]
struct Max {
    window: Window,
    relu: bool,
}

impl Fused<1> for Max {
    /// Where the largest numbers are.
    type Kept = Vec<u32>;
    const READS: [bool; 1] = [true];
    const READS_OUTPUT: bool = true;

    fn forward(&self, [x]: [&Array; 1]) -> (Array, Vec<u32>) {
        let found = pool::max_pool(&self.window.shape(dims(x)), x.values(), self.relu);
        (Array::new(found.y, self.window.output(dims(x))), found.at)
    }

    fn backward(
        &self,
        saved: &Saved<1, Vec<u32>>,
        grad: &Array,
        _: [bool; 1],
    ) -> [Option<Grad>; 1] {
        let [x] = &saved.inputs;
        let shape = self.window.shape(dims(x));
        let found = MaxPool { y: saved.output.values(), at: &saved.kept[..] };
        let dx = pool::max_pool_backward(&shape, x.values(), found, grad.values(), self.relu);
        [Some(dx.into())]
    }
}

#[derive(Debug, Clone)]
struct Mean(Window);

impl Fused<1> for Mean {
    /// The size of the input.
    type Kept = [usize; 4];
    const READS: [bool; 1] = [false];
    const READS_OUTPUT: bool = false;

    fn forward(&self, [x]: [&Array; 1]) -> (Array, [usize; 4]) {
        let y = pool::average_pool(&self.0.shape(dims(x)), x.values());
        (Array::new(y, self.0.output(dims(x))), dims(x))
    }

    fn backward(
        &self,
        saved: &Saved<1, [usize; 4]>,
        grad: &Array,
        _: [bool; 1],
    ) -> [Option<Grad>; 1] {
        [Some(pool::average_pool_backward(&self.0.shape(saved.kept), grad.values()).into())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device;

    #[test]
    fn all_equal_their_plain_forms() {
        let device = device::named("flex").unwrap();
        let values: Vec<f32> = (0..2 * 3 * 6 * 7).map(|i| (i as f32 * 0.7).sin()).collect();
        let make =
            || Tensor::<1>::from_floats(&values[..], &device).reshape([2, 3, 6, 7]).require_grad();
        type Pool = fn(Tensor<4>) -> Tensor<4>;
        let pairs: [(Pool, Pool); 4] = [
            (|x| max_pool(x, [2, 2], [2, 2], true), |x| plain_max(x, [2, 2], [2, 2], true)),
            (|x| max_pool(x, [2, 2], [2, 2], false), |x| plain_max(x, [2, 2], [2, 2], false)),
            (|x| max_pool(x, [3, 2], [1, 2], true), |x| plain_max(x, [3, 2], [1, 2], true)),
            (|x| avg_pool(x, [3, 2], [1, 2]), |x| plain_mean(x, [3, 2], [1, 2])),
        ];
        for (at, (mine, plain)) in pairs.into_iter().enumerate() {
            let (a, b) = (make(), make());
            let (y, expected) = (mine(a.clone()), plain(b.clone()));
            let (ga, gb) =
                (y.clone().square().sum().backward(), expected.clone().square().sum().backward());
            assert!((y - expected).abs().max().into_scalar::<f32>() < 1e-6, "{at}");
            let difference = a.grad(&ga).unwrap() - b.grad(&gb).unwrap();
            assert!(difference.abs().max().into_scalar::<f32>() < 1e-6, "{at}");
        }
    }
}
