//! The same images as someone else would draw them.

use rand::seq::index;
use rand::{Rng, RngExt};

use super::Images;

/// What someone does to the pictures of some classes, and to no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Habit {
    /// Left and right are exchanged.
    Mirrored,
    /// Top and bottom are exchanged.
    UpsideDown,
    /// A horizontal bar through the middle, a fourteenth of the height.
    Barred,
}

impl Habit {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Mirrored, Self::UpsideDown, Self::Barred];

    fn apply(self, plane: &mut [f32], width: usize) {
        let height = plane.len() / width;
        match self {
            Self::Mirrored => plane.chunks_exact_mut(width).for_each(<[f32]>::reverse),
            Self::UpsideDown => {
                // Turned around and mirrored: the rows in the other order.
                plane.reverse();
                plane.chunks_exact_mut(width).for_each(<[f32]>::reverse);
            }
            Self::Barred => {
                let thick = (height / 14).max(1);
                let top = (height - thick) / 2;
                plane[top * width..(top + thick) * width].fill(1.0);
            }
        }
    }
}

/// How one simulated user draws: slanted, thick or thin, and some classes in a way of their own.
///
/// ```text
/// h(u, v) = picture, after the habit if its class is a personal one
/// g(p)    = h(A^-1 p)^gamma          bilinear, 0 outside
/// A       = scale R(rotation) (1, shear; 0, 1)
/// ```
///
/// `p` is a place relative to the middle of the picture, right and down; `R` turns clockwise as
/// seen. One habit is shared by two or more classes: seeing it does not tell the class. Everything
/// else is the same for all classes. Labels are those of the pictures and never change.
///
/// # Example
/// ```
/// use pressrun_data::images::UserStyle;
/// use rand::SeedableRng;
///
/// let digits = pressrun_data::digits();
/// let style = UserStyle::draw(10, &mut rand_chacha::ChaCha8Rng::seed_from_u64(3));
/// let drawn = style.apply(&digits);
/// assert_eq!(drawn.labels(), digits.labels());
/// assert_ne!(drawn.image(0), digits.image(0));
/// assert_eq!(UserStyle::plain().apply(&digits), digits);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct UserStyle {
    /// Turn, in degrees, clockwise.
    pub rotation: f32,
    /// Shift to the right for each pixel down.
    pub shear: f32,
    /// Size, 1 is the original.
    pub scale: f32,
    /// Power that each pixel is raised to: strokes are thicker below 1, thinner above.
    pub gamma: f32,
    /// What is done to the personal classes.
    pub habit: Habit,
    /// The personal classes.
    pub personal: Vec<u8>,
}

impl UserStyle {
    /// The style that changes nothing.
    pub fn plain() -> Self {
        let habit = Habit::Mirrored;
        Self { rotation: 0.0, shear: 0.0, scale: 1.0, gamma: 1.0, habit, personal: Vec::new() }
    }

    /// A user: rotation within 25 degrees, shear within 0.3, scale 0.85 to 1.15, gamma 0.6 to 1.6,
    /// and one habit for 2 or 3 of the classes.
    ///
    /// # Panics
    /// If there are fewer than 3 classes, or more than 256.
    pub fn draw(classes: usize, rng: &mut impl Rng) -> Self {
        assert!((3..=256).contains(&classes), "UserStyle: {classes} classes; expected 3 to 256");
        let mut within = |low: f32, high: f32| low + (high - low) * rng.random::<f32>();
        let (rotation, shear) = (within(-25.0, 25.0), within(-0.3, 0.3));
        let (scale, gamma) = (within(0.85, 1.15), within(0.6, 1.6));
        let habit = Habit::ALL[rng.random_range(0..Habit::ALL.len())];
        let count = rng.random_range(2..=3);
        let personal = index::sample(rng, classes, count);
        let mut personal: Vec<u8> = personal.into_iter().map(|class| class as u8).collect();
        personal.sort_unstable();
        Self { rotation, shear, scale, gamma, habit, personal }
    }

    /// The images as this user draws them.
    pub fn apply(&self, images: &Images) -> Images {
        let mut drawn = images.clone();
        let (width, area) = (images.width(), images.width() * images.height());
        let length = images.image_len();
        for (image, label) in drawn.pixels.chunks_exact_mut(length).zip(images.labels()) {
            for plane in image.chunks_exact_mut(area) {
                if self.personal.contains(label) {
                    self.habit.apply(plane, width);
                }
                self.warp(plane, width);
            }
        }
        drawn
    }

    /// `A^-1`, row by row.
    fn inverse(&self) -> [f32; 4] {
        // A = s (cos, sh cos - sin; sin, sh sin + cos): its determinant is s^2.
        let (sin, cos) = self.rotation.to_radians().sin_cos();
        let by = 1.0 / self.scale;
        let (a, b) = (cos, self.shear * cos - sin);
        let (c, d) = (sin, self.shear * sin + cos);
        [d * by, -b * by, -c * by, a * by]
    }

