//! The identities behind the rates, and published or independently computed numbers.

use std::f64::consts::{LN_2, PI};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

fn expert(slope: f64, offset: f64, variance: f64) -> Expert {
    Expert { slope: vec![slope], offset, variance }
}

fn normal(y: f64, mean: f64, variance: f64) -> f64 {
    (-(y - mean).powi(2) / (2.0 * variance)).exp() / (2.0 * PI * variance).sqrt()
}

/// Three experts of which two are selected; the third is selected everywhere.
fn sparse(select: Select) -> GaussianMoe<TopKGate> {
    let gate = TopKGate::new(vec![3.0, -2.0, 0.0], vec![0.3, -0.3, 0.0], 2).unwrap();
    let experts = vec![expert(2.0, 1.5, 0.16), expert(-2.0, -1.5, 0.09), expert(0.5, 3.5, 0.25)];
    GaussianMoe::new(gate.with_select(select), experts).unwrap()
}

fn tempered(activation: Activation, c: f64) -> GaussianMoe<TemperatureGate> {
    let gate = TemperatureGate::new(vec![2.0 * c, 0.0], vec![-0.3 * c, 0.0], 0.7 * c, activation);
    let experts = vec![expert(2.0, 1.0, 0.2), expert(-1.0, -1.0, 0.1)];
    GaussianMoe::new(gate.unwrap(), experts).unwrap()
}

fn inputs(n: usize, width: f64, rng: &mut ChaCha8Rng) -> Vec<f64> {
    (0..n).map(|_| rng.random_range(-width..width)).collect()
}

fn derivative(f: impl Fn(f64) -> f64, at: f64) -> f64 {
    let h = 1e-5;
    (f(at + h) - f(at - h)) / (2.0 * h)
}

fn second(f: impl Fn(f64) -> f64, at: f64) -> f64 {
    let h = 1e-4;
    (f(at + h) - 2.0 * f(at) + f(at - h)) / (h * h)
}

/// `u = exp(s(beta x) / tau) N(y | a x + b, nu)`: the temperature's derivative is
/// `-(beta / tau) du/dbeta` without an activation, and something else with tanh.
#[test]
fn the_temperature_is_entangled_with_the_slope_unless_the_gate_is_activated() {
    let (beta, tau, x) = (2.0, 0.7, 0.5);
    let u = |activation: Activation, beta: f64, tau: f64| {
        (activation.value_and_slope(beta * x).0 / tau).exp() * normal(0.3, 0.1, 0.2)
    };
    for (activation, by_tau, by_beta) in [
        (Activation::Identity, -2.040_816, -2.040_816),
        (Activation::Relu, -2.040_816, -2.040_816),
        (Activation::Tanh, -1.554_274, -0.857_090),
    ] {
        let scale = u(activation, beta, tau);
        let left = derivative(|tau| u(activation, beta, tau), tau) / scale;
        let right = -beta / tau * derivative(|beta| u(activation, beta, tau), beta) / scale;
        assert!((left - by_tau).abs() < 1e-6, "{activation:?}: {left}");
        assert!((right - by_beta).abs() < 1e-6, "{activation:?}: {right}");
    }
}

/// `F = exp(beta x / tau) N(y | a x + b, nu)`: `d2F/(dbeta db) = (1 / tau) dF/da` and
/// `d2F/db2 = 2 dF/dnu`, at tau = 1 and 0.7.
#[test]
fn gate_and_expert_interact_through_two_equations() {
    let (beta, a, b, nu, x, y) = (2.0, 1.3, -0.4, 0.3, 0.5, 0.6);
    for tau in [1.0, 0.7] {
        let f =
            |beta: f64, a: f64, b: f64, nu: f64| (beta * x / tau).exp() * normal(y, a * x + b, nu);
        let mixed = derivative(|beta: f64| derivative(|b: f64| f(beta, a, b, nu), b), beta);
        let by_slope = derivative(|a| f(beta, a, b, nu), a) / tau;
        assert!((mixed - by_slope).abs() < 1e-4 * by_slope.abs(), "{mixed} {by_slope}");
        let curved = second(|b| f(beta, a, b, nu), b);
        let by_variance = 2.0 * derivative(|nu| f(beta, a, b, nu), nu);
        assert!((curved - by_variance).abs() < 1e-4 * by_variance.abs(), "{curved} {by_variance}");
    }
}

