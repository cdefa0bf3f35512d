//! Soundness as a property of random networks and boxes.

use burn::module::Param;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Int, Tensor, module};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::tests::{cpu, host, rows};
use super::*;
use crate::attack::{PgdConfig, pgd_linf};
use crate::init::{Init, uniform};

type Bias = Option<Tensor<1>>;

/// How boxes go through affine layers; the property is also run with rules that are wrong.
#[derive(Clone, Copy)]
struct Rules {
    linear: fn(IntervalBounds<2>, Tensor<2>, Bias) -> IntervalBounds<2>,
    conv: fn(IntervalBounds<4>, Tensor<4>, Bias, ConvOptions<2>) -> IntervalBounds<4>,
}

const SOUND: Rules = Rules { linear: IntervalBounds::linear, conv: IntervalBounds::conv2d };

/// A random network with its data, as the properties see it.
#[derive(Debug, Clone)]
struct Case {
    seed: u64,
    side: usize,
    convs: Vec<ConvShape>,
    hidden: Vec<usize>,
    classes: usize,
    batch_norm: bool,
    eps: f64,
    init: HiddenInit,
}

impl Case {
    fn any() -> impl Strategy<Value = Self> {
        let conv = (1usize..4, 1usize..4, 1usize..3, 0usize..2).prop_map(
            |(channels, kernel, stride, padding)| ConvShape { channels, kernel, stride, padding },
        );
        let init = prop_oneof![
            Just(HiddenInit::Ibp),
            Just(HiddenInit::Rule(Init::FanIn)),
            Just(HiddenInit::Rule(Init::KaimingNormal { gain: 1.5 })),
        ];
        let layers = (prop::collection::vec(conv, 0..3), prop::collection::vec(1usize..9, 1..4));
        let rest = (any::<u64>(), 3usize..6, 2usize..5, any::<bool>(), 0.0..0.5, init);
        (layers, rest).prop_map(
            |((convs, hidden), (seed, side, classes, batch_norm, eps, init))| {
                // The second kernel may not fit into what the first left over.
                let convs = if side < 5 { convs.into_iter().take(1).collect() } else { convs };
                Self { seed, side, convs, hidden, classes, batch_norm, eps, init }
            },
        )
    }

    fn rng(&self) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(self.seed)
    }

    /// A network with statistics of a real batch, and scales of both signs.
    fn net(&self) -> Option<BoundedNet> {
        let mut rng = self.rng();
        let config = BoundedNetConfig::image([2, self.side, self.side], self.classes)
            .with_convs(self.convs.clone())
            .with_hidden(self.hidden.clone())
            .with_batch_norm(self.batch_norm)
            .with_init(self.init);
        let mut net = config.init(&cpu(), &mut rng).ok()?;
        let convs = net.convs.iter_mut().filter_map(|block| block.norm.as_mut());
        let hidden = net.hidden.iter_mut().filter_map(|block| block.norm.as_mut());
        for norm in convs.chain(hidden) {
            let count = norm.gamma.dims()[0];
            let values = uniform(count, -1.5, 1.5, &mut rng);
            norm.gamma = Param::from_tensor(Tensor::from_floats(values.as_slice(), &cpu()));
        }
        for _ in 0..10 {
            let x = self.inputs(6, &mut rng);
            let input = IntervalBounds::from_box(x.clone(), 0.0, 0.0, 1.0);
            net.forward_train(x, input);
        }
        Some(net)
    }

    fn inputs(&self, count: usize, rng: &mut ChaCha8Rng) -> Tensor<2> {
        rows(uniform(count * 2 * self.side * self.side, 0.0, 1.0, rng), count)
    }

    /// Points of the box around `x` that are valid inputs; every other one is a corner.
    fn points(&self, x: &Tensor<2>, count: usize, rng: &mut ChaCha8Rng) -> Tensor<2> {
        let center = host(x.clone());
        let mut values = Vec::with_capacity(count * center.len());
        for k in 0..count {
            for &c in &center {
                let u: f64 =
                    if k % 2 == 0 { rng.random() } else { f64::from(rng.random::<bool>()) };
                let moved = f64::from(c) + self.eps * (2.0 * u - 1.0);
                values.push(moved.clamp(0.0, 1.0) as f32);
            }
        }
        rows(values, count)
    }
}

/// The box before the last layer by these rules.
fn propagate(net: &BoundedNet, case: &Case, x: &Tensor<2>, rules: Rules) -> IntervalBounds<2> {
    let mut flat = IntervalBounds::from_box(x.clone(), case.eps, 0.0, 1.0);
    if !net.convs.is_empty() {
        let mut image = flat.reshape([x.dims()[0], 2, case.side, case.side]);
        for ConvBlock { layer, norm } in &net.convs {
            let bias = layer.bias.as_ref().map(Param::val);
            image = (rules.conv)(image, layer.weight.val(), bias, layer.options());
            if let Some(norm) = norm {
                let (scale, shift) = norm.affine(&norm.running());
                image = image.scale_channels(scale, shift);
            }
            image = image.relu();
        }
        flat = image.flatten();
    }
    for LinearBlock { layer, norm } in &net.hidden {
        flat = (rules.linear)(flat, layer.weight.val(), layer.bias.as_ref().map(Param::val));
        if let Some(norm) = norm {
            let (scale, shift) = norm.affine(&norm.running());
            flat = flat.scale_channels(scale, shift);
        }
        flat = flat.relu();
    }
    flat
}

