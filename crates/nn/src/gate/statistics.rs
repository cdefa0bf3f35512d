//! What a routing looks like: who is first, how evenly, and for the right reason.

use super::{Chosen, Routing};

/// The expert with the largest weight of each token; the first of equal ones.
///
/// # Example
/// ```
/// use pressrun_nn::{device, gate::{Chosen, Routing, statistics}};
///
/// let chosen = Chosen::one_hot(&[2, 0], 3);
/// let weights = chosen.tensor(&device::named("flex")?);
/// let routing = Routing::new(weights, chosen);
/// assert_eq!(statistics::first_choices(&routing), [2, 0]);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
pub fn first_choices(routing: &Routing) -> Vec<usize> {
    let largest = Chosen::largest(&routing.weights);
    let experts = largest.experts();
    let of = |token| (0..experts).find(|&e| largest.get(token, e));
    (0..largest.tokens()).map(|token| of(token).expect("one is the largest")).collect()
}

/// How often each expert is chosen.
///
/// # Panics
/// If a choice is not below `experts`.
///
/// # Example
/// ```
/// assert_eq!(pressrun_nn::gate::statistics::histogram(&[2, 0, 2], 4), [1, 0, 2, 0]);
/// ```
pub fn histogram(choices: &[usize], experts: usize) -> Vec<usize> {
    let mut counts = vec![0; experts];
    for &choice in choices {
        assert!(choice < experts, "histogram: expert {choice} of {experts}");
        counts[choice] += 1;
    }
    counts
}

/// Entropy of a histogram in nats; 0 for an empty one.
///
/// ```text
/// H = -sum_e f_e ln f_e        f_e: share of expert e
/// ```
///
/// As a fraction of its largest value it is [`super::balance::load_entropy`].
///
/// # Example
/// ```
/// use pressrun_nn::gate::statistics::entropy;
///
/// assert_eq!(entropy(&[7, 0]), 0.0);
/// assert!((entropy(&[3, 3]) - 2f64.ln()).abs() < 1e-12);
/// ```
pub fn entropy(histogram: &[usize]) -> f64 {
    let total = histogram.iter().sum::<usize>() as f64;
    let seen = histogram.iter().filter(|n| **n > 0);
    let terms = seen.map(|&n| {
        let share = n as f64 / total;
        share * share.ln()
    });
    // The difference from 0 keeps an entropy of 0 from being -0.
    0.0 - terms.sum::<f64>()
}

/// Share of choices that equal the reference's; 0 of none.
///
/// # Panics
/// If the lengths differ.
///
/// # Example
/// ```
/// assert_eq!(pressrun_nn::gate::statistics::agreement(&[2, 0, 2, 1], &[2, 1, 2, 0]), 0.5);
/// ```
pub fn agreement(choices: &[usize], reference: &[usize]) -> f64 {
    let (found, expected) = (choices.len(), reference.len());
    assert_eq!(found, expected, "agreement: {found} choices, {expected} references");
    let equal = choices.iter().zip(reference).filter(|(a, b)| a == b).count();
    equal as f64 / found.max(1) as f64
}

#[cfg(test)]
mod tests {
    use burn::tensor::Tensor;
    use proptest::prelude::*;

    use super::*;
    use crate::device;

    /// Shares 1/2, 1/4, 1/4: entropy 1.5 ln 2.
    #[test]
    fn by_hand() {
        let device = device::named("flex").unwrap();
        let weights = Tensor::<2>::from_floats(
            [[0.7, 0.3, 0.0], [0.0, 0.4, 0.6], [0.9, 0.0, 0.1], [0.2, 0.8, 0.0]],
            &device,
        );
        let chosen = Chosen::above(&weights, 0.0);
        let routing = Routing::new(weights, chosen);
        let first = first_choices(&routing);
        assert_eq!(first, [0, 2, 0, 1]);
        let counts = histogram(&first, 3);
        assert!((entropy(&counts) - 1.5 * 2f64.ln()).abs() < 1e-12);
        assert_eq!(agreement(&first, &[0, 2, 1, 1]), 0.75);
        assert_eq!((entropy(&[]), agreement(&[], &[])), (0.0, 0.0));
    }

    proptest! {
        #[test]
        fn entropy_lies_between_one_expert_and_all_alike(
            choices in prop::collection::vec(0usize..5, 1..50),
        ) {
            let counts = histogram(&choices, 5);
            prop_assert_eq!(counts.iter().sum::<usize>(), choices.len());
            let found = entropy(&counts);
            prop_assert!((0.0..=5f64.ln() + 1e-12).contains(&found));
            let one = choices.iter().all(|c| *c == choices[0]);
            prop_assert_eq!(found == 0.0, one);
        }
    }
}
