//! Maximum likelihood by expectation and maximisation.

use super::gate::{Gate, exponentiate};
use super::linalg::{solve_positive, solve_pseudo};
use super::model::GaussianMoe;
use crate::{Error, Result};

/// How the Hessian of the gate's step is inverted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Inverse {
    /// `H + ridge I`, for a gate whose parameters are determined.
    Ridge(f64),
    /// The pseudo-inverse without eigenvalues below this share of the largest: a flat direction is
    /// not moved along.
    Pseudo(f64),
}

/// How [`Em`] goes about it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EmOptions {
    /// Most iterations.
    pub iterations: usize,
    /// Ends when the log-likelihood changes by less than this share of itself.
    pub tolerance: f64,
    /// Fisher-scoring steps of the gate in each iteration.
    pub gate_steps: usize,
    /// How those invert the Hessian.
    pub inverse: Inverse,
    /// Longest step of the gate, in Euclidean norm.
    pub clip: f64,
    /// Lowest variance of an expert.
    pub variance_floor: f64,
}

/// The maximum likelihood estimate of a [`GaussianMoe`], iteration by iteration.
///
/// ```text
/// E        r_ni = responsibilities
/// experts  (a_i, b_i) = weighted least squares of y on (x, 1) with weights r_ni
///          nu_i = weighted mean of the squared residuals, not below the floor
/// gate     phi += clip(H^-1 g), a few times, the weights p_n of the gate computed anew each time
///          g = mean_n J_n^T (r_n - p_n),  H = mean_n J_n^T (diag(p_n) - p_n p_n^T) J_n
/// ```
///
/// An expert without responsibility stays as it is.
///
/// # Source
/// Jordan and Jacobs (1994); the steps are those of the studies of arXiv:2309.13850 and
/// arXiv:2401.13875.
///
/// # Example
/// ```
/// use pressrun_nn::mixture::{Em, EmOptions, Expert, GaussianMoe, Inverse, TopKGate};
///
/// let gate = TopKGate::new(vec![1.0, 0.0], vec![0.0, 0.0], 1)?;
/// let expert = |slope| Expert { slope: vec![slope], offset: 0.0, variance: 1.0 };
/// let start = GaussianMoe::new(gate, vec![expert(0.5), expert(-0.5)])?;
/// let (x, y) = ([-1.0, -0.5, -0.25, 0.25, 0.5, 1.0], [1.0, 0.5, 0.25, 0.5, 1.0, 2.0]);
/// let options = EmOptions {
///     iterations: 50,
///     tolerance: 1e-9,
///     gate_steps: 1,
///     inverse: Inverse::Ridge(1e-6),
///     clip: 1.0,
///     variance_floor: 1e-3,
/// };
/// let mut em = Em::new(start, &x, &y, options)?;
/// while em.step() {}
/// let fit = em.finish();
/// // One expert for each half of the line, as the gate selects.
/// assert!((fit.model.experts[0].slope[0] - 2.0).abs() < 1e-9);
/// assert!((fit.model.experts[1].slope[0] + 1.0).abs() < 1e-9);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Debug)]
pub struct Em<'a, G> {
    model: GaussianMoe<G>,
    x: &'a [f64],
    y: &'a [f64],
    options: EmOptions,
    responsibilities: Vec<f64>,
    history: Vec<f64>,
    converged: bool,
}

/// What [`Em`] found.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit<G> {
    /// The model.
    pub model: GaussianMoe<G>,
    /// Mean log-likelihood before each iteration.
    pub history: Vec<f64>,
    /// Whether the tolerance was reached before the iterations ended.
    pub converged: bool,
}

/// Sums over the responsibilities of one expert: of `u u^T`, `u y`, `y^2` and 1, with `u = (x, 1)`.
struct Moments {
    gram: Vec<f64>,
    cross: Vec<f64>,
    square: f64,
    total: f64,
}

/// Below this share of the sample an expert has none.
const NO_SHARE: f64 = 1e-8;

/// Fits from a start until it ends: see [`Em`].
///
/// # Errors
/// As [`Em::new`].
///
/// # Panics
/// If the lengths of `x` and `y` do not fit.
pub fn em_fit<G: Gate>(
    start: GaussianMoe<G>,
    x: &[f64],
    y: &[f64],
    options: EmOptions,
) -> Result<Fit<G>> {
    let mut em = Em::new(start, x, y, options)?;
    while em.step() {}
    Ok(em.finish())
}

impl<'a, G: Gate> Em<'a, G> {
    /// Begins at `start`.
    ///
    /// # Errors
    /// If there are no pairs, or the clip or the floor of the variance is not positive.
    ///
    /// # Panics
    /// If the lengths of `x` and `y` do not fit.
    pub fn new(
        start: GaussianMoe<G>,
        x: &'a [f64],
        y: &'a [f64],
        options: EmOptions,
    ) -> Result<Self> {
        start.check(x, y);
        Error::unless(!y.is_empty(), "Em", "y", y.len(), "1 pair or more")?;
        Error::unless(options.clip > 0.0, "Em", "clip", options.clip, "above 0")?;
        let floor = options.variance_floor;
        Error::unless(floor > 0.0, "Em", "variance_floor", floor, "above 0")?;
        let responsibilities = vec![0.0; y.len() * start.experts.len()];
        let history = Vec::with_capacity(options.iterations);
        Ok(Self { model: start, x, y, options, responsibilities, history, converged: false })
    }

