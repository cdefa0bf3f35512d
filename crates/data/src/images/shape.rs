//! Other sizes of the same images.

use super::Images;

impl Images {
    /// Every pixel becomes a square of `factor` x `factor` equal pixels.
    ///
    /// # Shapes
    /// - output: `[images, channels, factor * height, factor * width]`
    ///
    /// # Panics
    /// If `factor` is 0.
    ///
    /// # Example
    /// ```
    /// // Digits in the frame of Fashion-MNIST: 8 x 3 = 24, and 2 pixels of margin on each side.
    /// let digits = pressrun_data::digits().enlarged(3).padded(28, 28);
    /// assert_eq!((digits.height(), digits.width()), (28, 28));
    /// assert_eq!(digits.image(0)[0], 0.0);
    /// ```
    pub fn enlarged(&self, factor: usize) -> Self {
        assert!(factor > 0, "enlarged: expected a factor of at least 1, found 0");
        self.resampled(factor * self.height, factor * self.width, |plane, y, x| {
            plane[y / factor * self.width + x / factor]
        })
    }

    /// The image in the middle of a larger one of zeros; an odd pixel of margin goes below and
    /// right.
    ///
    /// # Shapes
    /// - output: `[images, channels, height, width]` with the given height and width
    ///
    /// # Panics
    /// If the frame is smaller than the image.
    pub fn padded(&self, height: usize, width: usize) -> Self {
        assert!(
            height >= self.height && width >= self.width,
            "padded: an image of {} x {} does not fit into {height} x {width}",
            self.height,
            self.width
        );
        let (top, left) = ((height - self.height) / 2, (width - self.width) / 2);
        self.resampled(height, width, |plane, y, x| {
            let inside =
                (top..top + self.height).contains(&y) && (left..left + self.width).contains(&x);
            if inside { plane[(y - top) * self.width + x - left] } else { 0.0 }
        })
    }

    /// Every square of `factor` x `factor` pixels becomes their mean.
    ///
    /// # Shapes
    /// - output: `[images, channels, height / factor, width / factor]`
    ///
    /// # Panics
    /// If `factor` is 0 or does not divide height and width.
    ///
    /// # Example
    /// ```
    /// let digits = pressrun_data::digits();
    /// let small = digits.pooled(2);
    /// assert_eq!((small.height(), small.width()), (4, 4));
    /// let mean = |pixels: &[f32]| pixels.iter().sum::<f32>() / pixels.len() as f32;
    /// assert!((mean(small.image(0)) - mean(digits.image(0))).abs() < 1e-6);
    /// ```
    pub fn pooled(&self, factor: usize) -> Self {
        assert!(
            self.height.is_multiple_of(factor) && self.width.is_multiple_of(factor),
            "pooled: expected a factor that divides {} x {}, found {factor}",
            self.height,
            self.width
        );
        self.resampled(self.height / factor, self.width / factor, |plane, y, x| {
            let mut sum = 0.0;
            for row in factor * y..factor * (y + 1) {
                let start = row * self.width + factor * x;
                sum += plane[start..start + factor].iter().sum::<f32>();
            }
            sum / (factor * factor) as f32
        })
    }

    /// New planes of `height` x `width`, each pixel computed from the old plane and its own place.
    fn resampled(
        &self,
        height: usize,
        width: usize,
        pixel: impl Fn(&[f32], usize, usize) -> f32,
    ) -> Self {
        let mut pixels = Vec::with_capacity(self.len() * self.channels * height * width);
        for plane in self.pixels.chunks_exact(self.height * self.width) {
            for y in 0..height {
                pixels.extend((0..width).map(|x| pixel(plane, y, x)));
            }
        }
        Self {
            channels: self.channels,
            height,
            width,
            pixels,
            labels: self.labels.clone(),
            classes: self.classes.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_channels() -> Images {
        // Channel 0: 1 2 / 3 4, channel 1: 5 6 / 7 8.
        let pixels = (1..=8).map(|i| i as f32).collect();
        Images::new([2, 2, 2], pixels, vec![0], vec!["a".to_owned()]).unwrap()
    }

    #[test]
    fn enlarging_repeats_pixels_within_their_channel() {
        let large = two_channels().enlarged(2);
        assert_eq!(large.image(0)[..8], [1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0]);
        assert_eq!(large.image(0)[24..], [7.0, 7.0, 8.0, 8.0, 7.0, 7.0, 8.0, 8.0]);
        assert_eq!(large.pooled(2), two_channels());
    }

    #[test]
    fn padding_puts_the_odd_margin_below_and_right() {
        let padded = two_channels().padded(3, 4);
        #[rustfmt::skip]
        assert_eq!(
            padded.image(0),
            [
                0.0, 1.0, 2.0, 0.0,
                0.0, 3.0, 4.0, 0.0,
                0.0, 0.0, 0.0, 0.0,

                0.0, 5.0, 6.0, 0.0,
                0.0, 7.0, 8.0, 0.0,
                0.0, 0.0, 0.0, 0.0,
            ]
        );
    }

    #[test]
    fn pooling_takes_means() {
        assert_eq!(two_channels().pooled(2).image(0), [2.5, 6.5]);
    }

    #[test]
    #[should_panic(expected = "pooled: expected a factor that divides 2 x 2, found 3")]
    fn pooling_by_what_does_not_divide_panics() {
        two_channels().pooled(3);
    }

    #[test]
    #[should_panic(expected = "padded: an image of 2 x 2 does not fit into 1 x 4")]
    fn a_frame_that_is_too_small_panics() {
        two_channels().padded(1, 4);
    }
}
