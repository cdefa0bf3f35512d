//! How far a fitted mixing measure is from the true one, cell by cell.

/// An atom of a mixing measure: an expert, what its gate says, and its mass.
#[derive(Debug, Clone, PartialEq)]
pub struct Atom {
    /// `exp(beta0)`, or `exp(beta0 / tau)`.
    pub mass: f64,
    /// `beta1`.
    pub gate: Vec<f64>,
    /// `tau`, the same for all atoms of a measure; 0 without a temperature.
    pub temperature: f64,
    /// `a`.
    pub slope: Vec<f64>,
    /// `b`.
    pub offset: f64,
    /// `nu`.
    pub variance: f64,
}

/// Powers to which the differences of an atom are raised in a cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exponents {
    /// Of `|beta1 - beta1*|`.
    pub gate: f64,
    /// Of `|tau - tau*|`.
    pub temperature: f64,
    /// Of `|a - a*|`.
    pub slope: f64,
    /// Of `|b - b*|`.
    pub offset: f64,
    /// Of `|nu - nu*|`.
    pub variance: f64,
}

impl Exponents {
    /// All differences as they are.
    pub const ONE: Self =
        Self { gate: 1.0, temperature: 1.0, slope: 1.0, offset: 1.0, variance: 1.0 };
}

/// How the differences of one atom become a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Combine {
    /// Their sum.
    Sum,
    /// The Euclidean length of all of them together.
    Length,
}

/// The Voronoi cells of the true atoms: which fitted atoms are nearest to each.
///
/// ```text
/// A_j = { i : |theta_i - theta*_j| <= |theta_i - theta*_l| for all l },  theta = (beta1, a, b, nu)
/// ```
///
/// Of equally near ones the first counts, so that each fitted atom is in one cell.
///
/// # Example
/// ```
/// use pressrun_nn::mixture::{Atom, voronoi_cells};
///
/// let atom = |offset| Atom {
///     mass: 1.0, gate: vec![0.0], temperature: 0.0, slope: vec![0.0], offset, variance: 1.0,
/// };
/// let cells = voronoi_cells(&[atom(0.1), atom(2.9), atom(3.2)], &[atom(3.0), atom(0.0)]);
/// assert_eq!(cells, [vec![1, 2], vec![0]]);
/// ```
pub fn voronoi_cells(fit: &[Atom], truth: &[Atom]) -> Vec<Vec<usize>> {
    let mut cells = vec![Vec::new(); truth.len()];
    for (i, atom) in fit.iter().enumerate() {
        let distances: Vec<f64> = truth.iter().map(|t| atom.distance(t)).collect();
        let nearest = (0..truth.len()).min_by(|&j, &l| distances[j].total_cmp(&distances[l]));
        if let Some(nearest) = nearest {
            cells[nearest].push(i);
        }
    }
    cells
}

/// What each cell contributes to the loss: its atoms' differences by mass, and its mass.
///
/// ```text
/// e_j = sum over i in A_j of mass_i D(theta_i, theta*_j) + |sum over i in A_j of mass_i - mass*_j|
/// ```
///
/// `D` puts each difference to the power that `exponents` gives for the number of atoms in the cell.
/// `combine` is for cells of one atom; in larger ones the powers are summed.
pub fn cell_errors(
    fit: &[Atom],
    truth: &[Atom],
    combine: Combine,
    exponents: impl Fn(usize) -> Exponents,
) -> Vec<f64> {
    let error = |(cell, true_atom): (&Vec<usize>, &Atom)| {
        let powers = exponents(cell.len());
        let combine = if cell.len() > 1 { Combine::Sum } else { combine };
        let apart = |&i: &usize| fit[i].mass * fit[i].difference(true_atom, powers, combine);
        let mass: f64 = cell.iter().map(|&i| fit[i].mass).sum();
        cell.iter().map(apart).sum::<f64>() + (mass - true_atom.mass).abs()
    };
    voronoi_cells(fit, truth).iter().zip(truth).map(error).collect()
}

/// The Voronoi loss of a gate that selects `selected` experts.
///
/// ```text
/// D = max over subsets {l_1, .., l_K} of the true atoms of sum_j e_(l_j)
/// ```
///
/// The contributions `e` are not negative, so that the maximum is the sum of the K largest. With as
/// many selected as there are true atoms it is the sum of all.
///
/// # Source
/// Losses D1 and D2 of arXiv:2309.13850, and those of arXiv:2401.13875, by the exponents.
///
/// # Panics
/// If more are selected than there are true atoms.
///
/// # Example
/// ```
/// use pressrun_nn::mixture::{Atom, Combine, Exponents, voronoi_loss};
///
/// let atom = |offset| Atom {
///     mass: 1.0, gate: vec![0.0], temperature: 0.0, slope: vec![0.0], offset, variance: 1.0,
/// };
/// let (fit, truth) = ([atom(0.1), atom(3.2)], [atom(0.0), atom(3.0)]);
/// let one = |_: usize| Exponents::ONE;
/// assert!((voronoi_loss(&fit, &truth, 1, Combine::Sum, one) - 0.2).abs() < 1e-12);
/// assert!((voronoi_loss(&fit, &truth, 2, Combine::Sum, one) - 0.3).abs() < 1e-12);
/// ```
pub fn voronoi_loss(
    fit: &[Atom],
    truth: &[Atom],
    selected: usize,
    combine: Combine,
    exponents: impl Fn(usize) -> Exponents,
) -> f64 {
    let experts = truth.len();
    assert!(selected <= experts, "voronoi_loss: {selected} selected of {experts}");
    let mut errors = cell_errors(fit, truth, combine, exponents);
    errors.sort_by(|a, b| b.total_cmp(a));
    errors[..selected].iter().sum()
}

