//! Gradient descent with momentum.

use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Gradients, Tensor};
use pressrun_kernels::optim::SgdStep;

use super::adam::clip_scale;
use crate::op::{self, Velocity};
use crate::{Error, Result};

/// Makes an [`Sgd`].
#[derive(Debug, Clone)]
pub struct SgdConfig {
    momentum: f64,
    nesterov: bool,
    l2: f64,
    clip: Option<f64>,
}

impl Default for SgdConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl SgdConfig {
    /// No momentum, no decay, no clipping: PyTorch's defaults.
    pub fn new() -> Self {
        Self { momentum: 0.0, nesterov: false, l2: 0.0, clip: None }
    }

    /// Share of the last movement that is kept.
    pub fn with_momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }

    /// Whether the gradient is looked up ahead of the movement.
    pub fn with_nesterov(mut self, nesterov: bool) -> Self {
        self.nesterov = nesterov;
        self
    }

    /// Coupled decay: `l2 * w` is added to the gradient (PyTorch's `weight_decay`).
    pub fn with_l2(mut self, l2: f64) -> Self {
        self.l2 = l2;
        self
    }

    /// Largest norm of all gradients together; larger ones are scaled down to it.
    pub fn with_clip(mut self, norm: f64) -> Self {
        self.clip = Some(norm);
        self
    }

    /// Makes the optimiser.
    ///
    /// # Errors
    /// If a number is out of its range, or Nesterov's form is asked for without momentum.
    pub fn init(&self) -> Result<Sgd> {
        let share = (0.0..1.0).contains(&self.momentum);
        Error::unless(share, "Sgd", "momentum", self.momentum, "0 or more, and less than 1")?;
        let ahead = !self.nesterov || self.momentum > 0.0;
        Error::unless(ahead, "Sgd", "nesterov", self.nesterov, "false without momentum")?;
        Error::unless(self.l2 >= 0.0, "Sgd", "l2", self.l2, "0 or more")?;
        let clip = self.clip.unwrap_or(1.0);
        Error::unless(clip > 0.0, "Sgd", "clip", clip, "more than 0")?;
        Ok(Sgd { config: self.clone(), kept: HashMap::new() })
    }

    /// The numbers of a step.
    fn step(&self, lr: f64, scale: f64) -> SgdStep {
        SgdStep {
            lr: lr as f32,
            momentum: self.momentum as f32,
            nesterov: self.nesterov,
            l2: self.l2 as f32,
            scale: scale as f32,
        }
    }
}

/// Gradient descent with momentum, without dampening.
///
/// ```text
/// g <- g * min(1, clip / |g|)          |g| over all gradients together
/// g <- g + l2 w                        coupled decay
/// m <- momentum m + g
/// w <- w - lr m                        Nesterov: w - lr (g + momentum m)
/// ```
///
/// `m` belongs to a parameter's identity and begins at 0. A parameter without gradient does not
/// move, and its `m` does not change.
///
/// # Source
/// `torch.optim.SGD`; Sutskever et al., 2013, for Nesterov's form.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, linear::LinearConfig, optim::SgdConfig};
/// use rand::SeedableRng;
///
/// let device = device::named("flex")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let mut model = LinearConfig::new(1, 1).init(&device, &mut rng)?;
/// let mut sgd = SgdConfig::new().with_momentum(0.5).init()?;
/// for _ in 0..100 {
///     let y = model.forward(Tensor::<2>::ones([1, 1], &device));
///     let loss = (y - 3.0).square().mean();
///     model = sgd.step(0.1, model, loss.backward());
/// }
/// let y = model.forward(Tensor::<2>::ones([1, 1], &device)).into_scalar::<f32>();
/// assert!((y - 3.0).abs() < 0.01);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Sgd {
    config: SgdConfig,
    kept: HashMap<ParamId, Velocity>,
}

impl Sgd {
    /// One step against the gradients of a loss.
    pub fn step<M: Module>(&mut self, lr: f64, module: M, grads: Gradients) -> M {
        let grads = GradientsParams::from_grads(grads, &module);
        self.step_params(lr, module, grads)
    }

    /// One step against gradients that were taken out before, or changed.
    pub fn step_params<M: Module>(&mut self, lr: f64, module: M, grads: GradientsParams) -> M {
        let scale = self.config.clip.map_or(1.0, |norm| clip_scale(&module, &grads, norm));
        let step = self.config.step(lr, scale);
        module.map(&mut Step { sgd: self, grads, step })
    }
}

