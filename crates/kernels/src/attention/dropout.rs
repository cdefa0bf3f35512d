//! Dropout of the weights.

use std::mem::MaybeUninit;

use crate::buffer;

/// Dropout that is drawn again wherever it is needed, and so takes no memory.
///
/// ```text
/// n = ((b heads + h) queries + i) keys + j
/// u = (splitmix64(seed, n) >> 40) / 2^24
/// Z = 1 / (1 - probability) if u >= probability, else 0
/// ```
///
/// splitmix64(seed, n): output n of that generator from state `seed` on. The factors depend on
/// nothing else, so that both passes and any number of threads see the same ones. Take another seed
/// for every step and every layer.
///
/// # Source
/// Srivastava et al., JMLR 15 (2014); Steele et al., OOPSLA 2014 (splitmix64).
///
/// # Example
/// ```
/// use pressrun_kernels::attention::Dropout;
///
/// let dropout = Dropout { probability: 0.5, seed: 7 };
/// let factors: Vec<_> = (0..1000).map(|n| dropout.factor(n)).collect();
/// assert!(factors.iter().all(|z| *z == 0.0 || *z == 2.0));
/// let mean = factors.iter().sum::<f32>() / 1000.0;
/// assert!((mean - 1.0).abs() < 0.1);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    /// Probability of a weight to become 0.
    pub probability: f32,
    /// What the factors are drawn from.
    pub seed: u64,
}

impl Dropout {
    /// The factor of number n.
    pub fn factor(&self, n: u64) -> f32 {
        let (least, kept) = self.drawn();
        factor(self.seed, n, least, kept)
    }

    /// The least 24 bits that keep a weight, and the factor of those kept.
    ///
    /// # Panics
    /// If the probability is none.
    fn drawn(&self) -> (u64, f32) {
        let p = self.probability;
        assert!((0.0..=1.0).contains(&p), "Dropout: probability is {p}, expected 0 to 1");
        let least = (f64::from(p) * f64::from(1 << 24)).ceil() as u64;
        (least, if p < 1.0 { 1.0 / (1.0 - p) } else { 0.0 })
    }

    /// Writes the factors of numbers from `first` on.
    #[inline(always)]
    pub(super) fn factors<'a>(&self, first: usize, out: &'a mut [MaybeUninit<f32>]) -> &'a [f32] {
        let (least, kept) = self.drawn();
        for (n, out) in (first as u64..).zip(&mut *out) {
            out.write(factor(self.seed, n, least, kept));
        }
        // SAFETY: just written.
        unsafe { buffer::as_written(out) }
    }
}

#[inline(always)]
fn factor(seed: u64, n: u64, least: u64, kept: f32) -> f32 {
    const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
    let z = seed.wrapping_add(n.wrapping_add(1).wrapping_mul(STEP));
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    if (z ^ (z >> 31)) >> 40 >= least { kept } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_those_of_the_generator() {
        // The first outputs from state 1234567, as published with the generator.
        let expected: [u64; 3] =
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        for (n, bits) in expected.into_iter().enumerate() {
            let kept = |least| factor(1_234_567, n as u64, least, 1.0) == 1.0;
            assert!(kept(bits >> 40) && !kept((bits >> 40) + 1));
        }
    }

    #[test]
    fn extremes() {
        let all = |probability| {
            let dropout = Dropout { probability, seed: 3 };
            (0..1000).map(|n| dropout.factor(n)).collect::<Vec<_>>()
        };
        assert_eq!(all(0.0), [1.0; 1000]);
        assert_eq!(all(1.0), [0.0; 1000]);
        let kept = all(0.9).iter().filter(|z| **z != 0.0).count();
        assert!((60..140).contains(&kept), "{kept}");
    }

    #[test]
    #[should_panic(expected = "probability is 1.5")]
    fn a_probability_is_one() {
        Dropout { probability: 1.5, seed: 0 }.factor(0);
    }
}
