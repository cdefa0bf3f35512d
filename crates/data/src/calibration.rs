//! Whether probabilities mean what they say: calibration error and conformal prediction sets.

/// How confidences are put into bins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bins {
    /// As many rows in each, so far as equal confidences allow: they stay together.
    EqualMass,
    /// The interval from 0 to 1 in equal parts.
    EqualWidth,
}

/// Expected calibration error: how far confidence and accuracy lie apart, bin by bin.
///
/// ```text
/// ECE = sum_B |B| / n  | mean_{i in B} correct_i - mean_{i in B} confidence_i |
/// ```
///
/// 0 for no rows at all.
///
/// # Shapes
/// - `confidence`: `[rows]`, within 0 and 1; `correct`: `[rows]`
///
/// # Source
/// Naeini et al., 2015; Guo et al., arXiv:1706.04599 (bins of equal width); bins of equal mass as
/// in Nixon et al., arXiv:1904.01685.
///
/// # Panics
/// If there are not as many confidences as answers, or no bins.
///
/// # Example
/// ```
/// use pressrun_data::calibration::{Bins, ece};
///
/// // Four answers, 0.9 sure of each, three of them right.
/// let error = ece(&[0.9; 4], &[true, true, true, false], 15, Bins::EqualWidth);
/// assert!((error - 0.15).abs() < 1e-6);
/// ```
pub fn ece(confidence: &[f32], correct: &[bool], bins: usize, strategy: Bins) -> f64 {
    let (rows, answers) = (confidence.len(), correct.len());
    assert!(rows == answers, "ece: {rows} confidences and {answers} answers");
    assert!(bins > 0, "ece: no bins");
    let mut order: Vec<usize> = (0..rows).collect();
    order.sort_unstable_by(|&a, &b| confidence[a].total_cmp(&confidence[b]));
    // The rank of the first row with the same confidence tells the bin of all of them.
    let mut sums = vec![(0.0, 0.0); bins];
    let mut rank = 0;
    for equal in order.chunk_by(|&a, &b| confidence[a] == confidence[b]) {
        let value = f64::from(confidence[equal[0]]);
        let bin = match strategy {
            Bins::EqualMass => rank * bins / rows,
            Bins::EqualWidth => ((value * bins as f64) as usize).min(bins - 1),
        };
        let right = equal.iter().filter(|&&row| correct[row]).count();
        sums[bin].0 += right as f64;
        sums[bin].1 += value * equal.len() as f64;
        rank += equal.len();
    }
    let apart: f64 = sums.iter().map(|(right, sure)| (right - sure).abs()).sum();
    apart / rows.max(1) as f64
}

/// The score below which a new one lies with probability `1 - alpha`, by split conformal
/// prediction.
///
/// ```text
/// the k-th smallest score, k = ceil((n + 1) (1 - alpha)); infinite if k > n
/// ```
///
/// If the scores and a new one are exchangeable, the new one is at most that with a probability of
/// at least `1 - alpha`, and, without ties, at most `1 - alpha + 1 / (n + 1)`.
///
/// # Source
/// Vovk et al., 2005; Lei et al., arXiv:1604.04173.
///
/// # Panics
/// If `alpha` is not within 0 and 1.
///
/// # Example
/// ```
/// use pressrun_data::calibration::conformal_quantile;
///
/// // k = ceil(5 * 0.75) = 4.
/// assert_eq!(conformal_quantile(&[0.3, 0.1, 0.4, 0.2], 0.25), 0.4);
/// assert_eq!(conformal_quantile(&[0.3, 0.1, 0.4, 0.2], 0.1), f32::INFINITY);
/// ```
pub fn conformal_quantile(scores: &[f32], alpha: f64) -> f32 {
    assert!((0.0..=1.0).contains(&alpha), "conformal_quantile: alpha is {alpha}");
    let n = scores.len();
    // A product that should be whole may come out a little above.
    let k = ((n + 1) as f64 * (1.0 - alpha) - 1e-9).ceil().max(1.0) as usize;
    if k > n {
        return f32::INFINITY;
    }
    let mut sorted = scores.to_vec();
    *sorted.select_nth_unstable_by(k - 1, f32::total_cmp).1
}

