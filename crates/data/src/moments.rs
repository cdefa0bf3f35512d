//! Mean and spread, for normalising.

/// Mean and standard deviation of each of several channels (of images) or columns (of tables).
///
/// ```text
/// x' = (x - mean_c) / std_c        std_c = sqrt(mean((x - mean_c)^2)), population form
/// ```
///
/// A constant channel has `std_c = 0`; it is shifted and not scaled.
///
/// # Example
/// ```
/// use pressrun_data::Moments;
///
/// // Two columns of three rows.
/// let mut table = [1.0, 10.0, 2.0, 20.0, 3.0, 30.0];
/// let moments = Moments::of(&table, 2, 1);
/// assert_eq!(moments.mean, [2.0, 20.0]);
/// moments.apply(&mut table, 2, 1);
/// assert_eq!(table[2..4], [0.0, 0.0]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    /// Mean of each channel.
    pub mean: Vec<f32>,
    /// Standard deviation of each channel.
    pub std: Vec<f32>,
}

impl Moments {
    /// The moments of values laid out as `[rows, channels, inner]`.
    ///
    /// # Panics
    /// If the values do not fill whole rows, or there are none.
    pub fn of(values: &[f32], channels: usize, inner: usize) -> Self {
        check(values, channels, inner);
        assert!(!values.is_empty(), "moments: expected at least one row, found none");
        let count = (values.len() / channels) as f64;
        // f64 and two passes: a sum of 47 million pixels in f32 loses its last digits.
        let mut mean = vec![0.0f64; channels];
        for (block, channel) in values.chunks_exact(inner).zip((0..channels).cycle()) {
            mean[channel] += block.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
        }
        let mut variance = vec![0.0f64; channels];
        for (block, channel) in values.chunks_exact(inner).zip((0..channels).cycle()) {
            let square = |&x: &f32| (f64::from(x) - mean[channel]).powi(2);
            variance[channel] += block.iter().map(square).sum::<f64>() / count;
        }
        Self {
            mean: mean.iter().map(|&mean| mean as f32).collect(),
            std: variance.iter().map(|variance| variance.sqrt() as f32).collect(),
        }
    }

    /// Shifts and scales values laid out as `[rows, channels, inner]`.
    ///
    /// # Panics
    /// If the values do not fill whole rows, or these moments are of another number of channels.
    pub fn apply(&self, values: &mut [f32], channels: usize, inner: usize) {
        check(values, channels, inner);
        assert!(
            self.mean.len() == channels && self.std.len() == channels,
            "moments: expected those of {channels} channels, found {}",
            self.mean.len()
        );
        for (block, channel) in values.chunks_exact_mut(inner).zip((0..channels).cycle()) {
            let (mean, std) = (self.mean[channel], self.std[channel]);
            let std = if std > 0.0 { std } else { 1.0 };
            for value in block {
                *value = (*value - mean) / std;
            }
        }
    }
}

fn check(values: &[f32], channels: usize, inner: usize) {
    assert!(
        channels > 0 && inner > 0 && values.len().is_multiple_of(channels * inner),
        "moments: {} values do not fill rows of {channels} x {inner}",
        values.len()
    );
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_normalised_has_mean_zero_and_spread_one_or_zero(
            rows in prop::collection::vec(prop::array::uniform3(-100.0f32..100.0), 2..40),
        ) {
            let mut values: Vec<f32> = rows.concat();
            let moments = Moments::of(&values, 3, 1);
            moments.apply(&mut values, 3, 1);
            let after = Moments::of(&values, 3, 1);
            for channel in 0..3 {
                prop_assert!(after.mean[channel].abs() < 1e-3, "{:?}", after);
                let spread = moments.std[channel];
                prop_assert!(spread < 1e-2 || (after.std[channel] - 1.0).abs() < 1e-3);
            }
        }
    }

    #[test]
    #[should_panic(expected = "5 values do not fill rows of 2 x 1")]
    fn a_broken_row_panics() {
        Moments::of(&[0.0; 5], 2, 1);
    }

    #[test]
    #[should_panic(expected = "expected those of 2 channels, found 1")]
    fn the_moments_of_another_table_panic() {
        Moments::of(&[0.0, 1.0], 1, 1).apply(&mut [0.0, 1.0], 2, 1);
    }
}