#[test]
fn only_the_standard_gate_is_the_same_at_three_times_the_temperature() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let x = inputs(500, 2.0, &mut rng);
    let y = tempered(Activation::Identity, 1.0).sample(&x, &mut rng);
    let furthest = |activation| {
        let (one, three) = (tempered(activation, 1.0), tempered(activation, 3.0));
        let pairs = one.log_density(&x, &y).into_iter().zip(three.log_density(&x, &y));
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    };
    assert!(furthest(Activation::Identity) < 1e-12 && furthest(Activation::Relu) < 1e-12);
    assert!(furthest(Activation::Tanh) > 0.1 && furthest(Activation::Gelu) > 0.1);
}

/// Distances of normal mixtures to N(0, 1), by e; the last column is the power that it goes with.
#[test]
fn moduli_of_continuity() {
    let unit = |y: f64| normal(y, 0.0, 1.0);
    let grid = Grid { low: -12.0, high: 12.0, points: 2401 };
    let distance = |components: &[(f64, f64, f64)]| {
        let mixture = |y| components.iter().map(|&(w, m, nu)| w * normal(y, m, nu)).sum::<f64>();
        hellinger(mixture, unit, &grid)
    };
    let close = |h: f64, expected: f64| (h / expected - 1.0).abs() < 1e-3;
    for (e, one, two, narrow) in [
        (0.4, 0.1407, 0.037_34, 3.872e-3),
        (0.2, 0.070_62, 0.009_810, 2.318e-4),
        (0.1, 0.035_34, 0.002_488, 1.444e-5),
    ] {
        let nu = 1.0 - e * e;
        assert!(close(distance(&[(1.0, e, 1.0)]), one));
        assert!(close(distance(&[(0.5, e, 1.0), (0.5, -e, 1.0)]), two));
        assert!(close(distance(&[(0.5, e, nu), (0.5, -e, nu)]), narrow));
    }
    for (e, expected) in [(0.6, 4.838e-3), (0.4, 3.428e-4), (0.3, 5.868e-5)] {
        let (at, nu) = (3f64.sqrt() * e, 1.0 - e * e);
        let h = distance(&[(1.0 / 6.0, -at, nu), (2.0 / 3.0, 0.0, nu), (1.0 / 6.0, at, nu)]);
        assert!(close(h, expected), "{h}");
    }
}

/// The least order without a solution. Below it a solution is shown. At it, for two atoms: with
/// `p1 = p2 = 0` needed in the equations of `eta1 = 0`, these leave one unknown, the weight `w`,
/// after the first three are solved by hand for `p3_1 = 1`, and the fourth is never 0.
#[test]
fn exponents_of_cells() {
    let atom = |weight: f64, offset, variance| Perturbation {
        gate: 0.0,
        slope: 0.0,
        offset,
        variance,
        root_weight: weight.sqrt(),
    };
    let three = [(1.0 / 6.0, -3f64.sqrt()), (2.0 / 3.0, 0.0), (1.0 / 6.0, 3f64.sqrt())]
        .map(|(w, at)| atom(w, at, -0.5));
    let two = [atom(0.5, 1.0, -0.5), atom(0.5, -1.0, -0.5)];
    for (cell, r) in [(&two[..], 4), (&three[..], 6)] {
        for eta2 in 1..r {
            assert!(taylor_coefficient(cell, 0, eta2).abs() < 1e-14, "{r} {eta2}");
        }
        // Nothing moves with x as long as p1 and p2 are 0.
        assert!((1..r).all(|eta1| taylor_coefficient(cell, eta1, 1) == 0.0));
        assert!(taylor_coefficient(cell, 0, r).abs() > 1e-3);
        assert_eq!(cell_exponent(cell.len()), Some(r));
    }
    for i in 1..1000 {
        let w = f64::from(i) / 1000.0;
        let b = -w / (1.0 - w);
        // Third equation: w (p41 - p42) + w / 6 + (1 - w) b^3 / 6 = 0. Second: sum w (p3^2 / 2 + p4) = 0.
        let apart = -(1.0 / 6.0 + (1.0 - w) * b.powi(3) / (6.0 * w));
        let second = -(w / 2.0 + (1.0 - w) * b * b / 2.0) - w * apart;
        let cell = [atom(w, 1.0, second + apart), atom(1.0 - w, b, second)];
        assert!(
            (1..4)
                .all(|eta2| taylor_coefficient(&cell, 0, eta2).abs()
                    < 1e-9 * (1.0 + b.abs().powi(3)))
        );
        let scale = w * (1.0 - w) * b.abs().max(1.0).powi(4);
        assert!(taylor_coefficient(&cell, 0, 4) < -1e-2 * scale, "{w}");
    }
}

