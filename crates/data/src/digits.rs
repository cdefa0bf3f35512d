//! Handwritten digits, 8 x 8.

use crate::idx::{Idx, unpack};
use crate::{Images, embedded};

const SIDE: usize = 8;

/// The 1,797 handwritten digits of the UCI set, 8 x 8 pixels from 0 to 1, in their published order.
///
/// ```text
/// pixel = n / 16        n = how many of the 4 x 4 dots under it are inked
/// ```
///
/// The set has no split of its own: see [`Images::split_stratified`].
///
/// # Shapes
/// - pixels: `[1797, 1, 8, 8]`, labels: `[1797]`, the digit
///
/// # Source
/// Optical Recognition of Handwritten Digits, UCI, its test part: 13 writers of the 43. The data
/// set's [card](crate::card) is `digits`.
///
/// # Example
/// ```
/// let digits = pressrun_data::digits();
/// assert_eq!(digits.len(), 1_797);
/// assert_eq!(digits.labels()[..10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
/// ```
pub fn digits() -> Images {
    let read = |file: &embedded::File| {
        let bytes = unpack(file.name, file.packed).expect("embedded files unpack");
        Idx::parse(file.name, &bytes).expect("embedded files are whole")
    };
    let [images, labels] = embedded::DIGITS.each_ref().map(read);
    let pixels = images.data().iter().map(|&inked| f32::from(inked) / 16.0).collect();
    let classes = (0..10).map(|digit| digit.to_string()).collect();
    Images::new([1, SIDE, SIDE], pixels, labels.data().to_vec(), classes)
        .expect("embedded images and labels belong together")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_set_is_the_published_one() {
        let digits = digits();
        assert_eq!(digits.image_len(), 64);
        assert!(digits.pixels().iter().all(|pixel| (0.0..=1.0).contains(pixel)));
        // Counts of the classes 0 to 9 and the sum of all pixels, from the published text by
        //   python3 -c "import gzip, collections
        //   rows = [list(map(int, l.split(b','))) for l in gzip.open('digits.csv.gz')]
        //   print(collections.Counter(r[64] for r in rows), sum(sum(r[:64]) for r in rows))"
        let counts: Vec<usize> =
            (0..10).map(|c| digits.labels().iter().filter(|&&l| l == c).count()).collect();
        assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
        let inked: f64 = digits.pixels().iter().map(|&pixel| 16.0 * f64::from(pixel)).sum();
        assert_eq!(inked, 561_718.0);
    }

    #[test]
    fn the_first_digit_is_the_first_line_of_the_published_text() {
        #[rustfmt::skip]
        let line = [
            0, 0, 5, 13, 9, 1, 0, 0,
            0, 0, 13, 15, 10, 15, 5, 0,
            0, 3, 15, 2, 0, 11, 8, 0,
            0, 4, 12, 0, 0, 8, 8, 0,
            0, 5, 8, 0, 0, 9, 8, 0,
            0, 4, 11, 0, 1, 12, 7, 0,
            0, 2, 14, 5, 10, 12, 0, 0,
            0, 0, 6, 13, 10, 0, 0, 0,
        ];
        assert_eq!(digits().image(0), line.map(|inked| inked as f32 / 16.0));
    }
}
