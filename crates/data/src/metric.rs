//! What ranking and probability models are judged by.

/// Area under the ROC curve: how often a positive row is ranked above a negative one.
///
/// ```text
/// AUC = ( sum_g P_g (N_<g + N_g / 2) ) / (P N)
/// ```
///
/// `g` runs over the different scores, `P_g` and `N_g` count the positive and negative rows with
/// that score, `N_<g` the negative rows below it: a tie counts one half, as with midranks.
/// `None` if there is no positive or no negative row, or a score is NaN: the area is undefined.
///
/// # Shapes
/// - `scores`: `[rows]`, any monotone form of the probability; `labels`: `[rows]`, 0 is negative
///
/// # Source
/// Mann and Whitney, 1947: AUC = U / (P N).
///
/// # Panics
/// If there are not as many scores as labels.
///
/// # Example
/// ```
/// use pressrun_data::metric::auc;
///
/// // Of the 4 pairs, 2 are in order, 1 is tied, 1 is reversed.
/// assert_eq!(auc(&[0.9f32, 0.4, 0.4, 0.1], &[1, 0, 1, 0]), Some(0.875));
/// assert_eq!(auc(&[0.4f32, 0.1, 0.4, 0.9], &[1, 1, 0, 0]), Some(0.125));
/// assert_eq!(auc(&[0.5f32], &[1]), None);
/// ```
pub fn auc<S: Copy + Into<f64>>(scores: &[S], labels: &[u8]) -> Option<f64> {
    assert_same(scores.len(), labels.len());
    let shares = labels.iter().map(|&label| if label == 0 { 0.0 } else { 1.0 });
    expected_auc(scores, &shares.collect::<Vec<f64>>())
}

/// The AUC that these scores have in expectation where row `i` is positive with probability `p_i`.
///
/// ```text
/// sum_{i != j} p_i (1 - p_j) [s_i > s_j] / sum_{i != j} p_i (1 - p_j)        ties count 1/2
/// ```
///
/// With the true probabilities as scores it is the Bayes AUC: no model's expected AUC on these rows
/// is higher. `None` where [`auc`] has none.
///
/// # Panics
/// If there are not as many scores as probabilities.
///
/// # Example
/// ```
/// use pressrun_data::metric::expected_auc;
///
/// // Two rows, probabilities 0.8 and 0.4: 0.8 * 0.6 in order, 0.4 * 0.2 reversed.
/// let auc = expected_auc(&[0.8f64, 0.4], &[0.8, 0.4]).unwrap();
/// assert!((auc - 0.48 / 0.56).abs() < 1e-12);
/// ```
pub fn expected_auc<S: Copy + Into<f64>>(scores: &[S], probabilities: &[f64]) -> Option<f64> {
    assert_same(scores.len(), probabilities.len());
    let scores: Vec<f64> = scores.iter().map(|&score| score.into()).collect();
    if scores.iter().any(|score| score.is_nan()) {
        return None;
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_unstable_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let (mut above, mut positive, mut negative) = (0.0, 0.0, 0.0);
    // `==`, not the order's equality: -0 and 0 are a tie.
    for tied in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let here: f64 = tied.iter().map(|&row| probabilities[row]).sum();
        let rest = tied.len() as f64 - here;
        above += here * (negative + rest / 2.0);
        positive += here;
        negative += rest;
    }
    // A row is not compared with itself; in `above` it stands as a tie.
    let own: f64 = probabilities.iter().map(|p| p * (1.0 - p)).sum();
    let pairs = positive * negative - own;
    (pairs > 0.0).then(|| (above - own / 2.0) / pairs)
}

/// Mean negative log likelihood of the labels, from logits.
///
/// ```text
/// mean_i( log(1 + exp(z_i)) - y_i z_i )        computed as max(z, 0) - y z + log(1 + exp(-|z|))
/// ```
///
/// 0 for no rows at all.
///
/// # Shapes
/// - `logits`: `[rows]`, not probabilities; `labels`: `[rows]`, 0 is negative
///
/// # Panics
/// If there are not as many logits as labels.
///
/// # Example
/// ```
/// use pressrun_data::metric::logloss;
///
/// assert!((logloss(&[0.0f32, 0.0], &[0, 1]) - 2f64.ln()).abs() < 1e-12);
/// // Certain and wrong: as large as the logit, and finite.
/// assert_eq!(logloss(&[-1e4f32], &[1]), 1e4);
/// ```
pub fn logloss<S: Copy + Into<f64>>(logits: &[S], labels: &[u8]) -> f64 {
    assert_same(logits.len(), labels.len());
    let loss = |(&logit, &label): (&S, &u8)| {
        let z: f64 = logit.into();
        let right = if label == 0 { 0.0 } else { z };
        z.max(0.0) - right + (-z.abs()).exp().ln_1p()
    };
    logits.iter().zip(labels).map(loss).sum::<f64>() / logits.len().max(1) as f64
}

