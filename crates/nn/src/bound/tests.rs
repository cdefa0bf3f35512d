//! The oracles of the method, and gradients.

use burn::module::Param;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::init::{Init, uniform};
use crate::linear::LinearConfig;
use crate::testing::{check_input, check_module};
use crate::{device, loss};

pub fn cpu() -> Device {
    device::named("flex").unwrap()
}

pub fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as().unwrap()
}

pub fn rows(values: Vec<f32>, rows: usize) -> Tensor<2> {
    let columns = values.len() / rows;
    Tensor::from_data(TensorData::new(values, [rows, columns]), &cpu())
}

#[test]
fn a_box_is_clipped_to_the_valid_range() {
    let x = rows(vec![0.05, 0.5, 1.0], 1);
    let input = IntervalBounds::from_box(x, 0.1, 0.0, 1.0);
    let close = |values: Vec<f32>, expected: [f32; 3]| {
        assert!(values.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{values:?}");
    };
    close(host(input.lower()), [0.0, 0.4, 0.9]);
    close(host(input.upper()), [0.15, 0.6, 1.0]);
}

#[test]
fn a_network_by_hand() {
    // W1 = [[1, -1], [2, 1]] row by unit, so the weight [in, out] is its transpose.
    //   pre-ReLU: 0.5 - 0.2 -+ 0.2 = [0.1, 0.5];  2*0.5 + 0.2 - 1 -+ 0.3 = [-0.1, 0.5]
    //   after:    c = (0.3, 0.25), r = (0.2, 0.25);   W2 = [[1, 0.5], [-1, 1]], b2 = (0, 0.1)
    //   margin:   d = (2, -0.5): 0.6 - 0.125 - 0.1 - (0.4 + 0.125) = -0.15
    //   naive:    z0 >= 0.425 - 0.325 = 0.1, z1 <= -0.05 + 0.1 + 0.45 = 0.5: -0.4
    //   loss:     ln(1 + e^0.15) = 0.770957
    let x = rows(vec![0.5, 0.2], 1);
    let weight = rows(vec![1.0, 2.0, -1.0, 1.0], 2);
    let bias = Tensor::<1>::from_floats([0.0, -1.0], &cpu());
    let pre = IntervalBounds::from_box(x, 0.1, 0.0, 1.0).linear(weight, Some(bias));
    for (value, expected) in
        host(pre.lower()).into_iter().chain(host(pre.upper())).zip([0.1, -0.1, 0.5, 0.5])
    {
        assert!((value - expected).abs() < 1e-6);
    }
    let last = pre.relu();
    let weight = rows(vec![1.0, -1.0, 0.5, 1.0], 2);
    let bias = Tensor::<1>::from_floats([0.0, 0.1], &cpu());
    let labels = Tensor::<1, Int>::from_ints([0], &cpu());
    let lower = margin(&last, weight.clone(), Some(bias.clone()), labels);
    assert!((lower.clone().into_scalar::<f32>() + 0.15).abs() < 1e-6);
    let loss = robust_cross_entropy(lower).into_scalar::<f32>();
    assert!((loss - 0.770957).abs() < 1e-6, "{loss}");
    let logits = last.linear(weight, Some(bias));
    let naive = host(logits.lower())[0] - host(logits.upper())[1];
    assert!((naive + 0.4).abs() < 1e-6, "{naive}");
}

#[test]
fn without_a_radius_the_robust_loss_is_the_cross_entropy() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let head = LinearConfig::new(5, 4).init(&cpu(), &mut rng).unwrap();
    let h = rows(uniform(15, -2.0, 2.0, &mut rng), 3);
    let labels = Tensor::<1, Int>::from_ints([3, 0, 2], &cpu());
    let point = IntervalBounds { radius: h.zeros_like(), center: h.clone() };
    let bias = head.bias.as_ref().map(Param::val);
    let lower = margin(&point, head.weight.val(), bias, labels.clone());
    let logits = head.forward(h);
    let same = host(logit_margins(logits.clone(), labels.clone()));
    assert!(host(lower.clone()).iter().zip(same).all(|(a, b)| (a - b).abs() < 1e-5));
    let robust = robust_cross_entropy(lower).into_scalar::<f32>();
    let plain = loss::cross_entropy(logits, labels).into_scalar::<f32>();
    assert!((robust - plain).abs() < 1e-5);
    // Widths of 1e5 at a start without care must not overflow.
    let wide = robust_cross_entropy(rows(vec![-1e5; 9], 1)).into_scalar::<f32>();
    assert!((wide - 1e5).abs() < 10.0);
}

