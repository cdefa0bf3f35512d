//! Vectors of texts, as they are stored and compared.

/// Numbers in a vector.
pub const DIMS: usize = 256;

/// What 1 is in the stored form.
const LONGEST: f32 = 127.0;

/// The inner product of two stored vectors divided by this is their cosine.
pub(crate) const UNIT: f32 = LONGEST * LONGEST;

/// A vector of length 1 (or of zeros) in single precision.
pub type Vector = [f32; DIMS];

/// A vector in the stored form.
pub type Stored = [i8; DIMS];

/// A vector of length 1 in 8 bits: 127 times each number, to the nearest whole one.
///
/// What is no number becomes 0.
///
/// ```
/// use pressrun_search::embed::{DIMS, quantise, similarity};
///
/// let mut x = [0.0; DIMS];
/// (x[0], x[1]) = (0.6, -0.8);
/// let stored = quantise(&x);
/// assert_eq!(stored[..3], [76, -102, 0]);
/// assert!((similarity(&stored, &stored) - 1.0).abs() < 0.01);
/// ```
pub fn quantise(vector: &Vector) -> Stored {
    vector.map(rounded)
}

/// A number of a vector of length 1 in 8 bits. The conversion makes 0 of what is no number.
pub(crate) fn rounded(x: f32) -> i8 {
    (x * LONGEST).round().clamp(-LONGEST, LONGEST) as i8
}

/// The cosine of two stored vectors, but for rounding.
pub fn similarity(a: &Stored, b: &Stored) -> f32 {
    dot(a, b) as f32 / UNIT
}

/// The inner product of two stored vectors: what documents are ranked by.
#[inline]
pub fn dot(a: &Stored, b: &Stored) -> i32 {
    // Products of 16 bits, which all processors have instructions for.
    a.iter().zip(b).map(|(a, b)| i32::from(i16::from(*a) * i16::from(*b))).sum()
}

/// Scales a vector to length 1; one of zeros stays so.
pub fn normalise(vector: &mut Vector) {
    let squares: f32 = vector.iter().map(|x| x * x).sum();
    if squares > 0.0 {
        let scale = 1.0 / squares.sqrt();
        vector.iter_mut().for_each(|x| *x *= scale);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes_are_cut() {
        let mut x = [0.0; DIMS];
        x[..5].copy_from_slice(&[1.0, -1.0, 2.0, f32::NAN, -f32::INFINITY]);
        assert_eq!(quantise(&x)[..6], [127, -127, 127, 0, -127, 0]);
        assert_eq!(dot(&[-128; DIMS], &[-128; DIMS]), 256 * 128 * 128);
    }

    #[test]
    fn lengths() {
        let mut x = [2.0; DIMS];
        normalise(&mut x);
        assert_eq!(x, [1.0 / 16.0; DIMS]);
        let mut zeros = [0.0; DIMS];
        normalise(&mut zeros);
        assert_eq!(zeros, [0.0; DIMS]);
    }
}
