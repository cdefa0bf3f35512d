//! One step of each workload.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use pressrun_nn::optim::{Adam, AdamConfig};
use pressrun_nn::{device, loss};

use crate::models::{Cnn, Fourier, Mixture, Recurrent, ViT, mlp};
use crate::values::{Parameters, labels, uniform};

/// One step; gives its loss.
pub type Step = Box<dyn FnMut() -> f32 + Send>;

/// The workload of that name.
pub fn make(name: &str) -> Step {
    let device = device::named("flex").expect("in every build");
    let mut p = Parameters::new(&device);
    let d = &device;
    match name {
        "W1" => {
            let model = mlp(&mut p, &[784, 256, 256, 10]);
            let x = uniform(1000, [128, 784], 1.0, d);
            classify(model, move |m| m.forward(x.clone()), labels(1001, 128, 10, d))
        }
        "W2" => {
            let x = uniform(1000, [64, 1, 28, 28], 1.0, d);
            let model = Cnn::new(&mut p);
            classify(model, move |m| m.forward(x.clone()), labels(1001, 64, 10, d))
        }
        "W3" => {
            let x = uniform(1000, [64, 49, 16], 1.0, d);
            let model = ViT::new(&mut p);
            classify(model, move |m| m.forward(x.clone()), labels(1001, 64, 10, d))
        }
        "W4" => mixture(Mixture::new(&mut p), d),
        "W5" => {
            let x = uniform(1000, [256, 784], 1.0, d);
            let model = Fourier::new(&mut p);
            classify(model, move |m| m.forward(x.clone()), labels(1001, 256, 10, d))
        }
        "W6" => {
            let x = uniform(1000, [128, 28, 28], 1.0, d);
            let model = Recurrent::new(&mut p);
            classify(model, move |m| m.forward(x.clone()), labels(1001, 128, 10, d))
        }
        "W7" => {
            let model = mlp(&mut p, &[4, 32, 32, 2]);
            let x = uniform(1000, [32, 4], 1.0, d);
            classify(model, move |m| m.forward(x.clone()), labels(1001, 32, 2, d))
        }
        _ => crate::single::make(name, &mut p),
    }
}

fn adam() -> Adam {
    AdamConfig::new().init().expect("the default settings")
}

fn classify<M: Module + Send + 'static>(
    model: M,
    forward: impl Fn(&M) -> Tensor<2> + Send + 'static,
    targets: Tensor<1, Int>,
) -> Step {
    let (mut model, mut adam) = (Some(model), adam());
    Box::new(move || {
        let now = model.take().expect("put back at the end of each step");
        let loss = loss::cross_entropy(forward(&now), targets.clone());
        let value = loss.clone().into_scalar::<f32>();
        model = Some(adam.step(1e-3, now, loss.backward()));
        value
    })
}

fn mixture(model: Mixture, device: &Device) -> Step {
    let x = uniform(1000, [2048, 64], 1.0, device);
    let targets = uniform(1001, [2048, 64], 1.0, device);
    let (mut model, mut adam) = (Some(model), adam());
    Box::new(move || {
        let now = model.take().expect("put back at the end of each step");
        let loss = (now.forward(x.clone()) - targets.clone()).square().mean();
        let value = loss.clone().into_scalar::<f32>();
        model = Some(adam.step(1e-3, now, loss.backward()));
        value
    })
}
