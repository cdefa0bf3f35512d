//! The models that turn embedded values into a logit.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use rand::Rng;

use super::{CrossNet, CrossNetConfig, fm_pairwise, inner_products};
use crate::activation::Activation;
use crate::init::Init;
use crate::linear::{Linear, LinearConfig};
use crate::mlp::{Mlp, MlpConfig};
use crate::{Error, Result};

/// Makes a [`Backbone`].
#[derive(Debug, Clone)]
pub struct BackboneConfig {
    kind: Kind,
    fields: usize,
    width: usize,
    hidden: Vec<usize>,
    bias: bool,
    layers: usize,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Fm,
    DeepFm,
    Dcn,
    Ipnn,
}

impl BackboneConfig {
    /// A factorization machine over `fields` vectors of `width` numbers.
    pub fn fm(fields: usize, width: usize) -> Self {
        Self::new(Kind::Fm, fields, width)
    }

    /// A factorization machine beside a deep part.
    pub fn deep_fm(fields: usize, width: usize) -> Self {
        Self::new(Kind::DeepFm, fields, width)
    }

    /// A cross network beside a deep part.
    pub fn dcn(fields: usize, width: usize) -> Self {
        Self::new(Kind::Dcn, fields, width)
    }

    /// A deep part over vectors and their inner products.
    pub fn ipnn(fields: usize, width: usize) -> Self {
        Self::new(Kind::Ipnn, fields, width)
    }

    fn new(kind: Kind, fields: usize, width: usize) -> Self {
        Self { kind, fields, width, hidden: vec![1024, 512, 256], bias: false, layers: 3 }
    }

    /// Sizes of the hidden layers of the deep part; 1024, 512, 256 by default.
    pub fn with_hidden(mut self, hidden: impl Into<Vec<usize>>) -> Self {
        self.hidden = hidden.into();
        self
    }

    /// Whether a factorization machine has a free constant; the deep part has one anyway.
    pub fn with_bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }

    /// Number of cross layers; 3 by default.
    pub fn with_cross_layers(mut self, layers: usize) -> Self {
        self.layers = layers;
        self
    }

    /// Makes the backbone: initial weights as in `torch.nn.Linear`, constants and cross biases 0.
    ///
    /// # Errors
    /// If a size is 0, if a deep part has no hidden layer, or with fewer than two fields.
    pub fn init(&self, device: &Device, rng: &mut (impl Rng + ?Sized)) -> Result<Backbone> {
        Error::unless(self.fields >= 2, "Backbone", "fields", self.fields, "at least 2")?;
        Error::unless(self.width > 0, "Backbone", "width", self.width, "at least 1")?;
        let deep = self.kind != Kind::Fm;
        let hidden = !deep || !self.hidden.is_empty();
        Error::unless(hidden, "Backbone", "hidden", "[]", "at least one hidden layer")?;
        let flat = self.fields * self.width;
        let sizes = |inputs: usize, outputs: &[usize]| {
            let mut sizes = vec![inputs];
            sizes.extend(&self.hidden);
            sizes.extend(outputs);
            MlpConfig::new(sizes)
        };
        Ok(match self.kind {
            Kind::Fm => {
                let bias = self.bias.then(|| Init::Constant(0.0).param([1], (1, 1), device, rng));
                Backbone::Fm(Fm { bias })
            }
            Kind::DeepFm => Backbone::DeepFm(DeepFm { deep: sizes(flat, &[1]).init(device, rng)? }),
            Kind::Dcn => {
                let last = self.hidden[self.hidden.len() - 1];
                Backbone::Dcn(Dcn {
                    cross: CrossNetConfig::new(flat, self.layers).init(device, rng)?,
                    deep: sizes(flat, &[]).init(device, rng)?,
                    head: LinearConfig::new(flat + last, 1).with_bias(false).init(device, rng)?,
                })
            }
            Kind::Ipnn => {
                let pairs = self.fields * (self.fields - 1) / 2;
                Backbone::Ipnn(Ipnn { deep: sizes(flat + pairs, &[1]).init(device, rng)? })
            }
        })
    }
}

/// One of the four backbones.
///
/// # Shapes
/// - `e`: `[rows, fields, width]`
/// - output, logits: `[rows, 1]`
///
/// # Panics
/// `forward` if a deep part was made for other numbers of fields or width.
///
/// # Example
/// ```
/// use burn::tensor::Tensor;
/// use pressrun_nn::{ctr::BackboneConfig, device};
/// use rand::SeedableRng;
///
/// let device = device::named("flex")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let model = BackboneConfig::deep_fm(3, 4).with_hidden([8]).init(&device, &mut rng)?;
/// assert_eq!(model.forward(Tensor::ones([5, 3, 4], &device)).dims(), [5, 1]);
/// # Ok::<(), pressrun_nn::Error>(())
/// ```
#[derive(Module, Debug)]
pub enum Backbone {
    /// A factorization machine.
    Fm(Fm),
    /// A factorization machine beside a deep part.
    DeepFm(DeepFm),
    /// A cross network beside a deep part.
    Dcn(Dcn),
    /// A deep part over vectors and their inner products.
    Ipnn(Ipnn),
}

