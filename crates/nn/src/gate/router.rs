//! Any gate of the family behind one call.

use burn::module::Module;
use burn::tensor::Tensor;
use rand::Rng;

use super::{
    BaseGate, CometGate, DSelectKGate, DtsGate, HashGate, KeyGate, LocalSearch, NoisyTopKGate,
    Routing, StableGate, SwitchGate, TopKGate,
};

/// What a gate may look at.
#[derive(Debug, Clone)]
pub struct Tokens<'a> {
    /// Features, `[tokens, d_model]`.
    pub x: Tensor<2>,
    /// What each token stands for: a word, a character, a user. Needed by gates that route by it.
    pub symbols: &'a [u32],
}

/// For what a routing is asked.
pub enum Pass<'a> {
    /// To train step `step`, with the noise and the balancing that the gate trains with.
    Train {
        /// Training step, from 0.
        step: usize,
        /// Where noise is drawn from.
        rng: &'a mut dyn Rng,
    },
    /// To evaluate the model as it was trained at that step, without noise: a dense-to-sparse gate
    /// keeps all experts above its threshold.
    Mixture {
        /// Training step.
        step: usize,
    },
    /// To use the model as it is meant to be used after that step.
    Infer {
        /// Training step.
        step: usize,
    },
}

impl std::fmt::Debug for Pass<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self {
            Self::Train { .. } => "Train",
            Self::Mixture { .. } => "Mixture",
            Self::Infer { .. } => "Infer",
        };
        f.debug_struct(name).field("step", &self.step()).finish_non_exhaustive()
    }
}

impl Pass<'_> {
    /// The training step.
    pub fn step(&self) -> usize {
        match self {
            Self::Train { step, .. } | Self::Mixture { step } | Self::Infer { step } => *step,
        }
    }
}

/// A gate that decides about tokens one by one.
#[derive(Module, Debug)]
pub enum Gate {
    /// All of this many experts, always.
    Uniform(usize),
    /// The k best.
    TopK(TopKGate),
    /// The k best of noisy logits.
    NoisyTopK(NoisyTopKGate),
    /// The best one.
    Switch(SwitchGate),
    /// A fixed one for each symbol.
    Hash(HashGate),
    /// One, all experts equally many.
    Base(BaseGate),
    /// One, learned first and then fixed for each symbol.
    Stable(StableGate),
    /// All at first, fewer later.
    Dts(DtsGate),
    /// At most k, by trees.
    Comet(CometGate),
    /// At most k, by binary codes.
    DSelectK(DSelectKGate),
    /// The k whose keys, learned elsewhere, agree best.
    Key(KeyGate),
}

macro_rules! gates {
    ($($kind:ident $gate:ty),+ $(,)?) => {$(
        impl From<$gate> for Gate {
            fn from(gate: $gate) -> Self {
                Self::$kind(gate)
            }
        }

        impl From<$gate> for Router {
            fn from(gate: $gate) -> Self {
                Self { gate: gate.into(), search: None }
            }
        }
    )+};
}

gates! {
    TopK TopKGate,
    NoisyTopK NoisyTopKGate,
    Switch SwitchGate,
    Hash HashGate,
    Base BaseGate,
    Stable StableGate,
    Dts DtsGate,
    Comet CometGate,
    DSelectK DSelectKGate,
    Key KeyGate,
}

impl Gate {
    /// Routes the tokens.
    ///
    /// # Panics
    /// As the gate does; gates that route by symbols if there are not as many symbols as tokens.
    pub fn forward(&self, tokens: Tokens<'_>, pass: Pass<'_>) -> Routing {
        let Tokens { x, symbols } = tokens;
        let step = pass.step();
        match (self, pass) {
            (Self::Uniform(experts), _) => Routing::uniform(x.dims()[0], *experts, &x.device()),
            (Self::TopK(gate), _) => gate.forward(x),
            (Self::NoisyTopK(gate), Pass::Train { rng, .. }) => gate.forward_train(x, rng),
            (Self::NoisyTopK(gate), _) => gate.forward(x),
            (Self::Switch(gate), _) => gate.forward(x),
            (Self::Hash(gate), _) => {
                let found = (x.dims()[0], symbols.len());
                assert_eq!(found.0, found.1, "Gate: {} tokens, {} symbols", found.0, found.1);
                gate.forward(symbols, &x.device())
            }
            (Self::Base(gate), Pass::Train { .. }) => gate.forward_train(x),
            (Self::Base(gate), _) => gate.forward(x),
            (Self::Stable(gate), _) => gate.forward(x, symbols, step),
            (Self::Dts(gate), Pass::Train { rng, .. }) => gate.forward_train(x, step, rng),
            (Self::Dts(gate), Pass::Mixture { .. }) => gate.forward_mixture(x, step),
            (Self::Dts(gate), Pass::Infer { .. }) => gate.forward(x, step),
            (Self::Comet(gate), _) => gate.forward(x),
            (Self::DSelectK(gate), _) => gate.forward(x),
            (Self::Key(gate), _) => gate.forward(x),
        }
    }
}

