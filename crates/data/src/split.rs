//! Which rows go where: random and stratified splits, balanced choices.
//!
//! Everything here works on indices, so that images, tables and whatever a study makes itself are
//! split in the same way.

use rand::Rng;
use rand::seq::SliceRandom;

/// Puts `n` of `len` rows, chosen at random, on the first side and the others on the second.
///
/// # Panics
/// If `n > len`.
///
/// # Example
/// ```
/// use rand::SeedableRng;
///
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
/// let (train, test) = pressrun_data::split::random(10, 7, &mut rng);
/// assert_eq!((train.len(), test.len()), (7, 3));
/// ```
pub fn random(len: usize, n: usize, rng: &mut impl Rng) -> (Vec<usize>, Vec<usize>) {
    assert!(n <= len, "split: {n} rows asked for, {len} there");
    let mut first: Vec<usize> = (0..len).collect();
    first.shuffle(rng);
    let second = first.split_off(n);
    (first, second)
}

/// As [`random`], with every class on both sides in proportion to its size.
///
/// ```text
/// n_c = floor(n * size_c / len), and one more for the classes with the largest remainders
/// ```
///
/// `n_c` is the number of rows of class `c` on the first side; they add up to exactly `n`.
///
/// # Panics
/// If `n` is larger than the number of labels.
///
/// # Example
/// ```
/// use rand::SeedableRng;
///
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
/// let labels = [0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1];
/// let (first, _) = pressrun_data::split::stratified(&labels, 6, &mut rng);
/// assert_eq!(first.iter().filter(|&&row| labels[row] == 1).count(), 4);
/// ```
pub fn stratified(labels: &[u8], n: usize, rng: &mut impl Rng) -> (Vec<usize>, Vec<usize>) {
    let len = labels.len();
    assert!(n <= len, "split: {n} rows asked for, {len} there");
    let mut classes: Vec<Vec<usize>> = vec![Vec::new(); 256];
    for (row, &label) in labels.iter().enumerate() {
        classes[usize::from(label)].push(row);
    }
    let mut quota: Vec<usize> = classes.iter().map(|rows| n * rows.len() / len.max(1)).collect();
    let mut by_remainder: Vec<usize> = (0..256).collect();
    by_remainder.sort_by_key(|&class| std::cmp::Reverse(n * classes[class].len() % len.max(1)));
    let missing = n - quota.iter().sum::<usize>();
    for &class in &by_remainder[..missing] {
        quota[class] += 1;
    }
    let (mut first, mut second) = (Vec::with_capacity(n), Vec::with_capacity(len - n));
    for (rows, quota) in classes.iter_mut().zip(quota) {
        rows.shuffle(rng);
        first.extend(&rows[..quota]);
        second.extend(&rows[quota..]);
    }
    // Otherwise the rows would come class by class, and a batch in this order would see one class.
    first.shuffle(rng);
    second.shuffle(rng);
    (first, second)
}

/// The first `n` rows, in their order, that hold every class equally often.
///
/// Each of the `classes` gets `n / classes` rows, the first ones one more if it does not come out
/// even; a class with fewer rows than its share gives what it has. No randomness: the same rows
/// on every machine.
///
/// # Example
/// ```
/// let labels = [0, 0, 0, 1, 2, 1, 0, 2];
/// assert_eq!(pressrun_data::split::balanced(&labels, 3, 6), [0, 1, 3, 4, 5, 7]);
/// ```
pub fn balanced(labels: &[u8], classes: usize, n: usize) -> Vec<usize> {
    let mut left: Vec<usize> =
        (0..classes).map(|class| n / classes + usize::from(class < n % classes)).collect();
    let mut rows = Vec::with_capacity(n.min(labels.len()));
    for (row, &label) in labels.iter().enumerate() {
        if let Some(left) = left.get_mut(usize::from(label)).filter(|left| **left > 0) {
            *left -= 1;
            rows.push(row);
        }
    }
    rows
}

/// One round of a cross-validation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// Rows to train on.
    pub train: Vec<usize>,
    /// Rows that are left out of it.
    pub held_out: Vec<usize>,
}

/// The rounds of a cross-validation: every row is left out of exactly one, each class of nearly as
/// many rows in each.
///
/// The rows of each class are shuffled and dealt out one by one, on from where the last class
/// ended; within a fold they are in ascending order.
///
/// # Panics
/// If there are fewer than 2 folds.
///
/// # Example
/// ```
/// use pressrun_data::split;
/// use rand::SeedableRng;
///
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
/// let folds = split::folds(&[0, 0, 1, 1, 0, 0], 2, &mut rng);
/// assert_eq!((folds[0].train.len(), folds[0].held_out.len()), (3, 3));
/// ```
pub fn folds(labels: &[u8], k: usize, rng: &mut impl Rng) -> Vec<Fold> {
    assert!(k >= 2, "folds: {k}; expected at least 2");
    let mut fold_of = vec![0; labels.len()];
    let mut next = 0;
    for class in 0..=u8::MAX {
        let mut rows: Vec<usize> = (0..labels.len()).filter(|&r| labels[r] == class).collect();
        rows.shuffle(rng);
        for row in rows {
            fold_of[row] = next % k;
            next += 1;
        }
    }
    let side = |fold: usize, held: bool| {
        (0..labels.len()).filter(|&row| (fold_of[row] == fold) == held).collect()
    };
    (0..k).map(|fold| Fold { train: side(fold, false), held_out: side(fold, true) }).collect()
}