    fn warp(&self, plane: &mut [f32], width: usize) {
        let source = plane.to_vec();
        let height = source.len() / width;
        let (middle_x, middle_y) = ((width - 1) as f32 / 2.0, (height - 1) as f32 / 2.0);
        let [a, b, c, d] = self.inverse();
        for (at, pixel) in plane.iter_mut().enumerate() {
            let (u, v) = ((at % width) as f32 - middle_x, (at / width) as f32 - middle_y);
            let (x, y) = (a * u + b * v + middle_x, c * u + d * v + middle_y);
            *pixel = bilinear(&source, width, x, y).clamp(0.0, 1.0).powf(self.gamma);
        }
    }
}

/// The value between four pixels; 0 outside of the picture.
fn bilinear(plane: &[f32], width: usize, x: f32, y: f32) -> f32 {
    let height = plane.len() / width;
    let (left, top) = (x.floor(), y.floor());
    let pixel = |column: f32, row: f32| {
        let inside = (0.0..width as f32).contains(&column) && (0.0..height as f32).contains(&row);
        if inside { plane[row as usize * width + column as usize] } else { 0.0 }
    };
    let (dx, dy) = (x - left, y - top);
    let above = (1.0 - dx) * pixel(left, top) + dx * pixel(left + 1.0, top);
    let below = (1.0 - dx) * pixel(left, top + 1.0) + dx * pixel(left + 1.0, top + 1.0);
    (1.0 - dy) * above + dy * below
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn picture(side: usize, pixels: Vec<f32>) -> Images {
        let labels = vec![0; pixels.len() / side / side];
        Images::new([1, side, side], pixels, labels, vec!["a".into(), "b".into(), "c".into()])
            .unwrap()
    }

    /// 1 2 3 / 4 5 6 / 7 8 9, in ninths.
    fn ninths() -> Images {
        picture(3, (1..=9).map(|n| n as f32 / 9.0).collect())
    }

    fn nine_times(images: &Images) -> Vec<i32> {
        images.image(0).iter().map(|p| (9.0 * p).round() as i32).collect()
    }

    #[test]
    fn habits_touch_personal_classes_only() {
        let with = |habit, personal| UserStyle { habit, personal, ..UserStyle::plain() };
        let ninths = ninths();
        assert_eq!(
            nine_times(&with(Habit::Mirrored, vec![0]).apply(&ninths)),
            [3, 2, 1, 6, 5, 4, 9, 8, 7]
        );
        assert_eq!(
            nine_times(&with(Habit::UpsideDown, vec![0]).apply(&ninths)),
            [7, 8, 9, 4, 5, 6, 1, 2, 3]
        );
        assert_eq!(
            nine_times(&with(Habit::Barred, vec![0]).apply(&ninths)),
            [1, 2, 3, 9, 9, 9, 7, 8, 9]
        );
        for habit in Habit::ALL {
            assert_eq!(with(habit, vec![1, 2]).apply(&ninths), ninths);
        }
    }

    #[test]
    fn a_quarter_turn_and_a_shear_by_hand() {
        let turned = UserStyle { rotation: 90.0, ..UserStyle::plain() }.apply(&ninths());
        assert_eq!(nine_times(&turned), [7, 4, 1, 8, 5, 2, 9, 6, 3]);
        // One to the right for each row below the middle, one to the left above it.
        let slanted = UserStyle { shear: 1.0, ..UserStyle::plain() }.apply(&ninths());
        assert_eq!(nine_times(&slanted), [2, 3, 0, 4, 5, 6, 0, 7, 8]);
    }

    #[test]
    fn scale_lies_between_pixels_and_gamma_is_a_power() {
        // Twice as large: the places of the first row are half as far from the middle.
        let large = UserStyle { scale: 2.0, ..UserStyle::plain() }.apply(&ninths());
        let expected = [3.0, 3.5, 4.0, 4.5, 5.0, 5.5, 6.0, 6.5, 7.0].map(|n| n / 9.0);
        assert!(large.image(0).iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6));
        let thin = UserStyle { gamma: 2.0, ..UserStyle::plain() }.apply(&ninths());
        assert!((thin.image(0)[2] - 1.0 / 9.0).abs() < 1e-6);
    }

    #[test]
    fn users_differ_repeat_under_a_seed_and_keep_their_bounds() {
        let user = |seed| UserStyle::draw(10, &mut ChaCha8Rng::seed_from_u64(seed));
        assert_eq!(user(4), user(4));
        assert_ne!(user(4), user(5));
        for style in (0..200).map(user) {
            assert!(style.rotation.abs() <= 25.0 && style.shear.abs() <= 0.3);
            assert!((0.85..=1.15).contains(&style.scale) && (0.6..=1.6).contains(&style.gamma));
            assert!((2..=3).contains(&style.personal.len()));
            let mut classes = style.personal.clone();
            classes.dedup();
            assert_eq!(classes, style.personal);
        }
        assert!(Habit::ALL.iter().all(|&habit| (0..50).any(|seed| user(seed).habit == habit)));
    }
}