#[test]
fn gains_of_common_initial_weights() {
    // (n / 2) s sqrt(2 / pi) with s = sqrt(2 pi) / n, sqrt(2 / (n + n)), sqrt(2 / n)
    for (n, xavier, kaiming) in [(256, 6.383, 9.027), (576, 9.575, 13.541)] {
        let gain = |std: f64| width_gain(n, normal_mean_abs(std));
        assert!((gain(ibp_std(n)) - 1.0).abs() < 1e-12);
        assert!((gain((1.0 / n as f64).sqrt()) - xavier).abs() < 5e-4);
        assert!((gain((2.0 / n as f64).sqrt()) - kaiming).abs() < 5e-4);
    }
    assert!((ibp_std(256) - 0.00979152).abs() < 1e-8);
}

/// Mean widths before each ReLU of a random 784-256x7 stack, relative to the input's.
fn widths(init: HiddenInit) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let config = BoundedNetConfig::flat(784, 10).with_hidden([256; 7]).with_init(init);
    let net = config.init(&cpu(), &mut rng).unwrap().valid_on_host();
    let x = rows(uniform(16 * 784, 0.1, 0.9, &mut rng), 16).inner();
    let bounded = net.bounds(IntervalBounds::from_box(x, 0.1, 0.0, 1.0));
    bounded.pre_relu.iter().map(|b| f64::from(b.mean_radius().into_scalar::<f32>()) / 0.1).collect()
}

impl BoundedNet {
    /// Without gradients.
    fn valid_on_host(&self) -> Self {
        burn::module::Module::valid(self)
    }
}

#[test]
fn boxes_keep_their_width_with_ibp_weights_and_explode_with_xavier_ones() {
    for width in widths(HiddenInit::Ibp) {
        // One draw of the authors' stack: 2.00 1.98 1.97 1.95 1.96 1.94 1.96
        assert!((width / 1.97 - 1.0).abs() < 0.08, "{width}");
    }
    let expected = [27.0, 176.0, 1.1e3, 7.2e3, 4.6e4, 2.9e5, 1.9e6];
    let xavier = widths(HiddenInit::Rule(Init::XavierNormal { gain: 1.0 }));
    assert_eq!(xavier.len(), expected.len());
    for (width, expected) in xavier.iter().zip(expected) {
        assert!((width / expected - 1.0).abs() < 0.15, "{width} for {expected}");
    }
}

fn pre_relu(lower: &[f32], upper: &[f32]) -> IntervalBounds<2> {
    IntervalBounds::new(rows(lower.to_vec(), 1), rows(upper.to_vec(), 1))
}

#[test]
fn regularisers_by_hand() {
    // rho = (0.3 + 0.2 + 0.1 + 0.6) / 4 = 0.3:  (0.5 - 0.1 / 0.3) / 0.5 = 1/3
    // c = (-0.7, -0.7, 0.2, 0.1), mean -0.275;  A = 0.2 / 4, -I = 1.4 / 4: alpha = 1/7
    // V_a = 0.475^2, V_i = 2 * 0.425^2: beta = 0.624567 > tau;  L = (0.5 - 1/7) / 0.5
    let layer = pre_relu(&[-1.0, -0.9, 0.1, -0.5], &[-0.4, -0.5, 0.3, 0.7]);
    let tight = tightness_loss(std::slice::from_ref(&layer), 0.1, 0.5).into_scalar::<f32>();
    assert!((tight - 1.0 / 3.0).abs() < 1e-5, "{tight}");
    let balance = relu_balance_loss(std::slice::from_ref(&layer), 0.5).into_scalar::<f32>();
    assert!((balance - 0.714286).abs() < 1e-5, "{balance}");
    // With tau = 1 both terms count: (1 - 0.142857) + (1 - 0.624567)
    let both = relu_balance_loss(&[layer], 1.0).into_scalar::<f32>();
    assert!((both - 1.232576).abs() < 1e-5, "{both}");
}