impl Backbone {
    /// The logits.
    ///
    /// # Panics
    /// If a deep part was made for other numbers of fields or width.
    pub fn forward(&self, e: Tensor<3>) -> Tensor<2> {
        match self {
            Self::Fm(model) => model.forward(e),
            Self::DeepFm(model) => model.forward(e),
            Self::Dcn(model) => model.forward(e),
            Self::Ipnn(model) => model.forward(e),
        }
    }
}

/// Factorization machine of second order without first-order term.
///
/// ```text
/// y = sum_{i<j} <e_i, e_j> + b
/// ```
///
/// # Shapes
/// - `e`: `[rows, fields, width]`; output: `[rows, 1]`
///
/// # Source
/// Rendle, 2010. The authors of `OptFS` (arXiv:2301.10909) have neither the first-order term nor b.
#[derive(Module, Debug)]
pub struct Fm {
    /// b, `[1]`, if there is one.
    pub bias: Option<Param<Tensor<1>>>,
}

impl Fm {
    /// The logits.
    pub fn forward(&self, e: Tensor<3>) -> Tensor<2> {
        let y = fm_pairwise(e);
        match &self.bias {
            Some(bias) => y + bias.val().unsqueeze(),
            None => y,
        }
    }
}

/// Factorization machine and deep part on the same vectors.
///
/// ```text
/// y = sum_{i<j} <e_i, e_j> + MLP([e_1 .. e_F])
/// ```
///
/// # Shapes
/// - `e`: `[rows, fields, width]`; output: `[rows, 1]`
///
/// # Source
/// Guo et al., `DeepFM`, arXiv:1703.04247; without first-order term as in arXiv:2301.10909.
///
/// # Panics
/// `forward` if it was made for other numbers of fields or width.
#[derive(Module, Debug)]
pub struct DeepFm {
    /// The deep part, `fields * width` to 1.
    pub deep: Mlp,
}

impl DeepFm {
    /// The logits.
    ///
    /// # Panics
    /// If the model was made for other numbers of fields or width.
    pub fn forward(&self, e: Tensor<3>) -> Tensor<2> {
        fm_pairwise(e.clone()) + self.deep.forward(flatten(e))
    }
}

/// Cross network and deep part, joined by a linear head.
///
/// ```text
/// x = [e_1 .. e_F]
/// y = w^T [cross(x), relu(MLP(x))]
/// ```
///
/// # Shapes
/// - `e`: `[rows, fields, width]`; output: `[rows, 1]`
///
/// # Source
/// Wang et al., arXiv:1708.05123; head without bias as in arXiv:2301.10909.
///
/// # Panics
/// `forward` if it was made for other numbers of fields or width.
#[derive(Module, Debug)]
pub struct Dcn {
    /// The cross network.
    pub cross: CrossNet,
    /// The deep part, `fields * width` to its last hidden size.
    pub deep: Mlp,
    /// w.
    pub head: Linear,
}

impl Dcn {
    /// The logits.
    ///
    /// # Panics
    /// If the model was made for other numbers of fields or width.
    pub fn forward(&self, e: Tensor<3>) -> Tensor<2> {
        let x = flatten(e);
        let deep = Activation::Relu.forward(self.deep.forward(x.clone()));
        self.head.forward(Tensor::cat(vec![self.cross.forward(x), deep], 1))
    }
}

/// Deep part over the vectors and their inner products.
///
/// ```text
/// y = MLP([e_1 .. e_F, <e_1, e_2>, <e_1, e_3> ..])
/// ```
///
/// # Shapes
/// - `e`: `[rows, fields, width]`; output: `[rows, 1]`
///
/// # Source
/// Qu et al., arXiv:1611.00144.
///
/// # Panics
/// `forward` if it was made for other numbers of fields or width.
#[derive(Module, Debug)]
pub struct Ipnn {
    /// The deep part, `fields * width + fields (fields - 1) / 2` to 1.
    pub deep: Mlp,
}

impl Ipnn {
    /// The logits.
    ///
    /// # Panics
    /// If the model was made for other numbers of fields or width.
    pub fn forward(&self, e: Tensor<3>) -> Tensor<2> {
        let pairs = inner_products(e.clone());
        self.deep.forward(Tensor::cat(vec![flatten(e), pairs], 1))
    }
}

