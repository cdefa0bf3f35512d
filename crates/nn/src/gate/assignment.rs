//! Assignments: who gets what, so that the sum is best.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// The assignment of rows to columns, each used once, of least total cost.
///
/// ```text
/// argmin over permutations s of sum_i cost[i, s(i)]
/// ```
///
/// Exact, in `O(n^3)`: shortest augmenting paths with potentials.
///
/// # Shapes
/// - `cost`: `[n, n]`, row after row; output: the column of each row
///
/// # Source
/// Kuhn 1955 ("Hungarian method"), in the form of Jonker and Volgenant 1987.
///
/// # Panics
/// If `cost` is not `n` by `n` or holds a number that is not finite.
///
/// # Example
/// ```
/// use pressrun_nn::gate::assignment;
///
/// let cost = [4.0, 1.0, 3.0, 2.0, 0.0, 5.0, 3.0, 2.0, 2.0];
/// assert_eq!(assignment::cheapest(&cost, 3), [1, 0, 2]);
/// ```
pub fn cheapest(cost: &[f64], n: usize) -> Vec<usize> {
    assert_eq!(cost.len(), n * n, "cheapest: {} costs are not {n} x {n}", cost.len());
    assert!(cost.iter().all(|c| c.is_finite()), "cheapest: a cost is not finite");
    // Row 0 and column 0 stand for "none"; `row_of[c]` is the row that has column c.
    let (mut by_row, mut by_column) = (vec![0.0; n + 1], vec![0.0; n + 1]);
    let mut row_of = vec![0; n + 1];
    for row in 1..=n {
        row_of[0] = row;
        let (mut slack, mut from) = (vec![f64::INFINITY; n + 1], vec![0; n + 1]);
        let mut seen = vec![false; n + 1];
        let mut column = 0;
        // Dijkstra over reduced costs until a free column is reached.
        while row_of[column] != 0 {
            seen[column] = true;
            let (at, mut least, mut next) = (row_of[column], f64::INFINITY, 0);
            for c in (1..=n).filter(|c| !seen[*c]) {
                let reduced = cost[(at - 1) * n + c - 1] - by_row[at] - by_column[c];
                if reduced < slack[c] {
                    (slack[c], from[c]) = (reduced, column);
                }
                if slack[c] < least {
                    (least, next) = (slack[c], c);
                }
            }
            for c in 0..=n {
                if seen[c] {
                    by_row[row_of[c]] += least;
                    by_column[c] -= least;
                } else {
                    slack[c] -= least;
                }
            }
            column = next;
        }
        while column != 0 {
            row_of[column] = row_of[from[column]];
            column = from[column];
        }
    }
    let mut column_of = vec![0; n];
    for (column, &row) in row_of.iter().enumerate().skip(1) {
        column_of[row - 1] = column - 1;
    }
    column_of
}

/// A bid for a place at an expert, ordered by its price.
#[derive(Debug, PartialEq)]
struct Bid {
    price: f64,
    token: usize,
}

impl Eq for Bid {}

