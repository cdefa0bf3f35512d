//! Projected gradient ascent within a box.

use burn::tensor::{Bool, Int, Tensor, TensorData};
use rand::{Rng, RngExt};

use crate::op;

/// Radius, effort and valid range of [`pgd_linf`].
///
/// # Example
/// ```
/// use pressrun_nn::attack::PgdConfig;
///
/// let config = PgdConfig::new(0.1).with_steps(20);
/// assert!((config.step_size - 0.0125).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PgdConfig {
    /// Largest change of a coordinate.
    pub eps: f64,
    /// Ascent steps per restart.
    pub steps: usize,
    /// Change of a coordinate per step.
    pub step_size: f64,
    /// Starting points per example: the example itself, then random points of the box.
    pub restarts: usize,
    /// Smallest valid input.
    pub low: f64,
    /// Largest valid input.
    pub high: f64,
}

impl PgdConfig {
    /// 20 steps from 1 starting point in the range from 0 to 1.
    pub fn new(eps: f64) -> Self {
        Self { eps, steps: 0, step_size: 0.0, restarts: 1, low: 0.0, high: 1.0 }.with_steps(20)
    }

    /// `steps` steps of `2.5 eps / steps` each: enough to cross the box and to settle.
    pub fn with_steps(self, steps: usize) -> Self {
        Self { steps, step_size: 2.5 * self.eps / steps.max(1) as f64, ..self }
    }

    /// This step size instead of the one that follows from the number of steps.
    pub fn with_step_size(self, step_size: f64) -> Self {
        Self { step_size, ..self }
    }

    /// So many starting points.
    pub fn with_restarts(self, restarts: usize) -> Self {
        Self { restarts, ..self }
    }

    /// Another valid range.
    pub fn with_range(self, low: f64, high: f64) -> Self {
        Self { low, high, ..self }
    }
}

/// What an attack found.
#[derive(Debug, Clone)]
pub struct Attacked<const D: usize> {
    /// Per example: the first point found on which the classifier errs, else the last one tried.
    pub points: Tensor<D>,
    /// Per example: whether a point was found on which the classifier errs.
    pub fooled: Vec<bool>,
}

impl<const D: usize> Attacked<D> {
    /// Fraction of the examples on which the classifier was made to err.
    pub fn error(&self) -> f64 {
        let count = self.fooled.iter().filter(|&&f| f).count();
        count as f64 / self.fooled.len().max(1) as f64
    }
}

/// Projected gradient ascent on the cross-entropy within a box of radius `eps` around each example.
///
/// ```text
/// x_0 = x in the first restart, else uniform in the box
/// x_{t+1} = project(x_t + step sign(grad L(x_t)))       box:  max(x - eps, low) .. min(x + eps, high)
/// ```
///
/// Every point on the way is tried, the first among them `x` itself: an example that is
/// misclassified anyway counts as fooled. `model` is evaluated as it is; it should be in
/// evaluation mode, and gives the gradient by whatever operations it is made of.
///
/// # Shapes
/// - `x`: `[batch, ...]`, `labels`: `[batch]`, output of `model`: `[batch, classes]`
///
/// # Source
/// Madry et al., arXiv:1706.06083.
///
/// # Panics
/// If there are no steps or no restarts, `eps` or the step size is negative, or shapes differ.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Int, Tensor};
/// use pressrun_nn::attack::{PgdConfig, pgd_linf};
/// use rand::SeedableRng;
///
/// let device = Device::flex();
/// // Class 0 up to x = 0.55, class 1 beyond.
/// let model = |x: Tensor<2>| Tensor::cat(vec![x.clone().neg().add_scalar(1.1), x], 1);
/// let x = Tensor::<2>::from_data([[0.5], [0.3]], &device);
/// let labels = Tensor::<1, Int>::from_data([0, 0], &device);
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
/// let found = pgd_linf(model, x, labels, &PgdConfig::new(0.1), &mut rng);
/// assert_eq!(found.fooled, [true, false]);
/// ```
pub fn pgd_linf<const D: usize>(
    model: impl Fn(Tensor<D>) -> Tensor<2>,
    x: Tensor<D>,
    labels: Tensor<1, Int>,
    config: &PgdConfig,
    rng: &mut impl Rng,
) -> Attacked<D> {
    let PgdConfig { eps, steps, step_size, restarts, low, high } = *config;
    assert!(steps > 0 && restarts > 0, "pgd_linf: {steps} steps and {restarts} restarts");
    assert!(eps >= 0.0 && step_size >= 0.0, "pgd_linf: eps {eps}, step size {step_size}");
    let [batch] = labels.dims();
    let x = x.inner();
    assert!(x.dims()[0] == batch, "pgd_linf: x of shape {:?}, {batch} labels", x.dims());
    let labels = labels.inner();
    let lower = x.clone().sub_scalar(eps).clamp(low, high);
    let upper = x.clone().add_scalar(eps).clamp(low, high);
    let mut found = Found { points: x.clone(), fooled: vec![false; batch] };
    for restart in 0..restarts {
        let mut point = if restart == 0 { x.clone() } else { uniform(&lower, &upper, rng) };
        for step in 0..=steps {
            // The graph is needed for one step only and dropped with it.
            let leaf = point.clone().autodiff().require_grad();
            let logits = model(leaf.clone());
            found.keep(&point, &logits, &labels);
            if step == steps || found.fooled.iter().all(|&f| f) {
                break;
            }
            let loss = cross_entropy_sum(logits, labels.clone().autodiff());
            let gradient = leaf.grad(&loss.backward()).expect("the model depends on its input");
            let moved = point + gradient.sign().mul_scalar(step_size);
            point = moved.max_pair(lower.clone()).min_pair(upper.clone());
        }
    }
    Attacked { points: found.points, fooled: found.fooled }
}