fn flatten(e: Tensor<3>) -> Tensor<2> {
    let [rows, fields, width] = e.dims();
    e.reshape([rows, fields * width])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ctr::{GateMode, GatedEmbedding, GatedEmbeddingConfig};
    use crate::{device, testing};
    use burn::tensor::{Int, TensorData};
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    const FIELDS: usize = 3;
    const WIDTH: usize = 2;

    fn backbones() -> Vec<Backbone> {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let configs = [
            BackboneConfig::fm(FIELDS, WIDTH).with_bias(true),
            BackboneConfig::deep_fm(FIELDS, WIDTH),
            BackboneConfig::dcn(FIELDS, WIDTH).with_cross_layers(2),
            BackboneConfig::ipnn(FIELDS, WIDTH),
        ];
        configs.map(|c| c.with_hidden([5, 4]).init(&device, &mut rng).unwrap()).into()
    }

    fn e(values: &[f32]) -> Tensor<3> {
        let device = device::named("flex").unwrap();
        let rows = values.len() / (FIELDS * WIDTH);
        Tensor::from_data(TensorData::new(values.to_vec(), [rows, FIELDS, WIDTH]), &device)
    }

    const E: [f32; 12] = [1.0, 2.0, 0.0, 1.0, -1.0, 3.0, 0.4, -0.3, 0.8, 0.1, -0.6, 0.5];

    #[test]
    fn zero_vectors_leave_only_the_constant() {
        for model in backbones() {
            let y: Vec<f32> = model.forward(e(&[0.0; 12])).try_into_vec_as().unwrap();
            assert_eq!(y[0], y[1], "{model:?}");
        }
    }

    #[test]
    fn a_deep_fm_is_the_sum_of_its_parts() {
        let Backbone::DeepFm(model) = &backbones()[1] else { panic!("the second is a DeepFM") };
        let parts = fm_pairwise(e(&E)) + model.deep.forward(e(&E).reshape([2, 6]));
        let y: Vec<f32> = model.forward(e(&E)).try_into_vec_as().unwrap();
        assert_eq!(y, parts.try_into_vec_as::<f32>().unwrap());
        // The factorization machine alone gives 10 for the first row.
        let Backbone::Fm(fm) = &backbones()[0] else { panic!("the first is an FM") };
        assert_eq!(fm.forward(e(&E)).try_into_vec_as::<f32>().unwrap()[0], 10.0);
    }

    #[test]
    fn gradients_of_inputs_and_parameters() {
        let device = device::named("flex").unwrap();
        for model in backbones() {
            let f = |e: Tensor<3>| model.forward(e).tanh().sum();
            testing::check_input(&device, [1, FIELDS, WIDTH], &E[6..], f);
            testing::check_module(&model, |m: &Backbone| m.forward(e(&E[6..])).tanh().sum());
        }
    }

    #[test]
    fn a_value_with_a_closed_gate_contributes_nothing_to_any_backbone() {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        // Two values for each of the three fields; 1 and 4 are closed.
        let init = Init::Normal { mean: 0.0, std: 1.0 };
        let table = GatedEmbeddingConfig::new(6, WIDTH).with_init(init);
        let table = table.init(&device, &mut rng).unwrap();
        let table = table.with_kept(&[true, false, true, true, false, true]);
        let look = |table: &GatedEmbedding, ids: [i32; 3]| {
            table.lookup(Tensor::<2, Int>::from_ints([ids], &device), GateMode::Hard)
        };
        let mut other = table.clone();
        other.table = other.table.map(|t| {
            let mask =
                Tensor::<2>::from_floats([[0.0], [9.0], [0.0], [0.0], [-7.0], [0.0]], &device);
            (t + mask).detach().require_grad()
        });
        for model in backbones() {
            let y = |table, ids| model.forward(look(table, ids)).into_scalar::<f32>();
            assert_eq!(y(&table, [1, 2, 4]), y(&other, [1, 2, 4]), "{model:?}");
            assert_ne!(y(&table, [0, 2, 4]), y(&table, [1, 2, 4]), "{model:?}");
            let grads = model.forward(look(&table, [1, 2, 4])).sum().backward();
            if let Some(grad) = table.table.val().grad(&grads) {
                let rows: Vec<f32> = grad.abs().sum_dim(1).try_into_vec_as().unwrap();
                assert_eq!((rows[1], rows[4]), (0.0, 0.0), "{model:?}");
            }
        }
    }

    #[test]
    fn refuses_what_makes_no_model() {
        let device = device::named("flex").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        assert!(BackboneConfig::fm(1, 4).init(&device, &mut rng).is_err());
        let error = BackboneConfig::dcn(3, 4).with_hidden([]).init(&device, &mut rng).unwrap_err();
        assert!(error.to_string().contains("`hidden` is `[]`"), "{error}");
    }
}