/// Logits and margins of points of the box lie within what the rules give.
fn sound(case: &Case, rules: Rules) -> Result<(), TestCaseError> {
    let Some(net) = case.net() else {
        return Err(TestCaseError::reject("a kernel does not fit"));
    };
    let mut rng = case.rng();
    let x = case.inputs(1, &mut rng);
    let last = propagate(&net, case, &x, rules);
    let bias = net.head.bias.as_ref().map(Param::val);
    let logits = (rules.linear)(last.clone(), net.head.weight.val(), bias);
    let (lower, upper) = (host(logits.lower()), host(logits.upper()));
    let label = rng.random_range(0..case.classes);
    let labels = |n: usize| Tensor::<1, Int>::full([n], label as i64, &cpu());
    let elided = host(net.margin(&last, labels(1)));

    let size = lower.iter().chain(&upper).fold(1f32, |m, v| m.max(v.abs()));
    let slack = 2e-5 * size;
    let others = (0..case.classes).filter(|&j| j != label);
    for (bound, j) in elided.iter().zip(others) {
        let naive = lower[label] - upper[j];
        prop_assert!(*bound >= naive - slack, "elided {bound} is looser than {naive}");
    }
    let count = 24;
    let outputs = net.forward(case.points(&x, count, &mut rng));
    for row in host(outputs.clone()).chunks(case.classes) {
        for ((value, low), high) in row.iter().zip(&lower).zip(&upper) {
            let inside = *value >= low - slack && *value <= high + slack;
            prop_assert!(inside, "logit {value} is outside of {low} .. {high}");
        }
    }
    for row in host(logit_margins(outputs, labels(count))).chunks(case.classes - 1) {
        for (value, low) in row.iter().zip(&elided) {
            prop_assert!(*value >= low - slack, "margin {value} is below {low}");
        }
    }
    Ok(())
}

fn config(cases: u32) -> Config {
    // Failures are shrunk from the printed case; nothing is written beside the source.
    Config { cases, failure_persistence: None, ..Config::default() }
}

#[test]
fn no_point_of_a_box_escapes_its_bounds() {
    TestRunner::deterministic().run(&Case::any(), |case| sound(&case, SOUND)).unwrap();
}

/// Runs the property with rules that are wrong and returns what it objects to.
fn objection(rules: Rules) -> String {
    let config = Config { max_shrink_iters: 0, ..config(64) };
    let mut runner = TestRunner::new_with_rng(config, TestRunner::deterministic().new_rng());
    match runner.run(&Case::any(), |case| sound(&case, rules)) {
        Err(TestError::Fail(reason, _)) => reason.to_string(),
        other => panic!("expected a counterexample, found {other:?}"),
    }
}

#[test]
fn the_property_catches_a_radius_that_goes_through_the_signed_weights() {
    fn linear(bounds: IntervalBounds<2>, weight: Tensor<2>, bias: Bias) -> IntervalBounds<2> {
        let radius = bounds.radius.clone().matmul(weight.clone());
        IntervalBounds { radius, ..bounds.linear(weight, bias) }
    }
    fn conv(
        bounds: IntervalBounds<4>,
        weight: Tensor<4>,
        bias: Bias,
        options: ConvOptions<2>,
    ) -> IntervalBounds<4> {
        let radius = module::conv2d(bounds.radius.clone(), weight.clone(), None, options.clone());
        IntervalBounds { radius, ..bounds.conv2d(weight, bias, options) }
    }
    assert!(objection(Rules { linear, ..SOUND }).contains("outside"));
    assert!(objection(Rules { conv, ..SOUND }).contains("outside"));
}

#[test]
fn the_network_propagates_layer_by_layer_and_pgd_breaks_nothing_that_is_verified() {
    let mut runner = TestRunner::new_with_rng(config(48), TestRunner::deterministic().new_rng());
    let property = |case: Case| {
        let Some(net) = case.net() else {
            return Err(TestCaseError::reject("does not fit"));
        };
        let mut rng = case.rng();
        let x = case.inputs(4, &mut rng);
        let last = net.bounds(IntervalBounds::from_box(x.clone(), case.eps, 0.0, 1.0)).last;
        let by_hand = propagate(&net, &case, &x, SOUND);
        prop_assert_eq!(host(last.radius.clone()), host(by_hand.radius));
        prop_assert_eq!(host(last.center.clone()), host(by_hand.center));
        let labels = net.forward(x.clone()).argmax(1).reshape([4]);
        let safe = verified(net.margin(&last, labels.clone()));
        let attack = PgdConfig::new(case.eps).with_steps(5).with_restarts(2);
        let found = pgd_linf(|x| net.forward(x), x, labels.inner(), &attack, &mut rng);
        for (safe, fooled) in safe.iter().zip(found.fooled) {
            prop_assert!(!(*safe && fooled), "a verified example was fooled");
        }
        Ok(())
    };
    runner.run(&Case::any(), property).unwrap();
}