#[test]
fn layers_without_balance() {
    let value = |layers: &[IntervalBounds<2>]| relu_balance_loss(layers, 0.5).into_scalar::<f32>();
    let inactive_only = pre_relu(&[-2.0, -1.0, -0.3], &[-1.0, -0.2, 0.4]);
    let active_only = pre_relu(&[0.2, 0.1, -0.3], &[1.0, 0.2, 0.4]);
    let neither = pre_relu(&[-0.2, -0.3], &[1.0, 0.4]);
    assert!((value(std::slice::from_ref(&inactive_only)) - 2.0).abs() < 1e-6);
    assert_eq!(value(std::slice::from_ref(&active_only)), 0.0);
    assert_eq!(value(std::slice::from_ref(&neither)), 0.0);
    // A skipped layer counts in the mean.
    assert!((value(&[inactive_only, active_only, neither]) - 2.0 / 3.0).abs() < 1e-6);
}

#[test]
fn a_sum_of_boxes_holds_all_sums() {
    let (a, b) = (pre_relu(&[-1.0, 0.5], &[0.0, 1.0]), pre_relu(&[2.0, -0.25], &[3.0, 0.25]));
    let sum = a + b;
    assert_eq!(host(sum.lower()), [1.0, 0.25]);
    assert_eq!(host(sum.upper()), [3.0, 1.25]);
}

#[test]
fn states_are_counted() {
    let states = ReluStates::of(&pre_relu(&[-1.0, -0.9, 0.1, -0.5], &[-0.4, -0.5, 0.3, 0.7]));
    assert_eq!(states, ReluStates { active: 0.25, inactive: 0.5, unstable: 0.25 });
    assert_eq!(states.balance(), Some(0.5));
    assert_eq!(ReluStates::of(&pre_relu(&[-1.0], &[1.0])).balance(), None);
    assert_eq!(ReluStates::of(&pre_relu(&[-1.0], &[-0.5])).balance(), Some(0.0));
}

#[test]
fn nothing_is_verified_by_what_is_not_a_number() {
    let lower = rows(vec![0.1, 0.2, 0.1, -0.1, 0.3, f32::NAN, 0.5, 0.0], 4);
    assert_eq!(verified(lower), [true, false, false, false]);
}

#[test]
fn gradients_of_bounds_agree_with_finite_differences() {
    let mut rng = ChaCha8Rng::seed_from_u64(21);
    let weight = rows(vec![0.5, -0.7, 0.3, 0.4, 0.6, -0.5], 2);
    let labels = Tensor::<1, Int>::from_ints([2], &cpu());
    check_input(&cpu(), [1, 2], &[0.5, 0.4], |x| {
        let bounds = IntervalBounds::from_box(x, 0.1, 0.0, 1.0);
        robust_cross_entropy(margin(&bounds, weight.clone(), None, labels.clone()))
    });
    check_input(&cpu(), [2, 3], &host(weight), |w| {
        let x = rows(vec![0.5, 0.4], 1);
        let bounds = IntervalBounds::from_box(x, 0.1, 0.0, 1.0);
        robust_cross_entropy(margin(&bounds, w, None, labels.clone()))
    });
    // Radius and centre of layers that are partly open.
    let centers = uniform(8, -1.0, 1.0, &mut rng);
    let radii = rows(vec![0.3, 0.2, 0.1, 0.6, 0.4, 0.25, 0.15, 0.35], 2);
    check_input(&cpu(), [2, 4], &centers, |center| {
        let layer = IntervalBounds { center, radius: radii.clone() };
        let after = layer.clone().relu();
        relu_balance_loss(&[layer], 0.9) + after.radius.square().sum() + after.center.square().sum()
    });
    check_input(&cpu(), [2, 4], &host(radii), |radius| {
        let center = rows(centers.clone(), 2);
        tightness_loss(&[IntervalBounds { center, radius }], 0.1, 0.9)
    });
}