fn assert_same(scores: usize, labels: usize) {
    assert!(scores == labels, "metric: {scores} scores for {labels} labels");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn by_hand() {
        // Positives 3, 2; negatives 2, 1, 0: (3 > all: 3) + (2 = 2: 1/2, 2 > 1, 0: 2) = 5.5 of 6.
        assert_eq!(auc(&[3.0, 2.0, 2.0, 1.0, 0.0], &[1, 1, 0, 0, 0]), Some(5.5 / 6.0));
        assert_eq!(auc(&[1.0, 1.0, 1.0, 1.0], &[1, 0, 0, 1]), Some(0.5));
        assert_eq!(auc(&[0.0, -0.0], &[1, 0]), Some(0.5));
        assert_eq!(auc(&[f64::INFINITY, f64::NEG_INFINITY], &[1, 0]), Some(1.0));
        assert_eq!(auc(&[f64::NAN, 0.0], &[1, 0]), None);
        assert_eq!(auc(&[1.0, 2.0], &[0, 0]), None);
        assert_eq!(auc::<f64>(&[], &[]), None);
    }

    #[test]
    fn logloss_by_hand() {
        // -ln(sigmoid(1)) = ln(1 + 1/e) = 0.313262, -ln(1 - sigmoid(1)) = 1.313262
        assert!((logloss(&[1.0], &[1]) - 0.313_261_687_5).abs() < 1e-9);
        assert!((logloss(&[1.0], &[0]) - 1.313_261_687_5).abs() < 1e-9);
        assert_eq!(logloss::<f64>(&[], &[]), 0.0);
    }

    #[test]
    #[should_panic(expected = "2 scores for 1 labels")]
    fn unequal_lengths_panic() {
        auc(&[1.0, 2.0], &[1]);
    }

    proptest! {
        #[test]
        fn it_is_the_share_of_ordered_pairs(
            rows in prop::collection::vec((0u8..6, 0u8..2), 1..40),
        ) {
            let scores: Vec<f64> = rows.iter().map(|&(score, _)| score.into()).collect();
            let labels: Vec<u8> = rows.iter().map(|&(_, label)| label).collect();
            let (mut above, mut pairs) = (0.0, 0.0);
            for &(p, _) in rows.iter().filter(|&&(_, label)| label == 1) {
                for &(n, _) in rows.iter().filter(|&&(_, label)| label == 0) {
                    above += if p > n { 1.0 } else if p == n { 0.5 } else { 0.0 };
                    pairs += 1.0;
                }
            }
            match auc(&scores, &labels) {
                Some(auc) => {
                    prop_assert!((auc - above / pairs).abs() < 1e-12);
                    let reversed: Vec<f64> = scores.iter().map(|score| -score).collect();
                    let sum = auc + super::auc(&reversed, &labels).unwrap();
                    prop_assert!((sum - 1.0).abs() < 1e-12);
                    let stretched: Vec<f64> = scores.iter().map(|score| score.exp()).collect();
                    prop_assert_eq!(super::auc(&stretched, &labels), Some(auc));
                }
                None => prop_assert_eq!(pairs, 0.0),
            }
        }

        #[test]
        fn the_expectation_is_that_of_all_labelings(
            rows in prop::collection::vec((0u8..4, 0.05f64..0.95), 2..7),
        ) {
            let scores: Vec<f64> = rows.iter().map(|&(score, _)| score.into()).collect();
            let p: Vec<f64> = rows.iter().map(|&(_, p)| p).collect();
            // Both sides of the ratio are expectations over all 2^rows labelings.
            let (mut above, mut pairs) = (0.0, 0.0);
            for labeling in 0u32..1 << rows.len() {
                let labels: Vec<u8> = (0..rows.len()).map(|i| (labeling >> i & 1) as u8).collect();
                let likelihood: f64 =
                    labels.iter().zip(&p).map(|(&l, p)| if l == 1 { *p } else { 1.0 - p }).product();
                let positive = labels.iter().filter(|&&label| label == 1).count();
                let count = (positive * (rows.len() - positive)) as f64;
                above += likelihood * count * auc(&scores, &labels).unwrap_or(0.0);
                pairs += likelihood * count;
            }
            let auc = expected_auc(&scores, &p).unwrap();
            prop_assert!((auc - above / pairs).abs() < 1e-9, "{} {}", auc, above / pairs);
        }
    }
}
