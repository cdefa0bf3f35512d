//! Smooth binary decisions that become hard, and products of them along paths.

use burn::tensor::{Device, Tensor, TensorData};

/// The cubic step: exactly 0 below `-gamma / 2`, exactly 1 above `gamma / 2`, smooth between.
///
/// ```text
/// S(t) = -2 t^3 / gamma^3 + 3 t / (2 gamma) + 1/2        for |t| <= gamma / 2
/// S'(t) = -6 t^2 / gamma^3 + 3 / (2 gamma)               0 at both ends
/// ```
///
/// Unlike a logistic function it reaches its limits, so that a path through several of them can be
/// ruled out entirely.
///
/// # Shapes
/// - `t` and output: any
///
/// # Source
/// Hazimeh et al., arXiv:2002.07772 (tree ensemble layer); used by `DSelect-k` and COMET.
///
/// # Panics
/// If `gamma` is not above 0.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, gate::smooth_step};
///
/// let t = Tensor::<1>::from_floats([-0.6, -0.25, 0.0, 0.25, 0.5], &device::named("flex")?);
/// let s: Vec<f32> = smooth_step(t, 1.0).try_into_vec_as()?;
/// assert_eq!(s, [0.0, 0.15625, 0.5, 0.84375, 1.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn smooth_step<const D: usize>(t: Tensor<D>, gamma: f64) -> Tensor<D> {
    assert!(gamma > 0.0, "smooth_step: gamma is {gamma}");
    // In units of gamma the ends are exact: 0.5 * (1.5 - 0.5) + 0.5 = 1.
    let u = (t / gamma).clamp(-0.5, 0.5);
    u.clone() * (u.square() * -2.0 + 1.5) + 0.5
}

/// Which binary decisions lead to which end: to the leaves of a tree, or to the codes of a number.
///
/// ```text
/// prob_l = prod over decisions (q, direction) of l of  P_q if it goes left, 1 - P_q if right
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Paths {
    decisions: usize,
    ends: Vec<Vec<(usize, bool)>>,
}

impl Paths {
    /// The binary tree in heap order with this many leaves, which need not be a power of 2: node
    /// `q` has children `2q + 1` and `2q + 2`, the inner nodes come first. The ends are the leaves
    /// from left to right.
    pub(crate) fn tree(leaves: usize) -> Self {
        let inner = leaves - 1;
        let mut ends = Vec::with_capacity(leaves);
        let mut open = vec![(0, Vec::new())];
        while let Some((node, path)) = open.pop() {
            if node >= inner {
                ends.push(path);
                continue;
            }
            // The left child is taken from the stack first.
            for (child, left) in [(2 * node + 2, false), (2 * node + 1, true)] {
                let mut path = path.clone();
                path.push((node, left));
                open.push((child, path));
            }
        }
        Self { decisions: inner, ends }
    }

    /// Numbers from 0, each by its binary digits, the lowest first: "left" is a 1.
    pub(crate) fn codes(numbers: usize) -> Self {
        let bits = numbers.next_power_of_two().trailing_zeros() as usize;
        let code = |number: usize| (0..bits).map(|bit| (bit, number >> bit & 1 == 1)).collect();
        Self { decisions: bits, ends: (0..numbers).map(code).collect() }
    }

    /// How many decisions there are.
    pub(crate) fn decisions(&self) -> usize {
        self.decisions
    }

    /// The probability of each end, `[rows, ends]`, of decisions `p`, `[rows, decisions]`.
    ///
    /// Level by level: the factor of an end is `o + P M`, M having 1 (left) or -1 (right) at the
    /// decision that the end meets there, o being 0 (left), 1 (right) or 1 (no decision left).
    pub(crate) fn probabilities(&self, p: Tensor<2>) -> Tensor<2> {
        let depth = self.ends.iter().map(Vec::len).max().unwrap_or(0);
        let device = p.device();
        let factor = |level| {
            let (m, o) = self.level(level, &device);
            p.clone().matmul(m) + o
        };
        let ones = || Tensor::ones([p.dims()[0], self.ends.len()], &device);
        (0..depth).map(factor).reduce(|product, factor| product * factor).unwrap_or_else(ones)
    }

