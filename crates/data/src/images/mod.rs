//! Labelled images as plain numbers.

mod shape;
mod style;

use rand::Rng;

use crate::{Error, Moments, Result, split};

pub use style::{Habit, UserStyle};

/// Labelled images, all of one size, pixels as `f32`.
///
/// # Shapes
/// - pixels: `[images, channels, height, width]`, last dimension fastest
/// - labels: `[images]`, each below the number of classes
///
/// # Example
/// ```
/// use pressrun_data::Images;
///
/// let classes = vec!["dark".to_owned(), "light".to_owned()];
/// let images = Images::new([1, 1, 2], vec![0.0, 0.1, 0.9, 1.0], vec![0, 1], classes)?;
/// assert_eq!(images.len(), 2);
/// assert_eq!(images.image(1), [0.9, 1.0]);
/// # Ok::<(), pressrun_data::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Images {
    channels: usize,
    height: usize,
    width: usize,
    pixels: Vec<f32>,
    labels: Vec<u8>,
    classes: Vec<String>,
}

impl Images {
    /// Images of the size `[channels, height, width]`.
    ///
    /// # Errors
    /// If the size is empty, the pixels are not those of one image a label, or a label has no
    /// class.
    pub fn new(
        size: [usize; 3],
        pixels: Vec<f32>,
        labels: Vec<u8>,
        classes: Vec<String>,
    ) -> Result<Self> {
        let [channels, height, width] = size;
        let area = channels * height * width;
        if area == 0 {
            let expected = "at least 1 channel, row and column".into();
            return Err(Error::Shape { what: "numbers in an image", expected, found: area });
        }
        if pixels.len() != area * labels.len() {
            let expected = format!("{} images of {channels} x {height} x {width}", labels.len());
            return Err(Error::Shape { what: "pixels", expected, found: pixels.len() });
        }
        if let Some(&label) = labels.iter().find(|&&label| usize::from(label) >= classes.len()) {
            let expected = format!("less than the {} classes", classes.len());
            return Err(Error::Shape { what: "label", expected, found: label.into() });
        }
        Ok(Self { channels, height, width, pixels, labels, classes })
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Pixels in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Pixels in a column.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Numbers for each pixel: 1 for grey.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Numbers in one image: `channels * height * width`.
    pub fn image_len(&self) -> usize {
        self.channels * self.height * self.width
    }

    /// All pixels, image after image.
    pub fn pixels(&self) -> &[f32] {
        &self.pixels
    }

    /// All labels.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// Names of the classes; a label is an index into them.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The pixels of one image.
    ///
    /// # Panics
    /// If there is no image `index`.
    pub fn image(&self, index: usize) -> &[f32] {
        assert!(index < self.len(), "image {index} asked for, {} there", self.len());
        &self.pixels[index * self.image_len()..(index + 1) * self.image_len()]
    }

    /// Pixels and labels of some images, as a training step takes them.
    ///
    /// # Shapes
    /// - output: `[indices, channels, height, width]` and `[indices]`
    ///
    /// # Panics
    /// If there is no image of one of the indices.
    ///
    /// # Example
    /// ```
    /// let digits = pressrun_data::digits();
    /// let (pixels, labels) = digits.gather(&[5, 3]);
    /// assert_eq!(labels, [5, 3]);
    /// assert_eq!(pixels[64..], *digits.image(3));
    /// ```
    pub fn gather(&self, indices: &[usize]) -> (Vec<f32>, Vec<u8>) {
        let mut pixels = Vec::with_capacity(indices.len() * self.image_len());
        for &index in indices {
            pixels.extend_from_slice(self.image(index));
        }
        (pixels, indices.iter().map(|&index| self.labels[index]).collect())
    }

    /// The images of these indices, in this order; an index may come more than once.
    ///
    /// # Panics
    /// If there is no image of one of the indices.
    pub fn subset(&self, indices: &[usize]) -> Self {
        let (pixels, labels) = self.gather(indices);
        Self { pixels, labels, classes: self.classes.clone(), ..*self }
    }

    /// `n` images chosen at random, and the others.
    ///
    /// # Panics
    /// If there are fewer than `n`.
    ///
    /// # Example
    /// ```
    /// use rand::SeedableRng;
    ///
    /// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    /// let (train, test) = pressrun_data::digits().split(1_200, &mut rng);
    /// assert_eq!((train.len(), test.len()), (1_200, 597));
    /// ```
    pub fn split(&self, n: usize, rng: &mut impl Rng) -> (Self, Self) {
        let (first, second) = split::random(self.len(), n, rng);
        (self.subset(&first), self.subset(&second))
    }

    /// As [`Images::split`], with every class on both sides in proportion to its size.
    ///
    /// # Panics
    /// If there are fewer than `n`.
    pub fn split_stratified(&self, n: usize, rng: &mut impl Rng) -> (Self, Self) {
        let (first, second) = split::stratified(&self.labels, n, rng);
        (self.subset(&first), self.subset(&second))
    }

    /// The first `n` images that hold every class equally often: see [`split::balanced`].
    pub fn first_balanced(&self, n: usize) -> Self {
        self.subset(&split::balanced(&self.labels, self.classes.len(), n))
    }

    /// Mean and standard deviation of each channel.
    ///
    /// # Panics
    /// If there are no images.
    pub fn moments(&self) -> Moments {
        Moments::of(&self.pixels, self.channels, self.height * self.width)
    }

    /// Shifts and scales every channel by `moments`, which should be those of the training images:
    /// a test set that is normalised by its own moments is a different test set.
    ///
    /// # Panics
    /// If `moments` are of another number of channels.
    ///
    /// # Example
    /// ```
    /// let mut train = pressrun_data::digits();
    /// let moments = train.moments();
    /// train.normalise(&moments);
    /// assert!(train.moments().mean[0].abs() < 1e-5);
    /// assert!((train.moments().std[0] - 1.0).abs() < 1e-5);
    /// ```
    pub fn normalise(&mut self, moments: &Moments) {
        moments.apply(&mut self.pixels, self.channels, self.height * self.width);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// Images whose every pixel tells which image it belongs to.
    fn numbered(n: usize) -> Images {
        let pixels = (0..n).flat_map(|i| [i as f32; 6]).collect();
        let labels = (0..n).map(|i| (i % 3) as u8).collect();
        let classes = ["a", "b", "c"].map(str::to_owned).to_vec();
        Images::new([1, 2, 3], pixels, labels, classes).unwrap()
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        let classes = vec!["a".to_owned()];
        let error = |size, pixels: usize, labels: Vec<u8>| {
            Images::new(size, vec![0.0; pixels], labels, classes.clone()).unwrap_err().to_string()
        };
        assert_eq!(
            error([1, 2, 2], 7, vec![0, 0]),
            "pixels: expected 2 images of 1 x 2 x 2, found `7`"
        );
        assert_eq!(
            error([1, 1, 1], 2, vec![0, 1]),
            "label: expected less than the 1 classes, found `1`"
        );
        assert!(
            error([1, 0, 2], 0, vec![]).starts_with("numbers in an image: expected at least 1")
        );
    }

    #[test]
    fn moments_are_those_of_each_channel() {
        // Two images, two channels of 1 x 2. Channel 0: 1 3 5 7, channel 1: 2 2 2 2.
        let pixels = vec![1.0, 3.0, 2.0, 2.0, 5.0, 7.0, 2.0, 2.0];
        let mut images = Images::new([2, 1, 2], pixels, vec![0, 0], vec!["a".into()]).unwrap();
        let moments = images.moments();
        assert_eq!(moments.mean, [4.0, 2.0]);
        // sqrt((9 + 1 + 1 + 9) / 4) = sqrt 5
        assert_eq!(moments.std, [5f32.sqrt(), 0.0]);
        images.normalise(&moments);
        // A constant channel has nothing to scale by: it becomes zero, not infinite.
        assert_eq!(images.image(0)[2..], [0.0, 0.0]);
        assert_eq!(images.image(1)[0], 1.0 / 5f32.sqrt());
    }

    #[test]
    #[should_panic(expected = "image 3 asked for, 3 there")]
    fn an_image_that_is_not_there_panics() {
        numbered(3).subset(&[0, 3]);
    }

    proptest! {
        #[test]
        fn labels_follow_their_pixels(
            indices in prop::collection::vec(0usize..20, 0..30),
            n in 0usize..=20,
            seed in any::<u64>(),
        ) {
            let images = numbered(20);
            let subset = images.subset(&indices);
            for (at, &index) in indices.iter().enumerate() {
                prop_assert_eq!(subset.image(at), [index as f32; 6]);
                prop_assert_eq!(usize::from(subset.labels()[at]), index % 3);
            }
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            for (first, second) in
                [images.split(n, &mut rng), images.split_stratified(n, &mut rng)]
            {
                prop_assert_eq!(first.len(), n);
                let mut seen: Vec<usize> = Vec::new();
                for side in [&first, &second] {
                    for at in 0..side.len() {
                        let index = side.image(at)[0] as usize;
                        prop_assert_eq!(usize::from(side.labels()[at]), index % 3);
                        seen.push(index);
                    }
                }
                seen.sort_unstable();
                prop_assert_eq!(seen, (0..20).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn the_first_balanced_images_are_in_file_order() {
        let chosen = numbered(20).first_balanced(6);
        let order: Vec<f32> = (0..6).map(|at| chosen.image(at)[0]).collect();
        assert_eq!(order, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    }
}