impl PartialOrd for Bid {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Bid {
    fn cmp(&self, other: &Self) -> Ordering {
        self.price.total_cmp(&other.price).then(self.token.cmp(&other.token))
    }
}

/// An expert for each token, so that all experts get equally many and the scores' sum is largest.
///
/// ```text
/// argmax over a of sum_t score[t, a(t)]        each expert at most ceil(tokens / experts) times
/// ```
///
/// By an auction: tokens without a place bid for the expert that is worth most to them at its
/// price, as much as makes the second best as good; a full expert drops its lowest bid. The sum is
/// within `tokens * range / 10,000` of the largest, `range` that of the scores; without ties among
/// near-best assignments it is the best.
///
/// # Shapes
/// - `scores`: `[tokens, experts]`, row after row; output: the expert of each token
///
/// # Source
/// Bertsekas 1992 (auction algorithms), with equal objects and scaling; used for this purpose by
/// BASE Layers, arXiv:2103.16716.
///
/// # Panics
/// If the scores are not whole rows, or one is not finite.
///
/// # Example
/// ```
/// use pressrun_nn::gate::assignment;
///
/// // All three prefer expert 0; the one that loses least goes to expert 1.
/// let scores = [1.0, 0.0, 1.0, 0.8, 1.0, 0.5];
/// assert_eq!(assignment::balanced(&scores, 2), [0, 1, 0]);
/// ```
pub fn balanced(scores: &[f32], experts: usize) -> Vec<usize> {
    assert!(
        experts > 0 && scores.len().is_multiple_of(experts),
        "balanced: {} scores are no rows of {experts} experts",
        scores.len()
    );
    assert!(scores.iter().all(|s| s.is_finite()), "balanced: a score is not finite");
    let tokens = scores.len() / experts;
    let places = tokens.div_ceil(experts);
    let fold = |start, f: fn(f32, f32) -> f32| scores.iter().fold(start, |m, s| f(m, *s));
    let range = f64::from(fold(f32::NEG_INFINITY, f32::max) - fold(f32::INFINITY, f32::min));
    if experts == 1 || tokens == 0 || range == 0.0 {
        return (0..tokens).map(|token| token % experts).collect();
    }
    // Tokens that do not exist fill the places that would stay free, and like all alike.
    let value = |token: usize, expert: usize| {
        scores.get(token * experts + expert).map_or(0.0, |s| f64::from(*s))
    };
    let mut prices = vec![0.0; experts];
    let mut expert_of = Vec::new();
    for step in [0.1, 0.01, 1e-3, 1e-4] {
        expert_of = auction(&value, places, &mut prices, step * range);
    }
    expert_of.truncate(tokens);
    expert_of
}

/// One auction with bids that rise by at least `step`; gives and takes the experts' prices.
fn auction(
    value: &impl Fn(usize, usize) -> f64,
    places: usize,
    prices: &mut [f64],
    step: f64,
) -> Vec<usize> {
    let experts = prices.len();
    let mut held: Vec<BinaryHeap<Reverse<Bid>>> = (0..experts).map(|_| BinaryHeap::new()).collect();
    let mut waiting: Vec<usize> = (0..places * experts).rev().collect();
    while let Some(token) = waiting.pop() {
        let (mut best, mut first, mut second) = (0, f64::NEG_INFINITY, f64::NEG_INFINITY);
        for (expert, price) in prices.iter().enumerate() {
            let gain = value(token, expert) - price;
            if gain > first {
                (second, first, best) = (first, gain, expert);
            } else if gain > second {
                second = gain;
            }
        }
        let price = prices[best] + (first - second) + step;
        held[best].push(Reverse(Bid { price, token }));
        if held[best].len() > places {
            let Reverse(lost) = held[best].pop().expect("more than the places");
            waiting.push(lost.token);
        }
        if held[best].len() == places {
            let Reverse(lowest) = held[best].peek().expect("as many as the places");
            prices[best] = lowest.price.max(prices[best]);
        }
    }
    let mut expert_of = vec![0; places * experts];
    for (expert, bids) in held.into_iter().enumerate() {
        bids.into_iter().for_each(|Reverse(bid)| expert_of[bid.token] = expert);
    }
    expert_of
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The least cost over all `n!` permutations.
    fn least(cost: &[f64], n: usize, row: usize, taken: &mut Vec<usize>) -> f64 {
        if row == n {
            return 0.0;
        }
        let mut best = f64::INFINITY;
        for column in 0..n {
            if !taken.contains(&column) {
                taken.push(column);
                best = best.min(cost[row * n + column] + least(cost, n, row + 1, taken));
                taken.pop();
            }
        }
        best
    }

    proptest! {
        #[test]
        fn cheapest_is_the_least_over_all_permutations(
            (n, cost) in (1..7usize).prop_flat_map(|n| {
                (Just(n), prop::collection::vec(-5.0..5.0f64, n * n))
            }),
        ) {
            let found = cheapest(&cost, n);
            let mut columns = found.clone();
            columns.sort_unstable();
            prop_assert_eq!(columns, (0..n).collect::<Vec<_>>());
            let total: f64 = found.iter().enumerate().map(|(r, c)| cost[r * n + c]).sum();
            prop_assert!((total - least(&cost, n, 0, &mut Vec::new())).abs() < 1e-9);
        }

        /// Against the exact assignment in which each expert stands for each of its places.
        #[test]
        fn balanced_is_within_its_bound_of_the_best(
            (experts, places, scores) in (2..5usize, 1..6usize).prop_flat_map(|(e, p)| {
                (Just(e), Just(p), prop::collection::vec(-3.0..3.0f32, e * e * p))
            }),
        ) {
            let n = experts * places;
            let found = balanced(&scores, experts);
            let mut load = vec![0; experts];
            found.iter().for_each(|e| load[*e] += 1);
            prop_assert!(load.iter().all(|l| *l == places), "{:?}", load);
            let score = |t: usize, e: usize| f64::from(scores[t * experts + e]);
            let cost: Vec<f64> =
                (0..n * n).map(|i| -score(i / n, i % n % experts)).collect();
            let best: f64 = cheapest(&cost, n).iter().enumerate()
                .map(|(t, place)| score(t, place % experts)).sum();
            let total: f64 = found.iter().enumerate().map(|(t, e)| score(t, *e)).sum();
            prop_assert!(total <= best + 1e-9 && total >= best - n as f64 * 6e-4, "{} {}", total, best);
        }

        #[test]
        fn no_expert_is_overfull_when_tokens_do_not_divide(
            (experts, scores) in (2..6usize, 1..40usize).prop_flat_map(|(e, t)| {
                (Just(e), prop::collection::vec(-1.0..1.0f32, e * t))
            }),
        ) {
            let found = balanced(&scores, experts);
            let tokens = scores.len() / experts;
            prop_assert_eq!(found.len(), tokens);
            for expert in 0..experts {
                let load = found.iter().filter(|e| **e == expert).count();
                prop_assert!(load <= tokens.div_ceil(experts));
            }
        }
    }

    #[test]
    fn equal_scores_are_dealt_out() {
        assert_eq!(balanced(&[0.5; 8], 2), [0, 1, 0, 1]);
        assert_eq!(balanced(&[0.1, 0.7], 1), [0, 0]);
    }

    #[test]
    #[should_panic(expected = "cheapest: a cost is not finite")]
    fn a_cost_without_a_value_panics() {
        cheapest(&[f64::NAN], 1);
    }
}