/// Changes the parameters of a module, one after the other.
struct Step<'a> {
    sgd: &'a mut Sgd,
    grads: GradientsParams,
    step: SgdStep,
}

impl ModuleMapper for Step<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(grad) = self.grads.remove::<D>(param.id) else {
            return param;
        };
        let (id, value, mapper) = param.consume();
        let tracked = value.is_require_grad();
        let kept = self.sgd.kept.remove(&id);
        let (value, kept) = op::sgd(self.step, value.inner(), grad, kept);
        if let Some(kept) = kept {
            self.sgd.kept.insert(id, kept);
        }
        let value = Tensor::from_inner(value).set_require_grad(tracked);
        Param::from_mapped_value(id, value, mapper)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device;

    #[derive(Module, Debug)]
    struct Two {
        a: Param<Tensor<1>>,
        b: Param<Tensor<1>>,
    }

    fn two() -> Two {
        let device = device::named("flex").unwrap();
        let param = |v: f32| Param::from_tensor(Tensor::from_floats([v], &device));
        Two { a: param(1.0), b: param(-2.0) }
    }

    fn values(model: &Two) -> [f32; 2] {
        [&model.a, &model.b].map(|param| param.val().into_scalar())
    }

    /// Gradients (3, 4) at every step.
    fn run(config: &SgdConfig, steps: usize) -> [f32; 2] {
        let (mut model, mut sgd) = (two(), config.init().unwrap());
        for _ in 0..steps {
            let grads = (model.a.val() * 3.0 + model.b.val() * 4.0).backward();
            model = sgd.step(0.1, model, grads);
        }
        values(&model)
    }

    fn near(found: [f32; 2], expected: [f32; 2]) {
        let near = found.iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-5);
        assert!(near, "{found:?} {expected:?}");
    }

    /// Movements of a constant gradient g with momentum 1/2: g, 3/2 g, 7/4 g: 4.25 g in all.
    /// Nesterov adds half of each movement: g + 1/2 g, g + 3/4 g, g + 7/8 g: 5.125 g in all.
    #[test]
    fn three_steps_by_hand() {
        near(run(&SgdConfig::new(), 3), [1.0 - 0.9, -2.0 - 1.2]);
        let config = SgdConfig::new().with_momentum(0.5);
        near(run(&config, 3), [1.0 - 0.3 * 4.25, -2.0 - 0.4 * 4.25]);
        near(run(&config.with_nesterov(true), 3), [1.0 - 0.3 * 5.125, -2.0 - 0.4 * 5.125]);
    }

    /// Decay 10 turns the gradients into 3 + 10 and 4 - 20. The norm of (3, 4) is 5: clipped to 1
    /// they are 0.6 and 0.8, before the decay.
    #[test]
    fn decay_and_clipping_by_hand() {
        near(run(&SgdConfig::new().with_l2(10.0), 1), [1.0 - 1.3, -2.0 + 1.6]);
        near(run(&SgdConfig::new().with_clip(1.0), 1), [1.0 - 0.06, -2.0 - 0.08]);
        let both = SgdConfig::new().with_clip(1.0).with_l2(10.0);
        near(run(&both, 1), [1.0 - 1.06, -2.0 + 1.92]);
    }

    #[test]
    fn a_parameter_without_gradient_does_not_move() {
        let (model, mut sgd) = (two(), SgdConfig::new().with_momentum(0.9).init().unwrap());
        let grads = (model.a.val() * 3.0 + model.b.val() * 4.0).backward();
        let model = sgd.step(0.1, model, grads);
        let [_, b] = values(&model);
        let grads = model.a.val().backward();
        let model = sgd.step(0.1, model, grads);
        assert_eq!(values(&model)[1], b);
        // a: gradients 3 and 1, movements 3 and 0.9 * 3 + 1.
        near(values(&model), [1.0 - 0.3 - 0.37, b]);
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        let error = |config: SgdConfig| config.init().unwrap_err().to_string();
        assert_eq!(
            error(SgdConfig::new().with_momentum(1.0)),
            "Sgd: `momentum` is `1`; expected 0 or more, and less than 1"
        );
        assert_eq!(
            error(SgdConfig::new().with_nesterov(true)),
            "Sgd: `nesterov` is `true`; expected false without momentum"
        );
        assert!(error(SgdConfig::new().with_clip(0.0)).contains("`clip`"));
        assert!(error(SgdConfig::new().with_l2(-1.0)).contains("`l2`"));
    }
}