/// Expert `which` of the three is written as two of half the weight, apart by `eps`.
fn split(which: usize, eps: f64, k: usize) -> GaussianMoe<TopKGate> {
    let truth = sparse(Select::Linear);
    let (mut beta1, mut beta0, mut experts) = (Vec::new(), Vec::new(), Vec::new());
    for i in 0..3 {
        let shifts = if i == which { vec![0.5 * eps, -0.5 * eps] } else { vec![0.0] };
        let lighter = if i == which { LN_2 } else { 0.0 };
        for shift in shifts {
            beta1.push(truth.gate.slope(i)[0] + shift);
            beta0.push(truth.gate.biases()[i] - lighter);
            let Expert { slope, offset, variance } = &truth.experts[i];
            experts.push(expert(slope[0] + shift, offset + shift, *variance));
        }
    }
    GaussianMoe::new(TopKGate::new(beta1, beta0, k).unwrap(), experts).unwrap()
}

#[test]
fn a_split_expert_needs_as_many_selected_as_there_are_atoms_in_its_region() {
    let truth = sparse(Select::Linear);
    let xs = Grid { low: -1.0, high: 1.0, points: 200 };
    let ys = Grid { low: -5.0, high: 8.0, points: 651 };
    let distance = |which, eps, k| mean_hellinger(&split(which, eps, k), &truth, &xs, &ys);
    for (eps, two, three) in
        [(0.3, 0.0804, 0.0098), (0.1, 0.0802, 0.0012), (0.03, 0.0825, 0.0001), (0.01, 0.0833, 0.0)]
    {
        let (h2, h3) = (distance(2, eps, 2), distance(2, eps, 3));
        // How much of a region the grid of 200 inputs covers depends on where its points lie:
        // a distance that comes from one side only is known to about a percent.
        assert!((h2 / two - 1.0).abs() < 5e-3 && (h3 - three).abs() < 1e-4, "{eps}: {h2} {h3}");
    }
    // Expert 0 is selected on one side only: on the other a third, wrong one is let in.
    for (eps, three) in [(0.3, 0.0995), (0.1, 0.0725), (0.03, 0.0689), (0.01, 0.0686)] {
        let (h2, h3) = (distance(0, eps, 2), distance(0, eps, 3));
        let near = |h: f64, expected: f64| (h / expected - 1.0).abs() < 0.02;
        assert!(near(h2, 0.1075) && near(h3, three), "{eps}: {h2} {h3}");
    }
    let points: Vec<f64> = xs.iter().collect();
    let regions = truth.gate.regions(&points);
    let cells = voronoi_cells(&split(2, 0.1, 3).atoms(), &truth.atoms());
    assert_eq!(required_selection(&regions, &cells), 3);
}

fn options(iterations: usize, inverse: Inverse) -> EmOptions {
    let (gate_steps, clip) = match inverse {
        Inverse::Ridge(_) => (2, 1.0),
        Inverse::Pseudo(_) => (3, 0.3),
    };
    EmOptions { iterations, tolerance: 0.0, gate_steps, inverse, clip, variance_floor: 1e-3 }
}

fn largest_fall(history: &[f64]) -> f64 {
    history.windows(2).map(|pair| pair[0] - pair[1]).fold(0.0, f64::max)
}

#[test]
fn the_likelihood_never_falls_and_its_gradient_ends_at_0() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let x = inputs(1000, 1.0, &mut rng);
    let y = sparse(Select::Linear).sample(&x, &mut rng);
    let mut start = sparse(Select::Linear);
    start.gate.set_parameters(&[2.5, 0.1, -2.2, 0.0]);
    start.experts.iter_mut().for_each(|e| e.offset += 0.1);
    let fit = em_fit(start, &x, &y, options(400, Inverse::Ridge(1e-6))).unwrap();
    assert!(largest_fall(&fit.history) < 1e-8, "{}", largest_fall(&fit.history));
    let score = mean_score(&fit.model, &x, &y);
    assert!(score.iter().all(|s| s.abs() < 1e-5), "{score:?}");

    let x = inputs(1000, 2.0, &mut rng);
    for activation in [Activation::Identity, Activation::Relu, Activation::Tanh, Activation::Gelu] {
        let y = tempered(activation, 1.0).sample(&x, &mut rng);
        let mut start = tempered(activation, 1.0);
        start.gate.set_parameters(&[1.7, -0.1, 0.9]);
        start.experts.iter_mut().for_each(|e| e.offset += 0.2);
        let fit = em_fit(start, &x, &y, options(200, Inverse::Pseudo(1e-9))).unwrap();
        let fall = largest_fall(&fit.history);
        assert!(fall < 1e-8, "{activation:?} {fall}");
        let ascent = fit.history.last().unwrap() - fit.history[0];
        assert!(ascent > 0.0, "{activation:?}");
    }
}