/// The first point per example on which the classifier errs.
struct Found<const D: usize> {
    points: Tensor<D>,
    fooled: Vec<bool>,
}

impl<const D: usize> Found<D> {
    fn keep(&mut self, point: &Tensor<D>, logits: &Tensor<2>, labels: &Tensor<1, Int>) {
        let [batch, classes] = logits.dims();
        assert!(batch == self.fooled.len(), "pgd_linf: logits of shape {:?}", [batch, classes]);
        let predicted = logits.clone().inner().argmax(1).reshape([batch]);
        let errs = predicted.not_equal(labels.clone());
        let errs = errs.into_data().iter::<bool>().collect::<Vec<_>>();
        // Points that were found stay; the others follow the search.
        let device = point.device();
        let stays =
            Tensor::<1, Bool>::from_data(TensorData::new(self.fooled.clone(), [batch]), &device);
        let mut shape = [1; D];
        shape[0] = batch;
        let stays = stays.reshape(shape).expand(point.dims());
        self.points = point.clone().mask_where(stays, self.points.clone());
        for (fooled, errs) in self.fooled.iter_mut().zip(errs) {
            *fooled |= errs;
        }
    }
}

/// Sum over the batch, so that the gradient of an example does not depend on its company.
fn cross_entropy_sum(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    let [batch, _] = logits.dims();
    op::log_softmax(logits).gather(1, labels.reshape([batch, 1])).sum().neg()
}

fn uniform<const D: usize>(lower: &Tensor<D>, upper: &Tensor<D>, rng: &mut impl Rng) -> Tensor<D> {
    let count = lower.dims().iter().product();
    let values: Vec<f32> = (0..count).map(|_| rng.random::<f32>()).collect();
    let t = Tensor::<D>::from_data(TensorData::new(values, lower.dims()), &lower.device());
    lower.clone() + (upper.clone() - lower.clone()) * t
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::device;

    fn cpu() -> Device {
        device::named("flex").unwrap()
    }

    fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.try_into_vec_as().unwrap()
    }

    #[test]
    fn a_linear_classifier_is_moved_to_the_worst_corner() {
        // Class 1 wins by (2, -1, 0.5) . x - 0.8; the label is 0, so that the attack raises it:
        // the worst point is x + eps sign(w), cut at 0 and 1.
        let w = Tensor::<2>::from_floats([[0.0, 2.0], [0.0, -1.0], [0.0, 0.5]], &cpu()).inner();
        let b = Tensor::<2>::from_floats([[0.8, 0.0]], &cpu()).inner();
        let model = |x: Tensor<2>| x.matmul(w.clone().autodiff()) + b.clone().autodiff();
        let x = Tensor::<2>::from_floats([[0.2, 0.5, 0.95], [0.0, 0.05, 0.5]], &cpu());
        let labels = Tensor::<1, Int>::from_ints([0, 0], &cpu());
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let found = pgd_linf(model, x, labels, &PgdConfig::new(0.1), &mut rng);
        // (0.3, 0.4, 1.0): 0.6 - 0.4 + 0.5 - 0.8 < 0;  (0.1, 0, 0.6): 0.2 + 0.3 - 0.8 < 0
        assert_eq!(found.fooled, [false, false]);
        let expected = [0.3, 0.4, 1.0, 0.1, 0.0, 0.6];
        let points = host(found.points);
        assert!(points.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{points:?}");
    }

    /// A classifier with a bump in it: class 1 only near x = 0.37.
    fn bump(x: Tensor<2>) -> Tensor<2> {
        let height = (x - 0.37).mul_scalar(8.0).square().neg().exp();
        Tensor::cat(vec![height.clone().neg().add_scalar(0.95), height.sub_scalar(0.9)], 1)
    }

    #[test]
    fn found_points_err_and_stay_in_the_box() {
        let x = Tensor::<2>::from_floats([[0.3], [0.5], [0.9]], &cpu());
        let labels = Tensor::<1, Int>::from_ints([0, 0, 0], &cpu());
        let config = PgdConfig::new(0.15).with_steps(10).with_restarts(3).with_range(0.0, 0.95);
        let attack = |seed: u64| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            pgd_linf(bump, x.clone(), labels.clone(), &config, &mut rng)
        };
        let found = attack(5);
        assert_eq!(found.fooled, [true, true, false]);
        assert!((found.error() - 2.0 / 3.0).abs() < 1e-12);
        let logits = host(bump(found.points.clone()));
        assert!(logits[1] > logits[0] && logits[3] > logits[2] && logits[5] < logits[4]);
        for (point, x) in host(found.points.clone()).into_iter().zip([0.3f32, 0.5, 0.9]) {
            assert!((point - x).abs() <= 0.15 + 1e-6 && point <= 0.95, "{point} from {x}");
        }
        assert_eq!(host(found.points), host(attack(5).points), "same seed, same points");
    }

    #[test]
    fn what_is_wrong_anyway_counts() {
        let x = Tensor::<2>::from_floats([[0.37], [0.9]], &cpu());
        let labels = Tensor::<1, Int>::from_ints([0, 0], &cpu());
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let found = pgd_linf(bump, x, labels, &PgdConfig::new(0.0), &mut rng);
        assert_eq!(found.fooled, [true, false]);
    }
}