    /// One iteration; whether another one is worth while.
    pub fn step(&mut self) -> bool {
        if self.converged || self.history.len() >= self.options.iterations {
            return false;
        }
        let (log_likelihood, moments) = self.expect();
        let last = self.history.last().copied();
        self.history.push(log_likelihood);
        if let Some(last) = last {
            let change: f64 = log_likelihood - last;
            self.converged = change.abs() <= self.options.tolerance * last.abs();
        }
        if !self.converged {
            for (i, moments) in moments.iter().enumerate() {
                self.fit_expert(i, moments);
            }
            for _ in 0..self.options.gate_steps {
                self.step_gate();
            }
        }
        !self.converged
    }

    /// The model as it is now.
    pub fn model(&self) -> &GaussianMoe<G> {
        &self.model
    }

    /// Ends.
    pub fn finish(self) -> Fit<G> {
        Fit { model: self.model, history: self.history, converged: self.converged }
    }

    /// The responsibilities, and in the same pass the sums for the experts.
    fn expect(&mut self) -> (f64, Vec<Moments>) {
        let (d, k) = (self.model.gate.inputs(), self.model.experts.len());
        let (q, constants) = (d + 1, self.model.constants());
        let empty =
            || Moments { gram: vec![0.0; q * q], cross: vec![0.0; q], square: 0.0, total: 0.0 };
        let mut moments: Vec<Moments> = (0..k).map(|_| empty()).collect();
        let mut sum = 0.0;
        let pairs = self.x.chunks_exact(d).zip(self.y);
        for ((x, &y), r) in pairs.zip(self.responsibilities.chunks_exact_mut(k)) {
            sum += self.model.posterior(&constants, x, y, r);
            for (m, &r) in moments.iter_mut().zip(&*r) {
                m.add(r, x, y);
            }
        }
        (sum / self.y.len() as f64, moments)
    }

    fn fit_expert(&mut self, at: usize, moments: &Moments) {
        if moments.total <= NO_SHARE * self.y.len() as f64 {
            return;
        }
        let d = self.model.gate.inputs();
        let Some(theta) = solve_positive(&moments.gram, &moments.cross) else { return };
        // sum r (y - u^T theta)^2 = sum r y^2 - theta^T sum r u y at the solution.
        let explained: f64 = theta.iter().zip(&moments.cross).map(|(t, c)| t * c).sum();
        let variance = (moments.square - explained) / moments.total;
        let expert = &mut self.model.experts[at];
        expert.slope.copy_from_slice(&theta[..d]);
        expert.offset = theta[d];
        expert.variance = variance.max(self.options.variance_floor);
    }

    fn step_gate(&mut self) {
        let (d, k, free) =
            (self.model.gate.inputs(), self.model.experts.len(), self.model.gate.free());
        let (mut p, mut jacobian) = (vec![0.0; k], vec![0.0; k * free]);
        let (mut gradient, mut hessian) = (vec![0.0; free], vec![0.0; free * free]);
        let mut mean = vec![0.0; free];
        let gate = &self.model.gate;
        let rows = self.x.chunks_exact(d).zip(self.responsibilities.chunks_exact(k));
        for (x, r) in rows {
            gate.scores(x, &mut p);
            let inverse = 1.0 / exponentiate(&mut p).0;
            gate.jacobian(x, &mut jacobian);
            mean.fill(0.0);
            for (i, row) in jacobian.chunks_exact(free).enumerate() {
                let p = p[i] * inverse;
                if p == 0.0 && r[i] == 0.0 {
                    continue;
                }
                for a in 0..free {
                    gradient[a] += (r[i] - p) * row[a];
                    let weighted = p * row[a];
                    mean[a] += weighted;
                    for b in 0..=a {
                        hessian[a * free + b] += weighted * row[b];
                    }
                }
            }
            for a in 0..free {
                for b in 0..=a {
                    hessian[a * free + b] -= mean[a] * mean[b];
                }
            }
        }
        let n = self.y.len() as f64;
        gradient.iter_mut().chain(&mut hessian).for_each(|v| *v /= n);
        let Some(step) = self.direction(hessian, &gradient) else { return };
        let norm = step.iter().map(|s| s * s).sum::<f64>().sqrt();
        let scale = if norm > self.options.clip { self.options.clip / norm } else { 1.0 };
        let mut phi = vec![0.0; free];
        self.model.gate.parameters(&mut phi);
        for (phi, step) in phi.iter_mut().zip(&step) {
            *phi += scale * step;
        }
        self.model.gate.set_parameters(&phi);
    }

    /// `H^-1 g`, from the part of H on and below the diagonal.
    fn direction(&self, mut hessian: Vec<f64>, gradient: &[f64]) -> Option<Vec<f64>> {
        let free = gradient.len();
        match self.options.inverse {
            Inverse::Ridge(ridge) => {
                (0..free).for_each(|a| hessian[a * free + a] += ridge);
                solve_positive(&hessian, gradient)
            }
            Inverse::Pseudo(rcond) => {
                for a in 0..free {
                    for b in 0..a {
                        hessian[b * free + a] = hessian[a * free + b];
                    }
                }
                Some(solve_pseudo(&hessian, gradient, rcond))
            }
        }
    }
}

impl Moments {
    #[inline]
    fn add(&mut self, r: f64, x: &[f64], y: f64) {
        if r == 0.0 {
            return;
        }
        let d = x.len();
        let q = d + 1;
        for a in 0..d {
            let weighted = r * x[a];
            for (b, x) in x[..=a].iter().enumerate() {
                self.gram[a * q + b] += weighted * x;
            }
            self.gram[d * q + a] += weighted;
            self.cross[a] += weighted * y;
        }
        self.gram[d * q + d] += r;
        self.cross[d] += r * y;
        self.square += r * y * y;
        self.total += r;
    }
}
