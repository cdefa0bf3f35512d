//! Adam and its variants.

use burn::module::{Module, ModuleVisitor, Param, ParamGroup};
use burn::optim::{self, GradientsParams, ModuleOptimizer};
use burn::tensor::{Gradients, Tensor};

use crate::{Error, Result};

/// Makes an [`Adam`].
#[derive(Debug, Clone)]
pub struct AdamConfig {
    betas: (f64, f64),
    eps: f64,
    l2: f64,
    decay: f64,
    clip: Option<f64>,
}

impl Default for AdamConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl AdamConfig {
    /// Betas 0.9 and 0.999, eps 1e-8, no decay, no clipping: PyTorch's defaults.
    pub fn new() -> Self {
        Self { betas: (0.9, 0.999), eps: 1e-8, l2: 0.0, decay: 0.0, clip: None }
    }

    /// Decay of the first and second moment.
    pub fn with_betas(mut self, first: f64, second: f64) -> Self {
        self.betas = (first, second);
        self
    }

    /// What is added to the root of the second moment.
    pub fn with_eps(mut self, eps: f64) -> Self {
        self.eps = eps;
        self
    }

    /// Coupled decay: `l2 * w` is added to the gradient (PyTorch's `Adam(weight_decay=)`).
    pub fn with_l2(mut self, l2: f64) -> Self {
        self.l2 = l2;
        self
    }

    /// Decoupled decay: `w` is multiplied by `1 - lr * decay` (PyTorch's `AdamW`).
    pub fn with_decay(mut self, decay: f64) -> Self {
        self.decay = decay;
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
    /// If a number is out of its range, or both kinds of decay are asked for.
    pub fn init(&self) -> Result<Adam> {
        self.check()?;
        let inner = if self.decay > 0.0 {
            ModuleOptimizer::from(self.decoupled())
        } else {
            ModuleOptimizer::from(self.coupled())
        };
        Ok(Adam { inner, clip: self.clip })
    }

    fn check(&self) -> Result<()> {
        let unit = |b: f64| (0.0..1.0).contains(&b);
        let (first, second) = self.betas;
        let ok = unit(first) && unit(second);
        Error::unless(ok, "Adam", "betas", format!("{first}, {second}"), "within 0 and 1")?;
        Error::unless(self.eps > 0.0, "Adam", "eps", self.eps, "more than 0")?;
        Error::unless(self.l2 >= 0.0, "Adam", "l2", self.l2, "0 or more")?;
        Error::unless(self.decay >= 0.0, "Adam", "decay", self.decay, "0 or more")?;
        let clip = self.clip.unwrap_or(1.0);
        Error::unless(clip > 0.0, "Adam", "clip", clip, "more than 0")?;
        if self.l2 > 0.0 && self.decay > 0.0 {
            return Err(Error::Conflict { layer: "Adam", first: "l2", second: "decay" });
        }
        Ok(())
    }

    fn coupled(&self) -> optim::Adam {
        let config = optim::AdamConfig::new()
            .with_beta_1(self.betas.0 as f32)
            .with_beta_2(self.betas.1 as f32)
            .with_epsilon(self.eps as f32);
        let l2 = optim::decay::WeightDecayConfig::new(self.l2 as f32);
        config.with_weight_decay((self.l2 > 0.0).then_some(l2)).build()
    }

    fn decoupled(&self) -> optim::AdamW {
        optim::AdamWConfig::new()
            .with_beta_1(self.betas.0 as f32)
            .with_beta_2(self.betas.1 as f32)
            .with_epsilon(self.eps as f32)
            .with_weight_decay(self.decay as f32)
            .build()
    }
}

/// Adam: each weight moves by its own measure.
///
/// ```text
/// g <- g * min(1, clip / |g|)          |g| over all gradients together
/// g <- g + l2 w                        coupled decay
/// m <- b1 m + (1 - b1) g               v <- b2 v + (1 - b2) g^2
/// w <- w (1 - lr decay) - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)
/// ```
///
/// The state belongs to a parameter's identity: a parameter that is new in the module begins with
/// empty moments, and the others keep theirs. A parameter without gradient does not move.
///
/// # Source
/// Kingma and Ba, arXiv:1412.6980; decoupled decay: Loshchilov and Hutter, arXiv:1711.05101.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{device, linear::LinearConfig, optim::AdamConfig};
/// use rand::SeedableRng;
///
/// let device = device::named("flex")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let mut model = LinearConfig::new(1, 1).init(&device, &mut rng)?;
/// let mut adam = AdamConfig::new().init()?;
/// for _ in 0..200 {
///     let y = model.forward(Tensor::<2>::ones([1, 1], &device));
///     let loss = (y - 3.0).square().mean();
///     model = adam.step(0.1, model, loss.backward());
/// }
/// let y = model.forward(Tensor::<2>::ones([1, 1], &device)).into_scalar::<f32>();
/// assert!((y - 3.0).abs() < 0.01);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Clone)]
pub struct Adam {
    inner: ModuleOptimizer,
    clip: Option<f64>,
}

impl std::fmt::Debug for Adam {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Adam").field("clip", &self.clip).finish_non_exhaustive()
    }
}

