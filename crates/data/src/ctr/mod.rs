//! A planted click log: every feature's usefulness and every row's probability are known.

mod config;
mod log;

use rand::{Rng, RngExt, seq::index};
use rand_distr::StandardNormal;

use crate::Result;

pub use config::CtrConfig;
pub use log::{CtrData, CtrRows};

/// Name of the generator's card.
pub const NAME: &str = "ctr";

/// Draws the ground truth and then the rows of a planted click log.
///
/// # Shapes
/// - [`CtrData::ids`]: `[n_train + n_validation + n_test, F]`
///
/// # Errors
/// [`Error::Setting`](crate::Error::Setting) if a number of `config` makes no sense.
///
/// # Example
/// ```
/// use pressrun_data::ctr::{CtrConfig, generate};
/// use rand::SeedableRng;
///
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
/// let log = generate(&CtrConfig::default(), 2_000, 500, 1_000, &mut rng)?;
/// assert_eq!((log.fields, log.features), (16, 4_240));
/// assert_eq!(log.useful.iter().filter(|useful| **useful).count(), 120);
/// assert_eq!(log.test().ids.len(), 16 * 1_000);
/// assert!(log.bayes_auc().unwrap() > 0.7);
/// # Ok::<(), pressrun_data::Error>(())
/// ```
pub fn generate(
    config: &CtrConfig,
    n_train: usize,
    n_validation: usize,
    n_test: usize,
    rng: &mut impl Rng,
) -> Result<CtrData> {
    config.check()?;
    let truth = Truth::draw(config, rng);
    let informative = zipf(config.informative_values, config.informative_exponent);
    let noise = zipf(config.noise_values, config.noise_exponent);
    let (fields, rows) = (config.fields(), n_train + n_validation + n_test);
    let offsets: Vec<u32> = (0..fields).map(|field| config.offset(field) as u32).collect();
    let mut ids = Vec::with_capacity(rows * fields);
    let (mut labels, mut logits) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    for row in 0..rows {
        for (field, offset) in offsets.iter().enumerate() {
            let cumulative = if field < config.informative_fields { &informative } else { &noise };
            ids.push(offset + sample(cumulative, rng) as u32);
        }
        let logit = truth.logit(config, &ids[row * fields..]);
        labels.push(u8::from(rng.random::<f64>() < sigmoid(logit)));
        logits.push(logit);
    }
    Ok(CtrData {
        fields,
        features: config.features(),
        offsets,
        ids,
        labels,
        logits,
        useful: truth.useful,
        pairs: config.pairs.clone(),
        sizes: [n_train, n_validation],
    })
}

/// What every feature contributes.
struct Truth {
    useful: Vec<bool>,
    weights: Vec<f64>,
    /// `[M, latent_dim]`
    latents: Vec<f64>,
}

impl Truth {
    fn draw(config: &CtrConfig, rng: &mut impl Rng) -> Self {
        let features = config.features();
        let mut useful = vec![false; features];
        for field in 0..config.informative_fields {
            for value in index::sample(rng, config.informative_values, config.useful_values) {
                useful[config.offset(field) + value] = true;
            }
        }
        let mut weights = vec![0.0; features];
        let mut latents = vec![0.0; features * config.latent_dim];
        for feature in (0..features).filter(|&feature| useful[feature]) {
            weights[feature] = config.weight_std * rng.sample::<f64, _>(StandardNormal);
            let start = feature * config.latent_dim;
            for entry in &mut latents[start..start + config.latent_dim] {
                *entry = config.latent_std * rng.sample::<f64, _>(StandardNormal);
            }
        }
        Self { useful, weights, latents }
    }

    /// `z` of a row, whose first ids are those of the informative fields.
    fn logit(&self, config: &CtrConfig, row: &[u32]) -> f64 {
        let latent = |field: usize| {
            let start = row[field] as usize * config.latent_dim;
            &self.latents[start..start + config.latent_dim]
        };
        let mut logit = config.bias;
        for &id in &row[..config.informative_fields] {
            logit += self.weights[id as usize];
        }
        for &(i, j) in &config.pairs {
            logit += latent(i).iter().zip(latent(j)).map(|(a, b)| a * b).sum::<f64>();
        }
        logit
    }
}

/// Cumulative probabilities of the ranks; the last is 1.
fn zipf(values: usize, exponent: f64) -> Vec<f64> {
    let mut sum = 0.0;
    let mut cumulative: Vec<f64> = (1..=values)
        .map(|rank| {
            sum += (rank as f64).powf(-exponent);
            sum
        })
        .collect();
    cumulative.iter_mut().for_each(|share| *share /= sum);
    cumulative
}

fn sample(cumulative: &[f64], rng: &mut impl Rng) -> usize {
    let u = rng.random::<f64>();
    // u < 1, and the last share is sum / sum = 1 exactly.
    cumulative.partition_point(|&share| share <= u)
}

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

#[cfg(test)]
mod tests;
