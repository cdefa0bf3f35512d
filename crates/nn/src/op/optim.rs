//! Steps of optimisers on tensors.

use burn::tensor::Tensor;
use pressrun_kernels::optim::{self, AdamStep, SgdStep};

use super::fused::{self, Array};

/// The moments of a parameter.
#[derive(Debug, Clone)]
pub(crate) enum Moments {
    /// On the host, beside the kernels.
    Host { first: Vec<f32>, second: Vec<f32> },
    /// First and second, flat, on another device.
    Device(Box<[Tensor<1>; 2]>),
}

/// One step of Adam on tensors without gradient; moments begin at 0. With `by_row`, only for rows
/// (along the last dimension) that have a gradient.
pub(crate) fn adam<const D: usize>(
    step: AdamStep,
    by_row: bool,
    value: Tensor<D>,
    grad: Tensor<D>,
    moments: Option<Moments>,
) -> (Tensor<D>, Moments) {
    if let (Some(Moments::Host { .. }) | None, Some(g)) = (&moments, fused::host(grad.clone())) {
        let len = g.values().len();
        let (mut first, mut second) = match moments {
            Some(Moments::Host { first, second }) => (first, second),
            _ => (vec![0.0; len], vec![0.0; len]),
        };
        let width = g.rows().1;
        let changed = fused::change(value, |w| match by_row {
            true => optim::adam_rows(step, width, w, &mut first, &mut second, g.values()),
            false => optim::adam(step, w, &mut first, &mut second, g.values()),
        });
        match changed {
            Ok(value) => return (value, Moments::Host { first, second }),
            Err(value) => return plain(step, by_row, value, grad, None),
        }
    }
    plain(step, by_row, value, grad, moments)
}

/// The definition in tensor operations.
fn plain<const D: usize>(
    step: AdamStep,
    by_row: bool,
    value: Tensor<D>,
    grad: Tensor<D>,
    moments: Option<Moments>,
) -> (Tensor<D>, Moments) {
    let (dims, device) = (value.dims(), value.device());
    let len: usize = dims.iter().product();
    let (w, g) = (value.reshape([len]), grad.reshape([len]));
    let (m, v) = match moments {
        Some(Moments::Device(both)) => {
            let [first, second] = *both;
            (first, second)
        }
        Some(Moments::Host { first, second }) => {
            let tensor = |values: Vec<f32>| Tensor::from_floats(values.as_slice(), &device);
            (tensor(first), tensor(second))
        }
        None => (w.zeros_like(), w.zeros_like()),
    };
    let AdamStep { lr, betas: (b1, b2), eps, l2, decay, scale, step } = step;
    let width = dims[D - 1];
    let before = by_row.then(|| {
        let sizes = g.clone().abs().reshape([len / width, width]).sum_dim(1);
        let none = sizes.equal_elem(0.0).expand([len / width, width]).reshape([len]);
        (none, [w.clone(), m.clone(), v.clone()])
    });
    let g = g * scale + w.clone() * l2;
    let m = m * b1 + g.clone() * (1.0 - b1);
    let v = v * b2 + g.square() * (1.0 - b2);
    let bias = |b: f32| 1.0 - f64::from(b).powi(step as i32);
    let moved = m.clone() / bias(b1) / ((v.clone() / bias(b2)).sqrt() + eps) * lr;
    let w = w * (1.0 - lr * decay) - moved;
    let [w, m, v] = match before {
        None => [w, m, v],
        Some((none, [w0, m0, v0])) => {
            let kept = |new: Tensor<1>, old| new.mask_where(none.clone(), old);
            [kept(w, w0), kept(m, m0), kept(v, v0)]
        }
    };
    (w.reshape(dims), Moments::Device(Box::new([m, v])))
}

/// The last movement of a parameter.
#[derive(Debug, Clone)]
pub(crate) enum Velocity {
    /// On the host, beside the kernels.
    Host(Vec<f32>),
    /// Flat, on another device.
    Device(Box<Tensor<1>>),
}

/// One step of gradient descent on tensors without gradient; a movement begins at 0. Without
/// momentum nothing is kept.
pub(crate) fn sgd<const D: usize>(
    step: SgdStep,
    value: Tensor<D>,
    grad: Tensor<D>,
    velocity: Option<Velocity>,
) -> (Tensor<D>, Option<Velocity>) {
    let momentum = step.momentum != 0.0;
    if let (Some(Velocity::Host(_)) | None, Some(g)) = (&velocity, fused::host(grad.clone())) {
        let mut kept = match velocity {
            Some(Velocity::Host(kept)) => kept,
            _ => vec![0.0; if momentum { g.values().len() } else { 0 }],
        };
        match fused::change(value, |w| optim::sgd(step, w, &mut kept, g.values())) {
            Ok(value) => return (value, momentum.then_some(Velocity::Host(kept))),
            Err(value) => return plain_sgd(step, value, grad, None),
        }
    }
    plain_sgd(step, value, grad, velocity)
}