impl Adam {
    /// Other settings for the parameters of `group`; the clipping stays that of the whole.
    ///
    /// # Errors
    /// As [`AdamConfig::init`].
    pub fn with_group(mut self, group: ParamGroup, config: &AdamConfig) -> Result<Self> {
        config.check()?;
        self.inner = if config.decay > 0.0 {
            self.inner.with_group(group, config.decoupled(), None)
        } else {
            self.inner.with_group(group, config.coupled(), None)
        };
        Ok(self)
    }

    /// One step against the gradients of a loss.
    pub fn step<M: Module>(&mut self, lr: f64, module: M, grads: Gradients) -> M {
        let grads = GradientsParams::from_grads(grads, &module);
        self.step_params(lr, module, grads)
    }

    /// One step against gradients that were taken out before, or changed.
    pub fn step_params<M: Module>(&mut self, lr: f64, module: M, grads: GradientsParams) -> M {
        let grads = match self.clip {
            Some(norm) => clip_norm(&module, grads, norm),
            None => grads,
        };
        self.inner.step(lr, module, grads)
    }
}

/// The norm of all gradients of a module together.
pub fn grad_norm<M: Module>(module: &M, grads: &GradientsParams) -> f64 {
    struct Squares<'a>(&'a GradientsParams, Option<Tensor<1>>);
    impl ModuleVisitor for Squares<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(grad) = self.0.get::<D>(param.id) {
                let square = grad.square().sum();
                self.1 = Some(match self.1.take() {
                    Some(sum) => sum + square,
                    None => square,
                });
            }
        }
    }
    let mut squares = Squares(grads, None);
    module.visit(&mut squares);
    squares.1.map_or(0.0, |sum| sum.into_scalar::<f64>().sqrt())
}

