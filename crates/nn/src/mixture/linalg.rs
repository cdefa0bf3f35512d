//! Symmetric matrices of a few rows: eigenvalues and solutions.

/// Eigenvalues and eigenvectors of a symmetric matrix: see [`sym_eig`].
#[derive(Debug, Clone, PartialEq)]
pub struct SymEig {
    /// Eigenvalues, ascending.
    pub values: Vec<f64>,
    /// Eigenvectors of length 1, in the order of the values.
    pub vectors: Vec<Vec<f64>>,
}

/// Sweeps over all pairs after which Jacobi's method stops in any case; it needs about 6.
const SWEEPS: usize = 60;

/// Eigenvalues and eigenvectors of a small symmetric matrix, by Jacobi's rotations.
///
/// ```text
/// A = V diag(lambda) V^T
/// ```
///
/// # Shapes
/// - `matrix`: `[n, n]`, row by row; the part above the diagonal is read
///
/// # Panics
/// If `matrix` is not `n` times `n` numbers.
///
/// # Example
/// ```
/// let eig = pressrun_nn::mixture::sym_eig(&[2.0, 1.0, 1.0, 2.0], 2);
/// assert!((eig.values[0] - 1.0).abs() < 1e-12 && (eig.values[1] - 3.0).abs() < 1e-12);
/// ```
pub fn sym_eig(matrix: &[f64], n: usize) -> SymEig {
    assert_eq!(matrix.len(), n * n, "sym_eig: {} numbers for [{n}, {n}]", matrix.len());
    let mut a: Vec<f64> = (0..n * n).map(|at| matrix[upper(at / n, at % n, n)]).collect();
    let mut v: Vec<f64> = (0..n * n).map(|at| f64::from(u8::from(at / n == at % n))).collect();
    for _ in 0..SWEEPS {
        let off: f64 = pairs(n).map(|(p, q)| a[p * n + q].powi(2)).sum();
        if off == 0.0 {
            break;
        }
        for (p, q) in pairs(n) {
            rotate(&mut a, &mut v, n, p, q);
        }
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| a[i * n + i].total_cmp(&a[j * n + j]));
    SymEig {
        values: order.iter().map(|&i| a[i * n + i]).collect(),
        vectors: order.iter().map(|&i| (0..n).map(|row| v[row * n + i]).collect()).collect(),
    }
}

fn upper(row: usize, column: usize, n: usize) -> usize {
    row.min(column) * n + row.max(column)
}

fn pairs(n: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).flat_map(move |p| (p + 1..n).map(move |q| (p, q)))
}

/// Makes `a[p, q]` zero by a rotation in the plane of `p` and `q`.
fn rotate(a: &mut [f64], v: &mut [f64], n: usize, p: usize, q: usize) {
    let apq = a[p * n + q];
    if apq == 0.0 {
        return;
    }
    let theta = (a[q * n + q] - a[p * n + p]) / (2.0 * apq);
    let t = theta.signum() / (theta.abs() + theta.hypot(1.0));
    let (c, s) = (1.0 / t.hypot(1.0), t / t.hypot(1.0));
    for i in 0..n {
        let (ip, iq) = (a[i * n + p], a[i * n + q]);
        a[i * n + p] = c * ip - s * iq;
        a[i * n + q] = s * ip + c * iq;
    }
    for i in 0..n {
        let (pi, qi) = (a[p * n + i], a[q * n + i]);
        a[p * n + i] = c * pi - s * qi;
        a[q * n + i] = s * pi + c * qi;
        let (ip, iq) = (v[i * n + p], v[i * n + q]);
        v[i * n + p] = c * ip - s * iq;
        v[i * n + q] = s * ip + c * iq;
    }
    (a[p * n + q], a[q * n + p]) = (0.0, 0.0);
}