/// What was predicted for each row by the round that had not seen it, in the order of the rows.
///
/// `predict(i)` gives the predictions of round `i` for its held-out rows, in their order.
///
/// # Errors
/// The first error of `predict`.
///
/// # Panics
/// If a round does not give one prediction for each of its held-out rows, or the rounds do not
/// leave out every row exactly once.
///
/// # Example
/// ```
/// use pressrun_data::split::{self, Fold};
///
/// let folds = [
///     Fold { train: vec![1], held_out: vec![0, 2] },
///     Fold { train: vec![0, 2], held_out: vec![1] },
/// ];
/// let round = |i: usize| Ok::<_, ()>(vec![i; folds[i].held_out.len()]);
/// assert_eq!(split::out_of_fold(&folds, round), Ok(vec![0, 1, 0]));
/// ```
pub fn out_of_fold<T, E>(
    folds: &[Fold],
    mut predict: impl FnMut(usize) -> Result<Vec<T>, E>,
) -> Result<Vec<T>, E> {
    let rows = folds.iter().map(|fold| fold.held_out.len()).sum();
    let mut predictions: Vec<Option<T>> = (0..rows).map(|_| None).collect();
    for (index, fold) in folds.iter().enumerate() {
        let found = predict(index)?;
        let (got, held) = (found.len(), fold.held_out.len());
        assert_eq!(got, held, "out_of_fold: {got} predictions for {held} rows");
        for (&row, prediction) in fold.held_out.iter().zip(found) {
            let before = predictions[row].replace(prediction);
            assert!(before.is_none(), "out_of_fold: row {row} is held out twice");
        }
    }
    Ok(predictions.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn cover(first: &[usize], second: &[usize]) -> Vec<usize> {
        let mut all: Vec<usize> = first.iter().chain(second).copied().collect();
        all.sort_unstable();
        all
    }

    proptest! {
        #[test]
        fn both_splits_cover_every_row_once_and_repeat_under_a_seed(
            labels in prop::collection::vec(0u8..5, 0..120),
            share in 0.0..=1.0f64,
            seed in any::<u64>(),
        ) {
            let n = (share * labels.len() as f64) as usize;
            let rng = || ChaCha8Rng::seed_from_u64(seed);
            let everything: Vec<usize> = (0..labels.len()).collect();
            let (first, second) = random(labels.len(), n, &mut rng());
            prop_assert_eq!(first.len(), n);
            prop_assert_eq!(cover(&first, &second), everything.clone());
            prop_assert_eq!((first, second), random(labels.len(), n, &mut rng()));

            let (first, second) = stratified(&labels, n, &mut rng());
            prop_assert_eq!(first.len(), n);
            prop_assert_eq!(cover(&first, &second), everything);
            for class in 0..5 {
                let size = labels.iter().filter(|&&label| label == class).count();
                let got = first.iter().filter(|&&row| labels[row] == class).count();
                let exact = n as f64 * size as f64 / labels.len().max(1) as f64;
                prop_assert!((got as f64 - exact).abs() < 1.0, "class {class}: {got} of {exact}");
            }
            prop_assert_eq!((first, second), stratified(&labels, n, &mut rng()));
        }

        #[test]
        fn folds_leave_every_row_out_once_with_every_class_in_proportion(
            labels in prop::collection::vec(0u8..4, 0..80),
            k in 2usize..6,
            seed in any::<u64>(),
        ) {
            let folds = folds(&labels, k, &mut ChaCha8Rng::seed_from_u64(seed));
            for fold in &folds {
                let everything: Vec<usize> = (0..labels.len()).collect();
                prop_assert_eq!(cover(&fold.train, &fold.held_out), everything);
                for class in 0..4 {
                    let count = |rows: &[usize]| {
                        rows.iter().filter(|&&row| labels[row] == class).count()
                    };
                    let size = count(&fold.train) + count(&fold.held_out);
                    prop_assert!(count(&fold.held_out).abs_diff(size / k) <= 1);
                }
            }
            let rows = out_of_fold(&folds, |i| Ok::<_, ()>(folds[i].held_out.clone()));
            prop_assert_eq!(rows, Ok((0..labels.len()).collect::<Vec<_>>()));
        }

        #[test]
        fn a_balanced_choice_is_balanced_sorted_and_a_prefix_of_a_larger_one(
            labels in prop::collection::vec(0u8..4, 0..200),
            n in 0usize..60,
        ) {
            let rows = balanced(&labels, 4, n);
            prop_assert!(rows.is_sorted());
            for class in 0..4u8 {
                let size = labels.iter().filter(|&&label| label == class).count();
                let got = rows.iter().filter(|&&row| labels[row] == class).count();
                let share = n / 4 + usize::from(usize::from(class) < n % 4);
                prop_assert_eq!(got, share.min(size));
            }
            let more = balanced(&labels, 4, n + 8);
            prop_assert!(rows.iter().all(|row| more.contains(row)));
        }
    }

    #[test]
    fn a_stratified_half_is_not_sorted_by_class() {
        let labels: Vec<u8> = (0..200).map(|row| (row / 100) as u8).collect();
        let (first, _) = stratified(&labels, 100, &mut ChaCha8Rng::seed_from_u64(3));
        let ones_in_front = first[..50].iter().filter(|&&row| labels[row] == 1).count();
        assert!(
            (10..=40).contains(&ones_in_front),
            "{ones_in_front} of the first 50 are of class 1"
        );
    }

    #[test]
    #[should_panic(expected = "4 rows asked for, 3 there")]
    fn more_than_there_is_panics() {
        random(3, 4, &mut ChaCha8Rng::seed_from_u64(0));
    }
}