    fn level(&self, level: usize, device: &Device) -> (Tensor<2>, Tensor<2>) {
        let ends = self.ends.len();
        let (mut m, mut o) = (vec![0f32; self.decisions * ends], vec![1f32; ends]);
        for (end, path) in self.ends.iter().enumerate() {
            if let Some(&(decision, left)) = path.get(level) {
                m[decision * ends + end] = if left { 1.0 } else { -1.0 };
                o[end] = if left { 0.0 } else { 1.0 };
            }
        }
        let m = Tensor::from_data(TensorData::new(m, [self.decisions, ends]), device);
        (m, Tensor::from_data(TensorData::new(o, [1, ends]), device))
    }
}

/// The entropy of rows of probabilities, summed over each row's entries and averaged over `rows`.
///
/// ```text
/// sum over all entries of -p ln(p + 1e-6), divided by rows
/// ```
pub(crate) fn entropy(p: Tensor<2>, rows: usize) -> Tensor<1> {
    (p.clone() * (p + 1e-6).log()).sum() / -(rows as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{device, testing};

    #[test]
    fn the_step_is_flat_at_its_ends_and_steepest_in_the_middle() {
        let device = device::named("flex").unwrap();
        let slope = |t: f32, gamma: f64| {
            let t = Tensor::<1>::from_floats([t], &device).require_grad();
            let grads = smooth_step(t.clone(), gamma).sum().backward();
            t.grad(&grads).unwrap().into_scalar::<f32>()
        };
        // S'(0) = 1.5 / gamma; at the ends 0.
        for gamma in [0.1, 1.0, 10.0] {
            assert!((f64::from(slope(0.0, gamma)) - 1.5 / gamma).abs() < 1e-4 / gamma);
            for end in [-0.5, 0.5, 0.7] {
                assert!(slope((end * gamma) as f32, gamma).abs() < 1e-5, "{gamma} {end}");
            }
        }
        testing::check_input(&device, [4], &[-0.4, -0.1, 0.2, 0.3], |t| {
            smooth_step(t, 1.0).square().sum()
        });
    }

    #[test]
    fn leaves_of_any_tree_come_from_left_to_right() {
        // Heap ids of the leaves, by hand: 5 leaves 7 8 4 5 6; 6 leaves 7 8 9 10 5 6.
        let id = |path: &Vec<(usize, bool)>| {
            let (node, left) = path.last().unwrap();
            2 * node + if *left { 1 } else { 2 }
        };
        let ids = |leaves| Paths::tree(leaves).ends.iter().map(id).collect::<Vec<_>>();
        assert_eq!(ids(5), [7, 8, 4, 5, 6]);
        assert_eq!(ids(6), [7, 8, 9, 10, 5, 6]);
        assert_eq!(Paths::tree(1).ends, [vec![]]);
    }

    #[test]
    fn path_probabilities_by_hand() {
        let device = device::named("flex").unwrap();
        let p = Tensor::<2>::from_floats([[0.9, 0.5, 1.0], [1.0, 0.0, 0.25]], &device);
        let found: Vec<f32> = Paths::tree(4).probabilities(p).try_into_vec_as().unwrap();
        // 0.9 * 0.5 twice, 0.1 * 1, 0; then all weight on the second leaf.
        let expected = [0.45, 0.45, 0.1, 0.0, 0.0, 1.0, 0.0, 0.0];
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}");
        assert_eq!((found[3], found[4]), (0.0, 0.0), "ruled out exactly");
    }

    #[test]
    fn probabilities_of_a_tree_sum_to_1_and_of_missing_codes_to_less() {
        let device = device::named("flex").unwrap();
        for ends in 1..9 {
            for (paths, whole) in
                [(Paths::tree(ends), true), (Paths::codes(ends), ends.is_power_of_two())]
            {
                let p: Vec<f32> =
                    (0..2 * paths.decisions()).map(|i| 0.1 + 0.11 * i as f32 % 0.8).collect();
                let p = Tensor::from_data(TensorData::new(p, [2, paths.decisions()]), &device);
                let sums: Vec<f32> = paths.probabilities(p).sum_dim(1).try_into_vec_as().unwrap();
                for sum in sums {
                    assert_eq!((sum - 1.0).abs() < 1e-5, whole, "{ends}: {sum}");
                }
            }
        }
    }
}
