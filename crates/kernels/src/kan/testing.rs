//! What the tests of the layers share.

use super::Size;

/// Numbers between -1 and 1 without a pattern that the kernels could use.
pub(super) fn wave(len: usize, seed: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 7 + seed * 13) as f32 * 0.71 + 0.3).sin()).collect()
}

/// Value and derivative of each feature of input `i` at `x`.
pub(super) type Features<'a> = &'a dyn Fn(usize, f64) -> Vec<(f64, f64)>;

/// A layer and its gradients by the definition, in double precision.
pub(super) struct Expected {
    pub(super) y: Vec<f64>,
    /// The gradient of the number whose features are taken.
    pub(super) d_z: Vec<f64>,
    pub(super) d_weight: Vec<f64>,
    pub(super) d_bias: Vec<f64>,
}

pub(super) fn expected(
    size: Size,
    z: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    d_y: &[f32],
    features: Features<'_>,
) -> Expected {
    let Size { rows, inputs, outputs } = size;
    let mut e = Expected {
        y: (0..rows * outputs).map(|at| bias.map_or(0.0, |b| b[at % outputs].into())).collect(),
        d_z: vec![0.0; rows * inputs],
        d_weight: vec![0.0; weight.len()],
        d_bias: vec![0.0; outputs],
    };
    for row in 0..rows {
        for o in 0..outputs {
            e.d_bias[o] += f64::from(d_y[row * outputs + o]);
        }
        for i in 0..inputs {
            let all = features(i, z[row * inputs + i].into());
            for (f, (value, slope)) in all.iter().enumerate() {
                for o in 0..outputs {
                    let at = (i * all.len() + f) * outputs + o;
                    let d_y = f64::from(d_y[row * outputs + o]);
                    e.y[row * outputs + o] += value * f64::from(weight[at]);
                    e.d_weight[at] += value * d_y;
                    e.d_z[row * inputs + i] += slope * f64::from(weight[at]) * d_y;
                }
            }
        }
    }
    e
}

/// Fails unless every number is within `tolerance` of the largest expected one, or of 1.
pub(super) fn close(what: &str, got: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let size = expected.iter().fold(1.0f64, |a, b| a.max(b.abs()));
    for (at, (got, e)) in got.iter().zip(expected).enumerate() {
        let error = (f64::from(*got) - e).abs();
        assert!(error <= tolerance * size, "{what} at {at}: {got}, expected {e}");
    }
}

/// The result of `f` in a pool of each number of threads is the same.
pub(super) fn same_with_any_threads<T: PartialEq + Send>(f: impl Fn() -> T + Sync) {
    let run =
        |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(&f);
    let one = run(1);
    assert!(one == run(2) && one == run(3));
}
