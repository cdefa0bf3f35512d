//! The affine map with activation and residual.

use std::mem::MaybeUninit;

use crate::activation::{self, Activation, Needs};
use crate::buffer;
use crate::matrix::{Mat, MatMut, Start, product, product_from, product_into};
use crate::par::{self, Rows};
use crate::simd::{map_in_place, vectorized};

/// The sizes of an affine map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinearShape {
    /// Rows of the input.
    pub rows: usize,
    /// Numbers in a row of the input.
    pub inputs: usize,
    /// Numbers in a row of the output.
    pub outputs: usize,
}

/// What [`forward`] gives.
#[derive(Debug, Clone)]
pub struct Forward {
    /// The output, `[rows, outputs]`.
    pub y: Vec<f32>,
    /// The output before activation, if the activation's gradient needs it.
    pub z: Option<Vec<f32>>,
}

/// An affine map over rows, its activation, and what is added to it.
///
/// ```text
/// y = f(x W + b) + r        f = activation; b and r are optional
/// ```
///
/// # Shapes
/// - `x`: `[rows, inputs]`, `w`: `[inputs, outputs]`, `bias`: `[outputs]`
/// - `residual` and output: `[rows, outputs]`
///
/// # Panics
/// If a length does not fit.
///
/// # Example
/// ```
/// use pressrun_kernels::activation::Activation;
/// use pressrun_kernels::linear::{LinearShape, forward};
///
/// let shape = LinearShape { rows: 1, inputs: 2, outputs: 1 };
/// let y = forward(shape, &[1.0, 2.0], &[3.0, -4.0], Some(&[0.5]), None, Activation::Relu).y;
/// assert_eq!(y, [0.0]);
/// ```
pub fn forward(
    shape: LinearShape,
    x: &[f32],
    w: &[f32],
    bias: Option<&[f32]>,
    residual: Option<&[f32]>,
    activation: Activation,
) -> Forward {
    let LinearShape { rows, inputs, outputs } = shape;
    let (x, w) = (Mat::new(x, rows, inputs), Mat::new(w, inputs, outputs));
    let add = residual.map(|r| Mat::new(r, rows, outputs));
    if activation == Activation::Identity {
        return Forward { y: product_from(x, w, Start { add, bias }), z: None };
    }
    let z = product_from(x, w, Start { add: None, bias });
    if activation.needs() == Needs::Input {
        let y = activation::forward(activation, &z);
        return Forward { y: with(residual, y), z: Some(z) };
    }
    Forward { y: with(residual, applied(activation, z)), z: None }
}

/// Applies the activation; ReLU where the numbers are.
fn applied(activation: Activation, mut z: Vec<f32>) -> Vec<f32> {
    if activation != Activation::Relu {
        return activation::forward(activation, &z);
    }
    let len = z.len();
    let rows = Rows { data: buffer::as_uninit(&mut z), width: 1 };
    par::for_rows(len, 64, len / 8, [rows], |_, [z]| relu(z));
    z
}

vectorized! {
    fn relu(s; z: &mut [MaybeUninit<f32>]) {
        // SAFETY: `applied` gives numbers that have been written.
        let z = unsafe { buffer::as_written_mut(z) };
        map_in_place(s, [z], [], |[z], []| [s.max(s.splat(0.0), z)]);
    }
}

fn with(residual: Option<&[f32]>, mut y: Vec<f32>) -> Vec<f32> {
    vectorized! {
        fn add(s; y: &mut [f32], r: &[f32]) {
            map_in_place(s, [y], [r], |[y], [r]| [s.add(y, r)]);
        }
    }
    if let Some(residual) = residual {
        add(&mut y, residual);
    }
    y
}

/// Which gradients are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// That of the input.
    pub x: bool,
    /// That of the weight.
    pub w: bool,
    /// That of the bias.
    pub bias: bool,
}

/// The gradients that were asked for. The residual's is the output's.
#[derive(Debug, Clone, Default)]
pub struct Gradients {
    /// `[rows, inputs]`.
    pub x: Option<Vec<f32>>,
    /// `[inputs, outputs]`.
    pub w: Option<Vec<f32>>,
    /// `[outputs]`.
    pub bias: Option<Vec<f32>>,
}

/// The gradients of [`forward`].
///
/// ```text
/// dz = dy * f'        dx = dz W^T        dW = x^T dz        db = sum of the rows of dz
/// ```
///
/// `from`: what the activation's gradient is computed from (see [`Activation::needs`]): the output
/// before it, or after it but without residual; not read for the identity.
///
/// # Panics
/// If a length does not fit.
pub fn backward(
    shape: LinearShape,
    x: &[f32],
    w: &[f32],
    from: &[f32],
    grad: &[f32],
    activation: Activation,
    wanted: Wanted,
) -> Gradients {
    let LinearShape { rows, inputs, outputs } = shape;
    let changed;
    let dz = if activation == Activation::Identity {
        grad
    } else {
        changed = activation::backward(activation, from, grad);
        &changed
    };
    let dz_mat = Mat::new(dz, rows, outputs);
    Gradients {
        x: wanted.x.then(|| product(dz_mat, Mat::new(w, inputs, outputs).t())),
        w: wanted.w.then(|| product(Mat::new(x, rows, inputs).t(), dz_mat)),
        bias: wanted.bias.then(|| column_sums(dz, rows, outputs)),
    }
}

