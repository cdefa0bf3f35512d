//! Adam and its variants.

use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamGroup, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Gradients, Tensor};
use pressrun_kernels::optim::AdamStep;

use crate::op::{self, Moments};
use crate::{Error, Result};

/// Makes an [`Adam`].
#[derive(Debug, Clone)]
pub struct AdamConfig {
    betas: (f64, f64),
    eps: f64,
    l2: f64,
    decay: f64,
    clip: Option<f64>,
    by_row: bool,
}

impl Default for AdamConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl AdamConfig {
    /// Betas 0.9 and 0.999, eps 1e-8, no decay, no clipping: PyTorch's defaults.
    pub fn new() -> Self {
        Self { betas: (0.9, 0.999), eps: 1e-8, l2: 0.0, decay: 0.0, clip: None, by_row: false }
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

    /// A row (along the last dimension) without gradient does not move, and keeps its moments
    /// (PyTorch's `SparseAdam`): for tables of which a batch uses a part.
    pub fn with_rows(mut self, by_row: bool) -> Self {
        self.by_row = by_row;
        self
    }

    /// Makes the optimiser.
    ///
    /// # Errors
    /// If a number is out of its range, or both kinds of decay are asked for.
    pub fn init(&self) -> Result<Adam> {
        self.check()?;
        Ok(Adam { config: self.clone(), groups: Vec::new(), states: HashMap::new() })
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

    /// The numbers of the step after `before` others.
    fn step(&self, lr: f64, scale: f64, before: u32) -> AdamStep {
        AdamStep {
            lr: lr as f32,
            betas: (self.betas.0 as f32, self.betas.1 as f32),
            eps: self.eps as f32,
            l2: self.l2 as f32,
            decay: self.decay as f32,
            scale: scale as f32,
            step: before + 1,
        }
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
#[derive(Debug, Clone)]
pub struct Adam {
    config: AdamConfig,
    groups: Vec<(ParamGroup, AdamConfig)>,
    states: HashMap<ParamId, State>,
}

/// What the optimiser keeps for a parameter.
#[derive(Debug, Clone)]
struct State {
    steps: u32,
    moments: Moments,
}

impl Adam {
    /// Other settings for the parameters of `group`; the clipping stays that of the whole. If a
    /// parameter is in several groups, the first counts.
    ///
    /// # Errors
    /// As [`AdamConfig::init`].
    pub fn with_group(mut self, group: ParamGroup, config: &AdamConfig) -> Result<Self> {
        config.check()?;
        self.groups.push((group, config.clone()));
        Ok(self)
    }

    /// One step against the gradients of a loss.
    pub fn step<M: Module>(&mut self, lr: f64, module: M, grads: Gradients) -> M {
        let grads = GradientsParams::from_grads(grads, &module);
        self.step_params(lr, module, grads)
    }

    /// One step against gradients that were taken out before, or changed.
    pub fn step_params<M: Module>(&mut self, lr: f64, module: M, grads: GradientsParams) -> M {
        let scale = self.config.clip.map_or(1.0, |norm| clip_scale(&module, &grads, norm));
        module.map(&mut Step { adam: self, grads, lr, scale, path: Vec::new() })
    }

    fn config_of(&self, id: ParamId, path: &[String]) -> &AdamConfig {
        let path = if self.groups.is_empty() { String::new() } else { path.join(".") };
        let group = self.groups.iter().find(|(group, _)| group.matches(&id, Some(&path)));
        group.map_or(&self.config, |(_, config)| config)
    }
}

/// Changes the parameters of a module, one after the other.
struct Step<'a> {
    adam: &'a mut Adam,
    grads: GradientsParams,
    lr: f64,
    scale: f64,
    path: Vec<String>,
}

impl ModuleMapper for Step<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        if !self.adam.groups.is_empty() {
            self.path.push(name.to_owned());
        }
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(grad) = self.grads.remove::<D>(param.id) else {
            return param;
        };
        let (id, value, mapper) = param.consume();
        let tracked = value.is_require_grad();
        let state = self.adam.states.remove(&id);
        let (before, moments) = state.map_or((0, None), |state| (state.steps, Some(state.moments)));
        let config = self.adam.config_of(id, &self.path);
        let (step, by_row) = (config.step(self.lr, self.scale, before), config.by_row);
        let (value, moments) = op::adam(step, by_row, value.inner(), grad, moments);
        self.adam.states.insert(id, State { steps: step.step, moments });
        let value = Tensor::from_inner(value).set_require_grad(tracked);
        Param::from_mapped_value(id, value, mapper)
    }
}

/// The norm of all gradients of a module together.
pub fn grad_norm<M: Module>(module: &M, grads: &GradientsParams) -> f64 {
    struct Squares<'a>(&'a GradientsParams, f64);
    impl ModuleVisitor for Squares<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(grad) = self.0.get::<D>(param.id) {
                self.1 += op::sum_of_squares(grad);
            }
        }
    }
    let mut squares = Squares(grads, 0.0);
    module.visit(&mut squares);
    squares.1.sqrt()
}

/// The factor of all gradients of a module that makes their norm at most `norm`.
pub(super) fn clip_scale<M: Module>(module: &M, grads: &GradientsParams, norm: f64) -> f64 {
    // The small term is that of `torch.nn.utils.clip_grad_norm_`.
    (norm / (grad_norm(module, grads) + 1e-6)).min(1.0)
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

    /// A row without gradient stays, though its moments would move it: by hand, the first row goes
    /// two steps and the second one.
    #[test]
    fn rows_without_gradient_stay() {
        #[derive(Module, Debug)]
        struct Table {
            rows: Param<Tensor<2>>,
        }
        let device = device::named("flex").unwrap();
        for (by_row, second) in [(true, 0.9), (false, 0.834)] {
            let rows = Param::from_tensor(Tensor::ones([2, 1], &device));
            let mut model = Table { rows };
            let mut adam = AdamConfig::new().with_rows(by_row).init().unwrap();
            for used in [[1.0, 1.0], [1.0, 0.0]] {
                let used = Tensor::<1>::from_floats(used, &device).unsqueeze_dim(1);
                let grads = (model.rows.val() * used).sum().backward();
                model = adam.step(0.1, model, grads);
            }
            let found = model.rows.val().try_into_vec_as::<f32>().unwrap();
            assert!((found[0] - 0.8).abs() < 1e-5, "{found:?}");
            // Else m = 0.09, / 0.19, and v = 0.000999, / 0.001999: 0.1 * 0.473684 / 0.706930.
            assert!((found[1] - second).abs() < 2e-3, "{found:?}");
        }
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
        assert!((clip_scale(&model, &grads(), 1.0) - 0.2).abs() < 1e-6);
        assert_eq!(clip_scale(&model, &grads(), 6.0), 1.0);
        // With the second moment's decay at 0 a step is lr g / (|g| + eps): only eps shows the size
        // of the gradients, 0.6 and 0.8 after clipping to 1.
        let config = AdamConfig::new().with_betas(0.0, 0.0).with_eps(1.0).with_clip(1.0);
        let (a, b) = run(&config, 1);
        let expected = (1.0 - 0.1 * 0.6 / 1.6, -2.0 - 0.1 * 0.8 / 1.8);
        assert!((a - expected.0).abs() < 1e-6 && (b - expected.1).abs() < 1e-6, "{a}, {b}");
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
