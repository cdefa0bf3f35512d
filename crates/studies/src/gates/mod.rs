//! Gates compared: every gate that routes tokens to experts, in the same place of the same model.
//!
//! The language model, its training and its grid are those of the study of `EvoMoE`; what differs
//! between the arms is the gate, and for `EvoMoE` itself the phase with one expert before it. What
//! is asked is what a gate costs, in expert evaluations, and what it gives, in nats per character.
//!
//! # Series
//! Those of the study of `EvoMoE`.

#[cfg(test)]
mod tests;

use pressrun_lab::{Judge, MetricSpec, Profile, Result, Results, Run, SeriesSpec, Study};
use pressrun_nn::gate::GateWeights;

use crate::evomoe::model::{GateKind, Reader, Shape};
use crate::evomoe::{self, Config, Experts, Method, data, method, plan};

/// Data and model, as named in the record.
const SETTING: &str = "abstracts, window of 8, 8 experts";

/// Every gate, with experts that are random at first.
const GATES: [(&str, GateKind); 12] = [
    ("All experts alike", GateKind::Uniform),
    ("Top-1", GateKind::TopK(1)),
    ("Top-2", GateKind::TopK(2)),
    ("Noisy top-2", GateKind::NoisyTopK(2)),
    ("Switch", GateKind::Switch),
    ("Hash", GateKind::Hash),
    ("BASE", GateKind::Base),
    ("StableMoE", GateKind::Stable),
    ("Dense to sparse", GateKind::Dts(GateWeights::Gumbel)),
    ("COMET, k = 2", GateKind::Comet { search: false }),
    ("COMET+, k = 2", GateKind::Comet { search: true }),
    ("DSelect-2", GateKind::DSelectK),
];

/// All arms, those that take longest first.
fn methods() -> Vec<Method> {
    let mut all: Vec<Method> =
        GATES.into_iter().map(|(name, gate)| method(name, Experts::Random, gate)).collect();
    let mature = Experts::Mature { rho: 0.3 };
    all.push(method("EvoMoE", mature, GateKind::Dts(GateWeights::Gumbel)));
    all.push(method("One dense expert", Experts::One, GateKind::Uniform));
    all
}

fn full() -> Config {
    Config {
        setting: SETTING,
        methods: methods(),
        shape: Shape {
            reader: Reader::Window { embedding: 16 },
            context: 8,
            d_model: 64,
            d_ff: 64,
            experts: 8,
        },
        batch: 512,
        steps: 1200,
        tuning_steps: 400,
        control_steps: 0,
        ..Config::full()
    }
}

fn quick() -> Config {
    Config { steps: 150, grid: vec![8e-3], ..full() }
}

/// The study.
pub fn study() -> Box<dyn Study> {
    Box::new(Gates { quick: quick(), full: full() })
}

struct Gates {
    quick: Config,
    full: Config,
}

impl Study for Gates {
    fn series(&self) -> Vec<SeriesSpec> {
        evomoe::series()
    }

    fn metrics(&self) -> Vec<MetricSpec> {
        evomoe::metrics()
    }

    fn run(&self, run: &Run<'_>) -> Result<()> {
        let config = match run.profile() {
            Profile::Quick => &self.quick,
            Profile::Full => &self.full,
        };
        let text = data::Text::new(&crate::abstracts()?)?;
        run.data(text.data_use());
        let rates = plan::tune(run, config, &text)?;
        plan::arms(run, config, &text, &rates)?;
        Ok(())
    }

    fn check(&self, _: &Results, _: &mut Judge<'_>) -> Result<()> {
        // A comparison claims nothing.
        Ok(())
    }
}