#[test]
fn gradients_of_a_whole_training_step_agree_with_finite_differences() {
    // Convolution, both kinds of normalisation, all three streams; weights small enough that no
    // ReLU changes its state within a step of the difference.
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    let net = BoundedNetConfig::image([1, 3, 3], 3)
        .with_convs([ConvShape { channels: 2, kernel: 2, stride: 1, padding: 0 }])
        .with_hidden([3])
        .with_batch_norm(true)
        .with_init(HiddenInit::Rule(Init::KaimingNormal { gain: 1.4 }))
        .init(&cpu(), &mut rng)
        .unwrap();
    let x = rows(uniform(4 * 9, 0.2, 0.8, &mut rng), 4);
    let labels = Tensor::<1, Int>::from_ints([0, 1, 2, 1], &cpu());
    check_module(&net, |net: &BoundedNet| {
        let mut net = net.clone();
        let input = IntervalBounds::from_box(x.clone(), 0.05, 0.0, 1.0);
        let (logits, bounded) = net.forward_train(x.clone(), input);
        let robust = robust_cross_entropy(net.margin(&bounded.last, labels.clone()));
        robust + loss::cross_entropy(logits, labels.clone())
    });
}

#[test]
fn training_statistics_are_those_of_the_clean_batch() {
    let mut rng = ChaCha8Rng::seed_from_u64(13);
    let config = BoundedNetConfig::flat(6, 3).with_hidden([4]).with_batch_norm(true);
    let mut net = config.init(&cpu(), &mut rng).unwrap();
    let x = rows(uniform(30, 0.0, 1.0, &mut rng), 5);
    let input = IntervalBounds::from_box(x.clone(), 0.3, 0.0, 1.0);
    let (_, bounded) = net.forward_train(x.clone(), input.clone());
    let y = net.hidden[0].layer.forward(x);
    let moments = crate::norm::Moments::of(&y);
    let norm = net.hidden[0].norm.as_ref().unwrap();
    // 0.9 * 0 + 0.1 mean, 0.9 * 1 + 0.1 * var * 5 / 4
    let close = |a: Vec<f32>, b: Vec<f32>| {
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-5), "{a:?} {b:?}");
    };
    close(host(norm.running_mean.val()), host(moments.mean.clone() * 0.1));
    close(host(norm.running_var.val()), host(moments.var.clone() * 0.125 + 0.9));
    // The box goes through the map of the clean statistics, not of its own.
    let layer = &net.hidden[0].layer;
    let bias = layer.bias.as_ref().map(Param::val);
    let (scale, shift) = norm.affine(&moments);
    let expected = input.linear(layer.weight.val(), bias).scale_channels(scale, shift);
    close(host(bounded.pre_relu[0].radius.clone()), host(expected.radius));
    close(host(bounded.pre_relu[0].center.clone()), host(expected.center));
}

#[test]
fn a_wrong_configuration_says_what_is_wrong() {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let message = |config: BoundedNetConfig, rng: &mut ChaCha8Rng| {
        config.init(&cpu(), rng).unwrap_err().to_string()
    };
    let none = message(BoundedNetConfig::flat(3, 2), &mut rng);
    assert_eq!(none, "BoundedNet: `hidden` is `0`; expected at least 1 hidden layer");
    let large = ConvShape { channels: 1, kernel: 5, stride: 1, padding: 0 };
    let config = BoundedNetConfig::image([1, 4, 4], 2).with_convs([large]);
    assert!(message(config, &mut rng).contains("`5 on 4 x 4`"));
}