/// A gate, and behind it, if wanted, a permutation of the experts that is learned early.
///
/// Every gate of the family becomes a router by `into`, so that a model changes its gate in the
/// line that makes it.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::device;
/// use pressrun_nn::expert::MoeFfnConfig;
/// use pressrun_nn::gate::{CometGateConfig, LocalSearchConfig, Pass, Router, Tokens};
/// use pressrun_nn::gate::SwitchGateConfig;
/// use rand::SeedableRng;
///
/// let device = device::named("flex")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let experts = MoeFfnConfig::new(4, 16, 8).init(&device, &mut rng)?;
/// let x = Tensor::<2>::ones([3, 4], &device);
/// let search = LocalSearchConfig::new(8, 100).init(&device, &mut rng)?;
/// let routers: [Router; 2] = [
///     SwitchGateConfig::new(4, 8).init(&device, &mut rng)?.into(),
///     Router::from(CometGateConfig::new(4, 8).init(&device, &mut rng)?).with_search(search),
/// ];
/// for router in routers {
///     let tokens = Tokens { x: x.clone(), symbols: &[] };
///     let routing = router.forward(tokens, Pass::Train { step: 0, rng: &mut rng });
///     assert_eq!(experts.forward(x.clone(), &routing).dims(), [3, 4]);
/// }
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct Router {
    /// What decides about the experts.
    pub gate: Gate,
    /// Which expert stands where.
    pub search: Option<LocalSearch>,
}

impl Router {
    /// All of `experts` experts for every token, with equal weights.
    pub fn uniform(experts: usize) -> Self {
        Self { gate: Gate::Uniform(experts), search: None }
    }

    /// The same gate with a permutation behind it.
    pub fn with_search(self, search: LocalSearch) -> Self {
        Self { search: Some(search), ..self }
    }

