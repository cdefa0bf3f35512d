//! Gradient checks against finite differences, for the tests of this crate and of those above.
//!
//! Arithmetic is in single precision, so that a central difference of step `h` is good to about
//! `1e-7 |f| / h + h^2`: the default step of 1e-2 and tolerance of 2 % find a wrong sign, factor or
//! missing term, and are not misled by rounding. Keep the functions under test of order 1, and away
//! from kinks.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};

/// Step of the central difference.
pub const STEP: f32 = 1e-2;

/// Largest deviation, relative to the largest gradient (but at least to 0.1).
pub const TOLERANCE: f32 = 2e-2;

/// Checks the gradient of `f` with respect to its input.
///
/// # Panics
/// If it deviates from the central difference in any entry; the message names entry and numbers.
///
/// # Example
/// ```
/// use pressrun_nn::{device, testing};
///
/// let device = device::named("flex")?;
/// testing::check_input(&device, [3], &[0.5, -1.0, 2.0], |x| (x.clone() * x).sum());
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
pub fn check_input<const D: usize>(
    device: &Device,
    shape: [usize; D],
    values: &[f32],
    f: impl Fn(Tensor<D>) -> Tensor<1>,
) {
    let tensor = |v: &[f32]| Tensor::<D>::from_data(TensorData::new(v.to_vec(), shape), device);
    let x = tensor(values).require_grad();
    let grads = f(x.clone()).backward();
    let analytic = x.grad(&grads).expect("the function depends on its input");
    let value = |v: &[f32]| f(tensor(v)).into_scalar::<f32>();
    compare("input", &host(analytic), values, value);
}

/// Checks the gradient of `f` with respect to every trained parameter of `module`.
///
/// # Panics
/// If it deviates from the central difference in any entry, or if a parameter gets no gradient.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, linear::{Linear, LinearConfig}, testing};
/// use rand::SeedableRng;
///
/// let device = device::named("flex")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let layer = LinearConfig::new(2, 3).init(&device, &mut rng)?;
/// let x = Tensor::<2>::from_floats([[1.0, -0.5]], &device);
/// testing::check_module(&layer, |m: &Linear| m.forward(x.clone()).square().sum());
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
pub fn check_module<M: Module>(module: &M, f: impl Fn(&M) -> Tensor<1>) {
    let grads = GradientsParams::from_grads(f(module).backward(), module);
    let mut found = Collect { grads: &grads, params: Vec::new() };
    module.visit(&mut found);
    assert!(!found.params.is_empty(), "the module has no trained parameter");
    for (index, (id, values, analytic)) in found.params.into_iter().enumerate() {
        let name = format!("parameter {index}");
        let analytic = analytic.unwrap_or_else(|| panic!("{name} gets no gradient"));
        let value = |v: &[f32]| {
            let changed = module.clone().map(&mut Replace { id, values: v });
            f(&changed).into_scalar::<f32>()
        };
        compare(&name, &analytic, &values, value);
    }
}

struct Collect<'a> {
    grads: &'a GradientsParams,
    params: Vec<(ParamId, Vec<f32>, Option<Vec<f32>>)>,
}

impl ModuleVisitor for Collect<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if param.is_require_grad() {
            let grad = self.grads.get::<D>(param.id).map(host);
            self.params.push((param.id, host(param.val()), grad));
        }
    }
}

struct Replace<'a> {
    id: ParamId,
    values: &'a [f32],
}

impl ModuleMapper for Replace<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if param.id != self.id {
            return param;
        }
        param.map(|old| {
            let data = TensorData::new(self.values.to_vec(), old.dims());
            Tensor::from_data(data, &old.device()).require_grad()
        })
    }
}

fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as().expect("floats")
}

fn compare(name: &str, analytic: &[f32], at: &[f32], f: impl Fn(&[f32]) -> f32) {
    let numeric: Vec<f32> = (0..at.len())
        .map(|i| {
            let shifted = |by: f32| {
                let mut v = at.to_vec();
                v[i] += by;
                f(&v)
            };
            (shifted(STEP) - shifted(-STEP)) / (2.0 * STEP)
        })
        .collect();
    let largest = analytic.iter().chain(&numeric).fold(0.1f32, |m, v| m.max(v.abs()));
    for (i, (a, n)) in analytic.iter().zip(&numeric).enumerate() {
        assert!(
            (a - n).abs() <= TOLERANCE * largest,
            "{name}, entry {i}: gradient {a}, central difference {n}, largest {largest}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device;

    #[test]
    #[should_panic(expected = "input, entry 0: gradient")]
    fn a_gradient_that_misses_a_term_is_found() {
        let device = device::named("flex").unwrap();
        // The second factor is cut off from the gradient, which is then half of what it should be.
        check_input(&device, [2], &[1.0, -0.5], |x| (x.clone() * x.detach()).sum());
    }

    #[test]
    #[should_panic(expected = "parameter 1 gets no gradient")]
    fn a_parameter_without_gradient_is_found() {
        use crate::linear::{Linear, LinearConfig};
        use rand::SeedableRng;
        let device = device::named("flex").unwrap();
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
        let layer = LinearConfig::new(2, 2).init(&device, &mut rng).unwrap();
        check_module(&layer, |l: &Linear| l.weight.val().square().sum());
    }
}
