//! How slowly parameters are found that several fitted atoms share.

/// One fitted atom near a true one, with one input, as the limit of a scaling: its differences and
/// the square root of its weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Perturbation {
    /// `p1`, for `beta1 - beta1*`.
    pub gate: f64,
    /// `p2`, for `a - a*`.
    pub slope: f64,
    /// `p3`, for `b - b*`.
    pub offset: f64,
    /// `p4`, for `nu - nu*`.
    pub variance: f64,
    /// `p5`; the weight is its square.
    pub root_weight: f64,
}

/// The left side of one equation of the system that defines the exponent of a cell.
///
/// ```text
/// sum_i p5_i^2 sum over alpha of p1_i^a1 p2_i^a2 p3_i^a3 p4_i^a4 / (a1! a2! a3! a4!)
/// over a1 + a2 = eta1 and a2 + a3 + 2 a4 = eta2
/// ```
///
/// It is the coefficient of `x^eta1 d^eta2 N / d b^eta2` in the Taylor expansion of the cell's part
/// of the density, because `d^2/(d beta1 d b) = d/d a` and `d^2/d b^2 = 2 d/d nu` for
/// `exp(beta1 x) N(y | a x + b, nu)`; there `p4` stands for half the difference of the variance.
///
/// # Source
/// arXiv:2309.13850 and Ho and Nguyen (2016).
///
/// # Example
/// ```
/// use pressrun_nn::mixture::{Perturbation, taylor_coefficient};
///
/// // Two atoms to both sides, narrower by as much: mean and variance stay.
/// let atom = |offset| Perturbation {
///     gate: 0.0, slope: 0.0, offset, variance: -0.5, root_weight: 0.5f64.sqrt(),
/// };
/// let cell = [atom(1.0), atom(-1.0)];
/// assert!((1..4).all(|eta2| taylor_coefficient(&cell, 0, eta2).abs() < 1e-12));
/// assert!((taylor_coefficient(&cell, 0, 4) + 1.0 / 12.0).abs() < 1e-12);
/// ```
pub fn taylor_coefficient(cell: &[Perturbation], eta1: u32, eta2: u32) -> f64 {
    let power = |p: f64, a: u32| p.powi(a as i32) / (1..=a).map(f64::from).product::<f64>();
    let mut sum = 0.0;
    for a2 in 0..=eta1.min(eta2) {
        for a4 in 0..=(eta2 - a2) / 2 {
            let (a1, a3) = (eta1 - a2, eta2 - a2 - 2 * a4);
            let term = |p: &Perturbation| {
                let shared = power(p.gate, a1) * power(p.slope, a2);
                p.root_weight.powi(2) * shared * power(p.offset, a3) * power(p.variance, a4)
            };
            sum += cell.iter().map(term).sum::<f64>();
        }
    }
    sum
}

/// `r(m)`: the least order at which the system of [`taylor_coefficient`] has no solution for `m`
/// atoms, with no weight 0 and some `p3` not 0. Known for one, two and three atoms.
///
/// ```text
/// r(1) = 1,  r(2) = 4,  r(3) = 6
/// ```
///
/// In a cell of `m > 1` atoms `beta1` and `b` are found at `n^(-1 / (2 r(m)))`, `a` and `nu` at
/// `n^(-1 / r(m))`.
///
/// # Example
/// ```
/// assert_eq!(pressrun_nn::mixture::cell_exponent(2), Some(4));
/// assert_eq!(pressrun_nn::mixture::cell_exponent(4), None);
/// ```
pub fn cell_exponent(atoms: usize) -> Option<u32> {
    match atoms {
        0 | 1 => Some(1),
        2 => Some(4),
        3 => Some(6),
        _ => None,
    }
}