/// The gradient against differences of the log-likelihood, for both gates.
#[test]
fn scores_are_the_derivatives_of_the_log_likelihood() {
    fn check<G: Gate>(model: &GaussianMoe<G>, x: &[f64], y: &[f64]) {
        let score = mean_score(model, x, y);
        let (free, d) = (model.gate.free(), model.gate.inputs());
        let mut phi = vec![0.0; free];
        model.gate.parameters(&mut phi);
        for (at, &expected) in score.iter().enumerate() {
            let moved = |h: f64| {
                let (mut moved, mut phi) = (model.clone(), phi.clone());
                if at < free {
                    phi[at] += h;
                    moved.gate.set_parameters(&phi);
                } else {
                    let expert = &mut moved.experts[(at - free) / (d + 2)];
                    match (at - free) % (d + 2) {
                        p if p < d => expert.slope[p] += h,
                        p if p == d => expert.offset += h,
                        _ => expert.variance += h,
                    }
                }
                moved.log_density(x, y).iter().sum::<f64>() / y.len() as f64
            };
            let difference = (moved(1e-6) - moved(-1e-6)) / 2e-6;
            assert!((difference - expected).abs() < 1e-6, "{at}: {difference} {expected}");
        }
    }
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let x = inputs(50, 1.5, &mut rng);
    let y: Vec<f64> = x.iter().map(|x| x + rng.random_range(-1.0..1.0)).collect();
    check(&sparse(Select::Linear), &x, &y);
    check(&tempered(Activation::Gelu, 1.0), &x, &y);
    check(&tempered(Activation::Relu, 1.0), &x, &y);
    // Two inputs.
    let gate =
        TemperatureGate::new(vec![1.0, -0.5, 0.0, 0.0], vec![0.2, 0.0], 0.9, Activation::Tanh);
    let wide = |a, b| Expert { slope: vec![a, b], offset: 0.3, variance: 0.5 };
    let model = GaussianMoe::new(gate.unwrap(), vec![wide(1.0, -1.0), wide(0.0, 0.5)]).unwrap();
    check(&model, &x, &y[..25]);
}

/// At 2e5 pairs: smallest and largest eigenvalue, and where the standard gate's null vector lies.
#[test]
fn the_information_of_homogeneous_gates_is_singular() {
    for (activation, smallest, largest) in [
        (Activation::Identity, 0.0, 24.3),
        (Activation::Relu, 0.0, 15.6),
        (Activation::Tanh, 2.7e-3, 25.6),
        (Activation::Gelu, 5.0e-4, 16.5),
    ] {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let model = tempered(activation, 1.0);
        let x = inputs(200_000, 2.0, &mut rng);
        let y = model.sample(&x, &mut rng);
        let eig = sym_eig(&fisher_information(&model, &x, &y), 9);
        assert!((eig.values[8] / largest - 1.0).abs() < 0.04, "{activation:?} {:?}", eig.values);
        if smallest == 0.0 {
            assert!(eig.values[0].abs() < 1e-10 * eig.values[8], "{activation:?}");
        } else {
            let off = (eig.values[0] / smallest - 1.0).abs();
            assert!(off < 0.15, "{activation:?} {}", eig.values[0]);
        }
        if activation == Activation::Identity {
            let along: f64 = [0.934_54, -0.140_18, 0.327_09]
                .iter()
                .zip(&eig.vectors[0])
                .map(|(a, b)| a * b)
                .sum();
            assert!(along.abs() > 0.999_99, "{along}");
        }
    }
}

/// With one expert selected its weight is 1 whatever the gate's slopes and biases: no information.
#[test]
fn a_gate_that_selects_one_is_not_identified() {
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    let x = inputs(2000, 1.0, &mut rng);
    for (k, known) in [(1, false), (2, true)] {
        let mut model = sparse(Select::Linear);
        model.gate = TopKGate::new(vec![3.0, -2.0, 0.0], vec![0.3, -0.3, 0.0], k).unwrap();
        let y = model.sample(&x, &mut rng);
        let information = fisher_information(&model, &x, &y);
        let p = model.free();
        let of_gate = (0..4).all(|a| (information[a * p + a] > 0.0) == known);
        assert!(of_gate, "{k}");
    }
}
