//! Pooling.

use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};
use burn::tensor::{Tensor, activation, module};

/// The largest of every window, after ReLU if `relu`.
pub(crate) fn max_pool(
    x: Tensor<4>,
    kernel: [usize; 2],
    stride: [usize; 2],
    relu: bool,
) -> Tensor<4> {
    let options = MaxPoolOptions { stride, ..MaxPoolOptions::new(kernel) };
    let y = module::max_pool2d(x, options);
    if relu { activation::relu(y) } else { y }
}

/// The mean of every window.
pub(crate) fn avg_pool(x: Tensor<4>, kernel: [usize; 2], stride: [usize; 2]) -> Tensor<4> {
    module::avg_pool2d(x, AvgPoolOptions { stride, ..AvgPoolOptions::new(kernel) })
}
