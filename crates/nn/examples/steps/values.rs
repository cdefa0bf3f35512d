//! Numbers that another engine can make as well: a counter-based hash.

use burn::module::Param;
use burn::tensor::{Device, Int, Tensor};

/// splitmix64 of a counter.
fn hash(seed: u64, index: u64) -> u64 {
    let mut z = (seed << 32).wrapping_add(index).wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Numbers within -scale and scale.
pub fn uniform<const D: usize>(
    seed: u64,
    shape: [usize; D],
    scale: f64,
    device: &Device,
) -> Tensor<D> {
    let len: usize = shape.iter().product();
    let value = |i| ((hash(seed, i) >> 40) as f32 / 8_388_608.0 - 1.0) * scale as f32;
    let values: Vec<f32> = (0..len as u64).map(value).collect();
    Tensor::<1>::from_floats(values.as_slice(), device).reshape(shape)
}

/// Classes below `classes`.
pub fn labels(seed: u64, len: usize, classes: u64, device: &Device) -> Tensor<1, Int> {
    let values: Vec<i64> = (0..len as u64).map(|i| (hash(seed, i) % classes) as i64).collect();
    Tensor::from_ints(values.as_slice(), device)
}

/// Draws parameters in the order in which the model makes them: with seeds 1, 2, ...
pub struct Parameters {
    seed: u64,
    device: Device,
}

impl Parameters {
    pub fn new(device: &Device) -> Self {
        Self { seed: 0, device: device.clone() }
    }

    pub fn device(&self) -> &Device {
        &self.device
    }

    pub fn next<const D: usize>(&mut self, shape: [usize; D], scale: f64) -> Param<Tensor<D>> {
        self.seed += 1;
        Param::from_tensor(uniform(self.seed, shape, scale, &self.device))
    }
}