    /// Routes the tokens.
    ///
    /// # Panics
    /// As the gate does.
    pub fn forward(&self, tokens: Tokens<'_>, pass: Pass<'_>) -> Routing {
        let (step, trains) = (pass.step(), matches!(pass, Pass::Train { .. }));
        let routing = self.gate.forward(tokens, pass);
        match &self.search {
            Some(search) if trains => search.forward_train(routing, step),
            Some(search) => search.forward(routing, step),
            None => routing,
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::device;
    use crate::expert::{MoeFfn, MoeFfnConfig, spawn_experts};
    use crate::gate::*;
    use crate::schedule::Schedule;

    const D: usize = 3;
    const E: usize = 5;

    fn family(device: &Device, rng: &mut ChaCha8Rng) -> Vec<(&'static str, Router)> {
        let cooling = Schedule::Exponential { from: 2.0, to: 0.3, steps: 10 };
        vec![
            ("uniform", Router::uniform(E)),
            ("top 2", TopKGateConfig::new(D, E).init(device, rng).unwrap().into()),
            ("noisy top 2", NoisyTopKGateConfig::new(D, E).init(device, rng).unwrap().into()),
            ("Switch", SwitchGateConfig::new(D, E).init(device, rng).unwrap().into()),
            ("Hash", HashGateConfig::new(9, E).init(rng).unwrap().into()),
            ("BASE", BaseGateConfig::new(D, E).init(device, rng).unwrap().into()),
            ("StableMoE", StableGateConfig::new(D, 9, E, 20).init(device, rng).unwrap().into()),
            ("DTS", DtsGateConfig::new(D, E, cooling, 20).init(device, rng).unwrap().into()),
            ("COMET", CometGateConfig::new(D, E).init(device, rng).unwrap().into()),
            ("DSelect-2", DSelectKGateConfig::new(D, E).init(device, rng).unwrap().into()),
            (
                "keys",
                KeyGateConfig::new(2)
                    .init(Tensor::eye(D, device).repeat_dim(0, 2).slice([0..E, 0..D]))
                    .unwrap()
                    .into(),
            ),
        ]
    }

    /// For every gate of the family, with and without a permutation, in every pass: a weight is 0
    /// exactly where an expert is not chosen, every token has an expert, and equal experts give
    /// the output of one, multiplied by the sum of the token's weights.
    #[test]
    fn what_every_gate_keeps() {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(12);
        let x: Vec<f32> = (0..9 * D).map(|i| (i as f32 * 0.9).sin()).collect();
        let x = Tensor::<1>::from_floats(&x[..], &device).reshape([9, D]);
        let symbols: Vec<u32> = (0..9).collect();
        let one = MoeFfnConfig::new(D, 4, 1).init(&device, &mut rng).unwrap();
        let same = spawn_experts(&one.experts[0], E, 0.0, &mut rng).unwrap();
        let (one, same) = (one.experts[0].forward(x.clone()), MoeFfn::new(same).unwrap());
        for searched in [false, true] {
            for (name, router) in family(&device, &mut rng) {
                let search = LocalSearchConfig::new(E, 15).init(&device, &mut rng).unwrap();
                let router = if searched { router.with_search(search) } else { router };
                for step in [0, 12, 30] {
                    for way in 0..3 {
                        let pass = match way {
                            0 => Pass::Train { step, rng: &mut rng },
                            1 => Pass::Mixture { step },
                            _ => Pass::Infer { step },
                        };
                        let tokens = Tokens { x: x.clone(), symbols: &symbols };
                        let routing = router.forward(tokens, pass);
                        let g: Vec<f32> = routing.weights.clone().try_into_vec_as().unwrap();
                        for (at, g) in g.iter().enumerate() {
                            let chosen = routing.chosen.get(at / E, at % E);
                            assert!(*g >= 0.0 && (*g > 0.0) == chosen, "{name}, {step}: {g}");
                        }
                        assert!(routing.chosen.active().iter().all(|n| *n > 0), "{name}");
                        let sums = routing.weights.clone().sum_dim(1);
                        let most = sums.clone().max().into_scalar::<f32>();
                        assert!(most < 1.0 + 1e-5, "{name}, {step}: {most}");
                        let apart = same.forward(x.clone(), &routing) - one.clone() * sums;
                        assert!(apart.abs().max().into_scalar::<f32>() < 1e-5, "{name}, {step}");
                    }
                }
            }
        }
    }

    /// Cardinality after training's end, and BASE's capacity.
    #[test]
    fn how_many_experts_each_gate_allows() {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(13);
        let x = Tensor::<2>::ones([10, D], &device);
        let symbols = [3; 10];
        for (name, router) in family(&device, &mut rng) {
            let tokens = Tokens { x: x.clone(), symbols: &symbols };
            let active = router.forward(tokens, Pass::Infer { step: 30 }).chosen.active();
            let allowed = match name {
                "uniform" | "COMET" | "DSelect-2" => E,
                "top 2" | "noisy top 2" | "keys" => 2,
                _ => 1,
            };
            assert!(active.iter().all(|n| *n <= allowed), "{name}: {active:?}");
            if name == "BASE" {
                let tokens = Tokens { x: x.clone(), symbols: &symbols };
                let pass = Pass::Train { step: 0, rng: &mut rng };
                assert_eq!(router.forward(tokens, pass).chosen.load(), [2; E]);
            }
        }
    }

    #[test]
    #[should_panic(expected = "Gate: 2 tokens, 0 symbols")]
    fn a_gate_by_symbols_needs_them() {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let router: Router = HashGateConfig::new(9, E).init(&mut rng).unwrap().into();
        let tokens = Tokens { x: Tensor::ones([2, D], &device), symbols: &[] };
        router.forward(tokens, Pass::Infer { step: 0 });
    }
}