/// How many fitted experts must be selected, so that in every region all atoms of the region's
/// experts are: `max over regions of sum_j |A_lj|`.
///
/// # Source
/// arXiv:2309.13850, the condition for the density to converge.
///
/// # Example
/// ```
/// // Two regions, {0, 2} and {1, 2}; expert 2 is covered by two atoms.
/// let regions = [vec![0, 2], vec![1, 2]];
/// let cells = [vec![0], vec![1], vec![2, 3]];
/// assert_eq!(pressrun_nn::mixture::required_selection(&regions, &cells), 3);
/// ```
pub fn required_selection(regions: &[Vec<usize>], cells: &[Vec<usize>]) -> usize {
    let needed = |region: &Vec<usize>| region.iter().map(|&l| cells[l].len()).sum::<usize>();
    regions.iter().map(needed).max().unwrap_or(0)
}

impl Atom {
    fn distance(&self, other: &Self) -> f64 {
        let without = Self { temperature: other.temperature, ..self.clone() };
        without.difference(other, Exponents::ONE, Combine::Length)
    }

    fn difference(&self, other: &Self, powers: Exponents, combine: Combine) -> f64 {
        let parts = [
            (apart(&self.gate, &other.gate), powers.gate),
            ((self.temperature - other.temperature).abs(), powers.temperature),
            (apart(&self.slope, &other.slope), powers.slope),
            ((self.offset - other.offset).abs(), powers.offset),
            ((self.variance - other.variance).abs(), powers.variance),
        ];
        let raised = parts.iter().map(|(difference, power)| difference.powf(*power));
        match combine {
            Combine::Sum => raised.sum(),
            Combine::Length => raised.map(|v| v * v).sum::<f64>().sqrt(),
        }
    }
}

fn apart(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn atom(mass: f64, gate: f64, slope: f64, offset: f64, variance: f64) -> Atom {
        Atom { mass, gate: vec![gate], temperature: 0.7, slope: vec![slope], offset, variance }
    }

    fn truth() -> [Atom; 2] {
        [atom(1.0, 2.0, 2.0, 1.0, 0.2), atom(0.5, 0.0, -1.0, -1.0, 0.1)]
    }

    /// First cell: one atom of mass 1.1, off by (0.1, 0.2, 0.3, 0.05), so 1.1 * 0.65 + 0.1 = 0.815.
    /// Second cell: masses 0.3 and 0.2, offsets off by 0.1 and -0.2, else right. With the powers of
    /// two atoms: 0.3 * 0.1^4 + 0.2 * 0.2^4 = 3e-5 + 3.2e-4.
    #[test]
    fn losses_by_hand() {
        let fit = [
            atom(1.1, 2.1, 2.2, 1.3, 0.25),
            atom(0.3, 0.0, -1.0, -0.9, 0.1),
            atom(0.2, 0.0, -1.0, -1.2, 0.1),
        ];
        let powers = |m: usize| match m {
            0 | 1 => Exponents::ONE,
            _ => Exponents { gate: 4.0, offset: 4.0, slope: 2.0, variance: 2.0, ..Exponents::ONE },
        };
        assert_eq!(voronoi_cells(&fit, &truth()), [vec![0], vec![1, 2]]);
        let errors = cell_errors(&fit, &truth(), Combine::Sum, powers);
        assert!((errors[0] - 0.815).abs() < 1e-12 && (errors[1] - 3.5e-4).abs() < 1e-12);
        let one = voronoi_loss(&fit, &truth(), 1, Combine::Sum, powers);
        let both = voronoi_loss(&fit, &truth(), 2, Combine::Sum, powers);
        assert!((one - 0.815).abs() < 1e-12 && (both - 0.815_35).abs() < 1e-12);
        // The length of (0.1, 0.2, 0.3, 0.05): the root of 0.1425.
        let length = cell_errors(&fit, &truth(), Combine::Length, powers)[0];
        assert!((length - 1.1 * 0.142_5f64.sqrt() - 0.1).abs() < 1e-12);
    }

    #[test]
    fn the_truth_has_no_loss_and_an_empty_cell_costs_its_mass() {
        let one = |_: usize| Exponents::ONE;
        assert_eq!(voronoi_loss(&truth(), &truth(), 2, Combine::Sum, one), 0.0);
        let errors = cell_errors(&truth()[..1], &truth(), Combine::Sum, one);
        assert_eq!(errors, [0.0, 0.5]);
    }

    /// The temperature counts in the loss, but not for who is nearest.
    #[test]
    fn a_temperature_that_is_off_costs_for_each_atom() {
        let fit = truth().map(|atom| Atom { temperature: 0.8, ..atom });
        let one = |_: usize| Exponents::ONE;
        assert_eq!(voronoi_cells(&fit, &truth()), [vec![0], vec![1]]);
        let loss = voronoi_loss(&fit, &truth(), 2, Combine::Length, one);
        assert!((loss - 0.1 * 1.5).abs() < 1e-12);
    }
}
