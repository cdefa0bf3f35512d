//! Single operations, forwards and backwards.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use pressrun_nn::activation::{Activation, softmax};
use pressrun_nn::norm::LayerNormConfig;
use pressrun_nn::optim::AdamConfig;

use crate::models::linear;
use crate::values::{Parameters, uniform};
use crate::workloads::Step;

/// The operation of that name.
///
/// # Panics
/// If there is none.
pub fn make(name: &str, p: &mut Parameters) -> Step {
    if name == "OF" {
        return adam(p);
    }
    let device = p.device().clone();
    let (layer, norm) =
        (linear(p, 64, 192), LayerNormConfig::new(64).init(&device).expect("sizes"));
    let x = leaf::<3>(1000, [64, 49, 64], &device);
    let scores = leaf::<4>(1001, [64, 4, 49, 49], &device);
    let hidden = leaf::<3>(1002, [64, 49, 128], &device);
    let (q, k) = (leaf::<4>(1003, [64, 4, 49, 16], &device), leaf(1004, [64, 4, 49, 16], &device));
    let other = leaf::<3>(1005, [64, 49, 64], &device);
    let f: Box<dyn Fn() -> Tensor<1> + Send> = match name {
        "OA" => Box::new(move || layer.forward(x.clone()).mean()),
        "OB" => Box::new(move || (norm.forward(x.clone()) * other.clone()).mean()),
        "OC" => Box::new(move || (softmax(scores.clone()) * scores.clone()).mean()),
        "OD" => Box::new(move || Activation::Gelu.forward(hidden.clone()).mean()),
        "OE" => Box::new(move || q.clone().matmul(k.clone().swap_dims(2, 3)).mean()),
        "OG" => Box::new(move || (x.clone() + other.clone()).mean()),
        _ => panic!("no workload `{name}`; there are W1 to W7 and OA to OG"),
    };
    Box::new(move || {
        let loss = f();
        let value = loss.clone().into_scalar::<f32>();
        drop(loss.backward());
        value
    })
}

fn leaf<const D: usize>(seed: u64, shape: [usize; D], device: &Device) -> Tensor<D> {
    uniform(seed, shape, 1.0, device).require_grad()
}

/// The weights of five layers.
#[derive(Module, Debug)]
struct Weights {
    all: Vec<Param<Tensor<2>>>,
}

/// Adam on the weights of five layers; the loss is the sum of their means.
fn adam(p: &mut Parameters) -> Step {
    let sizes = [(64, 192), (64, 64), (64, 128), (128, 64), (784, 256)];
    let all = sizes.map(|(i, o)| linear(p, i, o).weight).to_vec();
    let mut model = Some(Weights { all });
    let mut adam = AdamConfig::new().init().expect("the default settings");
    Box::new(move || {
        let now = model.take().expect("put back at the end of each step");
        let mean = |w: &Param<Tensor<2>>| w.val().mean();
        let loss = now.all.iter().map(mean).reduce(|a, b| a + b).expect("five");
        let value = loss.clone().into_scalar::<f32>();
        model = Some(adam.step(1e-3, now, loss.backward()));
        value
    })
}