/// The solution of `A x = b` for a positive definite `A`, by Cholesky; `None` if it is not.
///
/// # Shapes
/// - `matrix`: `[n, n]`, row by row; the part below the diagonal is read
/// - `rhs`: `[n]`
///
/// # Panics
/// If the lengths do not fit.
///
/// # Example
/// ```
/// let x = pressrun_nn::mixture::solve_positive(&[4.0, 2.0, 2.0, 3.0], &[2.0, 5.0]).unwrap();
/// assert!((x[0] + 0.5).abs() < 1e-12 && (x[1] - 2.0).abs() < 1e-12);
/// ```
pub fn solve_positive(matrix: &[f64], rhs: &[f64]) -> Option<Vec<f64>> {
    let n = rhs.len();
    assert_eq!(matrix.len(), n * n, "solve_positive: {} numbers for [{n}, {n}]", matrix.len());
    let mut l = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let dot: f64 = (0..j).map(|k| l[i * n + k] * l[j * n + k]).sum();
            let rest = matrix[i * n + j] - dot;
            if i != j {
                l[i * n + j] = rest / l[j * n + j];
            } else if rest > 0.0 {
                l[i * n + i] = rest.sqrt();
            } else {
                return None;
            }
        }
    }
    let mut x = rhs.to_vec();
    for i in 0..n {
        let dot: f64 = (0..i).map(|k| l[i * n + k] * x[k]).sum();
        x[i] = (x[i] - dot) / l[i * n + i];
    }
    for i in (0..n).rev() {
        let dot: f64 = (i + 1..n).map(|k| l[k * n + i] * x[k]).sum();
        x[i] = (x[i] - dot) / l[i * n + i];
    }
    Some(x)
}

/// The shortest `x` that solves the symmetric system `A x = b` best, by the pseudo-inverse.
///
/// ```text
/// x = sum over |lambda_i| > rcond max |lambda| of v_i v_i^T b / lambda_i
/// ```
///
/// # Panics
/// If the lengths do not fit.
///
/// # Example
/// ```
/// // All mass on the diagonal direction, which is all that (1, 1) tells about x.
/// let x = pressrun_nn::mixture::solve_pseudo(&[1.0, 1.0, 1.0, 1.0], &[2.0, 2.0], 1e-9);
/// assert!((x[0] - 1.0).abs() < 1e-12 && (x[1] - 1.0).abs() < 1e-12);
/// ```
pub fn solve_pseudo(matrix: &[f64], rhs: &[f64], rcond: f64) -> Vec<f64> {
    let n = rhs.len();
    let eig = sym_eig(matrix, n);
    let largest = eig.values.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    let mut x = vec![0.0; n];
    for (value, vector) in eig.values.iter().zip(&eig.vectors) {
        if value.abs() > rcond * largest {
            let along: f64 = vector.iter().zip(rhs).map(|(v, b)| v * b).sum();
            for (x, v) in x.iter_mut().zip(vector) {
                *x += along / value * v;
            }
        }
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `[[2, -1, 0], [-1, 2, -1], [0, -1, 2]]` has the eigenvalues `2 - 2 cos(j pi / 4)`.
    const CHAIN: [f64; 9] = [2.0, -1.0, 0.0, -1.0, 2.0, -1.0, 0.0, -1.0, 2.0];

    #[test]
    fn eigenvalues_of_a_chain_by_hand_and_the_matrix_comes_back() {
        let eig = sym_eig(&CHAIN, 3);
        for (value, expected) in eig.values.iter().zip([2.0 - 2f64.sqrt(), 2.0, 2.0 + 2f64.sqrt()])
        {
            assert!((value - expected).abs() < 1e-14);
        }
        for (at, entry) in CHAIN.iter().enumerate() {
            let back: f64 = (0..3)
                .map(|i| eig.values[i] * eig.vectors[i][at / 3] * eig.vectors[i][at % 3])
                .sum();
            assert!((back - entry).abs() < 1e-14);
        }
    }

    #[test]
    fn solutions_agree_and_a_singular_matrix_is_told() {
        let rhs = [1.0, -2.0, 0.5];
        let (cholesky, pseudo) =
            (solve_positive(&CHAIN, &rhs).unwrap(), solve_pseudo(&CHAIN, &rhs, 1e-9));
        for i in 0..3 {
            assert!((cholesky[i] - pseudo[i]).abs() < 1e-13);
            let back: f64 = (0..3).map(|j| CHAIN[i * 3 + j] * cholesky[j]).sum();
            assert!((back - rhs[i]).abs() < 1e-13);
        }
        assert_eq!(solve_positive(&[1.0, 1.0, 1.0, 1.0], &[1.0, 1.0]), None);
        // Of all x with x_0 + x_1 = 1 the shortest; the part of b across is given up.
        let x = solve_pseudo(&[1.0, 1.0, 1.0, 1.0], &[2.0, 0.0], 1e-9);
        assert!((x[0] - 0.5).abs() < 1e-14 && (x[1] - 0.5).abs() < 1e-14);
    }
}