/// The classes that cannot be ruled out, for each row.
///
/// ```text
/// set = { c : 1 - p_c <= quantile }
/// ```
///
/// with the [`conformal_quantile`] of the scores `1 - p_y` of other rows.
///
/// # Shapes
/// - `probabilities`: `[rows, classes]`, row after row
/// - output: the classes of each row, in order
///
/// # Source
/// Sadinle et al., arXiv:1609.00451.
///
/// # Panics
/// If the probabilities are not made of whole rows.
///
/// # Example
/// ```
/// use pressrun_data::calibration::prediction_sets;
///
/// let sets = prediction_sets(&[0.75, 0.25, 0.0, 0.5, 0.5, 0.0], 3, 0.5);
/// assert_eq!(sets, [vec![0], vec![0, 1]]);
/// ```
pub fn prediction_sets(probabilities: &[f32], classes: usize, quantile: f32) -> Vec<Vec<usize>> {
    let entries = probabilities.len();
    assert!(
        classes > 0 && entries.is_multiple_of(classes),
        "prediction_sets: {entries} entries are no rows of {classes} classes"
    );
    let set = |row: &[f32]| (0..classes).filter(|&c| 1.0 - row[c] <= quantile).collect();
    probabilities.chunks(classes).map(set).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::{Rng, RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// Two bins: (0.1, wrong), (0.3, right) and (0.6, right), (0.8, wrong): 1 - 0.4 and 1 - 1.4
    /// right answers too many: (0.6 + 0.4) / 4.
    #[test]
    fn both_kinds_of_bins_by_hand() {
        let (confidence, correct) = ([0.6, 0.1, 0.8, 0.3], [true, false, false, true]);
        for strategy in [Bins::EqualMass, Bins::EqualWidth] {
            assert!((ece(&confidence, &correct, 2, strategy) - 0.25).abs() < 1e-6, "{strategy:?}");
        }
        // One bin: 2 right of 4 and 1.8 sure.
        assert!((ece(&confidence, &correct, 1, Bins::EqualMass) - 0.05).abs() < 1e-6);
        // 0.55 and 0.9 share a bin of equal width, but none of equal mass.
        let (confidence, correct) = ([0.55, 0.9], [true, false]);
        assert!((ece(&confidence, &correct, 2, Bins::EqualWidth) - 0.225).abs() < 1e-6);
        assert!((ece(&confidence, &correct, 2, Bins::EqualMass) - 0.675).abs() < 1e-6);
        assert_eq!(ece(&[1.0], &[true], 10, Bins::EqualWidth), 0.0);
        assert_eq!(ece(&[], &[], 10, Bins::EqualMass), 0.0);
    }

    #[test]
    fn a_whole_product_is_not_rounded_up() {
        // k = 100 * 0.95 = 95 and 20 * 0.95 = 19.
        for n in [99usize, 19] {
            let scores: Vec<f32> = (1..=n).rev().map(|i| i as f32).collect();
            assert_eq!(conformal_quantile(&scores, 0.05), ((n + 1) * 19 / 20) as f32);
        }
        assert_eq!(conformal_quantile(&[], 0.5), f32::INFINITY);
        assert_eq!(conformal_quantile(&[2.0, 1.0], 1.0), 1.0);
    }

    /// Each of n + 1 exchangeable rows takes the part of the new one once: the mean coverage is
    /// k / (n + 1) exactly.
    #[test]
    fn coverage_of_exchangeable_scores_is_within_1_of_n_plus_1() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        for (n, alpha) in [(20, 0.1), (57, 0.05), (200, 0.3)] {
            let scores: Vec<f32> = (0..=n).map(|_| rng.random()).collect();
            let covered = (0..=n).filter(|&new| {
                let mut others = scores.clone();
                let score = others.remove(new);
                score <= conformal_quantile(&others, alpha)
            });
            let coverage = covered.count() as f64 / (n + 1) as f64;
            let over = coverage - (1.0 - alpha);
            assert!((-1e-9..=1.0 / (n + 1) as f64).contains(&over), "{n} {alpha}: {over}");
        }
    }

    proptest! {
        #[test]
        fn the_order_of_rows_does_not_matter_and_truth_is_calibrated(
            mut rows in prop::collection::vec((0..=20u8, any::<bool>()), 1..60),
            bins in 1..8usize,
            seed in any::<u64>(),
        ) {
            let error = |rows: &[(u8, bool)], strategy| {
                let confidence: Vec<f32> = rows.iter().map(|r| f32::from(r.0) / 20.0).collect();
                let correct: Vec<bool> = rows.iter().map(|r| r.1).collect();
                ece(&confidence, &correct, bins, strategy)
            };
            let before = [Bins::EqualMass, Bins::EqualWidth].map(|s| error(&rows, s));
            use rand::seq::SliceRandom;
            rows.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
            let after = [Bins::EqualMass, Bins::EqualWidth].map(|s| error(&rows, s));
            prop_assert!(before.iter().zip(after).all(|(a, b)| (a - b).abs() < 1e-9));
            prop_assert!(before.iter().all(|e| (0.0..=1.0).contains(e)));
            for row in &mut rows {
                row.0 = if row.1 { 20 } else { 0 };
            }
            prop_assert_eq!(error(&rows, Bins::EqualMass), 0.0);
        }

        /// The right class is in the set just when its score is within the quantile.
        #[test]
        fn sets_grow_with_the_quantile(seed in any::<u64>(), low in 0.0..0.5f32) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut next = || (rng.next_u32() >> 8) as f32 / (1u32 << 24) as f32;
            let p: Vec<f32> = (0..30).map(|_| next()).collect();
            let (small, large) = (prediction_sets(&p, 3, low), prediction_sets(&p, 3, 2.0 * low));
            for (row, (small, large)) in small.iter().zip(&large).enumerate() {
                prop_assert!(small.iter().all(|c| large.contains(c)));
                for class in 0..3 {
                    prop_assert_eq!(small.contains(&class), 1.0 - p[row * 3 + class] <= low);
                }
            }
        }
    }
}
