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

/// Mean over the sessions of the [`auc`] within each: how well a session's own rows are ranked.
///
/// ```text
/// group AUC = mean over sessions with a positive and a negative row of AUC(rows of the session)
/// ```
///
/// `None` if no session has both. The rows of a session need not stand together.
///
/// # Shapes
/// - `scores`, `labels`, `session`: `[rows]`
///
/// # Panics
/// If there are not as many scores as labels and sessions.
///
/// # Example
/// ```
/// use pressrun_data::metric::group_auc;
///
/// // Each session is in order, whatever the scores of the other are; the third has no negative.
/// let scores = [0.2f32, 0.1, 0.9, 0.8, 0.5];
/// assert_eq!(group_auc(&scores, &[1, 0, 1, 0, 1], &[7, 7, 8, 8, 9]), Some(1.0));
/// ```
pub fn group_auc<S: Copy + Into<f64>>(
    scores: &[S],
    labels: &[u8],
    session: &[usize],
) -> Option<f64> {
    mean_over_sessions(scores, labels, session, auc)
}

/// Normalised discounted cumulative gain of the first `k` places, mean over the sessions.
///
/// ```text
/// DCG  = sum over places r = 1 .. k of y_r / log2(1 + r)          NDCG = DCG / largest DCG
/// ```
///
/// Rows with the same score share the mean discount of their places, which is the expectation over
/// the orders among them: constant scores gain nothing from the order of the rows. Sessions without
/// a positive row are left out; `None` if there is no other, or a score is NaN.
///
/// # Shapes
/// - `scores`, `labels`, `session`: `[rows]`; a label is 0 or 1
///
/// # Source
/// Järvelin and Kekäläinen, 2002; ties as in `McSherry` and Najork, 2008.
///
/// # Panics
/// If there are not as many scores as labels and sessions.
///
/// # Example
/// ```
/// use pressrun_data::metric::ndcg_at;
///
/// // The positive row stands second: (1 / log2 3) / (1 / log2 2).
/// let ndcg = ndcg_at(10, &[0.1f32, 0.9, 0.5], &[0, 0, 1], &[0, 0, 0]).unwrap();
/// assert!((ndcg - 1.0 / 3f64.log2()).abs() < 1e-12);
/// assert_eq!(ndcg_at(1, &[0.1f32, 0.9, 0.5], &[0, 0, 1], &[0, 0, 0]), Some(0.0));
/// ```
pub fn ndcg_at<S: Copy + Into<f64>>(
    k: usize,
    scores: &[S],
    labels: &[u8],
    session: &[usize],
) -> Option<f64> {
    mean_over_sessions(scores, labels, session, |scores, labels| ndcg(k, scores, labels))
}

fn ndcg(k: usize, scores: &[f64], labels: &[u8]) -> Option<f64> {
    let discount = |place: usize| if place < k { ((place + 2) as f64).log2().recip() } else { 0.0 };
    let positives = labels.iter().filter(|&&label| label != 0).count();
    if positives == 0 || scores.iter().any(|score| score.is_nan()) {
        return None;
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_unstable_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let (mut place, mut gain) = (0, 0.0);
    for tied in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let here = tied.iter().filter(|&&row| labels[row] != 0).count();
        let discounts: f64 = (place..place + tied.len()).map(discount).sum();
        gain += here as f64 * discounts / tied.len() as f64;
        place += tied.len();
    }
    let largest: f64 = (0..positives).map(discount).sum();
    (largest > 0.0).then(|| gain / largest)
}

/// The mean of what `metric` says about each session, where it says something. A NaN among the
/// scores is never averaged over: there is no mean then.
fn mean_over_sessions<S: Copy + Into<f64>>(
    scores: &[S],
    labels: &[u8],
    session: &[usize],
    metric: impl Fn(&[f64], &[u8]) -> Option<f64>,
) -> Option<f64> {
    assert_same(scores.len(), labels.len());
    assert_same(scores.len(), session.len());
    if scores.iter().any(|&score| score.into().is_nan()) {
        return None;
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by_key(|&row| session[row]);
    let of_session = |rows: &[usize]| {
        let scores: Vec<f64> = rows.iter().map(|&row| scores[row].into()).collect();
        let labels: Vec<u8> = rows.iter().map(|&row| labels[row]).collect();
        metric(&scores, &labels)
    };
    let sessions = order.chunk_by(|&a, &b| session[a] == session[b]);
    let values: Vec<f64> = sessions.filter_map(of_session).collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
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
    fn sessions_by_hand() {
        // Session 0: positive 0.5 above one negative, below the other: 1/2. Session 1: tied, 1/2.
        // Session 2 has no positive.
        let (scores, labels) = ([0.5, 0.4, 0.9, 1.0, 1.0, 3.0], [1, 0, 0, 1, 0, 0]);
        let session = [0, 0, 0, 1, 1, 2];
        assert_eq!(group_auc(&scores, &labels, &session), Some(0.5));
        // Session 0: place 2, 1 / log2 3. Session 1: the mean of places 1 and 2.
        let second = 1.0 / 3f64.log2();
        let expected = (second + (1.0 + second) / 2.0) / 2.0;
        let ndcg = ndcg_at(10, &scores, &labels, &session).unwrap();
        assert!((ndcg - expected).abs() < 1e-12, "{ndcg}");
        // Of the first place alone: 0, and the half of a tie.
        assert_eq!(ndcg_at(1, &scores, &labels, &session), Some(0.25));
        assert_eq!(group_auc(&scores[5..], &labels[5..], &session[5..]), None);
        assert_eq!(ndcg_at(10, &scores[5..], &labels[5..], &session[5..]), None);
        assert_eq!(ndcg_at(10, &[f64::NAN, 1.0], &[1, 0], &[0, 0]), None);
    }

    #[test]
    fn constant_scores_and_the_perfect_order() {
        let (labels, session) = ([0, 1, 0, 1, 0, 0, 1, 0], [0, 0, 0, 0, 1, 1, 1, 1]);
        assert_eq!(group_auc(&[0.3; 8], &labels, &session), Some(0.5));
        let perfect = labels.map(f64::from);
        assert_eq!(group_auc(&perfect, &labels, &session), Some(1.0));
        assert_eq!(ndcg_at(10, &perfect, &labels, &session), Some(1.0));
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
        fn sessions_may_be_mixed_and_scores_shifted_within_each(
            rows in prop::collection::vec((0u8..6, 0u8..2, 0usize..4), 1..40),
        ) {
            let scores: Vec<f64> = rows.iter().map(|row| row.0.into()).collect();
            let labels: Vec<u8> = rows.iter().map(|row| row.1).collect();
            let session: Vec<usize> = rows.iter().map(|row| row.2).collect();
            let shifted: Vec<f64> = rows.iter().map(|row| f64::from(row.0) + 9.0 * row.2 as f64).collect();
            prop_assert_eq!(
                group_auc(&scores, &labels, &session),
                group_auc(&shifted, &labels, &session)
            );
            let one = vec![0; rows.len()];
            prop_assert_eq!(group_auc(&scores, &labels, &one), auc(&scores, &labels));
            if let Some(ndcg) = ndcg_at(3, &scores, &labels, &session) {
                prop_assert!((0.0..=1.0 + 1e-12).contains(&ndcg));
                prop_assert_eq!(Some(ndcg), ndcg_at(3, &shifted, &labels, &session));
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