/// Scales all gradients of a module together so that their norm is at most `norm`.
fn clip_norm<M: Module>(module: &M, mut grads: GradientsParams, norm: f64) -> GradientsParams {
    struct Scale<'a>(&'a mut GradientsParams, f64);
    impl ModuleVisitor for Scale<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(grad) = self.0.remove::<D>(param.id) {
                self.0.register(param.id, grad * self.1);
            }
        }
    }
    // The small term is that of `torch.nn.utils.clip_grad_norm_`.
    let scale = norm / (grad_norm(module, &grads) + 1e-6);
    if scale < 1.0 {
        module.visit(&mut Scale(&mut grads, scale));
    }
    grads
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device;
    use burn::tensor::Device;

    #[derive(Module, Debug)]
    struct Two {
        a: Param<Tensor<1>>,
        b: Param<Tensor<1>>,
    }

    fn two(device: &Device) -> Two {
        let param = |v: f32| Param::from_tensor(Tensor::from_floats([v], device));
        Two { a: param(1.0), b: param(-2.0) }
    }

    fn value(param: &Param<Tensor<1>>) -> f32 {
        param.val().into_scalar()
    }

    /// Gradients (3, 4) at every step.
    fn loss(m: &Two) -> Tensor<1> {
        m.a.val() * 3.0 + m.b.val() * 4.0
    }

    fn run(config: &AdamConfig, steps: usize) -> (f32, f32) {
        let device = device::named("flex").unwrap();
        let (mut model, mut adam) = (two(&device), config.init().unwrap());
        for _ in 0..steps {
            let grads = loss(&model).backward();
            model = adam.step(0.1, model, grads);
        }
        (value(&model.a), value(&model.b))
    }

    /// A constant gradient g gives m / sqrt(v) = sign(g) at every step: each moves by lr.
    #[test]
    fn a_constant_gradient_moves_by_the_learning_rate() {
        let (a, b) = run(&AdamConfig::new(), 3);
        assert!((a - 0.7).abs() < 1e-5 && (b + 2.3).abs() < 1e-5, "{a}, {b}");
    }

    /// Second step by hand for b1 = 0.5, b2 = 0.75 and gradients 1, then -3 (a parabola would do):
    /// m = 0.5*0.5*1 + 0.5*(-3) = -1.25, / (1 - 0.25) = -1.666667
    /// v = 0.75*0.25*1 + 0.25*9 = 2.4375, / (1 - 0.5625) = 5.571429, root 2.360387
    #[test]
    fn two_steps_by_hand() {
        let device = device::named("flex").unwrap();
        let mut model = two(&device);
        let mut adam = AdamConfig::new().with_betas(0.5, 0.75).init().unwrap();
        for slope in [1.0, -3.0] {
            let grads = (model.a.val() * slope + model.b.val() * 0.0).backward();
            model = adam.step(0.1, model, grads);
        }
        let expected = 1.0 - 0.1 + 0.1 * 1.666_667 / 2.360_387;
        assert!((value(&model.a) - expected).abs() < 1e-5, "{}", value(&model.a));
    }

    #[test]
    fn coupled_and_decoupled_decay() {
        // Coupled: the gradient of b is 4 + l2 * (-2) = -16 for l2 = 10: it turns.
        let (_, b) = run(&AdamConfig::new().with_l2(10.0), 1);
        assert!((b + 1.9).abs() < 1e-5, "{b}");
        // Decoupled: b (1 - 0.1 * 0.5) - 0.1 = -2.0.
        let (_, b) = run(&AdamConfig::new().with_decay(0.5), 1);
        assert!((b + 2.0).abs() < 1e-5, "{b}");
        let both = AdamConfig::new().with_l2(0.1).with_decay(0.1).init().unwrap_err();
        assert_eq!(both.to_string(), "Adam: `l2` and `decay` exclude each other");
    }

    #[test]
    fn all_gradients_are_clipped_together() {
        let device = device::named("flex").unwrap();
        let model = two(&device);
        let grads = || GradientsParams::from_grads(loss(&model).backward(), &model);
        assert!((grad_norm(&model, &grads()) - 5.0).abs() < 1e-5);
        let clipped = clip_norm(&model, grads(), 1.0);
        let of = |p: &Param<Tensor<1>>| clipped.get::<1>(p.id).unwrap().into_scalar::<f32>();
        assert!((of(&model.a) - 0.6).abs() < 1e-5 && (of(&model.b) - 0.8).abs() < 1e-5);
        let kept = clip_norm(&model, grads(), 6.0);
        assert_eq!(kept.get::<1>(model.a.id).unwrap().into_scalar::<f32>(), 3.0);
    }

    #[test]
    fn a_group_has_its_own_settings_and_no_gradient_means_no_move() {
        let device = device::named("flex").unwrap();
        let model = two(&device);
        let group = ParamGroup::from_ids(vec![model.b.id]);
        let adam = AdamConfig::new().init().unwrap();
        let mut adam = adam.with_group(group, &AdamConfig::new().with_l2(10.0)).unwrap();
        let grads = loss(&model).backward();
        let model = adam.step(0.1, model, grads);
        assert!((value(&model.a) - 0.9).abs() < 1e-5 && (value(&model.b) + 1.9).abs() < 1e-5);
        let grads = model.a.val().backward();
        let b = value(&model.b);
        let model = adam.step(0.1, model, grads);
        assert_eq!(value(&model.b), b);
    }
}