/// The sum of all rows.
///
/// # Shapes
/// - `values`: `[rows, width]`
/// - output: `[width]`
///
/// # Panics
/// If the length does not fit.
pub fn column_sums(values: &[f32], rows: usize, width: usize) -> Vec<f32> {
    assert_eq!(values.len(), rows * width, "column_sums: length for {rows} x {width}");
    // A row of ones times the matrix: the product keeps the sums in registers.
    let ones = vec![1.0; rows];
    // SAFETY: the product writes every number.
    unsafe {
        buffer::written(width, |out| {
            let c = MatMut::strided(out, [1, width], width);
            product_into(
                c,
                Mat::new(&ones, 1, rows),
                Mat::new(values, rows, width),
                Start::default(),
            );
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::level::at_every_level;

    fn wave(len: usize, seed: usize) -> Vec<f32> {
        (0..len).map(|i| ((i * 7 + seed) as f32 * 0.7).sin()).collect()
    }

    const ACTIVATIONS: [Activation; 5] = [
        Activation::Identity,
        Activation::Relu,
        Activation::Gelu,
        Activation::Tanh,
        Activation::LeakyRelu(0.2),
    ];

    fn run(shape: LinearShape, activation: Activation, residual: bool) -> (Forward, Gradients) {
        let LinearShape { rows, inputs, outputs } = shape;
        let (x, w, b) = (wave(rows * inputs, 1), wave(inputs * outputs, 2), wave(outputs, 3));
        let r = wave(rows * outputs, 4);
        let forward = forward(shape, &x, &w, Some(&b), residual.then_some(&r), activation);
        let before: Vec<f32> = match &forward.z {
            Some(z) => z.clone(),
            None if residual => forward.y.iter().zip(&r).map(|(y, r)| y - r).collect(),
            None => forward.y.clone(),
        };
        let wanted = Wanted { x: true, w: true, bias: true };
        let grad = wave(rows * outputs, 5);
        let gradients = backward(shape, &x, &w, &before, &grad, activation, wanted);
        (forward, gradients)
    }

    #[test]
    fn values_and_gradients_equal_the_definition() {
        at_every_level(|_| {
            for (rows, inputs, outputs) in
                [(1, 1, 1), (5, 3, 17), (9, 20, 7), (0, 3, 2), (33, 16, 64)]
            {
                let shape = LinearShape { rows, inputs, outputs };
                for activation in ACTIVATIONS {
                    let (forward, gradients) = run(shape, activation, true);
                    check(shape, activation, &forward.y, &gradients);
                }
            }
        });
    }

    /// The definition, one output after the other, with the activation's own kernel.
    fn check(shape: LinearShape, activation: Activation, y: &[f32], gradients: &Gradients) {
        let LinearShape { rows, inputs, outputs } = shape;
        let (x, w, b) = (wave(rows * inputs, 1), wave(inputs * outputs, 2), wave(outputs, 3));
        let (r, g) = (wave(rows * outputs, 4), wave(rows * outputs, 5));
        let mut dx = vec![0.0f64; rows * inputs];
        let mut dw = vec![0.0f64; inputs * outputs];
        let mut db = vec![0.0f64; outputs];
        for (i, j) in (0..rows).flat_map(|i| (0..outputs).map(move |j| (i, j))) {
            let at = i * outputs + j;
            let sum = |p: usize| f64::from(x[i * inputs + p]) * f64::from(w[p * outputs + j]);
            let z = ((0..inputs).map(sum).sum::<f64>() + f64::from(b[j])) as f32;
            let f = activation::forward(activation, &[z])[0];
            assert!((y[at] - f - r[at]).abs() < 2e-5, "{shape:?} {activation:?}: {} {f}", y[at]);
            let from = if activation.needs() == Needs::Input { z } else { f };
            let dz = f64::from(activation::backward(activation, &[from], &g[at..=at])[0]);
            db[j] += dz;
            for p in 0..inputs {
                dx[i * inputs + p] += dz * f64::from(w[p * outputs + j]);
                dw[p * outputs + j] += dz * f64::from(x[i * inputs + p]);
            }
        }
        let close = |found: &Option<Vec<f32>>, expected: &[f64], name: &str| {
            let found = found.as_ref().unwrap();
            assert_eq!(found.len(), expected.len());
            for (a, b) in found.iter().zip(expected) {
                assert!(
                    (f64::from(*a) - b).abs() < 1e-4,
                    "{shape:?} {activation:?} {name}: {a} {b}"
                );
            }
        };
        close(&gradients.x, &dx, "x");
        close(&gradients.w, &dw, "w");
        close(&gradients.bias, &db, "bias");
    }

    #[test]
    fn only_what_is_wanted_is_computed() {
        let shape = LinearShape { rows: 1, inputs: 1, outputs: 1 };
        let wanted = Wanted { x: false, w: true, bias: false };
        let found = backward(shape, &[2.0], &[3.0], &[], &[5.0], Activation::Identity, wanted);
        assert!(found.x.is_none() && found.bias.is_none());
        assert_eq!(found.w, Some(vec![10.0]));
    }
}
