//! A linear support vector machine, by dual coordinate descent.

/// A training example: dense numbers, words with their amounts, what it is, what an error costs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Example {
    pub dense: Vec<f32>,
    /// Columns and amounts, each column once.
    pub words: Vec<(u32, f32)>,
    pub liked: bool,
    pub cost: f32,
}

/// Weights of a linear model.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Weights {
    pub dense: Vec<f32>,
    pub words: Vec<f32>,
    pub bias: f32,
}

/// Most passes over all examples.
const PASSES: usize = 40;
/// It is over when no example is further from its optimum than this.
const TOLERANCE: f32 = 0.02;

impl Weights {
    /// The score of an example.
    pub(super) fn score(&self, example: &Example) -> f32 {
        let words = example.words.iter().map(|(column, x)| self.words[*column as usize] * x);
        product(&self.dense, &example.dense) + words.sum::<f32>() + self.bias
    }

    fn add(&mut self, example: &Example, amount: f32) {
        for (weight, x) in self.dense.iter_mut().zip(&example.dense) {
            *weight += amount * x;
        }
        for (column, x) in &example.words {
            self.words[*column as usize] += amount * x;
        }
        self.bias += amount;
    }
}

/// Sixteen sums side by side, which a compiler makes vectors of.
pub(super) fn product(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
    let mut sums = [0.0_f32; 16];
    for (a, b) in a.iter().zip(b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

/// Finds the weights that part liked examples from the others best.
///
/// ```text
/// min  1/2 (|w|^2 + b^2) + sum_i C_i max(0, 1 - y_i (w . x_i + b))^2      y_i = 1 if liked, else -1
/// ```
///
/// In the dual there is one number `alpha_i >= 0` for each example, with `w = sum_i alpha_i y_i x_i`:
///
/// ```text
/// G = y_i (w . x_i + b) - 1 + D_i alpha_i          D_i = 1 / (2 C_i)
/// alpha_i <- max(0, alpha_i - G / (|x_i|^2 + 1 + D_i))
/// ```
///
/// The squared error is smooth and strictly convex in the dual: there is one optimum, whatever the
/// order of examples, which is drawn anew for each pass by a generator of fixed seed.
///
/// # Shapes
/// - `examples`: dense `[dims]` each, columns below `columns`
///
/// # Source
/// Hsieh, Chang, Lin, Keerthi and Sundararajan, A dual coordinate descent method for large-scale linear
/// SVM, ICML 2008, algorithm 1 with the squared hinge loss.
///
/// Beside the weights, what each example itself adds to its own score, `alpha_i y_i (|x_i|^2 + 1)`.
pub(super) fn fit(examples: &[Example], dims: usize, columns: usize) -> (Weights, Vec<f32>) {
    let mut weights = Weights { dense: vec![0.0; dims], words: vec![0.0; columns], bias: 0.0 };
    let square = |example: &Example| {
        let words: f32 = example.words.iter().map(|(_, x)| x * x).sum();
        product(&example.dense, &example.dense) + words + 1.0
    };
    let squares: Vec<f32> = examples.iter().map(square).collect();
    let mut alphas = vec![0.0_f32; examples.len()];
    let mut order: Vec<usize> = (0..examples.len()).collect();
    let mut draw = Draw(0x9e37_79b9_7f4a_7c15);
    for _ in 0..PASSES {
        draw.shuffle(&mut order);
        let mut furthest = 0.0_f32;
        for &i in &order {
            let example = &examples[i];
            let sign = if example.liked { 1.0 } else { -1.0 };
            let diagonal = 0.5 / example.cost;
            let gradient = sign * weights.score(example) - 1.0 + diagonal * alphas[i];
            if alphas[i] == 0.0 && gradient >= 0.0 {
                continue;
            }
            furthest = furthest.max(gradient.abs());
            let new = (alphas[i] - gradient / (squares[i] + diagonal)).max(0.0);
            weights.add(example, (new - alphas[i]) * sign);
            alphas[i] = new;
        }
        if furthest < TOLERANCE {
            break;
        }
    }
    let parts = examples.iter().zip(alphas.iter().zip(&squares));
    let own = parts.map(
        |(example, (alpha, square))| {
            if example.liked { alpha * square } else { -alpha * square }
        },
    );
    (weights, own.collect())
}

/// Numbers in an order that looks like chance and is always the same (`SplitMix64`).
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn shuffle(&mut self, order: &mut [usize]) {
        for i in (1..order.len()).rev() {
            order.swap(i, (self.next() % (i as u64 + 1)) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(dense: &[f32], words: &[(u32, f32)], liked: bool, cost: f32) -> Example {
        Example { dense: dense.to_vec(), words: words.to_vec(), liked, cost }
    }

    /// The primal objective.
    fn objective(weights: &Weights, examples: &[Example]) -> f32 {
        let loss = examples.iter().map(|example| {
            let sign = if example.liked { 1.0 } else { -1.0 };
            example.cost * (1.0 - sign * weights.score(example)).max(0.0).powi(2)
        });
        let square = product(&weights.dense, &weights.dense)
            + product(&weights.words, &weights.words)
            + weights.bias * weights.bias;
        0.5 * square + loss.sum::<f32>()
    }

    #[test]
    fn two_points_as_by_hand() {
        // x = 1 liked, x = -1 not, C = 1/2: by symmetry b = 0, and w minimises
        // w^2 / 2 + (1 - w)^2, so w = 2/3.
        let examples = [example(&[1.0], &[], true, 0.5), example(&[-1.0], &[], false, 0.5)];
        let (weights, own) = fit(&examples, 1, 0);
        // alpha = 2 C (1 - w) = 1/3 for both, and |x|^2 + 1 = 2.
        assert!((own[0] - 2.0 / 3.0).abs() < 0.02 && (own[1] + 2.0 / 3.0).abs() < 0.02, "{own:?}");
        assert!((weights.dense[0] - 2.0 / 3.0).abs() < 0.01, "{weights:?}");
        assert!(weights.bias.abs() < 0.01, "{weights:?}");
    }

    #[test]
    fn no_step_away_is_better() {
        let mut draw = Draw(7);
        let mut uniform = || (draw.next() >> 40) as f32 / (1 << 23) as f32 - 1.0;
        let examples: Vec<Example> = (0..60)
            .map(|i| {
                let dense: Vec<f32> = (0..5).map(|_| uniform()).collect();
                let words = [(i % 7, uniform()), (7 + i % 3, uniform())];
                let liked = dense[0] + 0.5 * words[0].1 + 0.3 * uniform() > 0.0;
                example(&dense, &words, liked, 0.2 + 0.8 * f32::from(i as u8 % 2))
            })
            .collect();
        let (weights, _) = fit(&examples, 5, 10);
        let best = objective(&weights, &examples);
        for step in [0.05, -0.05] {
            for at in 0..16 {
                let mut other = weights.clone();
                match at {
                    0..5 => other.dense[at] += step,
                    5..15 => other.words[at - 5] += step,
                    _ => other.bias += step,
                }
                assert!(objective(&other, &examples) > best, "{at} {step}");
            }
        }
        assert_eq!(fit(&examples, 5, 10).0, weights);
    }

    #[test]
    fn one_kind_alone_has_a_model_too() {
        let examples = [example(&[0.6, 0.8], &[(0, 1.0)], true, 1.0)];
        let (weights, _) = fit(&examples, 2, 1);
        assert!(weights.score(&examples[0]) > 0.5 && weights.dense[1] > weights.dense[0]);
        let nothing = Weights { dense: vec![0.0; 2], words: vec![0.0], bias: 0.0 };
        assert_eq!(fit(&[], 2, 1), (nothing, Vec::new()));
    }
}