/// The definition in tensor operations.
fn plain_sgd<const D: usize>(
    step: SgdStep,
    value: Tensor<D>,
    grad: Tensor<D>,
    velocity: Option<Velocity>,
) -> (Tensor<D>, Option<Velocity>) {
    let (dims, device) = (value.dims(), value.device());
    let len: usize = dims.iter().product();
    let (w, g) = (value.reshape([len]), grad.reshape([len]));
    let SgdStep { lr, momentum, nesterov, l2, scale } = step;
    let g = g * scale + w.clone() * l2;
    if momentum == 0.0 {
        return ((w - g * lr).reshape(dims), None);
    }
    let m = match velocity {
        Some(Velocity::Device(kept)) => *kept,
        Some(Velocity::Host(kept)) => Tensor::from_floats(kept.as_slice(), &device),
        None => w.zeros_like(),
    };
    let m = m * momentum + g.clone();
    let by = if nesterov { g + m.clone() * momentum } else { m.clone() };
    ((w - by * lr).reshape(dims), Some(Velocity::Device(Box::new(m))))
}

/// The sum of the squares of a tensor without gradient.
pub(crate) fn sum_of_squares<const D: usize>(tensor: Tensor<D>) -> f64 {
    match fused::host(tensor.clone()) {
        Some(array) => optim::sum_of_squares(Array::values(&array)),
        None => tensor.square().sum().into_scalar::<f64>(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device;

    /// Both forms over three steps, with everything that a step can do.
    #[test]
    fn the_kernel_equals_the_plain_form() {
        let device = device::named("flex").unwrap().inner();
        let wave = |seed: f32| {
            let values: Vec<f32> = (0..35).map(|i| (i as f32 * 0.7 + seed).sin()).collect();
            Tensor::<1>::from_floats(values.as_slice(), &device).reshape([5, 7])
        };
        // Without a gradient in the second and fourth row.
        let some = Tensor::<1>::from_floats([1.0, 0.0, 1.0, 0.0, 1.0], &device);
        let gradient = |t: u32, by_row| match by_row {
            true => wave(t as f32) * some.clone().unsqueeze_dim(1),
            false => wave(t as f32),
        };
        for by_row in [false, true] {
            let (mut a, mut b) = (wave(0.0), wave(0.0));
            let (mut kept_a, mut kept_b) = (None, None);
            for t in 1..=3 {
                let step = AdamStep {
                    lr: 0.05,
                    betas: (0.9, 0.99),
                    eps: 1e-6,
                    l2: 0.1,
                    decay: 0.2,
                    scale: 0.5,
                    step: t,
                };
                let (value, moments) = adam(step, by_row, a, gradient(t, by_row), kept_a);
                assert!(matches!(moments, Moments::Host { .. }));
                (a, kept_a) = (value, Some(moments));
                let (value, moments) = plain(step, by_row, b, gradient(t, by_row), kept_b);
                (b, kept_b) = (value, Some(moments));
            }
            assert!((a.clone() - b).abs().max().into_scalar::<f32>() < 2e-6);
            let stays = (a - wave(0.0)).abs().sum_dim(1).try_into_vec_as::<f32>().unwrap();
            assert_eq!(stays[1] == 0.0, by_row);
        }
    }

    #[test]
    fn descent_by_the_kernel_equals_the_plain_form() {
        let device = device::named("flex").unwrap().inner();
        let wave = |seed: f32| {
            let values: Vec<f32> = (0..35).map(|i| (i as f32 * 0.7 + seed).sin()).collect();
            Tensor::<1>::from_floats(values.as_slice(), &device).reshape([5, 7])
        };
        for (momentum, nesterov) in [(0.0, false), (0.9, false), (0.9, true)] {
            let step = SgdStep { lr: 0.05, momentum, nesterov, l2: 0.1, scale: 0.5 };
            let (mut a, mut b) = (wave(0.0), wave(0.0));
            let (mut kept_a, mut kept_b) = (None, None);
            for t in 1..=3 {
                (a, kept_a) = sgd(step, a, wave(t as f32), kept_a);
                (b, kept_b) = plain_sgd(step, b, wave(t as f32), kept_b);
                assert_eq!(matches!(kept_a, Some(Velocity::Host(_))), momentum != 0.0);
            }
            assert!((a - b).abs().max().into_scalar::<f32>() < 2e-6);
        }
    }

    #[test]
    fn a_shared_value_is_not_changed() {
        let device = device::named("flex").unwrap().inner();
        let value = Tensor::<1>::from_floats([1.0, 2.0], &device);
        let step = AdamStep {
            lr: 0.1,
            betas: (0.9, 0.999),
            eps: 1e-8,
            l2: 0.0,
            decay: 0.0,
            scale: 1.0,
            step: 1,
        };
        let (moved, _) = adam(step, false, value.clone(), value.ones_like(), None);
        assert_eq!(value.try_into_vec_as::<f32>().unwrap(), [1.0, 2.0]);
        assert!((moved.try_into_vec_as::<f32>().unwrap()[0] - 0.9).abs() < 1e-6);
    }
}
