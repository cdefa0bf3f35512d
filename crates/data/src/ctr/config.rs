//! The numbers of a planted click log.

use std::fmt;

use crate::{Error, Result};

/// The numbers of a planted click log.
///
/// ```text
/// z = bias + sum_i w[x_i] + sum_{(i,j) in pairs} < u[x_i], u[x_j] >    y ~ Bernoulli(sigmoid(z))
/// w ~ N(0, weight_std^2), u ~ N(0, latent_std^2)^latent_dim for useful values, 0 for the others
/// P(x_i = value of rank k) ~ 1 / k^exponent                                 k = 1 .. values
/// ```
///
/// `x_i` is the value of field `i`. Informative fields come first; in each, `useful_values` of the
/// values, drawn at random whatever their rank, are useful. Noise fields have none. Value `k` of a
/// field is the one of rank `k + 1`: low ids are frequent.
///
/// [`CtrConfig::default`] is the reference: 16 fields, 4,240 features, 120 of them useful. Between
/// draws of the ground truth its Bayes AUC is 0.82 with a spread of 0.02, and 34 % of the rows are
/// clicked, with a spread of 3.5 %.
///
/// # Source
/// Made for testing feature selection as in arXiv:2301.10909 (`OptFS`), with ground truth.
#[derive(Debug, Clone, PartialEq)]
pub struct CtrConfig {
    /// Number of fields that hold useful values.
    pub informative_fields: usize,
    /// Values in each of them.
    pub informative_values: usize,
    /// Exponent of their frequencies.
    pub informative_exponent: f64,
    /// Useful values in each of them.
    pub useful_values: usize,
    /// Number of fields without any.
    pub noise_fields: usize,
    /// Values in each of them.
    pub noise_values: usize,
    /// Exponent of their frequencies.
    pub noise_exponent: f64,
    /// Standard deviation of the weight of a useful value.
    pub weight_std: f64,
    /// Length of the latent vector of a useful value.
    pub latent_dim: usize,
    /// Standard deviation of its entries.
    pub latent_std: f64,
    /// Logit of a row without useful values.
    pub bias: f64,
    /// Pairs of informative fields that interact.
    pub pairs: Vec<(usize, usize)>,
}

impl Default for CtrConfig {
    fn default() -> Self {
        Self {
            informative_fields: 6,
            informative_values: 40,
            informative_exponent: 0.8,
            useful_values: 20,
            noise_fields: 10,
            noise_values: 400,
            noise_exponent: 0.7,
            weight_std: 0.5,
            latent_dim: 3,
            latent_std: 0.9,
            bias: -1.0,
            pairs: vec![(0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 5)],
        }
    }
}

/// All numbers, as a record names the data: they and the seed identify a log.
impl fmt::Display for CtrConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "informative {} x {} (zipf {}, {} useful), noise {} x {} (zipf {}), w {}, u {} x {}, \
             bias {}, pairs ",
            self.informative_fields,
            self.informative_values,
            self.informative_exponent,
            self.useful_values,
            self.noise_fields,
            self.noise_values,
            self.noise_exponent,
            self.weight_std,
            self.latent_dim,
            self.latent_std,
            self.bias,
        )?;
        let pairs: Vec<String> = self.pairs.iter().map(|(i, j)| format!("{i}-{j}")).collect();
        write!(f, "{}", pairs.join(" "))
    }
}

impl CtrConfig {
    /// Number of fields.
    pub fn fields(&self) -> usize {
        self.informative_fields + self.noise_fields
    }

    /// Number of features in all fields together.
    pub fn features(&self) -> usize {
        self.informative_fields * self.informative_values + self.noise_fields * self.noise_values
    }

    /// First id of a field.
    pub(super) fn offset(&self, field: usize) -> usize {
        let informative = field.min(self.informative_fields);
        informative * self.informative_values + (field - informative) * self.noise_values
    }

    pub(super) fn check(&self) -> Result<()> {
        let wrong = |setting, expected: String, found: String| {
            Err(Error::Setting { setting, expected, found })
        };
        if self.fields() == 0 {
            return wrong("fields", "at least 1".into(), "0".into());
        }
        let sizes = [
            ("informative_values", self.informative_fields, self.informative_values),
            ("noise_values", self.noise_fields, self.noise_values),
        ];
        for (setting, fields, values) in sizes {
            if fields > 0 && values == 0 {
                return wrong(setting, "at least 1".into(), "0".into());
            }
        }
        if u32::try_from(self.features()).is_err() {
            return wrong("features", "less than 2^32".into(), self.features().to_string());
        }
        if self.useful_values > self.informative_values {
            let expected = format!("at most the {} values", self.informative_values);
            return wrong("useful_values", expected, self.useful_values.to_string());
        }
        for (setting, number) in [
            ("informative_exponent", self.informative_exponent),
            ("noise_exponent", self.noise_exponent),
            ("weight_std", self.weight_std),
            ("latent_std", self.latent_std),
        ] {
            if !(number.is_finite() && number >= 0.0) {
                return wrong(setting, "a finite number from 0".into(), number.to_string());
            }
        }
        if !self.bias.is_finite() {
            return wrong("bias", "a finite number".into(), self.bias.to_string());
        }
        let informative = 0..self.informative_fields;
        let fits = |i, j| i != j && informative.contains(&i) && informative.contains(&j);
        match self.pairs.iter().find(|&&(i, j)| !fits(i, j)) {
            Some((i, j)) => {
                let expected = format!("two different fields below {}", self.informative_fields);
                wrong("pairs", expected, format!("{i}-{j}"))
            }
            None => Ok(()),
        }
    }
}
